"""The tables of the records database, and how an older database becomes the present one."""

from collections.abc import Callable, Mapping

import sqlalchemy as sa

from mainspring.errors import StoreError

VERSION = 3

TABLES = sa.MetaData()

_MOMENT = sa.BigInteger  # microseconds since 1970, UTC: both backends keep it exactly
_JSON = sa.Text  # written and read by msgspec; no backend may reorder or reject it

schema_version = sa.Table("schema_version", TABLES, sa.Column("version", sa.Integer, primary_key=True))

runs = sa.Table(
    "runs",
    TABLES,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, nullable=False, index=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("budget", _JSON, nullable=False),
    sa.Column("started_at", _MOMENT, nullable=False),
    sa.Column("ended_at", _MOMENT),
    sa.Column("snapshot", sa.Text),
    sa.Column("release", sa.Integer),
    sa.Column("tracking_id", sa.Text),
    sa.Column("detail", _JSON, nullable=False),
)

snapshots = sa.Table(
    "snapshots",
    TABLES,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, nullable=False, index=True),
    sa.Column("table_place", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("row_count", sa.BigInteger, nullable=False),
    sa.Column("parts", _JSON, nullable=False),
    sa.Column("columns", _JSON, nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False),
    sa.Column("parent", sa.Text),
)

numbers = sa.Table(
    "numbers",
    TABLES,
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.UniqueConstraint("model", "run_id"),
)

releases = sa.Table(
    "releases",
    TABLES,
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False),
    sa.Column("runtime", sa.Text, nullable=False),
    sa.Column("metrics", _JSON, nullable=False),
)

aliases = sa.Table(
    "aliases",
    TABLES,
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("alias", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.ForeignKeyConstraint(["model", "number"], ["releases.model", "releases.number"]),
)

generation = sa.Table(
    "generation",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
    sa.CheckConstraint("id = 1"),
)

audit = sa.Table(
    "audit",
    TABLES,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("at", _MOMENT, nullable=False),
    sa.Column("model", sa.Text, nullable=False, index=True),
    sa.Column("alias", sa.Text, nullable=False),
    sa.Column("before", sa.Integer),
    sa.Column("after", sa.Integer),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("detail", _JSON),  # what no number says: the rules of traffic before and after
)

traffic = sa.Table(
    "traffic",
    TABLES,
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("rules", _JSON, nullable=False),
)

workers = sa.Table(
    "workers",
    TABLES,
    sa.Column("worker", sa.Text, primary_key=True),
    sa.Column("gateway", sa.Text, nullable=False),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("expires_at", _MOMENT, nullable=False),
    sa.Column("behind", _JSON),  # by model the older generation by which the worker answers for it
)

leases = sa.Table(
    "leases",
    TABLES,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("token", sa.BigInteger, nullable=False),  # stays when the lease is given back, so that it only grows
    sa.Column("owner", sa.Text),
    sa.Column("host", sa.Text),
    sa.Column("pid", sa.Integer),
    sa.Column("process_start", sa.Text),
    sa.Column("expires_at", _MOMENT, nullable=False),
)

api_keys = sa.Table(
    "api_keys",
    TABLES,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("roles", _JSON, nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False),
    sa.Column("expires_at", _MOMENT),
    sa.Column("revoked_at", _MOMENT),
)

alerts = sa.Table(
    "alerts",
    TABLES,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("monitor", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("since", _MOMENT, nullable=False),
    sa.Column("body", _JSON, nullable=False),
    sa.Index("ix_alerts_since", "since"),
)
_IS_OPEN = alerts.c.state != "resolved"
sa.Index(
    "ux_alerts_open",
    alerts.c.model,
    alerts.c.monitor,
    unique=True,
    sqlite_where=_IS_OPEN,
    postgresql_where=_IS_OPEN,
)

alert_looks = sa.Table(
    "alert_looks",
    TABLES,
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("monitor", sa.Text, primary_key=True),
    sa.Column("at", _MOMENT, nullable=False),
)

silences = sa.Table(
    "silences",
    TABLES,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("monitor", sa.Text, nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False),
    sa.Column("until", _MOMENT, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

notifications = sa.Table(
    "notifications",
    TABLES,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("sink", sa.Text, nullable=False),
    sa.Column("alert_id", sa.Text, nullable=False),
    sa.Column("event", _JSON, nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False),
    sa.Column("due_at", _MOMENT, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("ended_at", _MOMENT),
    sa.Index("ix_notifications_waiting", "sink", "state", "due_at"),
)

monitor_states = sa.Table(
    "monitor_states",
    TABLES,
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("monitor", sa.Text, primary_key=True),
    sa.Column("state", _JSON, nullable=False),
)

# The audit is a history: the database itself refuses to change it.
_APPEND_ONLY = {
    "sqlite": (
        "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit"
        " BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
        "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit"
        " BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$",
        "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()",
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


# From version n to n + 1, by n. A migration never changes once it has been released.
MIGRATIONS: Mapping[int, Migration] = {1: _to_2, 2: _to_3}


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
        for statement in _APPEND_ONLY[connection.dialect.name]:
            connection.execute(sa.text(statement))
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


def _present_version(connection: sa.Connection) -> int | None:
    if not sa.inspect(connection).has_table(schema_version.name):
        return None
    return connection.execute(sa.select(schema_version.c.version)).scalar_one_or_none()
