"""One request and its answer, between the HTTP app and the protocols."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mainspring.domain.release import Manifest
from mainspring.errors import MainspringError

JSON = b"application/json"


@dataclass(slots=True)
class Request:
    """A whole request.

    Attributes:
        path: decoded; never used to open anything.
        id: the caller's `x-request-id` where it is sane, else a new UUIDv7.
    """

    method: str
    path: str
    headers: dict[bytes, bytes]
    body: bytes
    id: str


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
        open: answered without a token (liveness and readiness, which probes ask).
    """

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    dialect: Dialect
    open: bool = False


class HttpProtocol(Protocol):
    """One protocol, or one part of it: what it answers, and how `/openapi.json` describes that."""

    def routes(self) -> tuple[Route, ...]: ...

    def paths(self, manifests: Sequence[Manifest]) -> dict[str, Any]:
        """OpenAPI 3.1 path items by path: every route, for the champions whose manifests these are."""
        ...
