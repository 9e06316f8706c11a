"""Requests at times that do not depend on the answers: what wrk cannot do, and what waiting looks like to a user.

Requests arrive independently of each other (a Poisson process). Each one's latency counts from the moment at which
it was due, so that a server that stalls is charged for all who had to wait (no coordinated omission).

`python open_loop.py PORT PATH BODIES RATE SECONDS OUT` writes two rows to the NumPy file OUT: the moment at
which each request was due (seconds of the system's monotonic clock) and its latency (seconds; infinite where it
failed).
"""

import asyncio
import math
import re
import subprocess
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import numpy as np

_CONNECTIONS = 64  # more than ever wait, unless the server stalls; then requests queue here, and their time counts
_PATIENCE = 10.0  # seconds after the last request for the answers that are owed
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Arrivals:
    """What became of the requests.

    Attributes:
        due, latency: seconds; the latency of a request that failed is infinite.
    """

    due: np.ndarray
    latency: np.ndarray

    @property
    def failed(self) -> int:
        return int(np.isinf(self.latency).sum())

    def percentile(self, percent: float, among: np.ndarray | None = None) -> float:
        """Of the latency, in milliseconds; of the chosen requests alone, where given."""
        chosen = self.latency if among is None else self.latency[among]
        return float(np.percentile(chosen, percent, method="higher")) * 1e3 if len(chosen) else math.nan


def start(
    port: int, path: str, bodies: Path, *, rate: float, seconds: float, core: int, out: Path
) -> "subprocess.Popen[bytes]":
    """Begin to send; `arrivals` waits for the end."""
    arguments = [str(port), path, str(bodies), str(rate), str(seconds), str(out)]
    return subprocess.Popen(["taskset", "--cpu-list", str(core), sys.executable, __file__, *arguments])


def arrivals(process: "subprocess.Popen[bytes]", out: Path) -> Arrivals:
    """What became of the requests, once all are answered."""
    if process.wait() != 0:
        raise RuntimeError(f"the load generator ended with {process.returncode}")
    due, latency = np.load(out)
    return Arrivals(due, latency)


class _Connection(asyncio.Protocol):
    """Sends one request at a time."""

    def __init__(self, generator: "_Generator") -> None:
        self._generator = generator
        self._number = -1  # of the request that it waits for
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._generator.free(self)

    def ask(self, number: int, content: bytes) -> None:
        self._number = number
        self._transport.write(content)

    def data_received(self, data: bytes) -> None:
        self._received = received = self._received + data
        head = received.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _LENGTH.search(received, 0, head)
        if length is None or len(received) < head + 4 + int(length[1]):
            return
        number, self._number, self._received = self._number, -1, b""
        self._generator.answered(number, received[9:12] == b"200")
        self._generator.free(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._generator.lost(self, self._number)


class _Generator:
    def __init__(self, port: int, contents: list[bytes], due: np.ndarray) -> None:
        self._port = port
        self._contents = contents
        self._due: list[float] = due.tolist()
        self.latency = np.full(len(due), math.inf)
        self._free: list[_Connection] = []
        self._waiting: deque[int] = deque()
        self._next = 0
        self._open = 0
        self._owed = len(due)
        self._again: set[asyncio.Task[None]] = set()
        self.done = asyncio.Event()

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)
        except OSError:
            if not self.done.is_set():
                await asyncio.sleep(0.01)
                await self.connect()

    def run(self) -> None:
        """Send what is due, over and over: a timer would be late by up to a millisecond."""
        now = monotonic()
        while self._next < len(self._due) and self._due[self._next] <= now:
            self._waiting.append(self._next)
            self._next += 1
        while self._waiting and self._free:
            number = self._waiting.popleft()
            self._free.pop().ask(number, self._contents[number % len(self._contents)])
        if not self.done.is_set():
            asyncio.get_running_loop().call_soon(self.run)

    def free(self, connection: _Connection) -> None:
        self._free.append(connection)

    def answered(self, number: int, well: bool) -> None:
        if well:
            self.latency[number] = monotonic() - self._due[number]
        self._count()

    def lost(self, connection: _Connection, number: int) -> None:
        if connection in self._free:
            self._free.remove(connection)
        if number >= 0:
            self._count()
        if not self.done.is_set():
            task = asyncio.get_running_loop().create_task(self.connect())
            self._again.add(task)
            task.add_done_callback(self._again.discard)

    def _count(self) -> None:
        self._owed -= 1
        if not self._owed:
            self.done.set()


async def _send(port: int, contents: list[bytes], rate: float, seconds: float, out: Path) -> None:
    gaps = np.random.default_rng(11).exponential(1 / rate, math.ceil(rate * seconds))
    due = monotonic() + 0.5 + np.cumsum(gaps)
    generator = _Generator(port, contents, due)
    await asyncio.gather(*(generator.connect() for _ in range(_CONNECTIONS)))
    generator.run()
    try:
        await asyncio.wait_for(generator.done.wait(), due[-1] - monotonic() + _PATIENCE)
    except TimeoutError:
        generator.done.set()  # what is still owed stays infinite
    np.save(out, np.stack([due, generator.latency]))


def main() -> None:
    import uvloop

    port, path, bodies, rate, seconds, out = sys.argv[1:]
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\ncontent-length: "
    contents = [
        f"{head}{len(line)}\r\n\r\n".encode() + line for line in Path(bodies).read_bytes().splitlines() if line
    ]
    uvloop.run(_send(int(port), contents, float(rate), float(seconds), Path(out)))


if __name__ == "__main__":
    main()
