"""Asks a release in a process of its own: what it crashes, fills or holds up is that process alone."""

from __future__ import annotations

import io
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from mainspring.loop.evidence.replay_worker import Opening, Rows
from mainspring.release.runtimes.frames import Answer, receive, send

if TYPE_CHECKING:
    import polars as pl

_MEMORY = 4 << 30
_GRACE = 0.5  # seconds for a process to end by itself once its socket is closed


class ReleaseProblem(Exception):
    """What the release did instead of answering, in words."""


class ReplayProcess:
    """A context manager; entering it opens the release, and proves it by its golden requests.

    Args:
        folder, digest: of the release.
        trusted: the folder of the public keys.
        open_within, answer_within: seconds.

    Raises:
        ReleaseProblem: on entering, it cannot be opened.
    """

    def __init__(
        self, folder: Path, trusted: Path, digest: str, *, open_within: float = 120.0, answer_within: float = 60.0
    ) -> None:
        self._opening = Opening(str(folder), str(trusted), digest, _MEMORY)
        self._open_within = open_within
        self._answer_within = answer_within

    def __enter__(self) -> Self:
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mainspring.loop.evidence.replay_worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for us, and we end it
            )
        try:
            self._ask(self._opening, self._open_within, "opening it")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def pid(self) -> int:
        return self._process.pid

    def answer(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        """Outputs [rows, k].

        Raises:
            ReleaseProblem: it did not answer; the process may be gone.
        """
        stream = io.BytesIO()
        frame.write_ipc_stream(stream)
        doing = f"answering {frame.height:,} rows"
        return self._ask(Rows(stream.getvalue()), self._answer_within, doing).matrix()

    def _ask(self, message: msgspec.Struct, seconds: float, doing: str) -> Answer:
        self._channel.settimeout(seconds)
        try:
            send(self._channel, message)
            answer = receive(self._channel, Answer)
        except TimeoutError:
            raise ReleaseProblem(f"{doing} took longer than {seconds:g} s") from None
        except (OSError, EOFError, msgspec.MsgspecError):
            raise ReleaseProblem(f"its process ended while {doing} (exit code {self._end()})") from None
        if answer.problem:
            raise ReleaseProblem(answer.problem)
        return answer

    def _end(self) -> int:
        """Kill the process unless it is ending by itself; its exit code."""
        self._channel.close()
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(_GRACE)
        self._process.kill()
        return self._process.wait()
