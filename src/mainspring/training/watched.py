"""A forked child as the server sees it: its messages, its output, its limits, its end."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
import psutil

_OUTPUT_KEPT = 32_000  # bytes of what the child printed last
_LINE_LONGEST = 50_000_000
_TREE_EVERY = 0.5  # seconds between looks at the processes that the child itself started


@dataclass(slots=True)
class WatchedChild:
    """One child.

    Attributes:
        ended_for: `time`, `memory` or `stop` where it was we who ended it.
        peak: bytes, of the child and what it started.
    """

    number: int
    pid: int
    pidfd: int
    channel: socket.socket
    output: int
    seconds: float
    memory: int
    started: float = field(default_factory=time.monotonic)
    ended_for: str | None = None
    peak: int = 0
    kept: bytes = b""
    messages: list[dict[str, Any]] = field(default_factory=list)
    _unread: bytes = b""
    _tree_seen: float = 0.0
    _others: int = 0

    def read_channel(self) -> None:
        """Take what the child has sent so far."""
        with suppress(BlockingIOError):
            while chunk := self.channel.recv(1 << 16):
                self._unread += chunk
                *lines, self._unread = self._unread.split(b"\n")
                for line in lines:
                    # The user's code could write here too: what is no message of ours is left out.
                    with suppress(msgspec.DecodeError, msgspec.ValidationError):
                        self.messages.append(msgspec.json.decode(line, type=dict[str, Any]))
                if len(self._unread) > _LINE_LONGEST:
                    self._unread = b""

    def read_output(self) -> bool:
        """Take what the child has printed so far and keep the last of it; false at its end."""
        try:
            chunk = os.read(self.output, 1 << 16)
        except BlockingIOError:
            return True
        self.kept = (self.kept + chunk)[-_OUTPUT_KEPT:]
        return bool(chunk)

    def enforce_limits(self) -> None:
        """End the child where it takes longer, or more memory, than it may."""
        if self.ended_for is not None:
            return
        now = time.monotonic()
        if now - self.started > self.seconds:
            self.end("time")
            return
        used = self._memory(now)
        self.peak = max(self.peak, used)
        if used > self.memory:
            self.end("memory")

    def end(self, reason: str | None) -> None:
        """Kill the child and all that it started."""
        self.ended_for = self.ended_for or reason
        others: list[psutil.Process] = []
        with suppress(psutil.Error):
            others = psutil.Process(self.pid).children(recursive=True)
        for kill, number in ((os.killpg, self.pid), (os.kill, self.pid)):
            with suppress(ProcessLookupError, PermissionError):
                kill(number, signal.SIGKILL)
        for process in others:
            with suppress(psutil.Error):
                process.kill()

    def close(self) -> int:
        """Reap the child, read the rest of what it said, and give its wait status."""
        _, status = os.waitpid(self.pid, 0)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # what it left running
        self.read_channel()
        for _ in range(64):
            if not self.read_output():
                break
        self.channel.close()
        os.close(self.output)
        os.close(self.pidfd)
        return status

    def _memory(self, now: float) -> int:
        """Resident bytes of the child, and of what it started as of the last look."""
        try:
            with open(f"/proc/{self.pid}/statm") as statm:  # noqa: PTH123 - twenty times a second
                own = int(statm.read().split()[1]) * resource_page()
        except (OSError, IndexError):
            own = 0
        if now - self._tree_seen > _TREE_EVERY:
            self._tree_seen, self._others = now, 0
            with suppress(psutil.Error):
                for process in psutil.Process(self.pid).children(recursive=True):
                    with suppress(psutil.Error):
                        self._others += process.memory_info().rss
        return own + self._others


def resource_page() -> int:
    """Bytes of a page of memory."""
    return os.sysconf("SC_PAGE_SIZE")
