"""The ASGI application: finds the route, lets it answer, and turns every error into its dialect's answer."""

import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from time import perf_counter
from typing import Any

from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.domain.access import Role
from mainspring.errors import (
    MainspringError,
    RequestTooLarge,
    TooManyRequests,
    Unavailable,
    UnsupportedMedia,
)
from mainspring.serving.access import Access
from mainspring.serving.exchange import Dialect, Request, Response, Route, request_id_of
from mainspring.serving.grants import NOBODY
from mainspring.serving.logs import ANSWERING, AnswerLog, place_of
from mainspring.serving.meters import Meters
from mainspring.serving.protocols.errors import HttpRefusal, dialect_of, name_in
from mainspring.serving.rates import Rates
from mainspring.serving.tracing import read_trace

_LOG = logging.getLogger("mainspring.gateway")
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
        rates: how many a second each key may send; `None` for any number.
        log: of the answers; `None` for none.
        is_routed: whether there is a model of this name: what goes wrong is counted with its model.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        *,
        access: Access,
        meters: Meters,
        max_body: int,
        max_waiting: int,
        rates: Rates | None = None,
        log: AnswerLog | None = None,
        clock: Clock = SYSTEM_CLOCK,
        is_routed: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._routes = tuple(routes)
        self._access = access
        self._meters = meters
        self._max_body = max_body
        self._max_waiting = max_waiting
        self._rates = rates
        self._log = log
        self._clock = clock
        self._is_routed = is_routed
        self._buffered = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        request_id = request_id_of(headers, self._clock)
        request = Request(scope["method"], scope["path"], headers, b"", request_id, NOBODY)
        if b"traceparent" in headers:
            request.trace = read_trace(scope["headers"])
        ANSWERING.set(request)
        try:
            response = await self._answer(request, receive)
        except _Gone:
            return
        if response.status >= 400 and not response.model and self._is_routed(name := name_in(request.path)):
            response.model = name  # what is routed alone: the names of metrics stay few
        seconds = perf_counter() - started
        self._meters.answered(response.model, response.release, response.status, seconds)
        if request.stages:
            self._meters.staged(response.model, response.release, started, request.stages, started + seconds)
        if self._log is not None:
            self._log.answered(request, response, seconds)
        start = [
            (b"content-type", response.content_type),
            (b"content-length", b"%d" % len(response.body)),
            (b"x-prediction-id", request_id.encode()),
            *response.headers,
        ]
        if response.release:
            start.append((b"x-release", response.release.encode()))
        if request.trace is not None:
            start += request.trace.headers()
        await send({"type": "http.response.start", "status": response.status, "headers": start})
        await send({"type": "http.response.body", "body": response.body})

    async def _answer(self, request: Request, receive: Receive) -> Response:
        dialect = dialect_of(request.path)
        try:
            found = self._find(request.method, request.path)
            if isinstance(found, Response):
                return found
            route, groups = found
            dialect = route.dialect
            refused = await self._let_in(request, route)
            if refused is not None:
                return refused
            if request.method == "POST":
                request.body = await self._body(request.headers, receive)
            if self._meters.in_flight >= self._max_waiting:
                raise Unavailable(
                    f"{self._max_waiting:,} requests are being answered, and no more are taken",
                    cure="ask again in a second, or start the gateway with more workers",
                )
            self._meters.taken()
            try:
                return await route.handler(request, *groups)
            finally:
                self._meters.left()
        except MainspringError as error:
            return _failed(dialect, error)
        except _Gone:
            raise
        except Exception as error:
            # A fault of ours: the log tells where, the answer only under which id to look for it. What the
            # exception says may hold values of the request, so it stays unsaid.
            _LOG.error("request %s failed: %s", request.id, place_of(error))
            return _failed(
                dialect,
                MainspringError("the gateway failed to answer", cure=f"look for {request.id} in its log"),
            )

    async def _let_in(self, request: Request, route: Route) -> Response | None:
        """Say what the request may do, or answer it with a refusal. Raises `TooManyRequests`, `NotAllowed`."""
        access, headers = self._access, request.headers
        refusal = access.refusal(headers)
        if refusal is not None:
            return _refused(route.dialect, 403, *refusal)
        grant = access.known(headers)
        if route.open:
            request.grant = grant or NOBODY
            return None
        if grant is None:
            grant = await access.proved(headers)
            if grant is None:
                return _unauthorized(route, headers.get(b"authorization"))
        request.grant = grant
        if self._rates is not None and not self._rates.allows(grant.slot):
            raise TooManyRequests("more requests came in a second than this key may send", cure="send fewer")
        needs = _needs(route)
        if needs is not None:
            request.need(needs, "this path")
        return None

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
            cure = "GET /openapi.json lists what there is, e.g. POST /predict/MODEL"
            return _refused(dialect_of(path), 404, "there is nothing at this path", cure)
        methods = sorted({route.method for route in allowed} | {"HEAD" for r in allowed if r.method == "GET"})
        taken = " and ".join(methods)
        response = _refused(
            allowed[0].dialect, 405, f"this path takes {taken}, not {method[:20]}", f"send it as {methods[0]}"
        )
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
    retry: tuple[tuple[bytes, bytes], ...] = ((b"retry-after", b"1"),) if status in (429, 503) else ()
    return Response(status, dialect.error_body(error), headers=retry)


def _refused(dialect: Dialect, status: int, message: str, cure: str) -> Response:
    return Response(status, dialect.error_body(HttpRefusal(status, message, cure)))


def _needs(route: Route) -> Role | None:
    """The role that a key needs here; `None` where any will do."""
    return route.needs or (Role.PREDICT if route.method == "POST" else None)


def _unauthorized(route: Route, given: bytes | None) -> Response:
    """The refusal of a request without a key that holds; of a wrong one it tells nobody why it does not."""
    new = f"an operator makes a new one: mainspring keys create NAME --role {_needs(route) or Role.READ}"
    if given is None:
        message, cure = "the request carries no key", f"send it as `Authorization: Bearer KEY`; {new}"
    elif given.partition(b" ")[0].lower() != b"bearer":
        message = "the Authorization header carries no bearer key"
        cure = f"send it as `Authorization: Bearer KEY`, with the word Bearer; {new}"
    else:
        message = "the request carries no valid key"
        cure = f"it may be misspelt, have ended or been revoked; {new}"
    response = _refused(route.dialect, 401, message, cure)
    challenge = b"Bearer" if given is None else b'Bearer error="invalid_token"'
    response.headers = ((b"www-authenticate", challenge),)
    return response
