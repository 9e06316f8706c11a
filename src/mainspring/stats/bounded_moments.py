"""Count, mean and the first four powers of rows of a known range, mergeable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_POWERS = 5  # from the 0th, the count, to the 4th
_ROUNDING = 1e-9  # of the range, by which a row may lie outside


class BoundedMoments:
    """What `sequential.mean_sequence` needs of rows that cannot lie outside a range.

    Beside mean and variance the third and the fourth power: they tell how much of the variance is in few rows far
    out, and make the interval a fifth narrower. Rows are taken in units of half the range from its middle, so that
    sums of powers lose no digits.

    Args:
        low, high: the least and the greatest value that a row can have.

    Examples:
        >>> moments = BoundedMoments(-1, 1)
        >>> moments.add(np.array([0.0, 1.0, 0.5]))
        >>> moments.count, moments.mean, moments.variance
        (3, 0.5, 0.25)
    """

    __slots__ = ("_sums", "high", "low")

    def __init__(self, low: float, high: float) -> None:
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise ValueError(f"{low} to {high} is no range")
        self.low, self.high = float(low), float(high)
        self._sums: Floats = np.zeros(_POWERS)

    @property
    def count(self) -> int:
        return int(self._sums[0])

    @property
    def middle(self) -> float:
        """The middle of the range."""
        return (self.low + self.high) / 2

    @property
    def half(self) -> float:
        """Half of the range."""
        return (self.high - self.low) / 2

    @property
    def mean(self) -> float:
        """0 of no rows, as of `Moments`."""
        return self.middle + self.half * float(self._sums[1] / self._sums[0]) if self.count else 0.0

    @property
    def variance(self) -> float:
        """The unbiased variance; NaN of fewer than two rows."""
        if self.count < 2:
            return float("nan")
        return float(self.central()[2]) * self.half**2 / (self.count - 1)

    def central(self) -> Floats:
        """The sums of the powers 0 … 4 of the deviations from the mean, in units of half the range: [5]."""
        n, first, second, third, fourth = self._sums
        mean = first / n if n else 0.0
        squares = max(second - mean * first, 0.0)
        cubes = third - 3 * mean * second + 2 * mean**2 * first
        found = fourth - 4 * mean * third + 6 * mean**2 * second - 3 * mean**3 * first
        return np.array([n, 0.0, squares, cubes, max(found, 0.0)])

    def add(self, values: Floats) -> None:
        """Take in rows [n].

        Raises:
            ValueError: one of them is no number, or outside the range.
        """
        values = np.asarray(values, dtype=np.float64)
        units = (values - self.middle) / self.half
        if not (np.abs(units) <= 1 + _ROUNDING).all():
            strange = values[~(np.abs(units) <= 1 + _ROUNDING)][0]
            raise ValueError(f"a row of {strange} is not within {self.low} to {self.high}")
        units = np.clip(units, -1.0, 1.0)
        squares = units * units
        higher = [(squares * units).sum(), (squares * squares).sum()]
        self._sums = self._sums + np.array([units.size, units.sum(), squares.sum(), *higher])

    def merge(self, other: BoundedMoments) -> None:
        """Take in all that the other has seen.

        Raises:
            ValueError: the other's rows have another range.
        """
        if (self.low, self.high) != (other.low, other.high):
            raise ValueError(f"rows within {self.low} to {self.high} and {other.low} to {other.high} do not mix")
        self._sums = self._sums + other._sums

    def thinned(self, times: float) -> BoundedMoments:
        """As of so many times fewer rows like these; for rows that hang together."""
        found = BoundedMoments(self.low, self.high)
        found._sums = self._sums / times
        return found

    def to_dict(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high, "sums": self._sums.tolist()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> BoundedMoments:
        found = cls(data["low"], data["high"])
        found._sums = np.array(data["sums"], dtype=np.float64)
        return found
