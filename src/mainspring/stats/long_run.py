"""How much more the mean of many rows varies than it would if they had nothing to do with each other.

Rows of one hour, or of one time of the day, hang together. The mean of a thousand of them is then far less certain
than that of a thousand independent ones, and a test that believes in independence finds changes all day.

Of means of blocks, of two blocks, of four … the differences of neighbours tell how much they vary (von Neumann
1941). Their median is taken, since one true change makes one of the differences great, and not the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

_SCALES = 14  # up to 8,192 blocks
_KEPT = 64  # differences of each scale, the newest
_FEWEST = 16
_MEDIAN_OF_SQUARE = 0.4549364  # the median of chi-squared with one degree of freedom
_DOUBT = 10.0  # four standard deviations of such a median, times the root of the number of differences


class LongRunVariance:
    """Takes in the means of blocks, one after the other; bounded, and a plain dict when it rests.

    Examples:
        >>> independent, rhythm = LongRunVariance(), LongRunVariance()
        >>> noise = np.random.default_rng(0).normal(size=2_000)
        >>> for place, value in enumerate(noise):
        ...     independent.add(value)
        ...     rhythm.add(value + 2 * math.sin(place / 16))
        >>> independent.times(1.0), rhythm.times(1.0) > 20
        (1.0, True)
    """

    __slots__ = ("_differences", "_halves", "_last")

    def __init__(self) -> None:
        self._halves: list[float | None] = [None] * _SCALES  # the first mean of a pair that is not full yet
        self._last: list[float | None] = [None] * _SCALES
        self._differences: list[list[float]] = [[] for _ in range(_SCALES)]

    def add(self, mean: float) -> None:
        """Take in the mean of the next block."""
        for scale in range(_SCALES):
            last, half = self._last[scale], self._halves[scale]
            if last is not None:
                self._differences[scale] = [*self._differences[scale], mean - last][-_KEPT:]
            self._last[scale] = mean
            if half is None:
                self._halves[scale] = mean
                return
            self._halves[scale] = None
            mean = (half + mean) / 2

    def times(self, variance: float) -> float:
        """How many times as great the variance of a mean of many blocks is as of independent ones; at least 1.

        Args:
            variance: of the mean of one block of independent values.
        """
        greatest = 1.0
        for scale, differences in enumerate(self._differences):
            if len(differences) < _FEWEST or not variance > 0:
                continue
            seen = float(np.median(np.square(differences))) / (2 * _MEDIAN_OF_SQUARE) * 2**scale / variance
            if seen > 1 + _DOUBT / math.sqrt(len(differences)):
                greatest = max(greatest, seen)
        return greatest

    def to_dict(self) -> dict[str, Any]:
        return {"halves": self._halves, "last": self._last, "differences": self._differences}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LongRunVariance:
        found = cls()
        found._halves, found._last = list(data["halves"]), list(data["last"])
        found._differences = [list(one) for one in data["differences"]]
        return found
