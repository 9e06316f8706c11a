"""The other side of `trial_server`: starts it, sends orders, receives what became of them."""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

import mainspring.errors
from mainspring.errors import ModelFileError, TrainingError
from mainspring.training.threads import thread_environment
from mainspring.training.trial_server import ChildOrder, ServerOrder

_START_LONGEST = 120.0


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a child.

    Attributes:
        done: its outcome as plain data, where it ended well.
        suggested: the parameters and their distributions, as far as it got.
        error: where it said what was wrong.
        ended_for: `time`, `memory` or `stop` where it was ended.
        exit: the exit code; of a signal its negative number.
        peak: bytes.
        output: the last of what it printed.
    """

    number: int
    done: dict[str, Any] | None
    suggested: dict[str, Any]
    error: dict[str, Any] | None
    ended_for: str | None
    exit: int
    peak: int
    output: str


class TrialServer:
    """A running server process; closing it ends it and all its children.

    Args:
        model_file: the project's `model.py`.
        model: the model's name.
        data: the folder of `dataset_files.save_training_data`.
        threads: for the numeric libraries, fixed in the environment before they load.
        folds_seed: from which the folds are drawn.
        log: takes what the server prints.

    Attributes:
        folds: into how many the training part is cut.
        candidates: the model's, as `model.py` declares them.

    Raises:
        ModelFileError: `model.py` does not load, or takes longer than two minutes to.
        TrainingError: the process ended before it was ready.
    """

    def __init__(
        self, *, model_file: Path, model: str, data: Path, threads: int, folds_seed: int, log: Path
    ) -> None:
        self._log = log
        self._unread = b""
        ours, theirs = socket.socketpair()
        self._control = ours
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    __name__.replace("client", "server"),
                    str(theirs.fileno()),
                    str(os.getpid()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[theirs.fileno()],
                env=os.environ | thread_environment(threads),
                cwd=model_file.parent,
                start_new_session=True,  # Ctrl-C is for us; we decide what becomes of the trials
            )
        theirs.close()
        try:
            self._send(
                ServerOrder(
                    model_file=str(model_file.resolve()),
                    model=model,
                    data=str(data.resolve()),
                    folds_seed=folds_seed,
                )
            )
            ready = self._first_event()
        except BaseException:
            self.close()
            raise
        self.folds = int(ready["folds"])
        self.candidates: tuple[str, ...] = tuple(ready["candidates"])

    def begin(
        self,
        kind: str,
        order: Any,
        *,
        seconds: float,
        memory: int,
        environment: Mapping[str, str],
    ) -> None:
        """Fork a child that carries the order out.

        Args:
            kind: `trial` or `fit`.
            order: a `TrialOrder` or `FitOrder`.
            seconds, memory: beyond which it is ended; memory in bytes.
            environment: variables for the user's code.
        """
        plain = msgspec.to_builtins(order)
        self._send(
            ChildOrder(
                number=plain["number"],
                kind=kind,
                order=plain,
                seconds=seconds,
                memory=memory,
                environment=dict(environment),
            )
        )

    def stop(self, number: int) -> None:
        """End a child; its `Ended` follows."""
        self._send({"stop": number})

    def next_ended(self, timeout: float) -> Ended | None:
        """The next child that ended, or `None` after so many seconds.

        Raises:
            TrainingError: the server is gone.
        """
        event = self._next_event(timeout)
        if event is None:
            return None
        merged: dict[str, Any] = {}
        for message in event["messages"]:
            merged |= message
        return Ended(
            number=event["number"],
            done=merged.get("done"),
            suggested={name: merged[name] for name in ("params", "distributions") if name in merged},
            error=merged.get("error"),
            ended_for=event["ended_for"],
            exit=event["exit"],
            peak=event["peak"],
            output=event["output"],
        )

    def close(self) -> None:
        """End the server, and with it all its children."""
        self._control.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, message: Any) -> None:
        try:
            self._control.sendall(msgspec.json.encode(message) + b"\n")
        except (BrokenPipeError, ConnectionResetError):
            raise self._gone() from None

    def _first_event(self) -> dict[str, Any]:
        event = self._next_event(_START_LONGEST)
        if event is None:
            raise ModelFileError(
                f"model.py takes longer than {_START_LONGEST:.0f} s to load",
                cure="do no work at its top level, only in functions",
            )
        if event["event"] == "failed":
            kind = getattr(mainspring.errors, event["kind"], TrainingError)
            error = event["error"]
            raise kind(error["message"], cure=error["cure"], where=error["where"])
        return event

    def _next_event(self, timeout: float) -> dict[str, Any] | None:
        deadline = time.monotonic() + timeout
        while b"\n" not in self._unread:
            with selectors.DefaultSelector() as selector:
                selector.register(self._control, selectors.EVENT_READ)
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    return None
            chunk = b""
            with suppress(ConnectionResetError):
                chunk = self._control.recv(1 << 20)
            if not chunk:
                raise self._gone()
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        event: dict[str, Any] = msgspec.json.decode(line)
        return event

    def _gone(self) -> TrainingError:
        code = self._process.poll()
        return TrainingError(
            f"the training process ended unexpectedly (exit code {code})",
            cure=f"see {self._log.name} in the run's folder; where memory is short, lower Model(trial_memory=…)",
        )
