"""Every entry of `mainspring.toml`: its place, its kind, its default, its bounds and what it is about."""

from dataclasses import dataclass
from typing import Any

PREFIX = "MAINSPRING_"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the settings, as people write it."""

    section: str
    key: str
    kind: type
    default: Any
    about: str
    example: str = ""  # where the default follows from the other entries

    @property
    def variable(self) -> str:
        """The environment variable that overrides it."""
        return PREFIX + "_".join(part.upper() for part in (self.section, self.key) if part)

    @property
    def path(self) -> str:
        return f"{self.section}.{self.key}" if self.section else self.key


ENTRIES: tuple[Entry, ...] = (
    Entry("", "name", str, None, "the project's name; the folder's where not given"),
    Entry("workspace", "path", str, ".mainspring", "where the project's state lives"),
    Entry(
        "records",
        "url",
        str,
        None,
        "the records database: a SQLite or PostgreSQL URL",
        "sqlite:///.mainspring/records.db",
    ),
    Entry(
        "tables",
        "url",
        str,
        None,
        "where the Delta tables live: a folder or s3://, gs://, az://",
        ".mainspring/tables",
    ),
    Entry(
        "features",
        "url",
        str,
        None,
        "the online features: a SQLite file, or redis:// for gateways on several machines",
        "sqlite:///.mainspring/features.db",
    ),
    Entry(
        "features",
        "timeout",
        str,
        "20ms",
        "how long a request waits for the online store before it takes what was last known, or defaults",
    ),
    Entry("releases", "path", str, None, "the folder of the release folders", ".mainspring/releases"),
    Entry("tracking", "url", str, None, "the MLflow tracking store", "sqlite:///.mainspring/mlflow.db"),
    Entry("tracking", "artifacts", str, None, "where MLflow keeps its artifacts", ".mainspring/mlartifacts"),
    Entry("workflows", "url", str, None, "the database of the durable workflows", "sqlite:///.mainspring/dbos.db"),
    Entry("run", "budget", str, "120s", "how long one run tunes: a duration, or `20 trials`"),
    Entry("run", "timeout", str, "6h", "a training or score job that the controller started may take so long"),
    Entry("gateway", "host", str, "127.0.0.1", "the address to listen on; any but loopback needs a token"),
    Entry("gateway", "port", int, 8000, "the port to listen on; 0 takes a free one"),
    Entry("gateway", "workers", int, 1, "how many worker processes answer"),
    Entry("gateway", "token_file", str, None, "the file that holds the token requests must carry", "token"),
    Entry(
        "gateway",
        "default_model",
        str,
        None,
        "the model that answers where the path names none (/invocations); the only one if it is the only one",
        "churn",
    ),
    Entry(
        "gateway",
        "release",
        str,
        None,
        "a release folder, or a folder of some, to serve without a project",
        "model",
    ),
    Entry(
        "gateway",
        "trusted",
        str,
        None,
        "the public keys for it; the folder `trusted` beside it if not given",
        "keys",
    ),
    Entry("gateway", "platform", str, "none", "sagemaker: serve /opt/ml/model on port 8080, as SageMaker asks"),
    Entry("gateway", "max_body_bytes", int, 10_000_000, "a larger request body is refused"),
    Entry("gateway", "max_header_bytes", int, 16_384, "larger request headers are refused"),
    Entry("gateway", "max_rows", int, 10_000, "a request with more rows is refused"),
    Entry("gateway", "max_waiting", int, 1_000, "requests above this number waiting at once are refused"),
    Entry(
        "gateway",
        "memory_budget",
        int,
        1_000_000_000,
        "bytes that the releases of each worker may take; above it those idle for longest are unloaded",
    ),
    Entry(
        "gateway",
        "shadow_memory",
        int,
        2_000_000_000,
        "bytes that the shadow process may take; above it it is ended",
    ),
    Entry("gateway", "shadow_timeout", str, "10s", "how long a shadow may take for one batch of rows"),
    Entry("gateway", "read_timeout", str, "10s", "how long a client may take to send its request"),
    Entry("gateway", "max_connections", int, 4_096, "how many connections each worker holds open"),
    Entry("gateway", "max_requests_per_second", int, 0, "of each key, in all workers together; 0 for any number"),
    Entry(
        "gateway", "tls_certificate", str, None, "the certificate with its chain, in PEM: turns on TLS", "tls.crt"
    ),
    Entry("gateway", "tls_key", str, None, "the certificate's private key, in PEM", "tls.key"),
    Entry("gateway", "tls_client_ca", str, None, "who must have signed the clients' certificates", "clients.crt"),
    Entry("gateway", "log_format", str, "auto", "text, json, or auto: text on a terminal, else json"),
    Entry("gateway", "access_log", int, 0, "answers that each worker logs in a second, at most; 0 logs none"),
    Entry("gateway", "drain_timeout", str, "10s", "how long open requests may take to end at shutdown"),
    Entry("log", "durability", str, "batch", "batch: fsync every 100 ms; strict: before each answer; off: no log"),
    Entry("log", "commit_every", str, "10s", "how long an answer waits at most on its way to the table"),
    Entry("log", "commit_rows", int, 50_000, "so many rows are not kept waiting"),
    Entry("log", "keep_days", int, 0, "days of predictions and labels that are kept; 0 for all"),
    Entry("log", "max_spool_bytes", int, 2_000_000_000, "what may wait on the disk when the tables take nothing"),
    Entry("alerts", "console", str, "on", "on: alerts are written to standard error; off: not"),
    Entry("alerts", "file", str, None, "a file to which each alert is added as a line of JSON", "alerts.jsonl"),
    Entry(
        "alerts",
        "webhook_url",
        str,
        None,
        "where alerts are posted; write $NAME for what is secret in it",
        "https://hooks.slack.com/services/$SLACK",
    ),
    Entry("alerts", "webhook_format", str, "json", "json: a document of ours; slack: what Slack reads"),
    Entry("alerts", "alertmanager_url", str, None, "a Prometheus Alertmanager", "http://localhost:9093"),
    Entry(
        "alerts",
        "allowed_hosts",
        str,
        None,
        "the hosts that may be posted to: names, *.names, addresses, networks; private addresses only if listed",
        "hooks.slack.com localhost",
    ),
    Entry("alerts", "budget_per_week", int, 5, "how many alerts a week people read; more are reported as noise"),
    Entry("alerts", "max_per_hour", int, 20, "how many messages the webhook gets in an hour; the rest waits"),
    Entry("alerts", "timeout", str, "10s", "how long one sending may take"),
)

# The least and the greatest value of each whole number.
BOUNDS: dict[str, tuple[int, int]] = {
    "gateway.port": (0, 65_535),
    "gateway.workers": (1, 256),
    "gateway.max_body_bytes": (1_000, 2**31 - 1),
    "gateway.max_header_bytes": (1_024, 1_048_576),
    "gateway.max_rows": (1, 1_000_000),
    "gateway.max_waiting": (1, 1_000_000),
    "gateway.max_connections": (1, 1_000_000),
    "gateway.max_requests_per_second": (0, 1_000_000),
    "gateway.access_log": (0, 10_000),
    "log.commit_rows": (1, 10_000_000),
    "log.keep_days": (0, 36_500),
    "log.max_spool_bytes": (1_000_000, 2**50),
    "alerts.budget_per_week": (0, 10_000),
    "alerts.max_per_hour": (1, 10_000),
    "gateway.memory_budget": (1_000_000, 2**50),
    "gateway.shadow_memory": (100_000_000, 2**50),
}


CHOICES: dict[str, tuple[str, ...]] = {
    "log.durability": ("batch", "strict", "off"),
    "alerts.console": ("on", "off"),
    "alerts.webhook_format": ("json", "slack"),
    "gateway.log_format": ("auto", "text", "json"),
    "gateway.platform": ("none", "sagemaker"),
}
