"""Delta tables keep the law, their order, and their history."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from mainspring.errors import DiskFull, HistoryGone, StoreError
from mainspring.stores.tables_delta import DeltaTables
from mainspring.testing.contracts.tables import TablesContract, logged, numbered, values_of
from mainspring.testing.full_disk import small_disk


class TestDelta(TablesContract):
    @pytest.fixture
    def open_tables(self, tmp_path: Path) -> Callable[[], DeltaTables]:
        return lambda: DeltaTables(str(tmp_path / "ta[b]les a=b *"))


@pytest.fixture
def tables(tmp_path: Path) -> DeltaTables:
    return DeltaTables(str(tmp_path))


def age(folder: Path, days: int) -> None:
    """Make a table look as if it had been written `days` earlier: its log's times, inside and outside."""
    shift = timedelta(days=days)
    for path in folder.rglob("*"):
        if path.suffix == ".json":
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            for line in lines:
                for action, key in (("commitInfo", "timestamp"), ("add", "modificationTime")):
                    if action in line:
                        line[action][key] -= int(shift.total_seconds() * 1000)
            path.write_text("\n".join(json.dumps(line) for line in lines))
        if path.is_file():
            then = path.stat().st_mtime - shift.total_seconds()
            os.utime(path, (then, then))


def test_a_log_aged_by_forty_days_reads_every_version(tables: DeltaTables, tmp_path: Path) -> None:
    tables.create("clicks", numbered(0, 2), transaction="t0")
    for n in range(1, 6):
        tables.append("clicks", numbered(2 * n, 2), transaction=f"t{n}")
    age(tmp_path / "clicks", 40)
    delta = DeltaTable(str(tmp_path / "clicks"))
    delta.create_checkpoint()
    delta.cleanup_metadata()
    delta.vacuum(dry_run=False)
    tables.append("clicks", numbered(12, 2), transaction="t6")  # a commit may clean up, too
    for version in range(7):
        assert tables.scan("clicks", version).collect().equals(numbered(0, 2 * version + 2))


def test_without_the_setting_the_same_ageing_loses_versions(tables: DeltaTables, tmp_path: Path) -> None:
    """The test above can fail: what it does to a log takes the history of an ordinary one."""
    tables.create("clicks", numbered(0, 2), transaction="t0")
    for n in range(1, 6):
        tables.append("clicks", numbered(2 * n, 2), transaction=f"t{n}")
    log = tmp_path / "clicks" / "_delta_log" / f"{0:020d}.json"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        if "metaData" in line:
            line["metaData"]["configuration"] = {}
    log.write_text("\n".join(json.dumps(line) for line in lines))
    age(tmp_path / "clicks", 40)
    delta = DeltaTable(str(tmp_path / "clicks"))
    delta.create_checkpoint()
    delta.cleanup_metadata()
    with pytest.raises(StoreError, match="version 3"):
        tables.scan("clicks", 3)


def test_appending_leaves_the_old_files_alone(tables: DeltaTables, tmp_path: Path) -> None:
    tables.create("clicks", numbered(0, 1000), transaction="t0")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    tables.append("clicks", numbered(1000, 10), transaction="t1")
    assert all(path.read_bytes() == content for path, content in before.items())
    assert len(list(tmp_path.rglob("*.parquet"))) == 2


def test_nothing_is_left_of_a_failed_write(tables: DeltaTables, tmp_path: Path) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield from numbered(0, 200_000).to_arrow().to_batches()
        raise ValueError("the source broke")

    schema = numbered(0, 1).to_arrow().schema
    with pytest.raises(ValueError, match="the source broke"):
        tables.create("clicks", pa.RecordBatchReader.from_batches(schema, broken()), transaction="t1")
    assert list(tmp_path.rglob("*")) == []


def test_columns_that_differ_in_case_only_are_named(tables: DeltaTables) -> None:
    with pytest.raises(StoreError, match="'Age' differ only"):
        tables.create("clicks", pl.DataFrame({"age": [1], "Age": [2]}), transaction="t1")


def test_a_lost_file_is_named(tables: DeltaTables, tmp_path: Path) -> None:
    tables.create("clicks", numbered(0, 3), transaction="t0")
    (lost,) = tmp_path.rglob("*.parquet")
    lost.unlink()
    with pytest.raises(StoreError, match=lost.name):
        tables.scan("clicks")


def test_a_cloud_url_is_refused() -> None:
    with pytest.raises(StoreError, match="s3://"):
        DeltaTables("s3://bucket/tables")


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    DeltaTables(f"file://{tmp_path}").create("a", numbered(0, 1), transaction="t")
    assert DeltaTables(str(tmp_path)).exists("a")


def test_a_full_disk_is_named_and_leaves_the_table_as_it_was(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2_000_000) as disk:
        tables = DeltaTables(str(disk))
        tables.create("clicks", numbered(0, 3), transaction="t0")
        noise = pl.DataFrame({"value": pl.Series(range(2_000_000)).hash().reinterpret(signed=True)})
        with pytest.raises(DiskFull, match="clicks"):
            tables.append("clicks", noise, transaction="t1")
        assert tables.scan("clicks").collect().equals(numbered(0, 3))
        assert tables.append("clicks", numbered(3, 3), transaction="t1") == 1


def test_writers_at_the_same_time_each_get_a_version(tmp_path: Path) -> None:
    DeltaTables(str(tmp_path)).create("clicks", numbered(0, 1), transaction="t")
    script = (
        "import sys; from mainspring.stores.tables_delta import DeltaTables;"
        "from mainspring.testing.contracts.tables import numbered;"
        "t = DeltaTables(sys.argv[1]);"
        "[t.append('clicks', numbered(0, 1), transaction=f'{sys.argv[2]}-{n}') for n in range(10)]"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path), str(n)]) for n in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    tables = DeltaTables(str(tmp_path))
    assert tables.version("clicks") == 30
    assert [tables.scan("clicks", n).collect().height for n in (0, 15, 30)] == [1, 16, 31]


def test_a_killed_writer_leaves_no_half_version(tmp_path: Path) -> None:
    tables = DeltaTables(str(tmp_path))
    tables.create("clicks", numbered(0, 3), transaction="t0")
    script = (
        "import sys, polars as pl, pyarrow as pa; from mainspring.stores.tables_delta import DeltaTables;"
        "from mainspring.testing.contracts.tables import numbered\n"
        "def rows():\n"
        "    for n in range(100_000):\n"
        "        print(n, flush=True)\n"
        "        yield from numbered(n * 50_000, 50_000).to_arrow().to_batches()\n"
        "schema = numbered(0, 1).to_arrow().schema\n"
        "reader = pa.RecordBatchReader.from_batches(schema, rows())\n"
        "DeltaTables(sys.argv[1]).append('clicks', reader, transaction='t1')"
    )
    writer = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    for line in writer.stdout:
        if int(line) > 20:
            break
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    assert tables.scan("clicks").collect().equals(numbered(0, 3))
    assert tables.append("clicks", numbered(3, 3), transaction="t1") == 1
    assert tables.scan("clicks").collect().equals(numbered(0, 6))


_LONG_WRITE = """
import resource, sys, polars as pl, pyarrow as pa
from mainspring.stores.tables_delta import DeltaTables
wide = pl.DataFrame({f"c{n}": range(50_000) for n in range(20)}).to_arrow()
def stream(batches):
    for _ in range(batches):
        yield from wide.to_batches()
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
tables = DeltaTables(sys.argv[1])
tables.create("warm", pa.RecordBatchReader.from_batches(wide.schema, stream(6)), transaction="t")
before = peak()
tables.create("wide", pa.RecordBatchReader.from_batches(wide.schema, stream(40)), transaction="t")
print(peak() - before)
"""


def test_a_long_stream_is_never_in_memory(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LONG_WRITE, str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert float(done.stdout) < 100  # MB; the rows take 320


def test_what_a_week_has_forgotten_goes_and_nothing_else(tables: DeltaTables, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    for n in range(4):
        tables.record("log", logged(n, 2), partition="day", offsets={"w": (n, n + 1)})
    (folder / "day=2026-02-01" / ".half.tmp").write_bytes(b"of a killed writer")
    tables.compact("log", "2026-02-01")
    assert tables.tidy("log") == 0, "a reader may still be at an older version"
    age(folder, 8)
    tables.record("log", logged(9, 1), partition="day", offsets={"w": (4, 5)})
    assert tables.tidy("log") == 5
    assert len(list(folder.rglob("*.parquet"))) == 3  # the merged one, the new one, the checkpoint
    assert values_of(tables, "log") == [0, 0, 1, 1, 2, 2, 3, 3, 9]
    assert tables.offset("log", "w") == 5


def test_what_was_added_is_said_to_be_unknown_when_the_log_has_forgotten_it(
    tables: DeltaTables, tmp_path: Path
) -> None:
    for n in range(4):
        tables.record("log", logged(n, 2), partition="day", offsets={"w": (n, n + 1)})
    tables.compact("log", "2026-02-01")
    age(tmp_path / "log", 9)
    assert tables.added("log", 1)[0].collect().height == 4, "nothing is forgotten before it is tidied up"
    tables.record("log", logged(9, 1), partition="day", offsets={"w": (4, 5)})
    tables.tidy("log")
    with pytest.raises(HistoryGone, match="read the whole table"):
        tables.added("log", 1)
    newest = tables.version("log")
    tables.record("log", logged(10, 1), partition="day", offsets={"w": (5, 6)})
    assert tables.added("log", newest)[0].collect().get_column("value").to_list() == [10]


def test_recorders_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    script = (
        "import sys; from mainspring.stores.tables_delta import DeltaTables;"
        "from mainspring.errors import WorkspaceBusy;"
        "from mainspring.testing.contracts.tables import logged\n"
        "t = DeltaTables(sys.argv[1])\n"
        "for n in range(8):\n"
        "    t.record('log', logged(n, 1), partition='day', offsets={sys.argv[2]: (n, n + 1)})\n"
        "    try: t.compact('log', '2026-02-01')\n"
        "    except WorkspaceBusy: pass\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path), str(n)]) for n in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert values_of(DeltaTables(str(tmp_path)), "log") == sorted([*range(8)] * 3)


def test_a_full_disk_leaves_a_log_as_it_was(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2_000_000) as disk:
        tables = DeltaTables(str(disk))
        tables.record("log", logged(1, 2), partition="day", offsets={"w": (0, 1)})
        noise = pl.DataFrame({"value": pl.Series(range(2_000_000)).hash().reinterpret(signed=True)})
        rows = logged(1, 1).drop("value").join(noise, how="cross").select("day", "value", "at")
        with pytest.raises(DiskFull, match="log"):
            tables.record("log", rows, partition="day", offsets={"w": (1, 2)})
        assert values_of(tables, "log") == [1, 1]
        tables.record("log", logged(2, 1), partition="day", offsets={"w": (1, 2)})
        assert values_of(tables, "log") == [1, 1, 2]


LIGHT = """
import sys
import polars as pl
from mainspring.stores.tables_delta import DeltaTables
tables = DeltaTables(sys.argv[1])
rows = pl.DataFrame({"day": ["2026-01-01", "2026-01-02"], "name": ["a", None], "shares": [[0.5], [0.1, 0.9]]})
for _ in range(2):
    tables.record("log", rows, partition="day", offsets={})
tables.compact("log", "2026-01-01")
tables.rewrite("log", "2026-01-02", lambda there: there.collect())
tables.scan("log").collect()
tables.drop("log", before="2026-01-02")
tables.tidy("log")
print([name for name in ("pandas", "scipy", "sqlalchemy") if name in sys.modules])
"""


def test_a_growing_table_needs_no_pandas(tmp_path: Path) -> None:
    """Arrow imports it, where it is installed, for things as small as an empty table: a fifth of a second."""
    done = subprocess.run([sys.executable, "-c", LIGHT, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
