"""What is compared between the groups of an A/B test: sums of rows, of which intervals are made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mainspring.stats.bounded_moments import BoundedMoments
from mainspring.stats.clusters import ClusterSums
from mainspring.stats.moments import Moments
from mainspring.stats.sequential import Interval, difference_sequence, mean_sequence
from mainspring.stats.sequential_shares import share_difference_sequence, share_sequence

Floats = NDArray[np.float64]

TUNED_TO = 1_000
"""Rows of a group from which the intervals are at their best."""


class Figure:
    """One figure of one group.

    Args:
        bounds: of a row, where they are known.

    Attributes:
        is_yes_or_no: every row so far is 0 or 1.
    """

    def __init__(self, bounds: tuple[float, float] | None = None) -> None:
        self.is_yes_or_no = True
        self._moments = Moments()
        self._ranged = None if bounds is None else BoundedMoments(*bounds)
        self._clusters = ClusterSums()

    def add(self, values: Floats, clusters: NDArray[np.integer]) -> None:
        """Take in rows [n]; those that are no number are left out."""
        known = np.isfinite(values)
        values, clusters = values[known], clusters[known]
        if not values.size:
            return
        self.is_yes_or_no = self.is_yes_or_no and bool(np.isin(values, (0.0, 1.0)).all())
        self._moments.add(values)
        if self._ranged is not None:
            self._ranged.add(values)
        self._clusters.add(values, clusters)

    @property
    def rows(self) -> int:
        return self._moments.count

    @property
    def mean(self) -> float | None:
        return self._moments.mean if self.rows else None

    def interval(self, alpha: float) -> Interval:
        """That holds at all looks together."""
        if self.is_yes_or_no:
            return share_sequence(*self.counts, alpha=alpha, tuned_to=TUNED_TO)
        return mean_sequence(self.moments, alpha=alpha, tuned_to=TUNED_TO)

    @property
    def counts(self) -> tuple[float, float]:
        """Hits and rows, each row that hangs together with others counted for less."""
        rows = self.rows / self._clusters.times()
        return min(self._moments.mean * rows, rows), rows

    @property
    def moments(self) -> Moments | BoundedMoments:
        """The same in moments."""
        times = self._clusters.times()
        if self._ranged is not None:
            return self._ranged.thinned(times)
        every = self._moments
        return Moments.of(int(every.count / times), every.mean, every.m2 / times, every.minimum, every.maximum)


def difference(first: Figure, second: Figure, alpha: float) -> Interval:
    """The interval of the first group's mean less the second's, that holds at all looks together."""
    if first.is_yes_or_no and second.is_yes_or_no:
        return share_difference_sequence(first.counts, second.counts, alpha=alpha, tuned_to=TUNED_TO)
    return difference_sequence(first.moments, second.moments, alpha=alpha, tuned_to=TUNED_TO)
