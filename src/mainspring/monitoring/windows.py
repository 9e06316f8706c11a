"""Which windows of a monitor are to be measured now.

Time is UTC, so that a day has 24 hours also where clocks are put forward or back. A monitor looks at the multiples
of its `every`, counted from a Monday at midnight: `1d` looks at midnight, `1w` in the night to Monday. Windows
that are as long as `every` follow one another; longer ones overlap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from mainspring.domain.durations import parse_duration
from mainspring.domain.measurement import Window
from mainspring.domain.monitor import Monitor

HOUR = timedelta(hours=1)
SETTLED = timedelta(minutes=1)
"""A window is measured so long after its end, when its last answers have come from the spools to the table."""

MOST_AT_ONCE = 48
"""After a pause only so many of the newest windows are measured: older ones would tell what is over."""

_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)


def due_windows(
    monitor: Monitor,
    *,
    measured_until: int,
    now: datetime,
    first: datetime | None,
    hours: Sequence[tuple[datetime, int]] = (),
) -> list[tuple[int, Window]]:
    """The times at which the monitor is to look and the windows that it sees then, the oldest first.

    Args:
        measured_until: the time of its last look, in seconds since the epoch; 0 where it never looked.
        first: the time of the model's first answer; `None` where there is none, and nothing to look at.
        hours: for a window counted in rows, the hours with their rows, in ascending order
            (`window_profile.rows_by_hour`). Such a window is as many whole hours, back from the last full one, as
            hold at least these rows; while all hours together hold fewer, none is due.

    Returns:
        Of each look its time, in seconds since the epoch, and its window; 48 of the newest at most.

    Examples:
        >>> noon = datetime(2026, 3, 29, 12, 5, tzinfo=UTC)
        >>> ((tick, window),) = due_windows(
        ...     Monitor.drift(window="2h"), measured_until=0, now=noon, first=noon - timedelta(minutes=20)
        ... )
        >>> print(window.start.time(), window.end.time(), tick == window.end.timestamp())
        10:00:00 12:00:00 True
    """
    if first is None:
        return []
    # A look has a whole second as its time.
    every = timedelta(seconds=math.ceil(parse_duration(monitor.every).total_seconds()))
    since = max(first, datetime.fromtimestamp(measured_until, UTC))
    newest = (now - SETTLED - _MONDAY) // every
    oldest = max((since - _MONDAY) // every + 1, newest - MOST_AT_ONCE + 1)
    due = []
    for number in range(oldest, newest + 1):
        tick = _MONDAY + number * every
        window = _window(monitor, tick, hours)
        if window is not None:
            due.append((int(tick.timestamp()), window))
    return due


def hour_of(moment: datetime) -> datetime:
    """The hour that a moment is in."""
    return moment.replace(minute=0, second=0, microsecond=0)


def whole_hours(window: Window) -> Window:
    """The smallest window of whole hours that holds a window.

    Examples:
        >>> noon = datetime(2026, 3, 29, 12, tzinfo=UTC)
        >>> found = whole_hours(Window(noon + timedelta(minutes=10), noon + timedelta(minutes=70)))
        >>> print(found.start.time(), found.end.time())
        12:00:00 14:00:00
    """
    end = hour_of(window.end)
    return Window(hour_of(window.start), end if end == window.end else end + HOUR)


def _window(monitor: Monitor, tick: datetime, hours: Sequence[tuple[datetime, int]]) -> Window | None:
    if monitor.window_length is not None:
        return Window(tick - monitor.window_length, tick)
    wanted = monitor.window_rows or 0
    end = hour_of(tick)
    for start, rows in reversed(hours):
        if start >= end:
            continue
        wanted -= rows
        if wanted <= 0:
            return Window(start, end)
    return None
