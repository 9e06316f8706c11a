"""The ASGI application: finds the route, lets it answer, and turns every error into its dialect's answer."""

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from time import perf_counter
from typing import Any

from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.domain.ids import uuid7
from mainspring.errors import MainspringError, RequestTooLarge, Unavailable, UnsupportedMedia
from mainspring.serving.access import Access
from mainspring.serving.exchange import Dialect, Request, Response, Route
from mainspring.serving.meters import Meters
from mainspring.serving.protocols.errors import HttpRefusal, dialect_of

_LOG = logging.getLogger("mainspring.gateway")
_SANE_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:+=-]{0,99}")
_BUFFERED = 256 * 2**20  # bytes of half-read bodies that a worker holds at most

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class _Gone(Exception):
    """The client went away before its request was whole."""


class App:
    """Answers HTTP requests by a table of routes.

    Args:
        routes: asked in order; the first whose path fits answers.
        access: who may ask.
        meters: what is counted.
        max_body: bytes.
        max_waiting: requests being answered at once; one more is refused with 503.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        *,
        access: Access,
        meters: Meters,
        max_body: int,
        max_waiting: int,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._routes = tuple(routes)
        self._access = access
        self._meters = meters
        self._max_body = max_body
        self._max_waiting = max_waiting
        self._clock = clock
        self._buffered = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        given = headers.get(b"x-request-id")
        request_id = given.decode() if given is not None and _SANE_ID.fullmatch(given) else uuid7(self._clock)
        try:
            response = await self._answer(scope["method"], scope["path"], headers, receive, request_id)
        except _Gone:
            return
        seconds = perf_counter() - started
        self._meters.answered(response.model, response.release, response.status, seconds)
        start = [
            (b"content-type", response.content_type),
            (b"content-length", b"%d" % len(response.body)),
            (b"x-prediction-id", request_id.encode()),
            *response.headers,
        ]
        if response.release:
            start.append((b"x-release", response.release.encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": start})
        await send({"type": "http.response.body", "body": response.body})

    async def _answer(
        self, method: str, path: str, headers: dict[bytes, bytes], receive: Receive, request_id: str
    ) -> Response:
        dialect = dialect_of(path)
        try:
            found = self._find(method, path)
            if isinstance(found, Response):
                return found
            route, groups = found
            dialect = route.dialect
            refusal = self._access.refusal(headers, open_to_all=route.open)
            if refusal is not None:
                return _refused(dialect, *refusal)
            body = await self._body(headers, receive) if method == "POST" else b""
            if self._meters.in_flight >= self._max_waiting:
                raise Unavailable(
                    f"{self._max_waiting:,} requests are being answered, and no more are taken",
                    cure="ask again in a second, or start the gateway with more workers",
                )
            self._meters.taken()
            try:
                return await route.handler(Request(method, path, headers, body, request_id), *groups)
            finally:
                self._meters.left()
        except MainspringError as error:
            return _failed(dialect, error)
        except _Gone:
            raise
        except Exception:
            # A fault of ours: the log tells what, the answer only under which id to look for it.
            _LOG.exception("request %s failed", request_id)
            return _failed(
                dialect,
                MainspringError("the gateway failed to answer", cure=f"look for {request_id} in its log"),
            )

    def _find(self, method: str, path: str) -> tuple[Route, tuple[str, ...]] | Response:
        allowed = []
        for route in self._routes:
            match = route.pattern.fullmatch(path)
            if match is None:
                continue
            if route.method == method or (method == "HEAD" and route.method == "GET"):
                return route, match.groups()
            allowed.append(route)
        if not allowed:
            return _refused(
                dialect_of(path), 404, "there is nothing at this path; /openapi.json lists what there is"
            )
        methods = sorted({route.method for route in allowed} | {"HEAD" for r in allowed if r.method == "GET"})
        response = _refused(allowed[0].dialect, 405, f"this path takes {' and '.join(methods)}")
        response.headers = ((b"allow", ", ".join(methods).encode()),)
        return response

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        declared = headers.get(b"content-length")
        if declared is not None and int(declared) > self._max_body:
            raise self._too_large()
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise UnsupportedMedia("compressed bodies are not taken", cure="send the body as it is")
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        body: bytes = message["body"]
        if not message["more_body"]:
            if len(body) > self._max_body:
                raise self._too_large()
            return body
        return await self._long_body(body, receive)

    async def _long_body(self, first: bytes, receive: Receive) -> bytes:
        parts = bytearray(first)
        self._buffered += len(first)
        held = len(first)
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _Gone
                part = message["body"]
                parts += part
                held += len(part)
                self._buffered += len(part)
                if held > self._max_body:
                    raise self._too_large()
                if self._buffered > _BUFFERED:
                    raise Unavailable("too many large requests are being read", cure="ask again in a second")
                if not message["more_body"]:
                    return bytes(parts)
        finally:
            self._buffered -= held

    def _too_large(self) -> RequestTooLarge:
        return RequestTooLarge(
            f"the body has more than {self._max_body:,} bytes",
            cure="send fewer rows at once, or score a file with `mainspring score`",
        )


def _failed(dialect: Dialect, error: MainspringError) -> Response:
    status = dialect.status_of(error)
    retry: tuple[tuple[bytes, bytes], ...] = ((b"retry-after", b"1"),) if status == 503 else ()
    return Response(status, dialect.error_body(error), headers=retry)


def _refused(dialect: Dialect, status: int, message: str) -> Response:
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if status == 401:
        headers = ((b"www-authenticate", b"Bearer"),)
    return Response(status, dialect.error_body(HttpRefusal(status, message)), headers=headers)
