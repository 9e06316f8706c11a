"""A clock that stands still until it is told to go on."""

from __future__ import annotations

from datetime import datetime, timedelta


class FakeClock:
    """Time as a test says; sleeping takes no time, and puts the clock on.

    Args:
        start: UTC.
    """

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._passed = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._passed

    def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._passed += seconds

    def set(self, moment: datetime) -> None:
        """Jump, also back; durations see nothing of it."""
        self._now = moment
