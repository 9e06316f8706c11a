"""Snapshots: named by content, appended without rewriting, readable for ever, safe from a kill at any moment."""

import gzip
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.clock import SYSTEM_CLOCK
from mainspring.data.snapshots import Snapshots
from mainspring.domain.schema import Column, Kind, Schema
from mainspring.domain.snapshot import Snapshot
from mainspring.domain.source import Source
from mainspring.errors import DataError, SourceFormatError, UnknownSnapshot, ValueParseError
from mainspring.stores.records import SqlRecords
from mainspring.stores.tables_delta import DeltaTables

SCHEMA = Schema((Column("id", Kind.ID), Column("count", Kind.INTEGER)))
FILES = Source("*.csv")


class World:
    """A project's folder with its stores."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(exist_ok=True)
        self.tables = DeltaTables(str(root / ".ws" / "tables"))
        (root / ".ws").mkdir(exist_ok=True)
        self.records = SqlRecords(f"sqlite:///{root / '.ws' / 'records.db'}")
        self.snapshots = Snapshots(self.tables, self.records, SYSTEM_CLOCK)

    def write(self, name: str, *rows: tuple[str, int]) -> None:
        (self.root / name).write_text("id,count\n" + "".join(f"{key},{count}\n" for key, count in rows))

    def take(self, source: Source = FILES, schema: Schema = SCHEMA, **options: Any) -> Snapshot:
        return self.snapshots.take(source, schema, self.root, **options)

    def ids(self, snapshot: Snapshot) -> list[str]:
        return self.snapshots.read(snapshot.id).collect().get_column("id").to_list()

    def data_files(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in (self.root / ".ws").rglob("*.parquet")}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.records.close()


def test_rows_are_kept_in_order_with_their_number(world: World) -> None:
    world.write("b.csv", ("003", 3))
    world.write("a.csv", ("001", 1), ("002", 2))
    snapshot = world.take()
    frame = world.snapshots.read(snapshot.id).collect()
    assert frame.rows() == [("001", 1, 0), ("002", 2, 1), ("003", 3, 2)]
    assert frame.columns == ["id", "count", "__row"]
    assert (snapshot.rows, snapshot.columns) == (3, (("id", "id"), ("count", "integer")))
    assert [(part.name, part.rows) for part in snapshot.parts] == [("a.csv", 2), ("b.csv", 1)]


def test_the_same_content_is_the_same_snapshot(world: World) -> None:
    world.write("a.csv", ("001", 1))
    first = world.take()
    assert world.take() == first
    (world.root / "a.csv").rename(world.root / "z.csv")
    assert world.take() == first  # names do not matter
    assert len(world.data_files()) == 1
    assert world.tables.version(first.table) == 0


def test_content_schema_options_and_order_each_make_another(world: World) -> None:
    world.write("a.csv", ("001", 1))
    world.write("b.csv", ("002", 2))
    others = [
        world.take(),
        world.take(Source(["b.csv", "a.csv"])),
        world.take(Source("a.csv")),
        world.take(Source("*.csv", delimiter=",")),
        world.take(schema=Schema((Column("id", Kind.TEXT), Column("count", Kind.INTEGER)))),
    ]
    assert len({snapshot.id for snapshot in others}) == len(others)
    assert [world.ids(snapshot) for snapshot in others][1] == ["002", "001"]


def test_what_is_checked_does_not_change_the_snapshot(world: World) -> None:
    world.write("a.csv", ("001", 1))
    checked = Schema((Column("id", Kind.ID, unique=True), Column("count", Kind.INTEGER, minimum=0)))
    assert world.take() == world.take(schema=checked)


def test_an_appended_file_is_a_new_version_of_the_same_table(world: World) -> None:
    world.write("a.csv", ("001", 1), ("002", 2))
    first = world.take()
    before = world.data_files()
    world.write("b.csv", ("003", 3))
    second = world.take()
    world.write("c.csv", ("004", 4))
    third = world.take()
    assert (second.parent, third.parent) == (first.id, second.id)
    assert {first.table, second.table, third.table} == {first.table}
    assert [first.version, second.version, third.version] == [0, 1, 2]
    after = world.data_files()
    assert all(after[path] == content for path, content in before.items())
    assert [world.ids(each) for each in (first, second, third)] == [
        ["001", "002"],
        ["001", "002", "003"],
        ["001", "002", "003", "004"],
    ]
    rows = world.snapshots.read(third.id).collect()
    assert rows.get_column("__row").to_list() == [0, 1, 2, 3]
    assert [part.rows for part in third.parts] == [2, 1, 1]


@pytest.mark.parametrize("change", ["changed", "vanished", "before"])
def test_anything_else_than_appending_begins_a_new_base(world: World, change: str) -> None:
    world.write("a.csv", ("001", 1))
    world.write("b.csv", ("002", 2))
    first = world.take()
    if change == "changed":
        world.write("a.csv", ("009", 9))
    elif change == "vanished":
        (world.root / "a.csv").unlink()
    else:
        world.write("0.csv", ("000", 0))
    second = world.take()
    assert second.table != first.table
    assert (second.parent, second.version) == (None, 0)
    assert world.ids(first) == ["001", "002"]


def test_two_ways_on_from_one_snapshot_do_not_mix(world: World) -> None:
    world.write("a.csv", ("001", 1))
    world.take()
    world.write("b.csv", ("002", 2))
    one = world.take()
    world.write("b.csv", ("003", 3))
    other = world.take()
    assert one.table != other.table
    assert (world.ids(one), world.ids(other)) == (["001", "002"], ["001", "003"])


def test_a_snapshot_is_found_by_its_beginning_and_by_time(world: World) -> None:
    world.write("a.csv", ("001", 1))
    first = world.take()
    world.write("b.csv", ("002", 2))
    second = world.take()
    assert world.snapshots.find(second.id) == world.snapshots.find(second.id[:8]) == second
    assert world.snapshots.as_of("*.csv", second.created_at) == second
    assert world.snapshots.as_of("*.csv", second.created_at - timedelta(microseconds=1)) == first
    with pytest.raises(UnknownSnapshot, match=r"no snapshot of \*\.csv"):
        world.snapshots.as_of("*.csv", first.created_at - timedelta(days=1))
    for text in ("abc", "0" * 12, ""):
        with pytest.raises(UnknownSnapshot):
            world.snapshots.find(text)


def test_a_bad_value_leaves_nothing_behind(world: World) -> None:
    world.write("a.csv", ("001", 1))
    (world.root / "b.csv").write_text("id,count\n002,2\n003,x\n")
    with pytest.raises(ValueParseError, match=r"b\.csv: column 'count' .* row 2 \('x'\)"):
        world.take()
    assert list((world.root / ".ws" / "tables").rglob("*.parquet")) == []
    assert list(world.records.snapshots()) == []
    (world.root / "b.csv").unlink()
    first = world.take()
    (world.root / "b.csv").write_text("id,count\n002\n")
    with pytest.raises(SourceFormatError, match=r"b\.csv: row 1 has 1 fields"):
        world.take()
    assert len(world.data_files()) == 1
    world.write("b.csv", ("002", 2))
    assert world.take().parent == first.id


@pytest.mark.parametrize(
    ("header", "told"), [("id,count,more", "'more'"), ("id", "'count'"), ("id,Count", "'count'")]
)
def test_other_columns_than_the_schema_s_are_told(world: World, header: str, told: str) -> None:
    (world.root / "a.csv").write_text(header + "\n" + ",".join("1" for _ in header.split(",")) + "\n")
    with pytest.raises(SourceFormatError, match=told):
        world.take()


def test_the_columns_may_stand_in_another_order(world: World) -> None:
    (world.root / "a.csv").write_text("count,id\n1,001\n")
    assert world.ids(world.take()) == ["001"]


def test_progress_is_told_in_rows(world: World) -> None:
    world.write("a.csv", ("001", 1), ("002", 2))
    world.write("b.csv", ("003", 3))
    told: list[int] = []
    world.take(progress=told.append)
    assert told == [2, 3]


def test_every_kind_survives(world: World) -> None:
    (world.root / "a.csv").write_text(
        "zip,big,number,whole,at,flag,text\n"
        '00501,12345678901234567890,1.0,1,31.12.2026,Yes,""\n'
        ",,,,,,\n"
        "10001,00000000000000000001,0.1,-9223372036854775808,01.01.1900,no,x y\n"
    )
    schema = Schema(
        (
            Column("zip", Kind.CATEGORY),
            Column("big", Kind.ID),
            Column("number", Kind.NUMBER),
            Column("whole", Kind.INTEGER),
            Column("at", Kind.TIME, time_format="%d.%m.%Y"),
            Column("flag", Kind.BOOLEAN, true=("Yes",), false=("no",)),
            Column("text", Kind.TEXT),
        )
    )
    frame = world.snapshots.read(world.take(schema=schema).id).drop("__row").collect()
    assert [str(kind) for kind in frame.dtypes] == [
        "String",
        "String",
        "Float64",
        "Int64",
        "Datetime(time_unit='us', time_zone='UTC')",
        "Boolean",
        "String",
    ]
    assert frame.row(1) == (None,) * 7
    assert frame.row(0)[:4] == ("00501", "12345678901234567890", 1.0, 1)
    assert frame.get_column("text").to_list() == ["", None, "x y"]
    assert frame.get_column("at").dt.date().cast(str).to_list() == ["2026-12-31", None, "1900-01-01"]


def test_a_query_is_a_snapshot_of_its_rows(world: World) -> None:
    import sqlite3

    database = sqlite3.connect(world.root / "shop.db")
    database.execute("create table sale (id text, count integer)")
    database.execute("insert into sale values ('001', 1)")
    database.commit()
    source = Source("sqlite:///shop.db", query="select * from sale order by id")
    first = world.take(source)
    assert world.take(source) == first
    database.execute("insert into sale values ('002', 2)")
    database.commit()
    database.close()
    second = world.take(source)
    assert second.parent is None
    assert (world.ids(first), world.ids(second)) == (["001"], ["001", "002"])
    hidden = Source("postgresql+psycopg://me:secret@host/db", query="select 1")
    from mainspring.data.snapshots import describe

    assert describe(hidden) == "postgresql+psycopg://host/db"


def test_formats_may_mix(world: World) -> None:
    pl.DataFrame({"id": ["002"], "count": [2]}).write_parquet(world.root / "b.parquet")
    (world.root / "c.jsonl.gz").write_bytes(gzip.compress(b'{"count": 3, "id": "003"}\n'))
    world.write("a.csv", ("001", 1))
    snapshot = world.take(Source(["a.csv", "b.parquet", "c.jsonl.gz"]))
    assert world.ids(snapshot) == ["001", "002", "003"]


_KILLED = """
import os, signal, sys
from pathlib import Path
from mainspring.clock import SYSTEM_CLOCK
from mainspring.data.snapshots import Snapshots
from mainspring.domain.schema import Column, Kind, Schema
from mainspring.domain.source import Source
from mainspring.stores.records import SqlRecords
from mainspring.stores.tables_delta import DeltaTables

root = Path(sys.argv[1])
stage = sys.argv[2]
records = SqlRecords(f"sqlite:///{root / '.ws' / 'records.db'}")
tables = DeltaTables(str(root / ".ws" / "tables"))

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

if stage == "before the record":
    records.put_snapshot = die
elif stage == "before the commit":
    import mainspring.stores.tables_delta as module
    module.create_table_with_add_actions = die
    module.DeltaTable.create_write_transaction = die
progress = die if stage == "while writing" else None
schema = Schema((Column("id", Kind.ID), Column("count", Kind.INTEGER)))
Snapshots(tables, records, SYSTEM_CLOCK).take(Source("*.csv"), schema, root, progress=progress)
"""


@pytest.mark.parametrize("stage", ["while writing", "before the commit", "before the record"])
@pytest.mark.parametrize("appending", [False, True])
def test_after_a_kill_the_same_snapshot_comes_out_once(world: World, stage: str, appending: bool) -> None:
    world.write("a.csv", ("001", 1), ("002", 2))
    if appending:
        world.take()
        world.write("b.csv", ("003", 3))
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(world.root), stage], check=False)
    assert killed.returncode == -9
    snapshot = world.take()
    assert world.ids(snapshot) == ["001", "002", "003"][: snapshot.rows]
    assert (snapshot.rows, snapshot.version) == ((3, 1) if appending else (2, 0))
    assert [part.rows for part in snapshot.parts] == ([2, 1] if appending else [2])
    assert world.tables.version(snapshot.table) == snapshot.version
    world.write("c.csv", ("004", 4))
    assert world.take().version == snapshot.version + 1


def test_a_snapshot_aged_by_forty_days_is_read(world: World) -> None:
    from deltalake import DeltaTable

    snapshots = []
    for n in range(5):
        world.write(f"{n}.csv", (f"00{n}", n))
        snapshots.append(world.take())
    folder = world.root / ".ws" / "tables" / snapshots[0].table
    import json
    import os
    import time

    long_ago = time.time() - 40 * 86_400
    for path in folder.rglob("*"):
        if path.suffix == ".json":
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            for line in lines:
                if "commitInfo" in line:
                    line["commitInfo"]["timestamp"] = int(long_ago * 1000)
            path.write_text("\n".join(json.dumps(line) for line in lines))
        os.utime(path, (long_ago, long_ago))
    delta = DeltaTable(str(folder))
    delta.create_checkpoint()
    delta.cleanup_metadata()
    delta.vacuum(dry_run=False)
    world.write("9.csv", ("009", 9))
    world.take()
    for n in (0, 3):
        assert world.ids(snapshots[n]) == [f"00{k}" for k in range(n + 1)]


@settings(max_examples=15, deadline=None)
@given(steps=st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=1, max_size=5))
def test_whatever_was_taken_reads_the_same_for_ever(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[int]]
) -> None:
    """Each step is a list of files by their content; whatever order they come in, every snapshot stays."""
    world = World(tmp_path_factory.mktemp("world"))
    taken: dict[str, list[str]] = {}
    for step in steps:
        for path in world.root.glob("*.csv"):
            path.unlink()
        for place, content in enumerate(step):
            world.write(f"{place}.csv", (f"{content}", content), (f"{content}x", content))
        expected = [key for content in step for key in (f"{content}", f"{content}x")]
        snapshot = world.take()
        assert taken.setdefault(snapshot.id, expected) == expected
    for snapshot_id, expected in taken.items():
        assert world.ids(world.snapshots.find(snapshot_id)) == expected
    world.records.close()


def test_adult_keeps_its_rows(world: World, real_data: Path) -> None:
    from mainspring.data.inference import infer

    source = Source(str(real_data / "adult" / "adult_train.csv"))
    found = infer(source, world.root, target="income")
    snapshot = world.take(found.source, found.schema)
    frame = world.snapshots.read(snapshot.id).collect()
    assert frame.height == snapshot.rows == 32_561
    assert frame.get_column("__row").to_list() == list(range(32_561))
    assert frame.get_column("workclass").null_count() == 1_836
    with pytest.raises(DataError):
        world.take(Source(str(real_data / "adult" / "nothing.csv")))
