"""How many requests a second each account may send, counted by all workers together.

The generic cell rate algorithm (ITU-T I.371): for each account one number, the time at which its next request
would be due if it kept to its rate. It stands in a file that all workers map, in seconds of the clock that all
processes of the machine share. Two workers that write at the same moment may let one request too many through;
none waits.
"""

import mmap
from collections.abc import Callable
from pathlib import Path
from time import monotonic

_SLOTS = 4096
_BYTES = 8 * _SLOTS
_ROUNDING = 1e-6


def make_rates_file(path: Path) -> None:
    """All accounts at rest."""
    path.write_bytes(bytes(_BYTES))


class Rates:
    """Args:
    path: made by `make_rates_file`.
    per_second: of each account; so many may also come at once.
    """

    def __init__(self, path: Path, per_second: int, clock: Callable[[], float] = monotonic) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _BYTES)
        self._due = memoryview(self._map).cast("d")
        self._step = 1 / per_second
        self._clock = clock

    def allows(self, slot: int) -> bool:
        """Count one request of the account in this place, if it is within its rate."""
        now = self._clock()
        place = slot % _SLOTS
        due = max(self._due[place], now) + self._step
        if due - now > 1.0 + _ROUNDING:
            return False
        self._due[place] = due
        return True

    def close(self) -> None:
        self._due.release()
        self._map.close()
