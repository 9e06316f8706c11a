"""A process that is kept running: one that ends is started again, after a pause that grows."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from mainspring import errors
from mainspring.clock import Clock
from mainspring.domain.saying import manner
from mainspring.loop.processes.child import Child

_LOG = logging.getLogger("mainspring.up")
PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before one that failed is started again: after its first failure, its second, and so on."""
STEADY = 60.0
"""Seconds of life after which a failure counts as the first."""


class KeptProcess:
    """A process in its place: it is started, and when it ends another one is.

    Args:
        name: as people know it.
        module, orders: see `Child`; what is changed of `orders` the next one gets.

    Attributes:
        told: the newest that one of them told which was no error.
    """

    def __init__(self, name: str, module: str, orders: Mapping[str, Any], clock: Clock) -> None:
        self.orders = dict(orders)
        self.told: dict[str, Any] | None = None
        self._name = name
        self._module = module
        self._clock = clock
        self._child: Child | None = None
        self._was_well = False
        self._failures = 0
        self._started_at = self._start_at = 0.0

    def tend(self) -> None:
        """Start the process when it is due, and notice when it has gone.

        Raises:
            UsageError, ProjectError: it has never come up, and starting it again would not help.
        """
        now = self._clock.monotonic()
        if self._child is None:
            if now >= self._start_at:
                self._started_at = now
                self._child = Child(self._module, self.orders, self._clock)
            return
        code = self._child.poll()
        told = self._child.told
        if told is not None and "error" not in told:
            self.told, self._was_well = told, True
        if code is None:
            return
        self._child.kill()
        self._child = None
        error = _error(told)
        if isinstance(error, errors.UsageError | errors.ProjectError) and not self._was_well:
            raise error
        if code == 0 or now - self._started_at > STEADY:
            self._failures = 0
        pause = 0.0 if code == 0 else PAUSES[min(self._failures, len(PAUSES) - 1)]
        self._failures += code != 0
        self._start_at = now + pause
        if code != 0:
            why = f": {error}" if error is not None else ""
            _LOG.error("the %s ended %s%s; it starts again in %g s", self._name, manner(code), why, pause)

    def stop(self) -> None:
        """Ask it to end."""
        if self._child is not None:
            self._child.stop()

    def wait(self, deadline: float) -> None:
        """Wait for its end until the deadline (of the clock's `monotonic`), and then make it end."""
        if self._child is None:
            return
        if self._child.wait(deadline) is None:
            _LOG.warning("the %s did not end in time and is killed; it goes on at the next start", self._name)
            self._child.kill()
        self._child = None


def _error(told: Mapping[str, Any] | None) -> errors.MainspringError | None:
    """What a process said when it ended."""
    stored = (told or {}).get("error")
    if stored is None:
        return None
    kind = getattr(errors, stored["error"], errors.MainspringError)
    found: errors.MainspringError = kind(stored["message"], cure=stored["cure"], where=stored["where"])
    return found
