"""The records database keeps the law on SQLite and on PostgreSQL."""

import dataclasses
import shutil
import sqlite3
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from mainspring.domain.release import Alias
from mainspring.domain.routing import Share, Traffic
from mainspring.errors import DiskFull, SettingsError, StoreError
from mainspring.stores.records import SqlRecords
from mainspring.stores.records_engine import Engine
from mainspring.stores.records_migrations import upgrade
from mainspring.stores.records_schema import history
from mainspring.stores.records_version import VERSION
from mainspring.testing.contracts.records import RecordsContract, a_release, a_run
from mainspring.testing.contracts.records_alerts import an_alert
from mainspring.testing.contracts.records_features import a_materialised
from mainspring.testing.contracts.records_loop import a_rollout
from mainspring.testing.contracts.records_traffic import NOON
from mainspring.testing.full_disk import small_disk
from mainspring.testing.postgres import PostgresServer, postgres_server


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


class TestSqlite(RecordsContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'records.db'}"


class TestPostgres(RecordsContract):
    @pytest.fixture
    def url(self, postgres: PostgresServer) -> str:
        return postgres.database()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'records.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.database()


def test_the_database_itself_refuses_to_change_the_history(url: str) -> None:
    records = SqlRecords(url)
    records.put_release(a_release(1))
    records.set_alias("adclick", Alias.CHAMPION, 1, actor="ana", reason="first")
    engine = Engine(url)
    for statement in (history.update().values(actor="nobody"), history.delete()):
        with pytest.raises((StoreError, sa.exc.DBAPIError), match="append-only"), engine.writing() as connection:
            connection.execute(statement)
    assert [change["actor"] for change in records.audit()] == ["ana"]
    records.close()
    engine.close()


def test_a_newer_database_is_refused(url: str) -> None:
    SqlRecords(url).close()
    engine = Engine(url)
    with engine.writing() as connection:
        connection.execute(sa.text(f"UPDATE schema_version SET version = {VERSION + 1}"))
    engine.close()
    with pytest.raises(StoreError, match=f"schema version {VERSION + 1}.*upgrade mainspring"):
        SqlRecords(url)


def test_an_older_database_is_migrated_step_by_step_or_not_at_all(url: str) -> None:
    records = SqlRecords(url)
    records.begin_run(a_run())
    engine = Engine(url)

    def add_note(connection: sa.Connection) -> None:
        connection.execute(sa.text("ALTER TABLE runs ADD COLUMN note TEXT"))

    def copy_model(connection: sa.Connection) -> None:
        connection.execute(sa.text("UPDATE runs SET note = model"))

    def stumble(connection: sa.Connection) -> None:
        raise RuntimeError

    steps = {VERSION: add_note, VERSION + 1: copy_model, VERSION + 2: stumble}
    with pytest.raises(RuntimeError), engine.writing() as connection:
        upgrade(connection, version=VERSION + 3, migrations=steps)
    with engine.reading() as connection:
        assert "note" not in {column["name"] for column in sa.inspect(connection).get_columns("runs")}
    with engine.writing() as connection:
        upgrade(connection, version=VERSION + 2, migrations=steps)
    with engine.reading() as connection:
        assert connection.execute(sa.text("SELECT note FROM runs")).scalars().all() == ["adclick"]
        assert connection.execute(sa.text("SELECT version FROM schema_version")).scalars().all() == [VERSION + 2]
    records.close()
    engine.close()


GOLDEN = Path(__file__).parent / "golden"
DIGEST_OF_VERSION_3 = "46638bf9ea17c1ce3deaf84296f47b093f747347ad7870acf9ee3c64e2e7e091"


def _of_version(number: int, url: str) -> None:
    """A database as that version left it: its own file, or what it wrote into a server."""
    if url.startswith("sqlite"):
        shutil.copy(GOLDEN / f"records-v{number}.sqlite", url.removeprefix("sqlite:///"))
        return
    engine = Engine(url)
    with engine.writing() as connection:
        for statement in (GOLDEN / f"records-v{number}-postgresql.sql").read_text().split(";;"):
            connection.exec_driver_sql(statement)
    engine.close()


def test_a_database_of_version_1_goes_on(url: str) -> None:
    _of_version(1, url)
    records = SqlRecords(url)
    assert records.run("r1") == a_run()
    assert [release.number for release in records.releases()] == [2, 1]
    route = records.routes().of("adclick")
    assert route is not None
    assert (route.champion, route.challenger, route.traffic) == (1, 2, Traffic())
    assert [(change["actor"], change["detail"]) for change in records.audit()] == [("run r2", None), ("ana", None)]
    rules = Traffic(canary=Share(2, 0.1))
    assert records.set_traffic("adclick", rules, actor="ana", reason="try") == 3
    records.heartbeat("w2", "g", 3, ttl=60, behind={"adclick": 1})
    assert dict(records.workers("adclick")) == {"w2": 1}
    assert records.api_keys() == []
    records.close()
    engine = Engine(url)
    with pytest.raises((StoreError, sa.exc.DBAPIError), match="append-only"), engine.writing() as connection:
        connection.execute(history.delete())
    with engine.reading() as connection:
        upgraded = _shape(connection)
    engine.close()
    _same_as_new(url, upgraded)


def test_a_database_of_version_2_goes_on(url: str) -> None:
    _of_version(2, url)
    records = SqlRecords(url)
    assert records.run("r1") == a_run()
    route = records.routes().of("adclick")
    assert route is not None
    assert (route.champion, route.challenger, route.traffic) == (1, 2, Traffic(canary=Share(2, 0.1)))
    assert [key.name for key in records.api_keys()] == ["web"]
    assert [*records.alerts(), *records.silences(), *records.notifications()] == []
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    records.record_looks("adclick", {"drift": (None, noon)}, alerts=[an_alert("a1")])
    assert records.alerts("adclick") == [an_alert("a1")]
    records.put_monitor_states("adclick", {"concept": {"seen": 3}})
    records.close()
    engine = Engine(url)
    with engine.reading() as connection:
        upgraded = _shape(connection)
    engine.close()
    _same_as_new(url, upgraded)


def test_the_history_of_a_database_of_version_3_begins_with_its_audit(url: str) -> None:
    _of_version(3, url)
    records = SqlRecords(url)
    assert records.verify_history() is None
    told = [(one.id, one.kind, one.model, one.actor, one.reason) for one in reversed(records.history())]
    assert told == [
        (1, "champion", "adclick", "ana", "first"),
        (2, "challenger", "adclick", "run r2", "passed"),
        (3, "traffic", "adclick", "ana", "try “it”"),
        (4, "key", "", "ana", "created for predict"),
        (5, "champion", "adclick", "ben", "better"),
        (6, "challenger", "adclick", "ben", "better"),
        (7, "traffic", "adclick", "ben", "better"),
        (8, "key", "", "ben", "revoked: it leaked"),
    ]
    # The same on either backend and for ever: other programs may have noted it.
    assert records.history_head().digest == DIGEST_OF_VERSION_3
    shadow = {"number": 3, "share": 1.0}
    assert records.audit(limit=3) == [
        _change(5, "key web", model="", actor="ben", reason="revoked: it leaked"),
        _change(
            4,
            "traffic",
            detail={
                "before": {"canary": {"number": 2, "share": 0.1}, "arms": [], "shadows": [shadow]},
                "after": {"canary": None, "arms": [], "shadows": [shadow]},
            },
        ),
        _change(4, "challenger", before=2),
    ]
    then = records.route_at("adclick", NOON + timedelta(minutes=3))
    assert then is not None
    assert (then.champion, then.challenger, then.entry.id) == (1, 2, 3)
    assert then.traffic == Traffic(canary=Share(2, 0.1), shadows=(Share(3, 1.0),))
    now, route = (
        records.route_at("adclick", datetime.now(UTC) + timedelta(days=3650)),
        records.routes().of("adclick"),
    )
    assert now is not None
    assert route is not None
    assert (now.champion, now.challenger, now.traffic) == (route.champion, route.challenger, route.traffic)
    assert [one.id for one in records.silences()] == ["s1"]
    assert records.alerts("adclick") == [an_alert("alert-1")]
    assert records.set_alias("adclick", Alias.CHAMPION, 3, actor="ana", reason="on") == 5
    assert records.put_rollout(a_rollout(challenger=2)).version == 1
    assert records.verify_history() is None
    assert records.history_head().entries == 11
    records.close()
    engine = Engine(url)
    with pytest.raises((StoreError, sa.exc.DBAPIError), match="append-only"), engine.writing() as connection:
        connection.execute(history.delete())
    with engine.reading() as connection:
        upgraded = _shape(connection)
    assert "audit" not in upgraded
    engine.close()
    _same_as_new(url, upgraded)


def test_a_database_of_version_4_goes_on(url: str) -> None:
    _of_version(4, url)
    records = SqlRecords(url)
    assert records.verify_history() is None
    assert records.history_head().entries == 3
    assert records.rollout("adclick") == dataclasses.replace(a_rollout(), version=1)
    assert records.loop_state("adclick") == {"format": 1, "note": "“x”"}
    assert records.feature_views() == []
    records.put_feature_view(a_materialised())
    assert records.feature_views() == [a_materialised()]
    records.close()
    engine = Engine(url)
    with engine.reading() as connection:
        upgraded = _shape(connection)
    engine.close()
    _same_as_new(url, upgraded)


def _change(minute: int, alias: str, **other: object) -> dict[str, object]:
    told = {"model": "adclick", "actor": "ben", "reason": "better", "before": None, "after": None, "detail": None}
    return {"at": NOON + timedelta(minutes=minute), "alias": alias, "generation": 4, **told, **other}


def _same_as_new(url: str, upgraded: dict[str, dict[str, str]]) -> None:
    """An upgraded database is like a new one."""
    if not url.startswith("sqlite"):
        return
    SqlRecords(f"{url}.new").close()
    engine = Engine(f"{url}.new")
    with engine.reading() as connection:
        assert _shape(connection) == upgraded
    engine.close()


def _shape(connection: sa.Connection) -> dict[str, dict[str, str]]:
    found = sa.inspect(connection)
    return {
        table: {
            **{column["name"]: str(column["type"]) for column in found.get_columns(table)},
            **{f"index {index['name']}": str(index["unique"]) for index in found.get_indexes(table)},
        }
        for table in found.get_table_names()
    }


def test_sqlite_is_durable_and_checks_references(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'records.db'}"
    SqlRecords(url).close()
    engine = Engine(url)
    with engine.reading() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.close()
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


def test_a_reader_does_not_wait_for_a_writer(url: str) -> None:
    records, engine = SqlRecords(url), Engine(url)
    read = threading.Event()
    with engine.writing():
        thread = threading.Thread(target=lambda: (records.routes(), read.set()))
        thread.start()
        assert read.wait(5)
        thread.join()
    records.close()
    engine.close()


@pytest.mark.parametrize("content", [b"this is no database, only text of some length\n" * 100, bytes(5000)])
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "records.db").write_bytes(content)
    with pytest.raises(StoreError, match=r"file is not a database.*Mainspring database"):
        SqlRecords(f"sqlite:///{tmp_path / 'records.db'}")


def test_a_truncated_database(tmp_path: Path) -> None:
    place = tmp_path / "records.db"
    records = SqlRecords(f"sqlite:///{place}")
    records.begin_run(a_run())
    records.close()
    place.write_bytes(place.read_bytes()[:6000])
    with pytest.raises(StoreError, match="gave up"):
        SqlRecords(f"sqlite:///{place}").runs()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"unable to open database file.*see that its folder is there"):
        SqlRecords(f"sqlite:///{tmp_path / 'absent' / 'records.db'}")


@pytest.mark.parametrize("url", ["", "records.db", "mysql://root@db/x", "nosuch://x"])
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(SettingsError, match="records database"):
        SqlRecords(url)


def test_a_server_that_is_not_there_keeps_the_password() -> None:
    with pytest.raises(StoreError, match="see that the server runs") as caught:
        SqlRecords("postgresql+psycopg://ana:secret@127.0.0.1:1/x")
    assert "secret" not in str(caught.value)


def test_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 512 * 1024) as disk:
        records = SqlRecords(f"sqlite:///{disk / 'records.db'}")

        def fill() -> None:
            for number in range(1000):
                records.begin_run(a_run(f"{number:05}" * 2000))

        with pytest.raises(DiskFull, match="records database"):
            fill()
        stored = len(records.runs(limit=1000))
        records.close()
        connection = sqlite3.connect(disk / "records.db")
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (stored,)
        connection.close()
        assert stat.S_ISREG((disk / "records.db").stat().st_mode)
