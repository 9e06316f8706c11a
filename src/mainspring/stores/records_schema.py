"""The tables of the records database."""

import sqlalchemy as sa

TABLES = sa.MetaData()

_MOMENT = sa.BigInteger  # microseconds since 1970, UTC: both backends keep it exactly
_JSON = sa.Text  # written and read by msgspec; no backend may reorder or reject it


def _after(table: sa.Table, statement: str) -> None:
    """What follows the making of a table, as text.

    An `sa.Index` with `postgresql_where` would import that database's whole dialect into every gateway.
    """
    sa.event.listen(table, "after_create", sa.DDL(statement))  # type: ignore[no-untyped-call]


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

history = sa.Table(
    "history",
    TABLES,
    # Without gaps, and part of the chain: the writer gives it, no sequence of the database.
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("at", _MOMENT, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("detail", _JSON, nullable=False),
    sa.Column("once", sa.Text),
    sa.Column("previous", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Index("ix_history_at", "at", "id"),
    sa.Index("ix_history_model", "model", "id"),
    sa.Index("ix_history_kind", "model", "kind", "id"),
    sa.Index("ux_history_once", "model", "kind", "once", unique=True),
)

history_head = sa.Table(
    "history_head",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("entries", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.CheckConstraint("id = 1"),
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
_after(alerts, "CREATE UNIQUE INDEX ux_alerts_open ON alerts (model, monitor) WHERE state <> 'resolved'")

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

rollouts = sa.Table(
    "rollouts",
    TABLES,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("started_at", _MOMENT, nullable=False),
    sa.Column("ended", sa.Boolean, nullable=False),
    sa.Column("body", _JSON, nullable=False),
    sa.Index("ix_rollouts_started_at", "started_at"),
)
_after(rollouts, "CREATE UNIQUE INDEX ux_rollouts_open ON rollouts (model) WHERE NOT ended")

loop_states = sa.Table(
    "loop_states",
    TABLES,
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("state", _JSON, nullable=False),
)

feature_views = sa.Table(
    "feature_views",
    TABLES,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("view", sa.Text, nullable=False, index=True),
    sa.Column("started_at", _MOMENT, nullable=False),
    sa.Column("body", _JSON, nullable=False),
)
