"""A SQLite file keeps the law of online stores, and what it does with broken, full, stolen and foreign files."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.errors import DiskFull, StoreError, WorkspaceBusy
from mainspring.features.online import sqlite
from mainspring.features.online.sqlite import SqliteStore
from mainspring.features.online.sqlite_file import _UNSEEN
from mainspring.testing.contracts.online import ADS, SHOPS, numbered
from mainspring.testing.contracts.online_emptied import EmptiedContract
from mainspring.testing.full_disk import small_disk


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a folder" / "features.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path, timeout=20.0)
    yield store
    store.close()


class TestSqlite(EmptiedContract):
    @pytest.fixture
    def open_store(self, path: Path) -> Callable[[], SqliteStore]:
        return lambda: SqliteStore(path, timeout=20.0)

    @pytest.fixture
    def empty(self, path: Path) -> Callable[[], None]:
        def empty() -> None:
            path.unlink()
            time.sleep(2 * _UNSEEN)

        return empty


def child(path: Path, script: str) -> "subprocess.Popen[str]":
    """A process that has opened the store, and does what the script says."""
    opening = (
        "import sys; from pathlib import Path\n"
        "from mainspring.features.online.sqlite import SqliteStore\n"
        "from mainspring.testing.contracts.online import ADS, numbered\n"
        "store = SqliteStore(Path(sys.argv[1]), timeout=20.0)\n"
    )
    return subprocess.Popen([sys.executable, "-c", opening + script, str(path)], stdout=subprocess.PIPE, text=True)


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_it_is_the_owners_alone(store: SqliteStore, path: Path) -> None:
    store.write(ADS, numbered(0, 1), fence=1)
    assert path.stat().st_mode & 0o777 == 0o600


LONG = b"a key of more bytes than a place has"


@pytest.mark.parametrize("keys", [(b"a", b"a"), (b"a", b"b"), (LONG, LONG), (b"a", LONG), (LONG, b"a", LONG)])
def test_one_entity_of_each_view_is_found_whatever_the_keys_are(store: SqliteStore, keys: tuple[bytes]) -> None:
    views = [f"view{number}-0123456789ab" for number in range(len(keys))]
    for view in views:
        store.write(view, [(key, view.encode() + key) for key in (b"a", b"b", LONG)], fence=1)
    asked = [(view, [key]) for view, key in zip(views, keys, strict=True)]
    assert store.read(asked) == [[view.encode() + key] for view, (key,) in asked]
    assert store.read([(view, [b"other" + key]) for view, (key,) in asked]) == [[None]] * len(keys)


@given(st.lists(st.binary(min_size=1, max_size=9), min_size=60, max_size=80))
def test_the_places_of_many_keys_are_those_of_each(keys: list[bytes]) -> None:
    assert sqlite._places(keys) == [sqlite._place(key) for key in keys]
    short = [key[:7] for key in keys]
    assert sqlite._places(short) == [sqlite._place(key) for key in short]
    assert all((one == other) == (sqlite._place(one) == sqlite._place(other)) for one in short for other in short)


def test_of_a_key_that_is_written_twice_the_later_vector_stays(store: SqliteStore) -> None:
    keys = [b"b", b"a", LONG, b"c", b"a", LONG]
    store.write(ADS, [(key, b"%d" % number) for number, key in enumerate(keys)], fence=1)
    assert store.read([(ADS, [b"a", b"b", b"c", LONG])]) == [[b"4", b"0", b"3", b"5"]]


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_writer_leaves_whole_vectors_and_no_mark(store: SqliteStore, path: Path, seed: int) -> None:
    endless = (
        "store.write(ADS, numbered(0, 20_000, b'first'), fence=1); store.mark(ADS, b'first', fence=1)\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    store.write(ADS, numbered(0, 20_000, b'second'), fence=1)\n"
        "    store.write(ADS, numbered(0, 20_000, b'first'), fence=1)\n"
    )
    with child(path, endless) as writer:
        assert said(writer) == "ready"
        keys = [key for key, _ in numbered(0, 20_000)]
        for _ in range(random.Random(seed).randrange(5)):
            found = store.read([(ADS, keys)])[0]
            assert {vector[: -len(key[3:])] for key, vector in zip(keys, found, strict=True) if vector} <= {
                b"first",
                b"second",
            }
        writer.send_signal(signal.SIGKILL)
    store.write(ADS, numbered(5_000, 10_000, b"third"), fence=2)
    found = store.read([(ADS, keys)])[0]
    for place, (key, vector) in enumerate(zip(keys, found, strict=True)):
        texts = (b"third",) if 5_000 <= place < 15_000 else (b"first", b"second")
        assert vector in [text + key[3:] for text in texts]
    assert (store.marked(ADS), store.count(ADS)) == (b"first", 20_000)


def test_of_two_processes_the_later_one_wins(store: SqliteStore, path: Path) -> None:
    """Both fill the same view; the one whose lease ran out ends, and has overwritten nothing."""
    endless = (
        "from mainspring.errors import WorkspaceBusy\n"
        "try:\n"
        "    while True:\n"
        "        store.write(ADS, numbered(0, 12_000, b'early'), fence=1)\n"
        "        print('written', flush=True)\n"
        "except WorkspaceBusy:\n"
        "    sys.exit(7)\n"
    )
    with child(path, endless) as early:
        assert said(early) == "written"
        store.write(ADS, numbered(0, 12_000, b"later"), fence=2)
        store.mark(ADS, b"later", fence=2)
        assert early.wait(60) == 7
    found = store.read([(ADS, [key for key, _ in numbered(0, 12_000)])])[0]
    assert found == [vector for _, vector in numbered(0, 12_000, b"later")]


def test_processes_that_make_the_file_at_the_same_time_make_one(path: Path) -> None:
    script = "import os; store.write(f'v-{os.getpid():012d}', numbered(0, 10), fence=1); print(os.getpid())"
    children = [child(path, script) for _ in range(4)]
    names = [f"v-{int(process.communicate()[0]):012d}" for process in children]
    with closing(SqliteStore(path, timeout=5.0)) as store:
        assert [store.count(name) for name in names] == [10] * 4


def test_what_a_deleted_file_left_behind_is_not_taken_for_the_new_ones(store: SqliteStore, path: Path) -> None:
    store.write(ADS, numbered(0, 100), fence=1)
    log = path.with_name(path.name + "-wal").read_bytes()
    assert log  # what was written stands in the log only
    path.unlink()
    assert path.with_name(path.name + "-wal").exists()
    assert store.count(ADS) == 0
    store.marked(ADS)
    store.write(ADS, numbered(0, 2), fence=1)
    with closing(SqliteStore(path, timeout=5.0)) as again:
        assert again.count(ADS) == 2


def test_a_reader_that_did_not_look_makes_no_file_in_the_place_of_a_deleted_one(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(ADS, numbered(0, 1), fence=1)
    store.close()  # as if another thread were using the connection
    monkeypatch.setattr(store._file, "_look_again", time.monotonic() + 600)
    path.unlink()
    assert store.read([(ADS, [b"key0"])]) == [[None]]
    store.marked(ADS)
    store.write(ADS, numbered(0, 1), fence=1)
    assert store.read([(ADS, [b"key0"])]) == [[b"v0"]]


def test_a_writer_of_a_deleted_file_ends_and_harms_no_new_one(store: SqliteStore, path: Path) -> None:
    endless = (
        "from mainspring.errors import StoreError\n"
        "try:\n"
        "    while True:\n"
        "        store.write(ADS, numbered(0, 12_000, b'old'), fence=1)\n"
        "        print('written', flush=True)\n"
        "except StoreError as error:\n"
        "    store.close(); sys.exit(7 if 'emptied' in str(error) else 1)\n"
    )
    with child(path, endless) as writer:
        assert said(writer) == "written"
        path.unlink()
        store.write(SHOPS, numbered(0, 12_000, b"new"), fence=1)
        assert writer.wait(60) == 7
    assert (store.count(SHOPS), store.count(ADS)) == (12_000, 0)
    with closing(SqliteStore(path, timeout=5.0)) as again:
        assert again.read([(SHOPS, [b"key11999"])]) == [[b"new11999"]]


def test_a_full_disk_is_named_and_what_was_written_stands(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 3_000_000) as disk:
        store = SqliteStore(disk / "features.db", timeout=5.0)
        store.write(ADS, numbered(0, 100), fence=1)
        store.mark(ADS, b"m", fence=1)
        with pytest.raises(DiskFull, match=r"features\.db.*free some space"):
            store.write(ADS, ((key, vector * 100) for key, vector in numbered(100, 20_000)), fence=1)
        assert store.read([(ADS, [b"key5", b"key19000"])]) == [[b"v5", None]]
        assert store.marked(ADS) == b"m"
        store.close()


def test_a_disk_that_takes_no_writes_is_named(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 3_000_000) as disk:
        store = SqliteStore(disk / "features.db", timeout=5.0)
        store.write(ADS, numbered(0, 100), fence=1)
        store.close()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(StoreError, match=r"features\.db gave up.*may be written"):
            store.write(ADS, numbered(0, 1, b"new"), fence=1)
        with pytest.raises(StoreError, match=r"other\.db cannot be opened.*may be written"):
            SqliteStore(disk / "other.db", timeout=5.0).count(ADS)
        store.close()


@pytest.mark.parametrize(
    "content", [b"no database at all, but a text of some length" * 100, b"SQLite format 3\0" * 500]
)
def test_a_file_that_is_something_else_is_named_and_left_alone(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    store = SqliteStore(path, timeout=5.0)
    for use in (lambda: store.read([(ADS, [b"a"])]), lambda: store.write(ADS, numbered(0, 1), fence=1)):
        with pytest.raises(StoreError, match=r"features\.db .*materialize"):
            use()
    assert path.read_bytes() == content


def test_another_database_is_named_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE views (a)")
    other.commit()
    other.close()
    with pytest.raises(StoreError, match="no file of online features"):
        SqliteStore(path, timeout=5.0).read([(ADS, [b"a"])])


def test_damaged_pages_are_named(path: Path) -> None:
    store = SqliteStore(path, timeout=5.0)
    store.write(ADS, numbered(0, 20_000), fence=1)
    store.close()
    content = bytearray(path.read_bytes())
    content[40_960:] = b"\xa5" * (len(content) - 40_960)
    path.write_bytes(content)
    store = SqliteStore(path, timeout=5.0)
    with pytest.raises(StoreError, match=r"malformed.*delete the file.*materialize"):
        store.read([(ADS, [key for key, _ in numbered(0, 20_000)])])
    store.close()


def test_a_file_that_is_held_is_named(path: Path) -> None:
    store = SqliteStore(path, timeout=0.05)
    store.write(ADS, numbered(0, 1), fence=1)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"locked.*over 0\.05 s"):
        store.write(ADS, numbered(0, 1, b"new"), fence=1)
    assert store.read([(ADS, [b"key0"])]) == [[b"v0"]]  # readers do not wait
    holder.execute("ROLLBACK")
    holder.close()
    store.write(ADS, numbered(0, 1, b"new"), fence=1)
    assert store.read([(ADS, [b"key0"])]) == [[b"new0"]]
    store.close()


def test_a_reader_does_not_hold_up_a_writer_nor_see_half_of_it(store: SqliteStore, path: Path) -> None:
    store.write(ADS, numbered(0, 3), fence=1)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM views").fetchone() == (1,)
    store.write(SHOPS, numbered(0, 20_000), fence=1)
    assert reader.execute("SELECT count(*) FROM views").fetchone() == (1,)
    reader.close()


def test_keys_with_one_digest_are_never_mixed_up(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_place", lambda key: -len(key))  # a digest that is no good
    store.write(ADS, [(b"one", b"1")], fence=1)
    with pytest.raises(StoreError, match="two keys"):
        store.write(ADS, [(b"three", b"3"), (b"two", b"2")], fence=1)
    assert store.read([(ADS, [b"one"])]) == [[b"1"]]
    assert store.read([(ADS, [b"two"])]) == [[None]]
    assert store.read([(ADS, [b"two", b"three", b"one"])]) == [[None, None, b"1"]]
    store.remove(ADS, [b"two"], fence=1)
    assert store.count(ADS) == 1


def test_an_old_fence_of_a_lost_lease_is_refused_by_a_new_process(store: SqliteStore, path: Path) -> None:
    store.write(ADS, numbered(0, 1), fence=9)
    store.close()
    late = SqliteStore(path, timeout=5.0)
    with pytest.raises(WorkspaceBusy):
        late.write(ADS, numbered(0, 1), fence=8)
    late.close()
