"""The one place where the time is read, so that tests and simulation can replace it."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Time in UTC. `now` never goes backwards by itself; `monotonic` never goes backwards at all."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start, for durations."""
        ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


SYSTEM_CLOCK: Clock = SystemClock()


def milliseconds(clock: Clock) -> int:
    """Milliseconds since the epoch; of the system's clock without the detour by a date."""
    if clock is SYSTEM_CLOCK:
        return time.time_ns() // 1_000_000
    return int(clock.now().timestamp() * 1000)
