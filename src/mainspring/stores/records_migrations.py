"""How a new database gets its tables, and how an older one becomes the present one."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from mainspring.domain.history import BEGINNING, EntryKind
from mainspring.errors import StoreError
from mainspring.stores.records_history import append
from mainspring.stores.records_rows import time_of
from mainspring.stores.records_schema import TABLES, generation, history_head, schema_version
from mainspring.stores.records_version import VERSION

# The database itself refuses to change the history.
_APPEND_ONLY = {
    "sqlite": (
        "CREATE TRIGGER history_no_update BEFORE UPDATE ON history"
        " BEGIN SELECT RAISE(ABORT, 'the history is append-only'); END",
        "CREATE TRIGGER history_no_delete BEFORE DELETE ON history"
        " BEGIN SELECT RAISE(ABORT, 'the history is append-only'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION history_append_only() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the history is append-only'; END $$",
        "CREATE TRIGGER history_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON history"
        " FOR EACH STATEMENT EXECUTE FUNCTION history_append_only()",
    ),
}

Migration = Callable[[sa.Connection], None]


def _to_2(connection: sa.Connection) -> None:
    """Rules of traffic, keys, and workers that follow the routes model by model."""
    connection.execute(sa.text("ALTER TABLE audit ADD COLUMN detail TEXT"))
    connection.execute(sa.text("ALTER TABLE workers ADD COLUMN behind TEXT"))
    TABLES.create_all(connection)  # those that are not there yet


def _to_3(connection: sa.Connection) -> None:
    """Alerts, silences, the outbox of notifications, and the states of monitors."""
    TABLES.create_all(connection)


def _to_4(connection: sa.Connection) -> None:
    """Rollouts, what triggers remember, and the history: its chain begins with what the audit held."""
    TABLES.create_all(connection)
    _begin_history(connection)
    for row in connection.execute(sa.text("SELECT * FROM audit ORDER BY id")).mappings().all():
        is_key = row["alias"].startswith("key ")
        kind = EntryKind.KEY if is_key else EntryKind(row["alias"])
        detail: dict[str, Any] = {"before": row["before"], "after": row["after"], "generation": row["generation"]}
        if is_key:
            detail = {"key": row["alias"].removeprefix("key "), "generation": row["generation"]}
        elif kind is EntryKind.TRAFFIC:
            detail |= msgspec.json.decode(row["detail"])
        at = time_of(row["at"])
        append(connection, at, row["model"], kind, actor=row["actor"], reason=row["reason"], detail=detail)
    # Gone with its own triggers: a process of the older version, still at work, must not write past the chain.
    connection.execute(sa.text("DROP TABLE audit"))
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("DROP FUNCTION audit_append_only()"))


def _to_5(connection: sa.Connection) -> None:
    """How far feature views have come."""
    TABLES.create_all(connection)


# From version n to n + 1, by n. A migration never changes once it has been released.
MIGRATIONS: Mapping[int, Migration] = {1: _to_2, 2: _to_3, 3: _to_4, 4: _to_5}


def upgrade(
    connection: sa.Connection, *, version: int = VERSION, migrations: Mapping[int, Migration] = MIGRATIONS
) -> None:
    """Bring the database to `version`, inside the caller's transaction.

    An empty database is created whole; an older one goes through the migrations one by one.

    Raises:
        StoreError: the database was written by a newer Mainspring.
    """
    present = _present_version(connection)
    if present is None:
        TABLES.create_all(connection)
        _begin_history(connection)
        connection.execute(generation.insert().values(id=1, value=0))
        connection.execute(schema_version.insert().values(version=version))
        return
    if present > version:
        raise StoreError(
            f"the records database has schema version {present}, this Mainspring knows {version} at most",
            cure="upgrade mainspring",
        )
    for step in range(present, version):
        migrations[step](connection)
    if present < version:
        connection.execute(schema_version.update().values(version=version))


def _begin_history(connection: sa.Connection) -> None:
    connection.execute(history_head.insert().values(id=1, entries=0, digest=BEGINNING))
    for statement in _APPEND_ONLY[connection.dialect.name]:
        connection.execute(sa.text(statement))


def _present_version(connection: sa.Connection) -> int | None:
    if not sa.inspect(connection).has_table(schema_version.name):
        return None
    return connection.execute(sa.select(schema_version.c.version)).scalar_one_or_none()
