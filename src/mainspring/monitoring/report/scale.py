"""From values and times to places in a plot, and the round numbers that stand beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mainspring.domain.measurement import Window

UNITS = 1000  # a plot's coordinates go from 0 to this, both ways; whole numbers keep the page small
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_HOURS = (1, 3, 6, 12, 24, 48, 96, 168, 336, 672, 1344)


@dataclass(frozen=True, slots=True)
class Scale:
    """A range of values, the least at the bottom."""

    low: float
    high: float

    def up(self, value: float) -> int:
        """How far down from the top, in `UNITS`; what lies outside stands at the edge.

        Examples:
            >>> Scale(0.0, 2.0).up(0.5), Scale(0.0, 2.0).up(9.0)
            (750, 0)
        """
        share = (value - self.low) / (self.high - self.low)
        return round(UNITS * (1 - min(1.0, max(0.0, share))))

    def ticks(self, most: int = 4) -> list[float]:
        """Round values inside of the range.

        Examples:
            >>> Scale(0.03, 0.98).ticks()
            [0.25, 0.5, 0.75]
        """
        step = _round_up((self.high - self.low) / most)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [float(f"{place * step:.12g}") for place in range(first, min(last, first + 2 * most) + 1)]


def scale_of(values: Iterable[float | None], *, from_zero: bool = False) -> Scale:
    """A range that holds all of them, with a little room.

    Examples:
        >>> scale_of([1.0, None, 2.0]), scale_of([5.0]), scale_of([])
        (Scale(low=0.92, high=2.08), Scale(low=4.5, high=5.5), Scale(low=0.0, high=1.0))
    """
    told = [value for value in values if value is not None and math.isfinite(value) and abs(value) < 1e300]
    if from_zero:
        told.append(0.0)
    if not told:
        return Scale(0.0, 1.0)
    low, high = min(told), max(told)
    room = (high - low) * 0.08 or abs(low) * 0.1 or 0.5
    room = max(room, max(abs(low), abs(high)) * 1e-9)  # so narrow a range would have no round numbers
    return Scale(low if from_zero and low == 0 else low - room, high + room)


def along(moment: datetime, period: Window) -> int:
    """How far to the right, in `UNITS`.

    Examples:
        >>> week = Window(datetime(2026, 1, 1), datetime(2026, 1, 11))
        >>> along(datetime(2026, 1, 2), week)
        100
    """
    share = (moment - period.start) / period.length if period.length else 1.0
    return round(UNITS * min(1.0, max(0.0, share)))


def time_ticks(period: Window, most: int = 5) -> list[datetime]:
    """Round times, days where the period has several.

    Examples:
        >>> [tick.day for tick in time_ticks(Window(datetime(2026, 1, 1, 7), datetime(2026, 1, 15)))]
        [5, 9, 13]
    """
    hours = period.length.total_seconds() / 3600
    step = next((step for step in _HOURS if hours / step <= most), 24 * math.ceil(hours / most / 24))
    midnight = period.start.replace(hour=0, minute=0, second=0, microsecond=0)
    moments: list[datetime] = []
    moment = midnight + timedelta(hours=step)
    while moment < period.end and len(moments) < 4 * most:
        if moment > period.start:
            moments.append(moment)
        moment += timedelta(hours=step)
    return moments


def quantile(values: Sequence[float], share: float) -> float:
    """The value at this share of the sorted values.

    Examples:
        >>> quantile([3.0, 1.0, 2.0], 0.5)
        2.0
    """
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _round_up(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next((power * factor for factor in _STEPS if power * factor >= step * (1 - 1e-9)), 10 * power)
