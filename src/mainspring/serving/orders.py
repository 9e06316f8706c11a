"""What the gateway's parent process tells those that answer, each as one line of JSON."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mainspring.serving.log_state import SPOOL
from mainspring.serving.logs import is_json
from mainspring.serving.personal import KEY_FILE

if TYPE_CHECKING:  # those who get the orders need no settings
    from mainspring.serving.options import GatewayOptions


class LogOrders(msgspec.Struct, frozen=True):
    """What a process that answers is told of the prediction log.

    Attributes:
        durability: `batch`, `strict` or `off`.
        folder: of the spool.
        limit: bytes that all spool files may have.
        secret: the file of the key for personal values.
    """

    durability: str
    folder: str
    limit: int
    secret: str


class FeatureOrders(msgspec.Struct, frozen=True):
    """What a process that answers is told of features.

    Attributes:
        url: of the online store.
        timeout: seconds that a request waits for it.
    """

    url: str
    timeout: float


class ShadowOrders(msgspec.Struct, frozen=True):
    """What the shadow process gets from its parent, as one line of JSON.

    Attributes:
        table: the routing table's file.
        streams: file descriptors of the sockets from the workers.
        memory: bytes that it may take, the processes of native releases included.
        timeout: seconds that one batch may take.
        log: how the prediction log is kept; never strictly, since nobody waits for a shadow.
        features: where features are found.
    """

    table: str
    trusted: str
    streams: tuple[int, ...]
    memory: int
    timeout: float
    json_logs: bool
    log: LogOrders
    features: FeatureOrders

    @classmethod
    def of(cls, options: GatewayOptions, *, table: Path, streams: tuple[int, ...]) -> ShadowOrders:
        settings = options.settings
        log = _log_orders(options, table)
        return cls(
            table=str(table),
            trusted=str(options.trusted),
            streams=streams,
            memory=settings.shadow_memory,
            timeout=settings.shadow_timeout,
            json_logs=is_json(settings.log_format),
            log=msgspec.structs.replace(log, durability="batch") if log.durability == "strict" else log,
            features=_feature_orders(options),
        )


class WorkerOrders(msgspec.Struct, frozen=True):
    """What a worker gets from its parent, as one line of JSON, so that no secret stands in a command line.

    Attributes:
        slot: the worker's place, from 0; a restarted worker takes the place of the one that died.
        listener: file descriptor of the listening socket.
        table: the routing table's file.
        token_digest: SHA-256 of the token that allows everything, in hexadecimal; `None` where there is none.
        loopback: whether only this machine can reach the gateway; then the `Host` must name this machine.
        max_requests_per_second: of each key; 0 for any number.
        access_log: answers logged each second; 0 for none.
        tls_certificate, tls_key, tls_client_ca: files in PEM; `None` for plain HTTP.
        default_model: answers where a path names no model.
        open_invocations: `/invocations` needs no key.
        memory_budget: bytes that idle releases may take.
        log: how the prediction log is kept.
        features: where features are found.
        shadow: file descriptor of the socket to the shadow process; `None` where there is none.
    """

    slot: int
    listener: int
    table: str
    trusted: str
    loopback: bool
    token_digest: str | None
    max_body_bytes: int
    max_header_bytes: int
    max_rows: int
    max_waiting: int
    read_timeout: float
    drain_timeout: float
    max_connections: int
    max_requests_per_second: int
    access_log: int
    json_logs: bool
    tls_certificate: str | None
    tls_key: str | None
    tls_client_ca: str | None
    default_model: str | None
    open_invocations: bool
    memory_budget: int
    log: LogOrders
    features: FeatureOrders
    shadow: int | None = None

    @property
    def keys(self) -> Path:
        """The file of the keys."""
        return Path(self.table).with_name("keys.json")

    @property
    def rates(self) -> Path:
        """The file in which all workers count the requests of each key."""
        return Path(self.table).with_name("rates")

    @classmethod
    def of(
        cls, options: GatewayOptions, *, slot: int, listener: int, table: Path, shadow: int | None = None
    ) -> WorkerOrders:
        settings = options.settings
        return cls(
            slot=slot,
            listener=listener,
            table=str(table),
            trusted=str(options.trusted),
            loopback=settings.is_loopback,
            token_digest=sha256(settings.token.encode()).hexdigest() if settings.token else None,
            max_body_bytes=settings.max_body_bytes,
            max_header_bytes=settings.max_header_bytes,
            max_rows=settings.max_rows,
            max_waiting=settings.max_waiting,
            read_timeout=settings.read_timeout,
            drain_timeout=settings.drain_timeout,
            max_connections=settings.max_connections,
            max_requests_per_second=settings.max_requests_per_second,
            access_log=settings.access_log,
            json_logs=is_json(settings.log_format),
            tls_certificate=settings.tls_certificate,
            tls_key=settings.tls_key,
            tls_client_ca=settings.tls_client_ca,
            default_model=settings.default_model,
            open_invocations=settings.platform == "sagemaker",
            memory_budget=settings.memory_budget,
            log=_log_orders(options, table),
            features=_feature_orders(options),
            shadow=shadow,
        )


def _log_orders(options: GatewayOptions, table: Path) -> LogOrders:
    """What every process that answers is told of the prediction log."""
    return LogOrders(
        durability=options.log.durability,
        folder=str(table.with_name(SPOOL)),
        limit=options.log.max_spool_bytes,
        secret=str(options.trusted.with_name(KEY_FILE)),
    )


def _feature_orders(options: GatewayOptions) -> FeatureOrders:
    """What every process that answers is told of features."""
    return FeatureOrders(url=options.features, timeout=options.settings.feature_timeout)
