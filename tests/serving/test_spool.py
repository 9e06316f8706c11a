"""A spool keeps every frame that it took, refuses or counts the others, and its readers survive any bytes."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.errors import Unavailable
from mainspring.serving.spool import Spool
from mainspring.serving.spool_files import HEAD, SpoolFile, SpoolReader, frame, spool_files, spooled_bytes
from mainspring.testing.full_disk import small_disk

PLENTY = 1 << 30


def read_all(folder: Path) -> tuple[list[bytes], int]:
    """All payloads in the order of their files, and the bytes that were passed over."""
    payloads, damaged = [], 0
    for file in spool_files(folder):
        reader = SpoolReader(file)
        places = []
        while not reader.finished and not reader.stopped:
            for place, payload in reader.read(1 << 20):
                places.append(place)
                payloads.append(payload)
        assert places == sorted(set(places))
        assert reader.finished
        damaged += reader.damaged
        reader.close()
    return payloads, damaged


def test_what_went_in_comes_out_in_order_over_many_files(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", "worker-0", limit=PLENTY, file_bytes=1000)
    payloads = [b"P" + bytes([n % 256]) * (n % 97) for n in range(500)]
    for payload in payloads:
        assert spool.append(payload) is None
    spool.close()
    assert read_all(tmp_path / "spool") == (payloads, 0)
    files = spool_files(tmp_path / "spool")
    assert len(files) > 10
    assert len({file.writer for file in files}) == 1
    end = sum(file.path.stat().st_size for file in files)
    assert [file.base for file in files] == sorted(file.base for file in files)
    assert files[-1].base + files[-1].path.stat().st_size == end == spool.position
    assert all(file.path.stat().st_mode & 0o777 == 0o600 for file in files)


def test_what_goes_in_together_comes_out_in_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", "worker-0", limit=PLENTY, file_bytes=1000)
    payloads = [b"P" + bytes([n % 256]) * (n % 97) for n in range(500)]
    for start in range(0, 500, 7):
        before = spool.position
        assert spool.append_together(payloads[start : start + 7])
        assert spool.position == before + sum(HEAD.size + len(one) for one in payloads[start : start + 7])
    spool.close()
    assert read_all(tmp_path / "spool") == (payloads, 0)
    assert len(spool_files(tmp_path / "spool")) > 10


def test_what_cannot_go_in_together_is_not_there_at_all(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", "worker-0", limit=10_000)
    assert spool.append_together([b"P1", b"P2"])
    assert not spool.append_together([b"P3", b"P" * 10_000])
    assert spool.append_together([b"P5"])
    spool.close()
    assert read_all(tmp_path / "spool") == ([b"P1", b"P2", b"P5"], 0)
    strict = Spool(tmp_path / "strict", "worker-0", limit=PLENTY, strict=True)
    assert not strict.append_together([b"P1"])
    strict.close()
    assert read_all(tmp_path / "strict") == ([], 0)


def test_on_a_full_disk_nothing_goes_in_half(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1 << 20) as disk:
        spool = Spool(disk / "spool", "worker-0", limit=PLENTY)
        payloads = [b"P" + bytes([n]) * 9_999 for n in range(30)]
        taken = 0
        while spool.append_together(payloads):
            taken += 1
        spool.close()
        assert read_all(disk / "spool") == (payloads * taken, 0)


def test_a_reader_follows_a_live_writer_and_sees_its_end(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "worker-0", limit=PLENTY)
    spool.append(b"Pone")
    (file,) = spool_files(tmp_path)
    reader = SpoolReader(file)
    assert [payload for _, payload in reader.read(PLENTY)] == [b"Pone"]
    assert not reader.finished
    spool.append(b"Ptwo")
    assert [payload for _, payload in reader.read(PLENTY)] == [b"Ptwo"]
    spool.close()
    assert list(reader.read(PLENTY)) == []
    assert reader.finished
    reader.rewind()
    assert [payload for _, payload in reader.read(PLENTY)] == [b"Pone", b"Ptwo"]
    reader.close()


def test_a_budget_interrupts_reading_and_loses_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w", limit=PLENTY)
    for n in range(50):
        spool.append(b"P%03d" % n * 10)
    spool.close()
    (file,) = spool_files(tmp_path)
    reader, got, rounds = SpoolReader(file), [], 0
    while not reader.finished:
        got += [payload for _, payload in reader.read(100)]
        rounds += 1
    assert got == [b"P%03d" % n * 10 for n in range(50)]
    assert rounds > 10
    reader.close()


def test_a_torn_end_waits_for_a_live_writer_and_is_cut_behind_a_dead_one(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w", limit=PLENTY)
    spool.append(b"Pwhole")
    (file,) = spool_files(tmp_path)
    torn = frame(b"P" + b"x" * 100)[:50]
    with file.path.open("ab") as behind_its_back:
        behind_its_back.write(torn)
    reader = SpoolReader(file)
    assert [payload for _, payload in reader.read(PLENTY)] == [b"Pwhole"]
    assert reader.stopped
    assert not reader.finished
    assert reader.damaged == 0
    spool.close()
    assert list(reader.read(PLENTY)) == []
    assert reader.finished
    assert reader.damaged == len(torn)
    reader.close()


def test_one_broken_frame_costs_no_other(tmp_path: Path) -> None:
    frames = [bytearray(frame(b"P%d" % n * 20)) for n in range(5)]
    frames[2][HEAD.size + 3] ^= 1
    (tmp_path / SpoolFile.name("w", 0)).write_bytes(b"".join(frames))
    payloads, damaged = read_all(tmp_path)
    assert payloads == [b"P%d" % n * 20 for n in (0, 1, 3, 4)]
    assert damaged == len(frames[2])


def test_zeros_are_no_frames(tmp_path: Path) -> None:
    """After a power cut a file system may give back blocks of zeros; their checksum would be right."""
    (tmp_path / SpoolFile.name("w", 0)).write_bytes(frame(b"Pone") + bytes(4096))
    assert read_all(tmp_path) == ([b"Pone"], 4096)


@given(content=st.binary(max_size=400), base=st.integers(0, 10**17))
@settings(max_examples=150, deadline=None)
def test_any_bytes_can_be_read(content: bytes, base: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("spool")
    (folder / SpoolFile.name("w", base)).write_bytes(content)
    _, damaged = read_all(folder)
    assert damaged <= len(content)


@given(
    payloads=st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=8),
    cut=st.integers(0, 600),
    garbage=st.binary(max_size=40),
)
@settings(max_examples=150, deadline=None)
def test_what_stands_before_the_damage_is_read(
    payloads: list[bytes], cut: int, garbage: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    whole = b"".join(map(frame, payloads))
    (folder / SpoolFile.name("w", 0)).write_bytes(whole[:cut] + garbage)
    kept, end = 0, 0
    for payload in payloads:
        end += HEAD.size + len(payload)
        kept += end <= cut
    found, _ = read_all(folder)
    assert found[:kept] == payloads[:kept]


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    zero = "0" * 18
    for name in ("drainer.lock", "x.spool", f".w-{zero}.spool", "w-0.spool", f"w-1-{zero}.spoo"):
        (tmp_path / name).write_bytes(b"?")
    (tmp_path / "w-000000000000000000.spool").symlink_to("/etc/passwd")
    (tmp_path / "f-000000000000000000.spool").mkdir()
    assert spool_files(tmp_path) == []
    assert spool_files(tmp_path / "nosuch") == []


def test_a_frame_too_large_is_refused(tmp_path: Path) -> None:
    why: list[str] = []
    spool = Spool(tmp_path, "w", limit=1 << 40, dropped=why.append)
    spool.append(b"P" * 10)

    class Huge(bytes):
        def __len__(self) -> int:
            return 2**31

    spool.append(Huge(b"P"))
    spool.append(b"P" * 10)
    spool.close()
    assert why == ["size"]
    assert read_all(tmp_path) == ([b"P" * 10] * 2, 0)


def test_beyond_the_limit_batch_counts_and_strict_refuses(tmp_path: Path) -> None:
    why: list[str] = []
    spool = Spool(tmp_path / "batch", "w", limit=1000, dropped=why.append)
    for _ in range(50):
        spool.append(b"P" * 92)
    assert why == ["limit"] * 40
    with pytest.raises(Unavailable, match="nothing may go unrecorded"):
        spool.append(b"F" * 92, must_keep=True)
    spool.close()
    assert len(read_all(tmp_path / "batch")[0]) == 10

    async def strict() -> int:
        spool = Spool(tmp_path / "strict", "w", limit=1000, strict=True, dropped=why.append)
        kept = 0
        for _ in range(50):
            try:
                done = spool.append(b"P" * 92)
            except Unavailable:
                continue
            assert done is not None
            await done
            kept += 1
        spool.close()
        return kept

    assert asyncio.run(strict()) == 10
    assert len(why) == 40


def test_room_comes_back_when_files_are_drained(tmp_path: Path) -> None:
    why: list[str] = []
    spool = Spool(tmp_path, "w", limit=1000, dropped=why.append, file_bytes=400)
    while not why:
        spool.append(b"P" * 92)
    for file in spool_files(tmp_path):
        file.path.unlink()
    for _ in range(2000):
        before = len(why)
        spool.append(b"P" * 92)
        if len(why) == before:
            break
        time.sleep(0.01)
    else:
        pytest.fail("there is room again, and nobody noticed")
    spool.close()


@pytest.mark.parametrize("strict", [False, True])
def test_on_a_full_disk_nothing_is_half_written(tmp_path: Path, strict: bool) -> None:
    async def fill(folder: Path) -> tuple[int, int, list[str]]:
        why: list[str] = []
        spool = Spool(folder, "w", limit=PLENTY, strict=strict, dropped=why.append)
        kept = refused = 0
        why_refused: set[str] = set()
        for _ in range(400):
            before = spool.position
            try:
                done = spool.append(b"P" * 3001)
                if done is not None:
                    await done
            except Unavailable as error:
                why_refused.add(error.where["reason"])
                refused += 1
            kept += spool.position > before
        spool.close()
        assert why_refused <= {"full"}
        return kept, refused, why

    with small_disk(tmp_path / "disk", 300_000) as disk:
        kept, refused, why = asyncio.run(fill(disk / "spool"))
        assert 0 < kept < 110
        assert (refused, len(why)) == ((400 - kept, 0) if strict else (0, 400 - kept))
        assert set(why) <= {"full"}
        assert read_all(disk / "spool") == ([b"P" * 3001] * kept, 0)
        assert spooled_bytes(disk / "spool") == kept * (3001 + HEAD.size)


def test_a_folder_that_cannot_be_written_costs_no_answer(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    why: list[str] = []
    spool = Spool(tmp_path / "file" / "spool", "w", limit=PLENTY, dropped=why.append)
    assert spool.append(b"P") is None
    spool.close()
    assert why == ["error"]


_WRITER = """
import sys
from pathlib import Path
from mainspring.serving.spool import Spool
spool = Spool(Path(sys.argv[1]), "w", limit=1 << 30, file_bytes=20_000)
number = 0
while True:
    spool.append(b"P%d " % number * 20)
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
    number += 1
"""


def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    acknowledged: list[int] = []
    for life in range(4):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        for lines, line in enumerate(writer.stdout):
            acknowledged.append(int(line))
            if lines > 300 + 70 * life:
                writer.send_signal(signal.SIGKILL)
                break
        rest = writer.stdout.read()
        acknowledged += [int(number) for number in rest.split(b"\n")[:-1]]
        writer.stdout.close()
        writer.wait()
    payloads, damaged = read_all(tmp_path)
    # A kill may end a write between two pages: then a life leaves a part of one frame, which nobody acknowledged.
    assert damaged < 4 * (HEAD.size + max(map(len, payloads)))
    found = Counter(int(payload[1:].split(b" ")[0]) for payload in payloads)
    assert not Counter(acknowledged) - found
    assert sum(found.values()) <= len(acknowledged) + 4  # one in each life may have been written and not said


def test_a_writer_forks_nothing_of_its_lock(tmp_path: Path) -> None:
    """A child that outlives its parent must not make the parent's file look as if it were still written."""
    spool = Spool(tmp_path, "w", limit=PLENTY)
    spool.append(b"Pone")
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        spool.close()
        assert read_all(tmp_path) == ([b"Pone"], 0)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
