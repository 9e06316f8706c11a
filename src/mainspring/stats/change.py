"""A detector of changes of the mean of a stream, which says since when and how great, and forgets little.

For a stream of signed residuals (truth less prediction) the mean is near 0 while the model fits. A change of the
concept moves it even where the share of errors stays the same.

The statistic is the generalised likelihood ratio of one change at an unknown place: for each split of what came
since the last change into a before and an after, the difference of the two means in units of its standard error;
its greatest value z over all splits is compared with a bar (Siegmund and Venkatraman 1995). The bar comes from
the rate of false alarms that is borne: for a stream without changes the mean time to an alarm is about
√(2π)·exp(z²/2)/z values. After an alarm the baseline is learnt anew from the split on.

Values are taken in blocks, and old blocks are merged two by two, so that splits lie at distances in a geometric
row and the memory grows with the logarithm of the stream only. The standard error is not that of independent
values where they hang together: the means of blocks tell (`long_run`), after some days also of their rhythm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.stats.long_run import LongRunVariance

Floats = NDArray[np.float64]

STATE_FORMAT = 1
_CELLS_OF_A_SIZE = 32  # splits lie no further apart than a 32nd of their distance
_TOO_GREAT = 1e150  # for its square; such a value counts as infinite
_VALUES, _FINITE, _SUM, _SQUARES = range(4)  # of a cell: values, the finite ones, their sum, that of their squares


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the mean.

    Attributes:
        index: of the value at which it was seen, counted from 0 over all values ever fed.
        since: the index of the first value after it, as far as the blocks tell.
        before_mean, after_mean: on either side of it.
        z: the difference of the two in standard errors; infinite where neither side varied.
    """

    index: int
    since: int
    before_mean: float
    after_mean: float
    z: float


class ChangeDetector:
    """Finds changes of the mean in a stream of numbers; feeding it in other portions changes nothing.

    Args:
        false_alarms_per_million: how many are borne in a million values of a stream that does not change.
        least_change: changes of the mean of less than so many standard deviations do not matter.
        block: how many values are taken in at a time; no split lies within a block.
        warm_up: so many values make a baseline; no change is seen before.

    Examples:
        >>> detector = ChangeDetector()
        >>> random = np.random.default_rng(0)
        >>> detector.update(random.normal(0, 1, 3000))
        []
        >>> [(change.since, round(change.after_mean)) for change in detector.update(random.normal(1, 1, 3000))]
        [(3000, 1)]
    """

    __slots__ = ("_cells", "_long_run", "_pending", "_start", "bar", "block", "least_change", "seen", "warm_up")

    def __init__(
        self,
        *,
        false_alarms_per_million: float = 0.1,
        least_change: float = 0.1,
        block: int = 50,
        warm_up: int = 500,
    ) -> None:
        if not (false_alarms_per_million > 0 and least_change >= 0 and block > 0 and warm_up > 0):
            raise ValueError("the rate of false alarms, the block and the warm-up must be positive")
        self.bar = alarm_bar(false_alarms_per_million)
        self.least_change = least_change
        self.block = block
        self.warm_up = warm_up
        self.seen = 0  # values ever fed
        self._start = 0  # the index of the first value of the baseline
        self._cells: Floats = np.zeros((0, 4))  # the oldest first
        self._long_run = LongRunVariance()  # of the whole stream, since a change of the mean is none of its rhythm
        self._pending: list[float] = []

    @property
    def baseline(self) -> float | None:
        """The mean of what came since the last change; `None` before the first block."""
        finite = self._cells[:, _FINITE].sum()
        return float(self._cells[:, _SUM].sum() / finite) if finite else None

    @property
    def watches(self) -> bool:
        """Whether there is a baseline yet that something could differ from."""
        return bool(self._cells[:, _FINITE].sum() >= self.warm_up)

    def update(self, values: Floats) -> list[Change]:
        """Take in values [n] in their order, and return the changes seen; what is not finite has a place only."""
        found = []
        given = np.concatenate([self._pending, np.asarray(values, dtype=np.float64)])
        whole = given.size // self.block * self.block
        for start in range(0, whole, self.block):
            change = self._take(given[start : start + self.block])
            if change is not None:
                found.append(change)
        self._pending = given[whole:].tolist()
        return found

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON; values that are not finite are `None`."""
        return {
            "format": STATE_FORMAT,
            "bar": self.bar,
            "least_change": self.least_change,
            "block": self.block,
            "warm_up": self.warm_up,
            "seen": self.seen,
            "start": self._start,
            "cells": self._cells.tolist(),
            "long_run": self._long_run.to_dict(),
            "pending": [value if math.isfinite(value) else None for value in self._pending],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ChangeDetector:
        """Raises `ValueError` where the state is of a format this version does not know."""
        if data.get("format") != STATE_FORMAT:
            raise ValueError(f"a detector's state of the format {data.get('format')!r} is not known here")
        detector = cls(
            least_change=float(data["least_change"]), block=int(data["block"]), warm_up=int(data["warm_up"])
        )
        detector.bar = float(data["bar"])
        detector.seen, detector._start = int(data["seen"]), int(data["start"])
        detector._cells = np.array(data["cells"], dtype=np.float64).reshape(-1, 4)
        detector._long_run = LongRunVariance.from_dict(data["long_run"])
        detector._pending = [math.nan if value is None else float(value) for value in data["pending"]]
        return detector

    def _take(self, block: Floats) -> Change | None:
        self.seen += block.size
        finite = block[np.abs(block) < _TOO_GREAT]
        total = float(finite.sum())
        if finite.size:
            self._long_run.add(total / finite.size)
        cell = [block.size, finite.size, total, float(np.square(finite).sum())]
        self._cells = _thinned(np.vstack([self._cells, cell]), self.block)
        return self._scan() if self.watches else None

    def _scan(self) -> Change | None:
        """The change at the best split, if it is one; the baseline then begins there."""
        before = np.cumsum(self._cells, axis=0)
        whole = before[-1]
        before = before[:-1]
        after = whole - before
        means = _ratio(before[:, _SUM], before[:, _FINITE]), _ratio(after[:, _SUM], after[:, _FINITE])
        variance = np.maximum(_variance(before), _variance(after))
        inverse = _ratio(1.0, before[:, _FINITE]) + _ratio(1.0, after[:, _FINITE])
        difference = np.abs(means[0] - means[1])
        z = _ratio(difference, np.sqrt(variance * inverse))
        z[(variance == 0) & (difference > 0)] = np.inf
        z[before[:, _FINITE] < self.warm_up] = 0
        z[(after[:, _FINITE] == 0) | (difference < self.least_change * np.sqrt(variance))] = 0
        best = int(np.argmax(z)) if z.size else 0
        if not z.size or not z[best] > self.bar:
            return None
        # Rows that hang together make means uncertain: of all splits alike, so that the best stays the best
        seen = float(z[best] / math.sqrt(self._long_run.times(float(_variance(whole[None, :])[0]) / self.block)))
        if not seen > self.bar:
            return None
        since = self._start + int(before[best, _VALUES])
        self._cells, self._start = self._cells[best + 1 :], since
        return Change(self.seen - 1, since, float(means[0][best]), float(means[1][best]), seen)


def alarm_bar(false_alarms_per_million: float) -> float:
    """The z at which the mean time to a false alarm is a million values divided by this.

    Examples:
        >>> round(alarm_bar(1.0), 2), round(alarm_bar(0.1), 2)
        (5.4, 5.82)
    """
    wanted = math.log(1e6 / false_alarms_per_million)
    low, high = 1.0, 40.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        if middle * middle / 2 - math.log(middle) + math.log(2 * math.pi) / 2 < wanted:
            low = middle
        else:
            high = middle
    return high


def _thinned(cells: Floats, block: int) -> Floats:
    """The cells with the two oldest of a size merged, as long as there are too many of it."""
    size = float(block)
    while True:
        same = np.flatnonzero(cells[:, _VALUES] == size)
        if same.size <= _CELLS_OF_A_SIZE:
            return cells
        first = same[0]
        cells[first] += cells[first + 1]
        cells = np.delete(cells, first + 1, axis=0)
        size *= 2


def _variance(sums: Floats) -> Floats:
    finite = sums[:, _FINITE]
    mean = _ratio(sums[:, _SUM], finite)
    found: Floats = np.maximum(_ratio(sums[:, _SQUARES] - finite * mean**2, finite - 1), 0.0)
    return found


def _ratio(upper: Floats | float, lower: Floats) -> Floats:
    found: Floats = np.divide(upper, lower, out=np.zeros(lower.shape), where=lower > 0)
    return found
