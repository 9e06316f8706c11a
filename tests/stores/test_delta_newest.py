"""Opening a table again gives its newest version, whoever wrote it, and reads the log only where that grew."""

import shutil
import threading
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from deltalake.exceptions import TableNotFoundError

from mainspring.stores import delta_newest
from mainspring.stores.delta_newest import NewestVersions
from mainspring.stores.tables_delta import DeltaTables


def write(place: Path, value: int, *, first: bool = False) -> None:
    """One more version, as another process writes it."""
    tables = DeltaTables(str(place.parent))
    rows = pl.DataFrame({"n": [value]})
    (tables.create if first else tables.append)(place.name, rows, transaction=f"{value}")


def files(table: object) -> int:
    return len(table.file_uris())  # type: ignore[attr-defined]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write(tmp_path / "shop", 0, first=True)
    return tmp_path / "shop"


def test_it_is_opened_once_as_long_as_nothing_is_added(place: Path) -> None:
    newest = NewestVersions()
    table = newest.open(place)
    assert newest.open(place) is table
    write(place, 1)
    again = newest.open(place)
    assert again is not table
    assert (table.version(), files(table)) == (0, 1), "what was handed out stays what it was"
    assert (again.version(), files(again)) == (1, 2)
    assert newest.open(place) is again


def test_who_writes_by_it_sees_what_was_written(place: Path) -> None:
    tables = DeltaTables(str(place.parent))
    for value in range(1, 6):
        tables.append(place.name, pl.DataFrame({"n": [value]}), transaction=f"{value}")
        assert tables.version(place.name) == value
        assert tables.scan(place.name).collect()["n"].to_list() == [*range(value + 1)]
    assert tables.scan(place.name, 2).collect()["n"].to_list() == [0, 1, 2]


def test_new_columns_leave_what_others_hold_as_it_was(tmp_path: Path) -> None:
    tables = DeltaTables(str(tmp_path))
    day = {"day": [date(2026, 2, 1)]}
    tables.record("log", pl.DataFrame({**day, "n": [1]}), partition="day", offsets={"a": (0, 1)})
    held = tables.scan("log")
    opened = tables._newest.open(tmp_path / "log")
    tables.record("log", pl.DataFrame({**day, "n": [2], "m": [3]}), partition="day", offsets={"a": (1, 2)})
    assert (opened.version(), [field.name for field in opened.schema().fields]) == (0, ["day", "n"])
    assert held.collect().columns == ["day", "n"]
    assert tables.scan("log").collect().columns == ["day", "n", "m"]


def test_a_table_that_was_made_again_is_another_one(place: Path) -> None:
    newest = NewestVersions()
    newest.open(place)
    shutil.rmtree(place)
    with pytest.raises(TableNotFoundError):
        newest.open(place)
    write(place, 7, first=True)
    assert newest.open(place).version() == 0
    assert DeltaTables(str(place.parent)).scan(place.name).collect()["n"].to_list() == [7]
    assert newest.open(place).file_uris() == [str(place / path.name) for path in place.glob("*.parquet")]


def test_a_table_is_there_from_its_first_version_until_it_is_removed(tmp_path: Path) -> None:
    newest, place = NewestVersions(), tmp_path / "shop"
    assert not newest.exists(place)
    (place / "_delta_log").mkdir(parents=True)
    assert not newest.exists(place), "a log without an entry is of no table"
    write(place, 0, first=True)
    assert newest.exists(place)
    newest.open(place)
    assert newest.exists(place)
    write(place, 1)
    assert newest.exists(place)
    shutil.rmtree(place)
    assert not newest.exists(place)


def test_a_log_that_was_cleaned_up_hinders_nobody(tmp_path: Path) -> None:
    writer, reader = DeltaTables(str(tmp_path)), DeltaTables(str(tmp_path))
    for value in range(4):
        rows = pl.DataFrame({"day": [date(2026, 2, 1)], "n": [value]})
        writer.record("log", rows, partition="day", offsets={"a": (value, value + 1)})
    assert reader.offset("log", "a") == 4
    writer.tidy("log")
    for entry in (tmp_path / "log" / "_delta_log").glob("*.json"):
        entry.unlink()  # as a later clean-up does, since the checkpoint has it all
    assert reader.exists("log")
    assert reader.offset("log", "a") == 4
    assert reader.scan("log").collect().height == 4


def test_those_used_longest_ago_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta_newest, "_MOST", 2)
    for name in "abc":
        write(tmp_path / name, 0, first=True)
    newest = NewestVersions()
    first, second = newest.open(tmp_path / "a"), newest.open(tmp_path / "b")
    assert newest.open(tmp_path / "a") is first
    newest.open(tmp_path / "c")
    assert newest.open(tmp_path / "a") is first
    assert newest.open(tmp_path / "b") is not second


def test_readers_beside_a_writer_see_whole_versions(place: Path) -> None:
    tables = DeltaTables(str(place.parent))
    troubles: list[object] = []
    done = threading.Event()

    def read() -> None:
        before = 0
        while not done.is_set():
            rows = tables.scan(place.name).collect()["n"].to_list()
            if rows != [*range(len(rows))] or len(rows) < before:
                troubles.append(rows)
            before = len(rows)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for value in range(1, 30):
        tables.append(place.name, pl.DataFrame({"n": [value]}), transaction=f"{value}")
    done.set()
    for reader in readers:
        reader.join()
    assert troubles == []
    assert tables.scan(place.name).collect().height == 30
