"""The other end of `loop.processes.child`: what a process of ours does first, and how it tells something."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from threading import Thread
from typing import Any, Protocol, TypeVar

import msgspec

from mainspring.errors import MainspringError

T = TypeVar("T")


class Orders(Protocol):
    """What every process of ours is told."""

    @property
    def json_logs(self) -> bool: ...


Given = TypeVar("Given", bound=Orders)


def obey(
    kind: type[Given],
    who: str,
    work: Callable[[Parent, Given], object],
    *,
    on_gone: signal.Signals = signal.SIGTERM,
) -> int:
    """Take the orders and do the work; an error of ours is told to the parent. Returns the exit code.

    Args:
        who: that is named in the log.
        on_gone: the signal that this process gets when the parent is gone.
    """
    parent = Parent(on_gone)
    orders = parent.orders(kind)
    log_as(who, as_json=orders.json_logs)
    try:
        work(parent, orders)
    except MainspringError as error:
        return parent.tell_error(error)
    return 0


class Parent:
    """Whoever started this process.

    Args:
        on_gone: the signal that this process gets when the parent is gone.
    """

    def __init__(self, on_gone: signal.Signals) -> None:
        # The pipes become ours alone: what the user's code reads and prints must not mix into them.
        self._orders = os.fdopen(os.dup(0), "rb")
        self._tells = os.fdopen(os.dup(1), "wb")
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        self._on_gone = on_gone

    def orders(self, kind: type[T]) -> T:
        """What this process is to do; from then on it ends with its parent."""
        line = self._orders.readline()
        if not line:
            sys.exit(1)
        Thread(target=self._watch, name="parent", daemon=True).start()
        return msgspec.json.decode(line, type=kind)

    def tell(self, document: dict[str, Any]) -> None:
        """Say something; a parent that is gone hears nothing."""
        try:
            self._tells.write(msgspec.json.encode(document) + b"\n")
            self._tells.flush()
        except OSError:
            return

    def tell_error(self, error: MainspringError) -> int:
        """Say why this process ends; returns its exit code."""
        self.tell({"error": error.to_dict()})
        return error.exit_code

    def _watch(self) -> None:
        self._orders.read()
        os.kill(os.getpid(), self._on_gone)


def log_as(who: str, *, as_json: bool) -> None:
    """Let what we log go to standard error; of libraries only warnings."""
    from mainspring.serving.logs import log_to

    log_to(sys.stderr, as_json=as_json, who=who)
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger("mainspring").setLevel(logging.INFO)
