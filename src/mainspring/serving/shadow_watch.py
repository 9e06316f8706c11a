"""Watches the shadow process from a thread of its own, and ends it when it takes too long or too much."""

import logging
import os
import resource
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

_LOG = logging.getLogger("mainspring.gateway")
_LOOK = 0.25  # seconds between two looks
_SAY = 1.0
TOO_LONG = 74  # the exit codes, for the parent's log
TOO_LARGE = 75


class Watch:
    """Args:
    say: tells the parent that the process lives; called once a second, from this thread.
    memory: bytes that the process may take.
    seconds: that one batch may take.
    used: the bytes that are taken now.
    failed: told model, number and rows of the batch in the middle of which the process is ended.
    """

    def __init__(
        self,
        say: Callable[[], None],
        *,
        memory: int,
        seconds: float,
        used: Callable[[], int],
        failed: Callable[[str, int, int], None],
    ) -> None:
        self._say = say
        self._memory = memory
        self._seconds = seconds
        self._used = used
        self._failed = failed
        self._batch: tuple[float, str, int, int] | None = None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        _limit_memory(self._memory)
        self._thread.start()

    def begin(self, model: str, number: int, rows: int) -> None:
        """A batch begins."""
        self._batch = (monotonic(), model, number, rows)

    def end(self) -> None:
        self._batch = None

    def _run(self) -> None:
        said = 0.0
        pause = threading.Event()
        while not pause.wait(min(_LOOK, self._seconds / 4)):
            now = monotonic()
            batch = self._batch
            if batch is not None and now - batch[0] > self._seconds:
                _, model, number, rows = batch
                _LOG.error("the shadow %s@%d took over %g s for %d rows", model, number, self._seconds, rows)
                self._failed(model, number, rows)
                os._exit(TOO_LONG)
            used = self._used()
            if used > self._memory:
                _LOG.error("the shadow process takes %d bytes, more than %d", used, self._memory)
                if batch is not None:
                    self._failed(*batch[1:])
                os._exit(TOO_LARGE)
            if now - said >= _SAY:
                self._say()
                said = now


def _limit_memory(memory: int) -> None:
    """Let the system refuse what grows too fast to be seen.

    The addresses that are reserved are more than what is used, so this limit is wider than that of the watch.
    """
    with suppress(OSError, ValueError):
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted = 4 * memory + (4 << 30)
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
