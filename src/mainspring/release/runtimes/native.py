"""The original estimator, in a process of its own: what it imports, leaks or breaks stays there."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec
import numpy as np
import numpy.typing as npt

from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.domain.release import Manifest
from mainspring.errors import CandidateError, ReleaseError
from mainspring.release.computed import Computed, encoder_of
from mainspring.release.encoding_cells import NUMERIC_KINDS
from mainspring.release.files import read_verified
from mainspring.release.runtimes import frames

if TYPE_CHECKING:
    import polars as pl

_FIRST_PAUSE = 0.2  # seconds after the first crash before another start; doubled with each further one
_LONGEST_PAUSE = 10.0
_ROWS_AT_ONCE = 50_000
_GRACE = 0.2  # seconds for a process to end by itself once its socket is closed


class NativeRuntime:
    """Asks the original estimator in a child process, which is started at once and again after a crash.

    One question at a time: further callers wait. The child ends with this process.

    Args:
        folder: the release's folder.
        manifest: of that release, its signature already verified. The files' digests are verified here, on the
            very bytes that the child gets, at every start.
        computed: what functions make of the inputs, for the estimator to take too; it is made in this process.
        start_timeout: seconds to import libraries and to load the estimator.
        timeout: seconds for one question; a child that takes longer is killed.

    Raises:
        TamperedRelease: a file is not the one that was sealed.
        ReleaseError: the child does not start, or cannot load the estimator.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        *,
        computed: Computed | None = None,
        start_timeout: float = 120.0,
        timeout: float = 60.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.encoder = encoder_of(manifest.inputs, manifest.ignored, computed)
        self._computed = computed
        self._fields = manifest.model_fields
        self._folder = folder
        self._manifest = manifest
        self._start_timeout = start_timeout
        self._timeout = timeout
        self._clock = clock
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._crashes = 0
        self._not_before = 0.0
        self._closed = False
        with self._lock:
            self._child = self._start()

    def predict_rows(self, rows: Sequence[Mapping[str, object]]) -> npt.NDArray[np.float64]:
        """Raises `InvalidInput`; `CandidateError` when the estimator refuses the rows; `ReleaseError` when it
        crashed, took too long, or is not yet to be started again."""
        values = self.encoder.rows_to_columns(rows)
        return self._ask(
            {
                field.name: np.array(values[field.name], dtype=np.float64).tobytes()
                if field.kind in NUMERIC_KINDS
                else cast("list[str | None]", values[field.name])
                for field in self._fields
            }
        )

    def predict_frame(self, frame: pl.DataFrame) -> npt.NDArray[np.float64]:
        """Raises as `predict_rows`."""
        from mainspring.release.encoding_frames import model_columns

        inputs, computed = self._manifest.inputs, self._computed
        parts = [
            self._ask(model_columns(frame.slice(start, _ROWS_AT_ONCE), inputs, computed))
            for start in range(0, max(frame.height, 1), _ROWS_AT_ONCE)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    @property
    def pid(self) -> int | None:
        """Of the child process; `None` while there is none."""
        child = self._child
        return None if child is None else child.pid

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._child is not None:
                self._child.end()
                self._child = None

    def _ask(self, columns: dict[str, bytes | list[str | None]]) -> npt.NDArray[np.float64]:
        with self._lock:
            child = self._ready()
            try:
                answer = child.ask(frames.Ask(columns), self._timeout)
            except TimeoutError:
                self._crashed()
                raise ReleaseError(
                    f"the estimator of {self._manifest.ref} took longer than {self._timeout:g} s",
                    cure="send fewer rows at once, or make its predict faster",
                ) from None
            except (OSError, EOFError, msgspec.MsgspecError):
                code = child.end()
                self._crashed()
                raise ReleaseError(
                    f"the process of {self._manifest.ref} ended while it answered (exit code {code})",
                    cure="try again; if it goes on, look for what makes the estimator crash",
                ) from None
            self._crashes = 0
        if answer.problem:
            raise CandidateError(answer.problem, cure=answer.cure)
        return answer.matrix()

    def _ready(self) -> _Child:
        if self._closed:
            raise ReleaseError(f"the runtime of {self._manifest.ref} is closed", cure="open the release again")
        if self._child is not None and self._child.exit_code() is not None:
            self._crashed()  # it ended between two questions
        if self._child is None:
            if self._clock.monotonic() < self._not_before:
                raise ReleaseError(
                    f"the process of {self._manifest.ref} crashed and is being started again",
                    cure="try again in a few seconds",
                )
            try:
                self._child = self._start()
            except ReleaseError:
                self._crashed()
                raise
        return self._child

    def _crashed(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None
        # The first restart is at once: a child may be killed from outside.
        pause = 0.0 if self._crashes == 0 else min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (self._crashes - 1))
        self._crashes += 1
        self._not_before = self._clock.monotonic() + pause

    def _start(self) -> _Child:
        manifest = self._manifest
        files = {name: read_verified(self._folder, manifest, name) for name in manifest.runtime.files}
        child = _Child()
        try:
            start = frames.Start(
                files,
                msgspec.json.encode(self._fields),
                str(manifest.output.task),
                list(manifest.output.classes),
            )
            answer = child.ask(start, self._start_timeout)
        except (OSError, EOFError, msgspec.MsgspecError) as error:
            code = child.end()
            raise ReleaseError(
                f"the process of {manifest.ref} does not start ({type(error).__name__}, exit code {code})",
                cure="install what requirements.lock of the release names",
            ) from error
        if answer.problem:
            child.end()
            raise ReleaseError(answer.problem, cure=answer.cure)
        return child


class _Child:
    """One child process and the socket to it."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mainspring.release.runtimes.native_worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                # One thread, as in a gateway worker; it must be set before numpy and its kind are loaded.
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
                start_new_session=True,  # Ctrl-C is for the parent, which ends the child in its own time
            )

    def ask(self, message: frames.Start | frames.Ask, timeout: float) -> frames.Answer:
        self._channel.settimeout(timeout)
        frames.send(self._channel, message)
        return frames.receive(self._channel, frames.Answer)

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        return self._process.poll()

    def end(self) -> int:
        """Kill the process unless it is ending by itself; its exit code."""
        self._channel.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(_GRACE)
        self._process.kill()
        return self._process.wait()
