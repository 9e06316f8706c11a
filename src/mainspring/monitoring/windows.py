"""Which windows of a monitor are to be measured now.

Time is UTC, so that a day has 24 hours also where clocks are put forward or back. A monitor looks at the multiples
of its `every`, counted from a Monday at midnight: `1d` looks at midnight, `1w` in the night to Monday. Windows
that are as long as `every` follow one another; longer ones overlap.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from mainspring.domain.durations import parse_duration
from mainspring.domain.measurement import Window
from mainspring.domain.monitor import Monitor

HOUR = timedelta(hours=1)
SETTLED = timedelta(minutes=1)
"""A window is measured so long after its end, when its last answers have come from the spools to the table."""

_SETTLED_LOOKS = 4
_SETTLED_LEAST = timedelta(seconds=10)

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
    every = _every(monitor)
    since = max(first, datetime.fromtimestamp(measured_until, UTC))
    newest = (now - settled(monitor) - _MONDAY) // every
    oldest = max((since - _MONDAY) // every + 1, newest - MOST_AT_ONCE + 1)
    due = []
    for number in range(oldest, newest + 1):
        tick = _MONDAY + number * every
        window = _window(monitor, tick, hours)
        if window is not None:
            due.append((int(tick.timestamp()), window))
    return due


def is_due(monitor: Monitor, *, measured_until: int, now: datetime) -> bool:
    """Whether a time to look has come since the last look; whether there is anything to see is another matter."""
    every = _every(monitor)
    newest = _MONDAY + (now - settled(monitor) - _MONDAY) // every * every
    return newest.timestamp() > measured_until


def next_look(monitors: Iterable[Monitor], now: datetime) -> datetime:
    """When the next monitor is to look, and at the latest when the next hour is over and wants to be sketched.

    Examples:
        >>> monitors = [Monitor.drift(every="1d"), Monitor.concept(every="20m")]
        >>> noon = datetime(2026, 3, 29, 12, tzinfo=UTC)
        >>> for minutes in (0, 1, 50):
        ...     print(next_look(monitors, noon + timedelta(minutes=minutes)).time())
        12:01:00
        12:21:00
        13:01:00
    """
    looks = {(HOUR, SETTLED), *((_every(monitor), settled(monitor)) for monitor in monitors)}
    return min(_MONDAY + ((now - wait - _MONDAY) // every + 1) * every + wait for every, wait in looks)


def settled(monitor: Monitor) -> timedelta:
    """How long after its end a window of the monitor is measured.

    Whoever looks every few seconds wants to know soon: such a monitor waits for four of its looks only, and does
    not see the answers that take longer to come to the table (see `log.commit_every`).

    Examples:
        >>> [settled(Monitor.concept(every=every)).seconds for every in ("1h", "15s", "5s", "1s")]
        [60, 60, 20, 10]
    """
    return max(min(SETTLED, _SETTLED_LOOKS * _every(monitor)), _SETTLED_LEAST)


def _every(monitor: Monitor) -> timedelta:
    """A look has a whole second as its time."""
    return timedelta(seconds=math.ceil(parse_duration(monitor.every).total_seconds()))


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
