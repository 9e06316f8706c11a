"""The worker's side of the shadows: hands over what they are to see, and never waits for them.

What is handed over is kept in a bounded queue and written to the socket when there is time for it, many requests
at once. What has no room is dropped and counted: the shadow process is slow, stopped or gone, and no live request
is to notice.
"""

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from mainspring.serving.meters import Meters
from mainspring.serving.shadow_frames import LARGEST, Sighting, frame

_LOG = logging.getLogger("mainspring.gateway")
_ENCODE = msgspec.json.Encoder().encode
_GATHER = 0.05  # seconds in which requests gather to go together: every hand-over wakes the other process
_AT_ONCE = 1 << 16  # bytes of one write
_CHUNK = 256  # rows encoded without a pause for live requests

Rows = bytes | Sequence[Any]  # JSON in a native form, or as they were read
_Waiting = tuple[int, str, tuple[int, ...], str, Rows, int]  # first the bytes it counts for


class ShadowFeed:
    """Args:
    stream: the socket whose other end the shadow process reads; it is this worker's alone.
    meters: told what was sent and what was dropped.
    most_bytes: of the bodies that wait at most.
    """

    def __init__(self, stream: socket.socket, meters: Meters, *, most_bytes: int = 8 << 20) -> None:
        stream.setblocking(False)
        self._stream = stream
        self._meters = meters
        self._most_bytes = most_bytes
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._pump: asyncio.Task[None] | None = None

    def offer(
        self, model: str, numbers: tuple[int, ...], request_id: str, rows: Rows, count: int, size: int
    ) -> None:
        """Take a request for these shadows, if there is room.

        Args:
            numbers: of the shadows.
            count: of the rows.
            size: bytes of the request's body.
        """
        size += _OVERHEAD
        if self._bytes + size > self._most_bytes:
            self._count(model, numbers, "dropped", count)
            return
        self._waiting.append((size, model, numbers, request_id, rows, count))
        self._bytes += size
        if self._pump is None or self._pump.done():
            self._pump = asyncio.get_running_loop().create_task(self._pumped())

    def close(self) -> None:
        """Stop; what waits is dropped."""
        if self._pump is not None:
            self._pump.cancel()
        self._stream.close()

    async def _pumped(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            await asyncio.sleep(_GATHER)
            parts: list[bytes] = []
            size = 0
            while self._waiting and size < _AT_ONCE:
                counted, model, numbers, request_id, rows, count = self._waiting.popleft()
                try:
                    body = rows if isinstance(rows, bytes) else await _encoded(rows)
                    framed = frame(Sighting(model, numbers, request_id, body))
                except Exception:  # rows that came by another protocol, and are no JSON
                    _LOG.exception("a request could not be handed to the shadows")
                    framed = b""
                self._bytes -= counted
                fits = 0 < len(framed) <= LARGEST
                self._count(model, numbers, "sent" if fits else "dropped", count)
                if fits:
                    parts.append(framed)
                    size += len(framed)
            try:
                await loop.sock_sendall(self._stream, b"".join(parts))
            except OSError as error:
                _LOG.error("the shadow process cannot be reached: %s", error.strerror)

    def _count(self, model: str, numbers: tuple[int, ...], outcome: str, rows: int) -> None:
        for number in numbers:
            self._meters.shadowed(model, f"{model}@{number}", outcome, rows)


_OVERHEAD = 200  # bytes that a waiting request takes besides its body


async def _encoded(rows: Sequence[Any]) -> bytes:
    """The rows as a JSON array; many of them with pauses in which live requests are answered."""
    parts = []
    for start in range(0, len(rows), _CHUNK):
        if start:
            await asyncio.sleep(0)
        parts.append(_ENCODE(rows[start : start + _CHUNK])[1:-1])
    return b"[" + b",".join(parts) + b"]"
