"""One request and its answer, between the HTTP app and the protocols."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.domain.access import Role
from mainspring.domain.ids import uuid7
from mainspring.domain.release import Manifest
from mainspring.errors import MainspringError, NotAllowed
from mainspring.serving.grants import EVERYBODY, Grant
from mainspring.serving.tracing import Trace

JSON = b"application/json"
_SANE_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:+=-]{0,99}")


def request_id_of(headers: dict[bytes, bytes], clock: Clock = SYSTEM_CLOCK) -> str:
    """The caller's `x-request-id` where it is sane, else a new UUIDv7; never a character that JSON escapes.

    Examples:
        >>> request_id_of({b"x-request-id": b"order-17"})
        'order-17'
    """
    given = headers.get(b"x-request-id")
    return given.decode() if given is not None and _SANE_ID.fullmatch(given) else uuid7(clock)


@dataclass(slots=True)
class Request:
    """A whole request.

    Attributes:
        path: decoded; never used to open anything.
        native: the body holds the rows in a form of the native protocol.
        id: the caller's `x-request-id` where it is sane, else a new UUIDv7.
        grant: what the one who asks may do.
        trace: the caller's W3C trace context, where it sent one.
        stages: seconds of the machine's clock at which the release began, it had answered, and that was logged;
            empty where no release was asked.
    """

    method: str
    path: str
    headers: dict[bytes, bytes]
    body: bytes
    id: str
    grant: Grant = EVERYBODY
    trace: Trace | None = None
    stages: tuple[float, ...] = ()
    native: bool = False

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits, or nothing."""
        return "" if self.trace is None else self.trace.trace_id

    def may(self, role: Role) -> bool:
        """Whether the one who asks has this role."""
        return role in self.grant.roles

    def need(self, role: Role, what: str) -> None:
        """Raises `NotAllowed` without this role.

        Args:
            what: what it is needed for, e.g. `naming a release`.
        """
        if role not in self.grant.roles:
            raise NotAllowed(
                f"{what} needs a key with the role {role}",
                cure=f"ask for one: mainspring keys create NAME --role {role}",
                where={"role": str(role)},
            )


@dataclass(slots=True)
class Response:
    """An answer.

    Attributes:
        model, release: what answered, e.g. `adult` and `adult@3`; empty where no release did.
        headers: besides content type and length, `x-prediction-id` and `x-release`.
    """

    status: int
    body: bytes
    content_type: bytes = JSON
    model: str = ""
    release: str = ""
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Dialect(Protocol):
    """How a protocol says that something went wrong."""

    def status_of(self, error: MainspringError) -> int: ...

    def error_body(self, error: MainspringError) -> bytes: ...


Handler = Callable[..., Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """Which handler answers which path; the pattern's groups are the handler's arguments.

    Attributes:
        open: answered without a key (liveness and readiness, which probes ask).
        needs: the role that a key needs. Where it is not given, POST needs `predict`, and what GET describes is
            for every key.
    """

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    dialect: Dialect
    open: bool = False
    needs: Role | None = None


class HttpProtocol(Protocol):
    """One protocol, or one part of it: what it answers, and how `/openapi.json` describes that."""

    def routes(self) -> tuple[Route, ...]: ...

    def paths(self, manifests: Sequence[Manifest]) -> dict[str, Any]:
        """OpenAPI 3.1 path items by path: every route, for the champions whose manifests these are."""
        ...
