"""Puts a process and all that it starts under the clock of a simulated week.

Python imports this module by itself where its folder is on the path; `mainspring.clock` is the one place where the
product reads the time, so replacing it there is enough, and no process needs a flag for it.
"""

import os
import time
from datetime import datetime
from pathlib import Path

from mainspring import clock

CLOCK = "MAINSPRING_TESTS_CLOCK"
"""Names the file that holds the time."""
LASTS = "MAINSPRING_TESTS_CLOCK_LASTS"
"""Set where what the clock is put on by counts as time that has passed, as for the loop, which looks every minute.

The gateway is without it: it would take every one of its workers for hung.
"""


def _now(_: object) -> datetime:
    return datetime.fromisoformat(Path(os.environ[CLOCK]).read_text())


def _passed(given: clock.SystemClock) -> float:
    return time.monotonic() + _now(given).timestamp()


if CLOCK in os.environ:
    clock.SystemClock.now = _now  # type: ignore[method-assign]
    clock.milliseconds = lambda given: int(given.now().timestamp() * 1000)  # the original has a way past `now`
    if LASTS in os.environ:
        clock.SystemClock.monotonic = _passed  # type: ignore[method-assign]
