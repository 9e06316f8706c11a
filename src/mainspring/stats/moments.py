"""Count, range, mean and variance of numbers, mergeable."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Moments:
    """Mean and the sum of squared deviations from it (M2), merged as in Chan, Golub and LeVeque 1979.

    Sums of squares would lose every digit of the variance of, say, times in seconds since the epoch.

    Examples:
        >>> moments = Moments()
        >>> moments.add(np.array([1.0, 2.0, 3.0]))
        >>> moments.mean, moments.variance, moments.minimum, moments.maximum
        (2.0, 1.0, 1.0, 3.0)
    """

    __slots__ = ("count", "m2", "maximum", "mean", "minimum")

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self.m2 = 0.0
        self.minimum: float | None = None
        self.maximum: float | None = None

    @classmethod
    def of(cls, count: int, mean: float, m2: float, minimum: float | None, maximum: float | None) -> Moments:
        """The moments of these values."""
        moments = cls()
        moments.count, moments.mean, moments.m2 = count, mean, m2
        moments.minimum, moments.maximum = minimum, maximum
        return moments

    @property
    def variance(self) -> float:
        """The unbiased variance; NaN of fewer than two values."""
        return self.m2 / (self.count - 1) if self.count > 1 else math.nan

    def add(self, values: NDArray[np.float64]) -> None:
        """Take in finite values [n]."""
        if not values.size:
            return
        block = Moments()
        block.count = int(values.size)
        with np.errstate(over="ignore", invalid="ignore"):
            block.mean = float(values.mean())
            if not math.isfinite(block.mean):  # the sum overflowed, the mean does not
                block.mean = float((values / values.size).sum())
            deviations = values - block.mean
            deviations *= deviations
            block.m2 = float(deviations.sum())
        block.minimum, block.maximum = float(values.min()), float(values.max())
        self.merge(block)

    def merge(self, other: Moments) -> None:
        """Take in all that the other has seen."""
        if not other.count:
            return
        count = self.count + other.count
        delta = other.mean - self.mean
        mean = self.mean + delta * (other.count / count)
        if not math.isfinite(mean):
            mean = self.mean * (self.count / count) + other.mean * (other.count / count)
        if self.count:
            self.m2 += other.m2 + delta * delta * (self.count / count * other.count)
        else:
            mean, self.m2 = other.mean, other.m2
        self.mean, self.count = mean, count
        self.minimum = min(v for v in (self.minimum, other.minimum) if v is not None)
        self.maximum = max(v for v in (self.maximum, other.maximum) if v is not None)

    def to_dict(self) -> dict[str, Any]:
        """M2 that overflowed is written as `None`: JSON has no infinity."""
        return {
            "count": self.count,
            "mean": self.mean,
            "m2": self.m2 if math.isfinite(self.m2) else None,
            "minimum": self.minimum,
            "maximum": self.maximum,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Moments:
        m2 = math.inf if data["m2"] is None else float(data["m2"])
        return cls.of(int(data["count"]), float(data["mean"]), m2, data["minimum"], data["maximum"])
