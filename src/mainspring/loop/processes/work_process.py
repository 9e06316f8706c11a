"""A piece of work in a process of its own, as the controller sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mainspring.clock import Clock
from mainspring.loop.processes.child import Child


@dataclass(frozen=True, slots=True)
class Ended:
    """How the process ended.

    Attributes:
        trouble: why its work has come to no end; `None` where it has, well or badly, and stands in the records.
    """

    trouble: str | None


class WorkProcess:
    """Work under way.

    Args:
        module: what it runs, as `python -m`.
        orders: plain data.
        seconds: after which it is late.
    """

    def __init__(self, module: str, orders: Mapping[str, Any], *, seconds: float, clock: Clock) -> None:
        self.seconds = seconds
        self._clock = clock
        self._began = clock.monotonic()
        self._child = Child(module, orders, clock)

    @property
    def is_late(self) -> bool:
        """Whether it has taken longer than it may."""
        return self._clock.monotonic() - self._began > self.seconds

    def ended(self) -> Ended | None:
        """How it ended; `None` while it goes on."""
        code = self._child.poll()
        if code is None:
            return None
        self._child.kill()
        return Ended(None if code == 0 else self._child.why(code))

    def kill(self) -> None:
        """End it now; what it does is durable, and the next process goes on with it."""
        self._child.kill()
