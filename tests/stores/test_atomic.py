"""Files and folders appear whole or not at all."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mainspring.errors import DiskFull, StoreError
from mainspring.stores.atomic import publish_folder, write_atomic
from mainspring.testing.full_disk import small_disk


def test_write_replaces_the_whole_file_and_leaves_no_other(tmp_path: Path) -> None:
    place = tmp_path / "routes.json"
    write_atomic(place, b"first, and longer")
    write_atomic(place, b"second")
    assert place.read_bytes() == b"second"
    assert [p.name for p in tmp_path.iterdir()] == ["routes.json"]


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_write_sets_the_mode_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    before = os.umask(0o077)
    try:
        write_atomic(tmp_path / "key", b"x", mode=mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == mode


def test_write_with_a_very_long_name(tmp_path: Path) -> None:
    write_atomic(tmp_path / ("x" * 255), b"1")
    assert [len(p.name) for p in tmp_path.iterdir()] == [255]


def test_write_follows_no_planted_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    temporary = tmp_path / f".file.{os.getpid()}-{threading.get_ident()}.tmp"
    temporary.symlink_to(outside)
    with pytest.raises(OSError):
        write_atomic(tmp_path / "file", b"x")
    assert outside.read_bytes() == b"precious"


def test_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 64 * 1024) as disk:
        place = disk / "model.onnx"
        write_atomic(place, b"old")
        with pytest.raises(DiskFull, match="writing the release adclick@7; free some space"):
            write_atomic(place, bytes(1024 * 1024), role="the release adclick@7")
        assert place.read_bytes() == b"old"
        assert [p.name for p in disk.iterdir()] == ["model.onnx"]


def test_a_file_beyond_the_limit_counts_as_full(tmp_path: Path) -> None:
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from mainspring.errors import DiskFull; from mainspring.stores.atomic import write_atomic\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_atomic(Path(sys.argv[1]), bytes(2000))\n"
        "except DiskFull: sys.exit(7)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "f")], check=False)
    assert done.returncode == 7
    assert list(tmp_path.iterdir()) == []


def test_killed_writers_never_leave_a_torn_file(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from mainspring.stores.atomic import write_atomic\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1; write_atomic(Path(sys.argv[1]), bytes([n % 256]) * 300_000)\n"
        "    print('.', end='', flush=True)"
    )
    place = tmp_path / "file"
    for writes in (1, 3, 6):
        child = subprocess.Popen([sys.executable, "-c", script, str(place)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.read(writes)
        child.kill()
        child.wait()
        child.stdout.close()
        content = place.read_bytes()
        assert len(content) == 300_000
        assert len(set(content)) == 1


def test_publish_moves_the_whole_folder(tmp_path: Path) -> None:
    building = tmp_path / "building"
    (building / "source").mkdir(parents=True)
    (building / "source" / "model.py").write_text("x = 1")
    publish_folder(building, tmp_path / "7")
    assert (tmp_path / "7" / "source" / "model.py").read_text() == "x = 1"
    assert not building.exists()


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_publish_never_overwrites(tmp_path: Path, kind: str) -> None:
    building, final = tmp_path / "building", tmp_path / "7"
    building.mkdir()
    (building / "new").touch()
    if kind == "folder":
        final.mkdir()
        (final / "old").touch()
    else:
        final.touch()
    with pytest.raises(StoreError, match="release adclick@7 is there already"):
        publish_folder(building, final, role="the release adclick@7")
    assert not (final / "new").exists()
    assert (building / "new").exists()
