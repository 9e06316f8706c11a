"""The process that trials are forked from: it has loaded everything once, and computes nothing itself.

`python -m mainspring.training.trial_server DESCRIPTOR PARENT` speaks JSON lines over the inherited socket. A
fork copies only the calling thread, so no pool of threads (OpenMP, Polars, Arrow) may run here before it: this
process loads libraries and data, forks, watches and reports, nothing else.
"""

from __future__ import annotations

import os
import selectors
import socket
import sys
import traceback
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from mainspring.errors import MainspringError, ModelFileError
from mainspring.training.candidate_errors import explain
from mainspring.training.forked import Send, die_with_parent, run_forked
from mainspring.training.trial import SearchTrial
from mainspring.training.watched import WatchedChild

_LOOK_EVERY = 0.03  # seconds between two looks at the children's memory


class ServerOrder(msgspec.Struct):
    """What the server loads; see `trial_client.start_server`."""

    model_file: str
    model: str
    data: str
    folds_seed: int


class ChildOrder(msgspec.Struct):
    """One child to fork."""

    number: int
    kind: str  # `trial` or `fit`
    order: dict[str, Any]
    seconds: float
    memory: int
    environment: dict[str, str] = {}


class Server:
    """Loads, forks, watches, reports."""

    def __init__(self, control: socket.socket, order: ServerOrder) -> None:
        from mainspring.training.dataset_files import load_training_part
        from mainspring.training.folds import make_folds
        from mainspring.training.model_file import load_model_file

        _preload()
        self.control = control
        self.model_file = Path(order.model_file)
        self.model = load_model_file(self.model_file, order.model)
        self.part = load_training_part(Path(order.data))
        part = self.part
        self.folds = make_folds(part.y, part.task, seed=order.folds_seed, time=part.time, held_out=part.held_out)
        self.children: dict[int, WatchedChild] = {}

    def serve(self) -> None:
        """Until the other side closes the socket; then no child is left."""
        self.say({"event": "ready", "folds": len(self.folds), "candidates": list(self.model.candidates)})
        self.control.setblocking(False)
        unread = b""
        try:
            while True:
                self.wait()
                try:
                    chunk = self.control.recv(1 << 16)
                    if not chunk:
                        return
                    *lines, unread = (unread + chunk).split(b"\n")
                    for line in lines:
                        self.obey(msgspec.json.decode(line))
                except BlockingIOError:
                    pass
                for child in list(self.children.values()):
                    self.look_after(child)
        finally:
            for child in self.children.values():
                child.end("stop")

    def wait(self) -> None:
        """Until something happened, or it is time to look at the limits."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.control, selectors.EVENT_READ)
            for child in self.children.values():
                for source in (child.pidfd, child.channel, child.output):
                    selector.register(source, selectors.EVENT_READ)
            selector.select(_LOOK_EVERY if self.children else None)

    def obey(self, command: dict[str, Any]) -> None:
        if "stop" in command:
            child = self.children.get(command["stop"])
            if child is not None:
                child.end("stop")
        else:
            self.fork(msgspec.convert(command, ChildOrder))

    def fork(self, order: ChildOrder) -> None:
        ours, theirs = socket.socketpair()
        read_end, write_end = os.pipe()
        parent = os.getpid()
        with warnings.catch_warnings():
            # Python warns of threads at a fork; those here are sleeping ones of OpenBLAS, which minds forks.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            self.control.close()
            ours.close()
            run_forked(
                partial(self.work, order),
                channel=theirs,
                output=write_end,
                memory=order.memory,
                environment=order.environment,
                parent=parent,
                explain=partial(explain, candidate=order.order["candidate"], model_file=self.model_file),
            )
        theirs.close()
        os.close(write_end)
        ours.setblocking(False)
        os.set_blocking(read_end, False)
        self.children[order.number] = WatchedChild(
            number=order.number,
            pid=pid,
            pidfd=os.pidfd_open(pid),
            channel=ours,
            output=read_end,
            seconds=order.seconds,
            memory=order.memory,
        )

    def work(self, order: ChildOrder, send: Send) -> Mapping[str, Any]:
        """In the child: a trial, or the final fit."""
        from mainspring.training.final_fit import FitOrder, fit_finally
        from mainspring.training.sampling import encode_distributions
        from mainspring.training.scoring import TrialOrder, score_trial

        candidate = self.model.candidates[order.order["candidate"]]
        if order.kind == "fit":
            fit = msgspec.convert(order.order, FitOrder)
            outcome: Any = fit_finally(fit, candidate, self.part)
        else:
            trial = msgspec.convert(order.order, TrialOrder)

            def suggested(asked: SearchTrial) -> None:
                send({"params": asked.params, "distributions": encode_distributions(asked.distributions)})

            outcome = score_trial(trial, candidate, self.part, self.folds, suggested=suggested)
        found: Mapping[str, Any] = msgspec.to_builtins(outcome)
        return found

    def look_after(self, child: WatchedChild) -> None:
        child.read_channel()
        child.read_output()
        if not _has_ended(child.pidfd):
            child.enforce_limits()
            return
        status = child.close()
        del self.children[child.number]
        self.say(
            {
                "event": "ended",
                "number": child.number,
                "messages": child.messages,
                "ended_for": child.ended_for,
                "exit": os.waitstatus_to_exitcode(status),
                "peak": child.peak,
                "output": child.kept.decode(errors="replace"),
            }
        )

    def say(self, event: Mapping[str, Any]) -> None:
        _say(self.control, event)


def _has_ended(pidfd: int) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(pidfd, selectors.EVENT_READ)
        return bool(selector.select(0))


def _preload() -> None:
    """Import what every trial needs, once for all of them."""
    import cloudpickle  # noqa: F401
    import pandas  # noqa: F401
    import sklearn.base  # noqa: F401

    import mainspring.training.final_fit
    import mainspring.training.scoring  # noqa: F401
    from mainspring.training.sampling import search_trial

    # The sampler's first use imports more, which would happen anew in every child.
    search_trial(0, (), greater_is_better=True, seed=0, first=True).suggest_float("any", 0.0, 1.0)


def _say(control: socket.socket, event: Mapping[str, Any]) -> None:
    control.setblocking(True)
    control.sendall(msgspec.json.encode(event) + b"\n")
    control.setblocking(False)


def main(arguments: list[str]) -> int:
    descriptor, parent = map(int, arguments)
    control = socket.socket(fileno=descriptor)
    die_with_parent(parent)
    try:
        with control.makefile("rb", buffering=0) as file:
            order = msgspec.json.decode(file.readline(), type=ServerOrder)
        server = Server(control, order)
    except BaseException as error:
        traceback.print_exc()
        failure = error if isinstance(error, MainspringError) else _unexpected(error)
        _say(control, {"event": "failed", "error": failure.to_dict(), "kind": type(failure).__name__})
        return 1
    server.serve()
    return 0


def _unexpected(error: BaseException) -> MainspringError:
    return ModelFileError(
        f"the training process could not start: {type(error).__name__}: {error}",
        cure="see its log in the run's folder",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
