"""One request and its answer on a connection, written to the wire at once.

uvicorn checks and joins each header and writes head and body apart; ours come from the gateway alone, and an
answer is one write.
"""

from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_STATUS_LINE = {status.value: b"HTTP/1.1 %d %s" % (status, status.phrase.encode()) for status in HTTPStatus}


class WholeAnswerCycle(RequestResponseCycle):
    """Sends answers of one body part with a content length; the application promises to give no other."""

    _head: bytes = b""

    async def send(self, message: Any) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if not self.response_started:
            self.response_started = True
            self.waiting_for_100_continue = False
            lines = [_STATUS_LINE[message["status"]]]
            for name, value in self.default_headers:
                lines.append(name + b": " + value)
            for name, value in message["headers"]:
                lines.append(name + b": " + value)
            if not self.keep_alive:
                lines.append(b"connection: close")
            lines.append(b"\r\n")
            self._head = b"\r\n".join(lines)
            return
        body = message["body"]
        self.transport.write(self._head if self.scope["method"] == "HEAD" else self._head + body)
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
