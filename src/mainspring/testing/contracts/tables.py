"""The law of `ports.Tables`, as tests that every backend must pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from mainspring.domain.ports import Tables
from mainspring.errors import StoreError

FRAME = pl.DataFrame(
    {
        "name": ["001", None, "", "naïve “x”"],
        "count": [1, None, -(2**63), 2**63 - 1],
        "share": [0.1, None, -0.0, 1e300],
        "flag": [True, None, False, True],
        "at": pl.Series(["2026-01-31T09:00:00.123456", None, "1970-01-01", "0001-01-01"]).str.to_datetime(
            time_unit="us", time_zone="UTC", format="%+", strict=False
        ),
    }
)


def numbered(start: int, rows: int) -> pl.DataFrame:
    return pl.DataFrame({"value": range(start, start + rows)})


class TablesContract:
    """Subclass it, and give the fixture `open_tables`, which opens the same empty store each time."""

    @pytest.fixture
    def tables(self, open_tables: Callable[[], Tables]) -> Tables:
        return open_tables()

    def test_it_keeps_the_port(self, tables: Tables) -> None:
        assert isinstance(tables, Tables)

    def test_rows_come_back_as_they_went_in(self, tables: Tables) -> None:
        version = tables.create("a/b", FRAME, transaction="t1")
        assert_frame_equal(tables.scan("a/b", version).collect(), FRAME)

    def test_an_absent_table_is_named(self, tables: Tables) -> None:
        assert not tables.exists("clicks")
        for use in (tables.version, tables.scan, lambda name: tables.committed(name, "t1")):
            with pytest.raises(StoreError, match="clicks"):
                use("clicks")
        with pytest.raises(StoreError, match="clicks"):
            tables.append("clicks", FRAME, transaction="t1")
        assert not tables.exists("clicks")

    def test_an_absent_version_is_named(self, tables: Tables) -> None:
        tables.create("clicks", FRAME, transaction="t1")
        with pytest.raises(StoreError, match="version 7"):
            tables.scan("clicks", 7)

    def test_a_version_reads_the_same_for_ever(self, tables: Tables) -> None:
        versions = [tables.create("clicks", numbered(0, 3), transaction="t0")]
        versions += [
            tables.append("clicks", numbered(3 * n, 3), transaction=f"t{n}")
            for n in range(1, 12)  # enough that the order of names, times and versions can be told apart
        ]
        assert versions == sorted(set(versions))
        assert tables.version("clicks") == versions[-1]
        for place, version in enumerate(versions):
            rows = tables.scan("clicks", version).collect().get_column("value").to_list()
            assert rows == list(range(3 * place + 3))
        assert tables.scan("clicks").collect().height == 36

    def test_tables_are_found_by_what_they_are_about(self, tables: Tables) -> None:
        for name in ("predictions/shop", "predictions/adult", "labels/adult", "predictions"):
            tables.create(name, FRAME, transaction="t1")
        assert list(tables.names("predictions")) == ["predictions/adult", "predictions/shop"]
        assert list(tables.names("nosuch")) == []

    def test_what_nobody_uses_is_removed_and_can_be_made_again(
        self, tables: Tables, open_tables: Callable[[], Tables]
    ) -> None:
        assert not tables.touch("results/a")
        assert not tables.remove("results/a", unused_for=timedelta(0))
        tables.create("results/a", numbered(0, 3), transaction="t1")
        assert tables.touch("results/a")
        assert not open_tables().remove("results/a", unused_for=timedelta(hours=1))
        assert tables.scan("results/a").collect().height == 3
        assert open_tables().remove("results/a", unused_for=timedelta(0))
        assert not tables.exists("results/a")
        assert list(tables.names("results")) == []
        assert not tables.touch("results/a")
        tables.create("results/a", numbered(0, 2), transaction="t1")
        assert tables.scan("results/a").collect().height == 2

    def test_a_transaction_happens_once(self, tables: Tables, open_tables: Callable[[], Tables]) -> None:
        first = tables.create("clicks", numbered(0, 3), transaction="t1")
        second = tables.append("clicks", numbered(3, 3), transaction="t2")
        assert open_tables().create("clicks", numbered(90, 3), transaction="t1") == first
        assert open_tables().append("clicks", numbered(90, 3), transaction="t2") == second
        assert tables.committed("clicks", "t1") == first
        assert tables.committed("clicks", "t2") == second
        assert tables.committed("clicks", "t3") is None
        assert tables.scan("clicks").collect().equals(numbered(0, 6))

    def test_a_table_is_created_once(self, tables: Tables) -> None:
        tables.create("clicks", numbered(0, 3), transaction="t1")
        with pytest.raises(StoreError, match="clicks"):
            tables.create("clicks", numbered(0, 3), transaction="t2")
        assert tables.scan("clicks").collect().height == 3

    def test_a_write_is_all_or_nothing(self, tables: Tables) -> None:
        def broken() -> Iterator[pa.RecordBatch]:
            yield numbered(0, 1000).to_arrow().to_batches()[0]
            raise ValueError("the source broke")

        schema = numbered(0, 1).to_arrow().schema
        with pytest.raises(Exception, match="the source broke"):
            tables.create("clicks", pa.RecordBatchReader.from_batches(schema, broken()), transaction="t1")
        assert not tables.exists("clicks")
        tables.create("clicks", numbered(0, 3), transaction="t1")
        with pytest.raises(Exception, match="the source broke"):
            tables.append("clicks", pa.RecordBatchReader.from_batches(schema, broken()), transaction="t2")
        assert tables.committed("clicks", "t2") is None
        assert tables.scan("clicks").collect().equals(numbered(0, 3))

    def test_other_columns_are_refused(self, tables: Tables) -> None:
        tables.create("clicks", numbered(0, 3), transaction="t1")
        with pytest.raises(StoreError, match="other columns"):
            tables.append("clicks", FRAME, transaction="t2")
        assert tables.version("clicks") == 0

    def test_a_long_stream_keeps_its_order(self, tables: Tables) -> None:
        total, step = 600_000, 70_001

        def stream() -> Iterator[pa.RecordBatch]:
            for start in range(0, total, step):
                yield from numbered(start, min(step, total - start)).to_arrow().to_batches()

        schema = numbered(0, 1).to_arrow().schema
        tables.create("clicks", pa.RecordBatchReader.from_batches(schema, stream()), transaction="t1")
        values = tables.scan("clicks").collect().get_column("value")
        assert values.len() == total
        assert (values.diff().drop_nulls() == 1).all()

    def test_no_rows_are_a_table_too(self, tables: Tables) -> None:
        tables.create("clicks", FRAME.clear(), transaction="t1")
        assert_frame_equal(tables.scan("clicks").collect(), FRAME.clear())
        tables.append("clicks", FRAME, transaction="t2")
        assert_frame_equal(tables.scan("clicks").collect(), FRAME)
        assert tables.append("clicks", FRAME.clear(), transaction="t3") == 2

    @pytest.mark.parametrize("name", ["a b (c),;{}=", "a.b", 'quo"te', "Ä\n\t", "path/like", "%41"])
    def test_odd_column_names_stand(self, tables: Tables, name: str) -> None:
        frame = pl.DataFrame({name: [1.5, None]})
        tables.create("clicks", frame, transaction="t1")
        assert_frame_equal(tables.scan("clicks").collect(), frame)

    @pytest.mark.parametrize("name", ["", "..", "a/../../b", "/a", "a//b"])
    def test_a_table_cannot_leave_the_store(self, tables: Tables, name: str) -> None:
        with pytest.raises(StoreError):
            tables.create(name, FRAME, transaction="t1")

    # --- tables that grow all the time ---------------------------------------------------------------------------

    def test_recorded_rows_are_there_once(self, tables: Tables, open_tables: Callable[[], Tables]) -> None:
        assert tables.offset("log", "worker") == 0
        tables.record("log", logged(1, 2), partition="day", offsets={"worker": (0, 10), "other": (0, 3)})
        tables.record("log", logged(2, 2), partition="day", offsets={"worker": (10, 20)})
        assert (tables.offset("log", "worker"), tables.offset("log", "other")) == (20, 3)
        for offsets in ({"worker": (0, 10)}, {"worker": (10, 20)}, {"worker": (20, 30), "other": (0, 4)}):
            with pytest.raises(StoreError, match="up to"):
                open_tables().record("log", logged(9, 2), partition="day", offsets=offsets)
        assert open_tables().offset("log", "worker") == 20
        assert values_of(tables, "log") == [1, 1, 2, 2]

    def test_offsets_are_read_at_once(self, tables: Tables) -> None:
        assert tables.offsets("log", ["a", "b"]) == {"a": 0, "b": 0}
        tables.record("log", logged(1, 2), partition="day", offsets={"a": (0, 7), "c": (0, 1)})
        assert tables.offsets("log", ["a", "b"]) == {"a": 7, "b": 0}

    def test_it_is_quickly_known_whether_a_table_has_grown(self, tables: Tables) -> None:
        assert not tables.has_grown("log", since=-1)
        version = tables.record("log", logged(1, 2), partition="day", offsets={})
        assert tables.has_grown("log", since=-1)
        assert not tables.has_grown("log", since=version)
        tables.tidy("log")
        assert not tables.has_grown("log", since=tables.version("log"))
        tables.record("log", logged(1, 2), partition="day", offsets={})
        assert tables.has_grown("log", since=version)
        assert not tables.has_grown("log", since=tables.version("log"))

    def test_only_the_asked_partition_is_read(self, tables: Tables) -> None:
        days = [date(2026, 1, 30) + timedelta(days=n) for n in range(4)]
        frame = pl.concat([logged(n, 3, day) for n, day in enumerate(days)])
        tables.record("log", frame, partition="day", offsets={"w": (0, 1)})
        assert list(tables.partitions("log")) == [str(day) for day in days]
        assert_frame_equal(tables.scan("log").collect().sort("value"), frame)
        assert (
            tables.scan("log").filter(pl.col("day") == days[2]).collect().get_column("value").to_list() == [2] * 3
        )
        assert tables.scan("log").filter(pl.col("day") > days[3]).collect().is_empty()

    def test_recorded_rows_may_bring_new_columns(self, tables: Tables) -> None:
        tables.record("log", logged(1, 1), partition="day", offsets={"w": (0, 1)})
        wider = logged(2, 1).with_columns(pl.lit("x").alias("input_job"), pl.lit(0.5).alias("input_age"))
        tables.record("log", wider, partition="day", offsets={"w": (1, 2)})
        tables.record("log", logged(3, 1), partition="day", offsets={"w": (2, 3)})
        rows = tables.scan("log").sort("value").collect()
        assert rows.get_column("input_job").to_list() == [None, "x", None]
        assert rows.get_column("input_age").to_list() == [None, 0.5, None]
        kinds = {"day": "date", "value": "long", "at": "timestamp", "input_job": "string", "input_age": "double"}
        assert dict(tables.columns("log")) == kinds

    def test_a_recorded_column_keeps_its_kind(self, tables: Tables) -> None:
        tables.record("log", logged(1, 1), partition="day", offsets={"w": (0, 1)})
        other = logged(2, 1).with_columns(pl.col("value").cast(pl.String))
        with pytest.raises(StoreError, match="'value'"):
            tables.record("log", other, partition="day", offsets={"w": (1, 2)})
        assert tables.offset("log", "w") == 1
        assert values_of(tables, "log") == [1]

    def test_a_place_may_move_without_rows(self, tables: Tables) -> None:
        tables.record("log", logged(1, 1), partition="day", offsets={"w": (0, 1)})
        tables.record("log", logged(1, 1).clear(), partition="day", offsets={"w": (1, 7)})
        assert tables.offset("log", "w") == 7
        assert values_of(tables, "log") == [1]

    def test_compaction_changes_no_row(self, tables: Tables) -> None:
        day, other = date(2026, 2, 1), date(2026, 2, 2)
        for n in range(6):
            tables.record("log", logged(n, 1000, day), partition="day", offsets={"w": (n, n + 1)})
        wide = logged(7, 10, day).with_columns(pl.lit(0.5).alias("input_age"))
        tables.record("log", wide, partition="day", offsets={"w": (6, 7)})
        tables.record("log", logged(8, 5, other), partition="day", offsets={"w": (7, 8)})
        before = tables.scan("log").collect().sort("value")
        old = tables.version("log")
        assert tables.compact("log", "2026-02-01", at_least=8) == 0
        assert tables.compact("log", "2026-02-01", smaller_than=10) == 0
        assert tables.compact("log", "2026-02-01") == 7
        assert [len(sizes) for sizes in tables.partitions("log").values()] == [1, 1]
        assert_frame_equal(tables.scan("log").collect().sort("value"), before)
        assert_frame_equal(tables.scan("log", old).collect().sort("value"), before)
        assert tables.offset("log", "w") == 8
        assert tables.compact("log", "2026-02-01") == 0
        tables.tidy("log")
        assert_frame_equal(tables.scan("log", old).collect().sort("value"), before)

    def test_old_partitions_go(self, tables: Tables) -> None:
        for n in range(5):
            tables.record("log", logged(n, 2, date(2026, 2, 1 + n)), partition="day", offsets={"w": (n, n + 1)})
        assert tables.drop("log", before="2026-02-01") == 0
        assert tables.drop("log", before="2026-02-04") == 3
        assert values_of(tables, "log") == [3, 3, 4, 4]
        assert tables.offset("log", "w") == 5
        assert list(tables.partitions("log")) == ["2026-02-04", "2026-02-05"]

    def test_what_was_added_is_seen_once(self, tables: Tables, open_tables: Callable[[], Tables]) -> None:
        day = date(2026, 2, 1)
        with pytest.raises(StoreError, match="log"):
            tables.added("log", -1)
        seen: list[int] = []
        version = -1
        for n in range(8):
            tables.record(
                "log", logged(n, 2, day + timedelta(days=n % 2)), partition="day", offsets={"w": (n, n + 1)}
            )
            if n == 3:
                wider = logged(90, 1, day).with_columns(pl.lit("x").alias("input_job"))
                tables.record("log", wider, partition="day", offsets={"w": (4, 4)})
            if n == 5:
                tables.compact("log", str(day))
                tables.record("log", logged(0, 1).clear(), partition="day", offsets={"other": (0, 1)})
            if n % 3 == 1:
                rows, version = open_tables().added("log", version)
                seen += rows.collect().get_column("value").to_list()
        rows, version = tables.added("log", version)
        seen += rows.collect().get_column("value").to_list()
        assert sorted(seen) == values_of(tables, "log")
        assert version == tables.version("log")
        rows, same = tables.added("log", version)
        assert (rows.collect().height, same) == (0, version)
        everything = tables.added("log", -1)[0].collect()
        assert_frame_equal(everything.sort("value"), tables.scan("log").sort("value").collect())
        with pytest.raises(StoreError, match=f"version {version + 1}"):
            tables.added("log", version + 1)

    def test_added_rows_that_were_dropped_or_rewritten_are_still_those_that_were_added(
        self, tables: Tables
    ) -> None:
        for n in range(3):
            tables.record("log", logged(n, 2, date(2026, 2, 1 + n)), partition="day", offsets={"w": (n, n + 1)})
        tables.drop("log", before="2026-02-02")
        tables.rewrite("log", "2026-02-02", lambda rows: rows.collect().head(1))
        assert values_of(tables, "log") == [1, 2, 2]
        added = tables.added("log", -1)[0].collect()
        assert sorted(added.get_column("value").to_list()) == [0, 0, 1, 1, 2, 2]

    def test_a_partition_is_rewritten_as_a_whole(self, tables: Tables) -> None:
        day, other = date(2026, 2, 1), date(2026, 2, 2)
        for n in range(4):
            frame = logged(n, 2, day).with_columns(pl.Series("words", [["a", None], []]))
            tables.record("log", frame, partition="day", offsets={"w": (n, n + 1)})
        tables.record("log", logged(9, 1, other), partition="day", offsets={"w": (4, 5)})

        def summed(rows: pl.LazyFrame) -> pl.DataFrame:
            # Another process adds a row meanwhile.
            tables.record("log", logged(50, 1, day), partition="day", offsets={"late": (0, 1)})
            return (
                rows.group_by("day")
                .agg(pl.col("value").sum(), pl.col("at").first(), pl.col("words").first())
                .collect()
            )

        assert tables.rewrite("log", "2026-02-01", summed) == 4
        assert values_of(tables, "log") == [9, 12, 50]
        assert tables.scan("log").filter(pl.col("value") == 12).collect().get_column("words").to_list()[0] in (
            ["a", None],
            [],
        )
        assert (tables.offset("log", "w"), tables.offset("log", "late")) == (5, 1)
        assert tables.rewrite("log", "2030-01-01", summed) == 0
        with pytest.raises(ZeroDivisionError):
            tables.rewrite("log", "2026-02-01", lambda _: 1 / 0)
        assert values_of(tables, "log") == [9, 12, 50]
        tables.rewrite("log", "2026-02-01", lambda rows: rows.collect().clear())
        assert values_of(tables, "log") == [9]


def logged(value: int, rows: int, day: date = date(2026, 2, 1)) -> pl.DataFrame:
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return pl.DataFrame(
        {"day": [day] * rows, "value": [value] * rows, "at": [at] * rows},
        schema={"day": pl.Date, "value": pl.Int64, "at": pl.Datetime("us", "UTC")},
    )


def values_of(tables: Tables, table: str) -> list[int]:
    values: list[int] = tables.scan(table).collect().get_column("value").sort().to_list()
    return values
