"""A web server that misbehaves as it is told: the other end of a webhook."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass(slots=True)
class Receiver:
    """What it got so far, in order, and how it answers from now on."""

    url: str
    behave: Behaviour
    got: list[Received] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


def answer(status: int = 200, body: bytes = b"ok", **headers: str) -> Behaviour:
    """Answer at once. In names of headers `_` stands for `-`."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def hang(receiver: Receiver) -> Behaviour:
    """Say nothing until the receiver ends."""

    def behave(_: BaseHTTPRequestHandler) -> None:
        receiver.is_over.wait(60)

    return behave


def drip(receiver: Receiver) -> Behaviour:
    """Send a byte of an endless header every 20 ms: each read ends in time, the whole never does."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not receiver.is_over.wait(0.02):
            handler.wfile.write(b"x")

    return behave


def garble(handler: BaseHTTPRequestHandler) -> None:
    """Answer what is no HTTP."""
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


@contextmanager
def receiver(*, tls: ssl.SSLContext | None = None, behave: Behaviour | None = None) -> Iterator[Receiver]:
    """Run one on a free port of the loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            found.got.append(Received(self.path, dict(self.headers), json.loads(content)))
            try:
                found.behave(self)
            except OSError:
                self.close_connection = True  # the client has had enough

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as inherited
            """Tests have nothing to read there."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that goes away, or refuses our certificate, is part of the play."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "http" if tls is None else "https"
    found = Receiver(f"{scheme}://127.0.0.1:{server.server_address[1]}", behave or answer())
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.is_over.set()
        server.shutdown()
        server.server_close()
        thread.join()
