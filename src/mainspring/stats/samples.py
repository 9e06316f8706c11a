"""Numbers with weights: one form for a raw sample and for what a sketch kept of one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mainspring.stats.quantiles import QuantileSketch

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of finite numbers, in order, each standing for one or more rows.

    Attributes:
        values: [m], ascending; ties may stand apart.
        weights: [m], for how many rows each stands.
        rank_error: no rank is off by more rows than this; 0 of a raw sample.

    Examples:
        >>> sample = Sample.of([3.0, 1.0, 2.0])
        >>> sample.values.tolist(), sample.size
        ([1.0, 2.0, 3.0], 3.0)
    """

    values: Floats
    weights: Floats
    rank_error: int = 0

    @classmethod
    def of(cls, values: NDArray[np.floating] | list[float]) -> Sample:
        """A raw sample, exact; takes finite numbers [n] in any order."""
        ordered = np.sort(np.asarray(values, dtype=np.float64))
        return cls(ordered, np.ones(ordered.size))

    @classmethod
    def from_sketch(cls, sketch: QuantileSketch) -> Sample:
        return cls(*sketch.weighted(), sketch.rank_error)

    @property
    def size(self) -> float:
        """For how many rows it stands."""
        return float(self.weights.sum())

    @property
    def share_error(self) -> float:
        """How far the share of the rows at or below any value can be off."""
        return self.rank_error / self.size if self.rank_error else 0.0

    @property
    def mean(self) -> float:
        return float(self.values @ self.weights / self.size)

    @property
    def variance(self) -> float:
        """Unbiased; NaN of one row."""
        if self.size <= 1:
            return float("nan")
        return float(np.square(self.values - self.mean) @ self.weights / (self.size - 1))


def counts_at(first: Sample, second: Sample) -> tuple[Floats, Floats, Floats]:
    """The different values [u] of both samples together, ascending, and how often each has them.

    Examples:
        >>> [part.tolist() for part in counts_at(Sample.of([1.0, 2.0, 2.0]), Sample.of([2.0, 5.0]))]
        [[1.0, 2.0, 5.0], [1.0, 2.0, 0.0], [0.0, 1.0, 1.0]]
    """
    values, place = np.unique(np.concatenate([first.values, second.values]), return_inverse=True)
    split = first.values.size
    ones = np.bincount(place[:split], weights=first.weights, minlength=values.size)
    others = np.bincount(place[split:], weights=second.weights, minlength=values.size)
    return values, ones.astype(np.float64), others.astype(np.float64)
