"""A clock that a simulation puts on, beside the real one by which work is timed."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from mainspring.clock import SYSTEM_CLOCK


class SimulatedClock:
    """`now` is the stream's time, `monotonic` the machine's: budgets and costs are real, all else is played.

    Whoever sleeps puts the stream's time on and waits for nothing.

    Args:
        start: UTC.

    Examples:
        >>> from datetime import UTC
        >>> clock = SimulatedClock(datetime(2026, 1, 5, tzinfo=UTC))
        >>> clock.sleep(3600.0)
        >>> clock.now().hour
        1
    """

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return SYSTEM_CLOCK.monotonic()

    def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    def put_on(self, moment: datetime) -> None:
        """Go to this time, never back."""
        self._now = max(self._now, moment)


def processor_seconds() -> float:
    """What this process, and the children that it has waited for, have used of the processors."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system
