"""Connections with limits: uvicorn's HTTP protocol takes headers of any size and waits for a request for ever.

Here the head of a request has a greatest size (431), the whole of it a time to arrive (408), an idle or stuck
connection an end; a client that closed its sending side still gets its answer; and refusals are in the dialect of
the path, as far as it has arrived.
"""

import asyncio
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mainspring.serving.cycle import WholeAnswerCycle
from mainspring.serving.direct import DirectCall, DirectPath
from mainspring.serving.protocols.errors import HttpRefusal, dialect_of

IDLE_SECONDS = 75.0  # longer than the 60 s after which common balancers drop a connection themselves
STUCK_SECONDS = 30.0  # a client that reads nothing of its answer
_GATHERED = 16_384  # bytes of an incomplete body that are held before the application counts them
_FRAMING = 1 << 20  # bytes around the body (chunk sizes, trailers) beyond which nobody is honest

_REST, _HEAD, _BODY = range(3)


class _TooMuchHead(Exception):
    pass


class GuardedProtocol(HttpToolsProtocol):
    """One connection. Made by uvicorn; `guarded` gives a subclass with its limits."""

    max_header_bytes = 16_384
    read_timeout = 10.0
    max_connections = 4_096
    direct: DirectPath | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.url = b""  # a connection may be refused before it has said a word
        self._stage = _REST
        self._begun = 0  # requests that began in the data being fed
        self._head_bytes = 0  # of the head's lines that the parser gave us
        self._raw_head = 0  # received while the head was not complete
        self._overhead = 0  # received while in a body, less the body itself
        self._body_bytes = 0
        self._status = 400  # with which a failing parser is answered
        self._reading_since: float | None = None
        self._stuck_since: float | None = None
        self._heard_at = self.loop.time()
        self._leaving = False  # the next answer is the last
        self._muted = False  # what the parser says now has been heard before
        self._call: DirectCall | None = None  # whose body is not complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            self._refuse(503, "too many connections are open")

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._heard_at = self.loop.time()
        before = self._stage
        self._begun = 0
        body_before = self._body_bytes
        self._feed(data)
        if self._stage == _HEAD:
            # Of data that began with something else, how much belongs to this head is not known: less than a read.
            self._raw_head = self._raw_head + len(data) if before != _BODY and self._begun <= 1 else 0
            if self._raw_head > self.max_header_bytes:
                self._refuse(431, f"the headers have more than {self.max_header_bytes:,} bytes")
        elif self._stage == _BODY and before == _BODY:
            got = self._body_bytes - body_before
            self._overhead += len(data) - got
            if self._overhead > _FRAMING + 8 * self._body_bytes:
                self._refuse(400, "the body has more framing than content")
        call = self._call
        if call is not None and len(call.body) > _GATHERED:
            self._call = None
            self.hand_over(call, whole=False)

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("this is no HTTP request")

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Read on as if no upgrade had been asked for, which HTTP allows.

        Java's client asks for HTTP/2 so with its first request, and the parser would take its body for the new
        protocol. A fresh parser is brought to where the old one stopped by a head that says the same of the body.
        """
        headers = dict(self.headers)
        self.parser = httptools.HttpRequestParser(self)
        if _has_body(headers):
            framing = [
                (name, headers[name]) for name in (b"content-length", b"transfer-encoding") if name in headers
            ]
            head = b"".join(name + b": " + value + b"\r\n" for name, value in framing)
            self._muted = True
            self.parser.feed_data(b"POST / HTTP/1.1\r\n" + head + b"\r\n")
            self._muted = False
        if rest:
            self._feed(rest)

    def on_message_begin(self) -> None:
        if self._muted:
            return
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self._stage = _HEAD
        self._begun += 1
        self._head_bytes = self._raw_head = self._overhead = self._body_bytes = 0
        self._reading_since = self._heard_at

    def on_url(self, url: bytes) -> None:
        if self._muted:
            return
        super().on_url(url)
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._muted:
            return
        self._count_head(len(name) + len(value) + 4)
        if self._stage == _HEAD:
            super().on_header(name, value)  # trailers are counted, and dropped

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self.max_header_bytes:
            self._status = 431
            raise _TooMuchHead  # the parser stops, and `send_400_response` answers

    def on_headers_complete(self) -> None:
        # As uvicorn's, with a cycle of our own, and without its upgrades, root path and limit of concurrency.
        if self._muted:
            return
        self._stage = _BODY
        parser, previous = self.parser, self.cycle
        http_version, method = parser.get_http_version(), parser.get_method()
        keep_alive = http_version != "1.0" and parser.should_keep_alive() and not self._leaving
        first = previous is None or previous.response_complete
        if first and method == b"POST" and self.direct is not None and not self.expect_100_continue:
            call = self.direct.admit(self, self.url, self.headers)
            if call is not None and not parser.should_upgrade():
                call.keep_alive = keep_alive
                call.http_version = http_version
                self._call = call
                return
        self.cycle = self._cycle(self.url, self.headers, method, http_version, keep_alive)
        if first:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _cycle(
        self, target: bytes, headers: list[tuple[bytes, bytes]], method: bytes, http_version: str, keep_alive: bool
    ) -> WholeAnswerCycle:
        url = httptools.parse_url(target)
        path = url.path.decode("ascii")
        scope: Any = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": http_version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": self.root_path,
            "method": method.decode("ascii"),
            "path": unquote(path) if "%" in path else path,
            "raw_path": url.path,
            "query_string": url.query or b"",
            "headers": headers,
            "state": self.app_state.copy(),
        }
        return WholeAnswerCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )

    def hand_over(self, call: DirectCall, *, whole: bool = True) -> None:
        """Let the application answer a call after all.

        Args:
            whole: its body is complete.
        """
        cycle = self._cycle(call.url, call.headers, b"POST", call.http_version, call.keep_alive)
        cycle.waiting_for_100_continue = False
        cycle.body = bytearray(call.body)
        cycle.more_body = not whole
        cycle.message_event.set()
        if not self.pipeline:  # else the last of those that wait
            self.cycle = cycle
        self._start_asgi_task(cycle, self.app)

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._call is not None:
            self._call.add(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        call = self._call
        if call is not None:
            self._call = None
            self._stage = _REST
            self._reading_since = None
            self._ask(call)
            return
        if self.parser.should_upgrade() and _has_body(dict(self.headers)):
            return  # the body is still to come: see `_ignore_upgrade`
        self._stage = _REST
        self._reading_since = None
        super().on_message_complete()

    def _ask(self, call: DirectCall) -> None:
        assert self.direct is not None
        if not self.flow.write_paused and self.direct.take(call):
            self.cycle = call  # type: ignore[assignment]
        else:
            self.hand_over(call)

    def on_response_complete(self) -> None:
        # As uvicorn's, without its timer for each response: `sweep` ends idle connections.
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck_since = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stuck_since = None

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep a half-closed connection open while it is owed answers."""
        owed = self._stage == _REST and self.cycle is not None and not self.cycle.response_complete
        if owed:
            self._close_after_the_last()
        return owed and self.scheme == "http"  # in TLS no side can end its half alone

    def _close_after_the_last(self) -> None:
        for cycle, _ in self.pipeline:
            cycle.keep_alive = True
        last = self.pipeline[0][0] if self.pipeline else self.cycle
        if self.pipeline:
            self.cycle.keep_alive = True
        last.keep_alive = False

    def last_request(self) -> None:
        """Close after the answers that are owed, or else after the next one."""
        self._leaving = True
        if self._call is not None:
            self._call.keep_alive = False
        if self.cycle is not None and not self.cycle.response_complete:
            self._close_after_the_last()

    def shutdown(self) -> None:
        """Close after the answers that are owed, or else at once."""
        self.last_request()
        if (self.cycle is None or self.cycle.response_complete) and self._reading_since is None:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        status, self._status = self._status, 400
        message = msg if status == 400 else f"the headers have more than {self.max_header_bytes:,} bytes"
        self._refuse(status, message)

    def sweep(self, now: float) -> None:
        """End the connection if it is past a limit; asked twice a second."""
        if self.transport.is_closing():
            # A client that does not read would keep a closing connection for ever.
            if now - self._heard_at > STUCK_SECONDS + self.read_timeout:
                self.transport.abort()
        elif self._stuck_since is not None and now - self._stuck_since > STUCK_SECONDS:
            self.transport.abort()
        elif self._reading_since is not None:
            if now - self._reading_since > self.read_timeout:
                self._refuse(408, f"the request did not arrive within {self.read_timeout:g} seconds")
        elif (self.cycle is None or self.cycle.response_complete) and not self.pipeline:
            patience = IDLE_SECONDS if self.cycle is not None else self.read_timeout
            if now - self._heard_at > patience:
                self.transport.close()

    def _refuse(self, status: int, message: str) -> None:
        """Answer and close; where an answer is under way already, only close."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        busy = cycle is not None and not cycle.response_complete
        if not (busy and (cycle.response_started or self.pipeline)):
            path = self.url.decode("latin-1").partition("?")[0]
            body = dialect_of(path).error_body(HttpRefusal(status, message))
            lines = (
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
                "content-type: application/json",
                f"content-length: {len(body)}",
                *(("retry-after: 1",) if status == 503 else ()),
                "connection: close\r\n\r\n",
            )
            self.transport.write("\r\n".join(lines).encode() + body)
        if busy:
            cycle.disconnected = True
            cycle.message_event.set()
        self._reading_since = None
        self.transport.close()


def _has_body(headers: dict[bytes, bytes]) -> bool:
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0").strip(b"0 ") != b""


def guarded(
    *, max_header_bytes: int, read_timeout: float, max_connections: int, direct: DirectPath | None = None
) -> type[GuardedProtocol]:
    """The protocol with these limits: bytes, seconds for a whole request to arrive, and open connections.

    Args:
        direct: answers plain requests without the application, where it can.
    """
    limits = {
        "max_header_bytes": max_header_bytes,
        "read_timeout": read_timeout,
        "max_connections": max_connections,
        "direct": direct,
    }
    return type("Guarded", (GuardedProtocol,), limits)
