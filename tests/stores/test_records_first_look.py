"""The first look sees what the records say, without SQLAlchemy, and gives way wherever it cannot."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.domain.access import ApiKey, Role
from mainspring.domain.release import Alias
from mainspring.domain.routing import Arm, Share, Traffic
from mainspring.stores.records import SqlRecords
from mainspring.stores.records_first_look import FirstLook, first_look
from mainspring.stores.records_version import VERSION
from mainspring.testing.contracts.records import a_release
from mainspring.testing.contracts.records_traffic import NOON


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "a place" / "records #1.db"


@pytest.fixture
def records(place: Path) -> Iterator[SqlRecords]:
    place.parent.mkdir()
    opened = SqlRecords(f"sqlite:///{place}")
    yield opened
    opened.close()


def seen(place: Path) -> FirstLook:
    found = first_look(f"sqlite:///{place}")
    assert found is not None
    return found


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["adclick", "shop"]),
        st.sampled_from(["release", "champion", "challenger", "none", "canary", "arms", "key", "revoke"]),
        st.integers(1, 4),
    ),
    max_size=12,
)


@settings(max_examples=30, deadline=None)
@given(steps=STEPS)
def test_it_sees_what_the_records_say(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, int]]
) -> None:
    place = tmp_path_factory.mktemp("records") / "records.db"
    records = SqlRecords(f"sqlite:///{place}")
    keys = 0
    for model in ("adclick", "shop"):
        for number in (1, 2):
            records.put_release(a_release(number, model=model))
    for model, step, number in steps:
        route = records.routes().of(model)
        champion = None if route is None else route.champion
        if step == "release":
            records.put_release(a_release(number + 2, model=model))
        elif step in ("champion", "challenger", "none"):
            chosen = 1 + number % 2
            alias = Alias.CHAMPION if step == "champion" else Alias.CHALLENGER
            records.set_alias(model, alias, None if step == "none" else chosen, actor="ana", reason=step)
        elif step == "canary" and champion is not None:
            records.set_traffic(model, Traffic(canary=Share(3 - champion, 0.1)), actor="ana", reason=step)
        elif step == "arms" and champion is not None:
            records.set_traffic(model, Traffic(arms=(Arm("blue", 1, 0.5),)), actor="ana", reason=step)
        elif step == "key":
            keys += 1
            made = NOON + timedelta(minutes=number)
            ends = made + timedelta(days=1) if number > 2 else None
            key = ApiKey(f"{keys:012d}", f"key {keys}", "digest", (Role.PREDICT, Role.READ), made, ends)
            records.add_key(key, actor="ana")
        elif step == "revoke" and keys:
            records.revoke_key(f"key {keys}", actor="ana", reason="lost")
    assert seen(place) == FirstLook(records.routes(), records.api_keys())
    records.close()


def test_what_was_written_just_now_is_seen(records: SqlRecords, place: Path) -> None:
    assert seen(place) == FirstLook(records.routes(), [])
    records.put_release(a_release(1))
    records.set_alias("adclick", Alias.CHAMPION, 1, actor="ana", reason="first")
    assert [route.champion for route in seen(place).routes.routes] == [1]


def test_a_writer_at_work_hinders_nobody(records: SqlRecords, place: Path) -> None:
    before = seen(place)
    with sqlite3.connect(place, isolation_level=None) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE generation SET value = value + 1")
        assert seen(place) == before
        writer.execute("ROLLBACK")
    writer.close()
    assert seen(place).routes == records.routes()


def test_where_there_is_no_file_none_is_made(tmp_path: Path) -> None:
    assert first_look(f"sqlite:///{tmp_path / 'records.db'}") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "postgresql://nobody@localhost/nothing", "what?"])
def test_other_places_are_left_to_who_opens_them(url: str) -> None:
    assert first_look(url) is None


def test_other_versions_are_left_to_who_opens_them(records: SqlRecords, place: Path) -> None:
    for version in (VERSION - 1, VERSION + 1):
        with sqlite3.connect(place) as connection:
            connection.execute("UPDATE schema_version SET version = ?", (version,))
        connection.close()
        assert first_look(f"sqlite:///{place}") is None


@pytest.mark.parametrize("content", [b"", b"no database at all" * 400, b"SQLite format 3\0" + b"\xff" * 4_000])
def test_what_is_no_database_is_left_to_who_opens_it(tmp_path: Path, content: bytes) -> None:
    place = tmp_path / "records.db"
    place.write_bytes(content)
    assert first_look(f"sqlite:///{place}") is None
    assert place.read_bytes() == content


def test_a_locked_database_is_left_to_who_opens_it(records: SqlRecords, place: Path) -> None:
    records.close()
    with sqlite3.connect(place, isolation_level=None) as owner:
        owner.execute("PRAGMA journal_mode=DELETE")
        owner.execute("BEGIN EXCLUSIVE")
        assert first_look(f"sqlite:///{place}") is None
        owner.execute("ROLLBACK")
    owner.close()


def test_sqlalchemy_is_not_imported(records: SqlRecords, place: Path) -> None:
    script = """
import sys
from mainspring.serving import gateway
from mainspring.stores.records_first_look import first_look
assert first_look(sys.argv[1]) is not None
assert "sqlalchemy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script, f"sqlite:///{place}"], check=True, timeout=60)
