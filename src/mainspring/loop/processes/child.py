"""A process of ours as the one that started it sees it: its orders, what it tells, its end.

It gets its orders as one line of JSON on a pipe that stays open: when the pipe closes, whoever started it is gone,
and it ends (see `loop.processes.parent`). So nothing is left running unseen, however its parent ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from threading import Thread
from types import MappingProxyType
from typing import Any

import msgspec

from mainspring.clock import Clock
from mainspring.domain.saying import manner


class Child:
    """A process that was started.

    Args:
        module: what it runs, as `python -m`.
        orders: plain data.
        clock: by which `wait` waits.
        environ: variables that it gets beside this process's own.

    Attributes:
        told: the newest document that it told, if any.
    """

    def __init__(
        self,
        module: str,
        orders: Mapping[str, Any],
        clock: Clock,
        environ: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._clock = clock
        self.told: dict[str, Any] | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **environ},
            start_new_session=True,  # Ctrl-C is for us, who end it in order
        )
        self._listener = Thread(target=self._listen, name=f"told by {module}", daemon=True)
        self._listener.start()
        assert self._process.stdin is not None, "it was asked for"
        with suppress(OSError):  # one that ended at once has an exit code
            self._process.stdin.write(msgspec.json.encode(orders) + b"\n")
            self._process.stdin.flush()

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit code, once it has ended; of a signal the negative number."""
        code = self._process.poll()
        if code is not None:
            self._listener.join()
        return code

    def why(self, code: int) -> str:
        """Why it came to no good end: the error that it told, or how it ended."""
        error = (self.told or {}).get("error")
        return str(error["message"]) if error else f"its process ended {manner(code)}"

    def stop(self) -> None:
        """Ask it to end."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> int:
        """End it by force, and return its exit code."""
        with suppress(ProcessLookupError):
            self._process.kill()
        return self._reap()

    def wait(self, deadline: float) -> int | None:
        """Its exit code; `None` where it still runs at the deadline (of the clock's `monotonic`)."""
        try:
            self._process.wait(max(0.0, deadline - self._clock.monotonic()))
        except subprocess.TimeoutExpired:
            return None
        return self._reap()

    def _reap(self) -> int:
        code = self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        return code

    def _listen(self) -> None:
        assert self._process.stdout is not None, "it was asked for"
        for line in self._process.stdout:
            with suppress(msgspec.DecodeError, msgspec.ValidationError):
                self.told = msgspec.json.decode(line, type=dict[str, Any])
