"""The process that keeps the feature views fresh, as the controller sees it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from mainspring.clock import Clock
from mainspring.domain.saying import manner
from mainspring.loop.features.feeder_process import FeederOrders
from mainspring.loop.processes.child import Child

if TYPE_CHECKING:
    from mainspring.project import Project

_LOG = logging.getLogger("mainspring.controller")
_PAUSES = (1.0, 5.0, 30.0)
_STEADY = 60.0  # a process that lived so long starts again after the shortest pause


class Feeding:
    """Runs the process while the project has views, and starts it again when it ends."""

    def __init__(self, project: Project, clock: Clock, *, json_logs: bool) -> None:
        self._orders = FeederOrders(str(project.root), json_logs)
        self._is_needed = bool(project.views or project.settings.streams)
        self._clock = clock
        self._child: Child | None = None
        self._failures = 0
        self._started_at = self._start_at = 0.0

    def tend(self) -> None:
        """Start it when it is due, and notice when it has gone."""
        now = self._clock.monotonic()
        if self._child is None:
            if self._is_needed and now >= self._start_at:
                self._started_at = now
                orders = msgspec.to_builtins(self._orders)
                self._child = Child("mainspring.loop.features.feeder_process", orders, self._clock)
            return
        code = self._child.poll()
        if code is None:
            return
        error = (self._child.told or {}).get("error")
        self.end()
        self._failures = 0 if now - self._started_at > _STEADY else self._failures + 1
        pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        self._start_at = now + pause
        why = f"{error['message']}; {error['cure']}" if error else f"its process ended {manner(code)}"
        _LOG.error("the feature views are not kept fresh: %s; another attempt in %g s", why, pause)

    def end(self) -> None:
        """End it now; the next one goes on where it was."""
        if self._child is not None:
            self._child.kill()
            self._child = None
