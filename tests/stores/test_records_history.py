"""Whatever is altered in the history's table by hand, past its triggers, is found."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mainspring.domain.release import Alias
from mainspring.domain.routing import Share, Traffic
from mainspring.errors import StoreError
from mainspring.stores.records import SqlRecords
from mainspring.stores.records_engine import Engine
from mainspring.stores.records_schema import history, history_head
from mainspring.testing.clock import FakeClock
from mainspring.testing.contracts.records import a_release
from mainspring.testing.contracts.records_traffic import NOON
from mainspring.testing.postgres import PostgresServer, postgres_server


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'records.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.database()


@pytest.fixture
def records(url: str) -> Iterator[SqlRecords]:
    """Six entries: champion 1, challenger 2, a canary, champion 2, and what that clears."""
    opened = SqlRecords(url, FakeClock(NOON))
    for number in (1, 2):
        opened.put_release(a_release(number))
    opened.set_alias("adclick", Alias.CHAMPION, 1, actor="ana", reason="first")
    opened.set_alias("adclick", Alias.CHALLENGER, 2, actor="run r2", reason="passed")
    opened.set_traffic("adclick", Traffic(canary=Share(2, 0.1)), actor="controller", reason="step 1")
    opened.set_alias("adclick", Alias.CHAMPION, 2, actor="controller", reason="better")
    yield opened
    opened.close()


@pytest.fixture
def intruder(url: str, records: SqlRecords) -> Iterator[Engine]:
    """Somebody who may do anything with the database."""
    engine = Engine(url)
    with engine.writing() as connection:
        if engine.is_postgres:
            connection.exec_driver_sql("ALTER TABLE history DISABLE TRIGGER ALL")
        else:
            connection.exec_driver_sql("DROP TRIGGER history_no_update")
            connection.exec_driver_sql("DROP TRIGGER history_no_delete")
    yield engine
    engine.close()


def rows(engine: Engine) -> list[dict[str, Any]]:
    with engine.reading() as connection:
        found = connection.execute(sa.select(history).order_by(history.c.id))
        return [dict(row) for row in found.mappings()]


def put(engine: Engine, content: list[dict[str, Any]]) -> None:
    with engine.writing() as connection:
        connection.execute(history.delete())
        connection.execute(history.insert(), content)


EDITS = {
    "at": [0, 1, 2**62, -(2**62)],
    "model": ["", "churn", "adclick "],
    "kind": ["", "traffic", "trigger"],
    "actor": ["eve", ""],
    "reason": ["better ", "Better"],
    "detail": ["", "{}", "[]", "7", "no JSON", '{"after":9,"before":9,"generation":9}', "null"],
    "once": ["a cause"],
    "previous": ["0" * 63, "f" * 64],
    "digest": ["", "f" * 64],
}


def test_any_edit_of_a_row_is_found(records: SqlRecords, intruder: Engine) -> None:
    whole = rows(intruder)
    assert len(whole) == 6
    assert set(EDITS) == set(whole[0]) - {"id"}
    for place, row in enumerate(whole):
        for name, values in EDITS.items():
            for value in values:
                if value == row[name]:
                    continue
                put(intruder, [*whole[:place], {**row, name: value}, *whole[place + 1 :]])
                found = records.verify_history()
                assert found is not None, (place, name, value)
                assert found.entry is not None
                assert found.entry.id == place + 1, (place, name, value)
                assert len(records.history()) == 6, "it can still be read"
    put(intruder, whole)
    assert records.verify_history() is None


@pytest.mark.parametrize(
    "change", [lambda text: text.replace(":", ": "), lambda text: text.replace('"g', '"after":1,"g')]
)
def test_another_way_to_write_the_same_detail_is_found(records: SqlRecords, intruder: Engine, change) -> None:
    whole = rows(intruder)
    put(intruder, [{**whole[0], "detail": change(whole[0]["detail"])}, *whole[1:]])
    found = records.verify_history()
    assert found is not None
    assert found.entry is not None
    assert found.entry.id == 1


def test_rows_that_were_taken_out_or_moved_are_found(records: SqlRecords, intruder: Engine) -> None:
    whole = rows(intruder)
    for place in range(6):
        put(intruder, whole[:place] + whole[place + 1 :])
        found = records.verify_history()
        assert found is not None, place
        put(intruder, [{**row, "id": row["id"] - (row["id"] > place)} for row in whole if row["id"] != place + 1])
        assert records.verify_history() is not None, f"{place}, with new numbers"
    for first in range(6):
        for second in range(first):
            moved = [*whole]
            moved[first], moved[second] = (
                {**whole[second], "id": first + 1},
                {**whole[first], "id": second + 1},
            )
            put(intruder, moved)
            found = records.verify_history()
            assert found is not None
            assert found.entry is not None
            assert found.entry.id == second + 1


def test_a_shortened_history_needs_more_than_the_table(records: SqlRecords, intruder: Engine) -> None:
    """Who also sets back the newest digest is told by one that was noted elsewhere, and by nothing else."""
    noted = records.history_head().digest
    whole = rows(intruder)
    put(intruder, whole[:4])
    assert records.verify_history() is not None
    with intruder.writing() as connection:
        connection.execute(history_head.update().values(entries=4, digest=whole[3]["digest"]))
    assert records.verify_history() is None
    assert records.verify_history(noted) is not None


def test_an_altered_entry_is_not_taken_for_a_route(records: SqlRecords, intruder: Engine) -> None:
    whole = rows(intruder)
    put(intruder, [*whole[:3], {**whole[3], "detail": "[]"}, *whole[4:]])
    with pytest.raises(StoreError, match=r"entry 4 of the history was altered.*history --verify"):
        records.route_at("adclick", NOON)
    with pytest.raises(StoreError, match="entry 4"):
        records.audit()


def test_values_of_other_kinds_are_found(tmp_path: Path) -> None:
    """SQLite keeps anything in any column."""
    records = SqlRecords(f"sqlite:///{tmp_path / 'records.db'}", FakeClock(NOON))
    records.record_event("adclick", "trigger", actor="ana", reason="by hand")
    engine = Engine(f"sqlite:///{tmp_path / 'records.db'}")
    whole = rows(engine)[0]
    with engine.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER history_no_update")
    for name in ("at", "model", "kind", "actor", "reason", "detail", "once", "previous", "digest"):
        for value in (b"bytes", 0.5, "x", whole["at"] + 0.4):
            with engine.writing() as connection:
                connection.exec_driver_sql(f"UPDATE history SET {name} = ?", (value,))
            found = records.verify_history()
            assert found is not None, (name, value)
            assert len(records.history()) == 1
        with engine.writing() as connection:
            connection.exec_driver_sql(f"UPDATE history SET {name} = ?", (whole[name],))
    assert records.verify_history() is None
    records.close()
    engine.close()
