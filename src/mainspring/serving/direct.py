"""The direct path: plain requests to compiled releases, answered without a task for each.

`POST /predict/{model}` is nearly always the same: a key that is known, rows that fit, a model in this process,
whether it is the champion, a canary or an arm.
Such requests are gathered as they arrive in one turn of the event loop, go through the model together at its end,
are logged in one write, and answered. No timer: one that is alone waits for nobody.

Whatever is out of the ordinary goes the usual way, through the ASGI application, as if this path were not there:
every error has one place that answers it.
"""

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.domain.access import Role
from mainspring.domain.prediction_log import Role as AnswerRole
from mainspring.serving.access import Access
from mainspring.serving.batcher import LARGE, CompiledBatcher, Matrix, Outputs
from mainspring.serving.exchange import request_id_of
from mainspring.serving.grants import Grant
from mainspring.serving.journal import Answered, Journal
from mainspring.serving.loaded import Loaded
from mainspring.serving.meters import Meters
from mainspring.serving.pool import ReleasePool
from mainspring.serving.protocols.body import decode_json, rows_of
from mainspring.serving.protocols.native import answer_body
from mainspring.serving.rates import Rates
from mainspring.serving.router import ROUTING_KEY, event_of, routing_key
from mainspring.serving.shadow_feed import ShadowFeed
from mainspring.serving.tracing import Trace, read_trace

_PATH = b"/predict/"
_PREDICT = Role.PREDICT
_CHAMPION = AnswerRole.CHAMPION
_START = b"HTTP/1.1 200 OK\r\n"
_TOGETHER = 1_024  # rows that go through the model at once: about a millisecond


class Connection(Protocol):
    """Where a request came from."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    server_state: Any

    def hand_over(self, call: "DirectCall") -> None:
        """Let the application answer it."""
        ...

    def on_response_complete(self) -> None: ...


class _Nobody:
    """Waits for nothing."""

    def set(self) -> None:
        pass


class DirectCall:
    """A request on the direct path; to its connection, what a cycle of uvicorn is.

    Attributes:
        name: of the model.
        headers: as they came.
        fields: the same by name.
        started: seconds of the machine's clock, at the head.
        body: as far as it has arrived.
        keep_alive: whether the connection stays open after the answer.
        disconnected: nobody waits for the answer.
    """

    __slots__ = (
        "arm",
        "began",
        "body",
        "connection",
        "count",
        "disconnected",
        "fields",
        "grant",
        "headers",
        "http_version",
        "id",
        "keep_alive",
        "matrix",
        "name",
        "response_complete",
        "response_started",
        "role",
        "rows",
        "shadows",
        "started",
        "trace",
        "url",
    )

    message_event = _Nobody()
    body: bytes | bytearray
    id: str
    trace: Trace | None
    count: int
    rows: list[Any] | None
    matrix: Matrix
    began: float
    http_version: str
    role: AnswerRole
    arm: str | None
    shadows: tuple[int, ...]

    def __init__(
        self,
        connection: Connection,
        url: bytes,
        name: str,
        headers: list[tuple[bytes, bytes]],
        fields: dict[bytes, bytes],
        grant: Grant,
    ) -> None:
        self.connection = connection
        self.url = url
        self.name = name
        self.headers = headers
        self.fields = fields
        self.grant = grant
        self.body = b""
        self.keep_alive = True
        self.disconnected = self.response_started = self.response_complete = False
        self.started = perf_counter()

    def add(self, part: bytes) -> None:
        """A part of the body."""
        body = self.body
        if not body:
            self.body = part
        elif isinstance(body, bytearray):
            body += part
        else:
            self.body = bytearray(body) + part

    def answer(self, content: bytes) -> None:
        """Send the answer, head and body."""
        if self.disconnected:
            return
        connection = self.connection
        self.response_started = self.response_complete = True
        connection.transport.write(content)
        if not self.keep_alive:
            connection.transport.close()
        connection.on_response_complete()


class DirectPath:
    """Args:
    pool, access, meters, rates, max_body, max_waiting, max_rows: as the application and the dataplane have them.
    journal: of predictions; in `strict`, there is no direct path.
    shadows: takes what shadows are to see.
    """

    def __init__(
        self,
        pool: ReleasePool,
        *,
        access: Access,
        meters: Meters,
        journal: Journal,
        rates: Rates | None,
        max_body: int,
        max_waiting: int,
        max_rows: int,
        shadows: ShadowFeed | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._pool = pool
        self._shadows = shadows
        self._access = access
        self._meters = meters
        self._journal = journal
        self._rates = rates
        self._max_body = max_body
        self._max_waiting = max_waiting
        self._max_rows = min(max_rows, LARGE - 1)
        self._clock = clock
        self._waiting: dict[Loaded, list[DirectCall]] = {}
        self._default_headers: Sequence[tuple[bytes, bytes]] = ()
        self._head = _START

    def admit(self, connection: Connection, url: bytes, headers: list[tuple[bytes, bytes]]) -> DirectCall | None:
        """The call of a POST whose head is complete, if it may go this way as far as can be told by then."""
        if not url.startswith(_PATH):
            return None
        name = url[9:].decode("latin-1")
        if name not in self._pool.champions:
            return None
        fields = dict(headers)
        if b"content-encoding" in fields or int(fields.get(b"content-length", 0)) > self._max_body:
            return None
        access = self._access
        if access.refusal(fields) is not None:
            return None
        grant = access.known(fields)
        if grant is None or _PREDICT not in grant.roles:
            return None
        return DirectCall(connection, url, name, headers, fields, grant)

    def take(self, call: DirectCall) -> bool:
        """Take a call whose body is complete, if it can be answered on this path; else the application may."""
        try:
            return self._taken(call)
        except Exception:  # rows: the application says what is wrong
            return False

    def _taken(self, call: DirectCall) -> bool:
        meters = self._meters
        champion = self._pool.champions.get(call.name)
        if champion is None or meters.in_flight >= self._max_waiting or len(call.body) > self._max_body:
            return False
        body = call.body = bytes(call.body)
        call.id = request_id_of(call.fields, self._clock)
        router = self._pool.routers.get(call.name)
        decoded = None
        if router is None:
            release, call.role, call.arm, call.shadows = champion, _CHAMPION, None, ()
        else:
            key, decoded = _key(call, body, champion)
            release, call.role, call.arm = router.choose(champion, key)
            call.shadows = router.shadowing.of(key, release.target.number)
        batcher = release.batcher
        if not isinstance(batcher, CompiledBatcher):
            return False
        if release is not champion:
            decoded = None  # by another's fields
        if not self._read_plain(call, body, batcher, decoded):
            if release.views is not None:  # features may have to be found
                return False
            if not self._read(call, body, batcher):
                return False
        call.trace = read_trace(call.headers) if b"traceparent" in call.fields else None
        # Last, so that what the application refuses is counted by it alone.
        if self._rates is not None and not self._rates.allows(call.grant.slot):
            return False
        waiting = self._waiting
        if not waiting:
            call.connection.loop.call_soon(self._flush)
        calls = waiting.get(release)
        if calls is None:
            waiting[release] = [call]
        else:
            calls.append(call)
        release.__enter__()
        meters.taken()
        return True

    def _read_plain(
        self, call: DirectCall, body: bytes, batcher: CompiledBatcher, decoded: list[Any] | None
    ) -> bool:
        """Read the body in one go, if it is plain.

        Args:
            decoded: its rows, where they were decoded already.
        """
        typed = batcher.typed
        rows = decoded or (None if typed is None else typed.decode(body))
        if typed is None or not rows or len(rows) > self._max_rows:
            return False
        call.began = perf_counter()
        matrix = typed.matrix(rows)
        if matrix is None:
            return False
        call.count, call.rows, call.matrix = len(rows), None, matrix
        return True

    def _read(self, call: DirectCall, body: bytes, batcher: CompiledBatcher) -> bool:
        """Read the body as the application does. Raises where that would refuse it."""
        rows = rows_of(decode_json(body))
        if not 0 < len(rows) <= self._max_rows:
            return False
        call.began = perf_counter()
        call.count, call.rows, call.matrix = len(rows), rows, batcher.encode(rows)
        return True

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for release, calls in waiting.items():
            start = 0
            while start < len(calls):
                end, rows = start, 0
                while end < len(calls) and (end == start or rows + calls[end].count <= _TOGETHER):
                    rows += calls[end].count
                    end += 1
                self._run(release, calls[start:end])
                start = end

    def _run(self, release: Loaded, calls: list[DirectCall]) -> None:
        try:
            self._answer(release, calls)
        except Exception:
            # What one request breaks must not break its neighbours: each is answered by itself.
            for call in calls:
                if not (call.response_complete or call.disconnected):
                    call.connection.hand_over(call)
        finally:
            for _ in calls:
                self._meters.left()
                release.__exit__()

    def _answer(self, release: Loaded, calls: list[DirectCall]) -> None:
        batcher = release.batcher
        assert isinstance(batcher, CompiledBatcher)
        matrix = calls[0].matrix if len(calls) == 1 else np.concatenate([call.matrix for call in calls])
        found = np.ascontiguousarray(batcher.predict(matrix), np.float64)
        outputs: Outputs = found.tolist()
        packed, size = found.tobytes(), found.itemsize * found.shape[1]
        batcher.batched(len(matrix))
        answered = perf_counter()
        parts, place = [], 0
        for call in calls:
            end = place + call.count
            parts.append((outputs[place:end], packed[place * size : end * size]))
            place = end
        self._journal.predicted_together(
            release.manifest,
            [
                Answered(
                    call.id,
                    call.rows,
                    part,
                    answered - call.began,
                    bytes(call.body),
                    call.role,
                    call.arm or "",
                    numbers,
                )
                for call, (part, numbers) in zip(calls, parts, strict=True)
            ],
        )
        logged = perf_counter()
        body_of = answer_body(release.manifest)
        for call, (part, _) in zip(calls, parts, strict=True):
            self._send(release, call, body_of(call.id, part), answered, logged)
            if call.shadows and self._shadows is not None:
                body = bytes(call.body)
                self._shadows.offer(release.model, call.shadows, call.id, body, call.count, len(body))

    def _send(self, release: Loaded, call: DirectCall, body: bytes, answered: float, logged: float) -> None:
        model, ref = release.model, release.ref
        meters = self._meters
        now = perf_counter()
        meters.answered_as(model, ref, call.role)
        meters.answered(model, ref, 200, now - call.started)
        meters.staged(model, ref, call.started, (call.began, answered, logged), now)
        defaults = call.connection.server_state.default_headers
        if defaults is not self._default_headers:  # once a second: they hold the date
            self._default_headers = defaults
            self._head = _START + b"".join(b"%s: %s\r\n" % pair for pair in defaults)
        more = b"" if call.trace is None else b"".join(b"%s: %s\r\n" % pair for pair in call.trace.headers())
        if not call.keep_alive:
            more += b"connection: close\r\n"
        call.answer(
            b"%scontent-type: application/json\r\ncontent-length: %d\r\n"
            b"x-prediction-id: %s\r\nx-release: %s\r\n%s\r\n%s"
            % (self._head, len(body), call.id.encode(), ref.encode(), more, body)
        )


def _key(call: DirectCall, body: bytes, champion: Loaded) -> tuple[bytes, list[Any] | None]:
    """What the call is routed by, and its rows if they had to be decoded for it by the champion's fields.

    Raises where they cannot be read.
    """
    field = champion.manifest.key
    if field is None or call.fields.get(ROUTING_KEY):
        return routing_key(call.fields, None, call.id), None
    batcher = champion.batcher
    typed = batcher.typed if isinstance(batcher, CompiledBatcher) else None
    rows = typed.decode(body) if typed is not None and typed.has_key else None
    event = event_of(rows_of(decode_json(body)), field) if typed is None or not rows else typed.key_of(rows[0])
    return routing_key(call.fields, event, call.id), rows
