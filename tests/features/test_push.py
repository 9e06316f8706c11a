"""Rows that are pushed: typed or refused by name, each stored once whoever sends it and however often."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.domain.schema import Column, Kind, Schema
from mainspring.errors import MainspringError, SourceFormatError, StoreError, UsageError, ValueParseError
from mainspring.features.push import (
    APPLICATION,
    DAY,
    MESSAGE,
    NUMBER,
    Pushed,
    checked_ids,
    derived_ids,
    push_frame,
    pushed_table,
    record_rows,
    typed_rows,
)
from mainspring.stores.tables_delta import DeltaTables

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SCHEMA = Schema(
    (
        Column("user", Kind.ID),
        Column("at", Kind.TIME, time_format="iso"),
        Column("known", Kind.TIME),
        Column("amount", Kind.NUMBER),
        Column("day", Kind.INTEGER),
        Column("^a$", Kind.BOOLEAN),
    )
)
NEEDED = ("user", "at")


def rows(*amounts: float | None, user: str = "u1") -> pl.DataFrame:
    given = {"user": [user] * len(amounts), "at": [NOON] * len(amounts), "amount": list(amounts)}
    return typed_rows(pl.DataFrame(given, schema_overrides={"amount": pl.Float64}), SCHEMA, NEEDED, "spending")


@pytest.fixture
def tables(tmp_path: Path) -> DeltaTables:
    return DeltaTables(str(tmp_path / "tables"))


def pushed(tables: DeltaTables, frame: pl.DataFrame, ids: list[str] | None = None) -> Pushed:
    return record_rows(tables, "spending", push_frame(frame, ids or derived_ids(frame), NOON, created="known"))


def stored(tables: DeltaTables) -> pl.DataFrame:
    found: pl.DataFrame = tables.scan(pushed_table("spending")).collect()
    return found.sort(NUMBER)


def test_rows_get_the_columns_and_types_of_the_source() -> None:
    without_zone = [NOON.replace(tzinfo=None)] * 2
    frame = pl.DataFrame({"amount": [1, 2], "at": without_zone, "user": [17, 4], "^a$": [True, None]})
    found = typed_rows(frame.with_columns(pl.col("at").cast(pl.Datetime("ms"))), SCHEMA, NEEDED, "spending")
    assert found.columns == list(SCHEMA.names)
    assert found.row(0) == ("17", NOON, None, 1.0, None, True)
    assert found.get_column("at").dtype == pl.Datetime("us", "UTC")


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"amuont": [1.0]}, SourceFormatError, "did you mean 'amount'"),
        ({"user": None}, SourceFormatError, "needs the column 'user'"),
        ({"at": [None]}, ValueParseError, "row 0, column 'at': the value is missing"),
        ({"amount": ["17"]}, ValueParseError, "the text '17', and the source has numbers"),
        ({"day": [1.5]}, ValueParseError, "the value is '1.5', no integer"),
        ({"amount": [float("inf")]}, ValueParseError, "the value is 'inf', no number"),
        ({"at": ["noon"]}, ValueParseError, "the value is 'noon', no time"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, object], kind: type[MainspringError], said: str) -> None:
    given = {"user": ["u1"], "at": [NOON], "amount": [1.0]} | change
    frame = pl.DataFrame({name: values for name, values in given.items() if values is not None})
    with pytest.raises(kind, match=said):
        typed_rows(frame, SCHEMA, NEEDED, "spending")


@pytest.mark.parametrize("ids", [["a"], ["a", ""], ["a", "x" * 129], ["a", 3]])
def test_ids_are_texts_one_for_each_row(ids: list[str]) -> None:
    with pytest.raises(UsageError):
        checked_ids(ids, 2)
    assert checked_ids(["a", "b"], 2) == ["a", "b"]


def test_a_row_counts_once_by_its_id(tables: DeltaTables) -> None:
    assert pushed(tables, rows(1, 2, 3), ["a", "b", "a"]) == Pushed(2, 1)
    assert pushed(tables, rows(9, 4), ["b", "c"]) == Pushed(1, 1)
    assert stored(tables).select(MESSAGE, "amount", NUMBER).rows() == [("a", 1.0, 0), ("b", 2.0, 1), ("c", 4.0, 2)]
    assert stored(tables).get_column(DAY).unique().to_list() == [NOON.date()]
    assert tables.offset(pushed_table("spending"), APPLICATION) == 3


def test_a_batch_without_ids_counts_once_and_equal_rows_in_it_each(tables: DeltaTables) -> None:
    batch = pl.concat([rows(1, 1, None), rows(1, user="u2")])
    assert len(set(derived_ids(batch))) == 4
    for expected in (Pushed(4, 0), Pushed(0, 4)):
        assert pushed(tables, batch) == expected


def test_a_row_is_known_when_it_was_received_where_it_does_not_say(tables: DeltaTables) -> None:
    early = NOON - timedelta(days=1)
    frame = pl.concat([rows(1), rows(2).with_columns(known=pl.lit(early))])
    pushed(tables, frame)
    assert stored(tables).get_column("known").to_list() == [NOON, early]


def test_no_rows_are_no_table(tables: DeltaTables) -> None:
    assert pushed(tables, rows()) == Pushed(0, 0)
    assert not tables.exists(pushed_table("spending"))


def test_with_the_place_in_a_stream_a_batch_is_stored_once(tables: DeltaTables) -> None:
    frame = push_frame(rows(1, 2), ["a", "b"], NOON)
    assert record_rows(tables, "spending", frame, offsets={"w1": (0, 10)}) == Pushed(2, 0)
    with pytest.raises(StoreError, match="w1 up to 10, not up to 0"):
        record_rows(tables, "spending", push_frame(rows(3), ["c"], NOON), offsets={"w1": (0, 10)})
    # What was there already moves the place on, or it would be read again for ever.
    assert record_rows(tables, "spending", frame, offsets={"w1": (10, 20)}) == Pushed(0, 2)
    assert tables.offset(pushed_table("spending"), "w1") == 20
    assert stored(tables).height == 2


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(st.integers(0, 12), max_size=5), max_size=6))
def test_numbers_have_no_gaps_and_a_beginning_never_changes(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[int]]
) -> None:
    tables = DeltaTables(str(tmp_path_factory.mktemp("tables")))
    expected: list[str] = []
    for batch in batches:
        ids = [str(number) for number in batch]
        if ids:
            pushed(tables, rows(*range(len(ids))), ids)
        expected += [one for one in dict.fromkeys(ids) if one not in expected]
        if expected:
            assert stored(tables).select(MESSAGE, NUMBER).rows() == [(one, i) for i, one in enumerate(expected)]


def test_writers_at_the_same_time_lose_and_double_nothing(tables: DeltaTables) -> None:
    troubles: list[Exception] = []

    def write(first: int) -> None:
        try:
            for number in range(first, first + 6):
                pushed(tables, rows(1, 2), [f"shared-{number // 2}", f"own-{first}-{number}"])
        except Exception as error:
            troubles.append(error)

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 3, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []
    found = stored(tables)
    assert found.get_column(NUMBER).to_list() == list(range(found.height))
    assert found.get_column(MESSAGE).n_unique() == found.height == 18 + 6
