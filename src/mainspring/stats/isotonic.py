"""A rising function of a score, fitted to what came true: calibration without an assumption of its shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Isotonic:
    """A function that never falls: linear between its knots, level outside of them.

    Attributes:
        scores: [k], ascending.
        levels: [k], not descending.
    """

    scores: Floats
    levels: Floats

    def __call__(self, scores: Floats) -> Floats:
        """The fitted values [n] of scores [n]; NaN stays NaN."""
        return np.interp(scores, self.scores, self.levels)


def fit_isotonic(scores: Floats, truth: NDArray[np.generic], weights: Floats | None = None) -> Isotonic:
    """Least squares under the condition that the function does not fall (pool adjacent violators).

    Ayer et al. 1955; as for calibration in Zadrozny and Elkan 2002. Equal scores are one point, with their mean.

    Args:
        scores: float64 [n], finite.
        truth: [n], what is to be expected: 0 and 1, or numbers.
        weights: [n], positive; 1 where not given.

    Raises:
        ValueError: no rows.

    Examples:
        >>> fit = fit_isotonic(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0, 1, 0, 1]))
        >>> fit(np.array([0.0, 0.1, 0.15, 0.2, 0.9])).round(9).tolist()
        [0.0, 0.0, 0.25, 0.5, 1.0]
    """
    if not scores.size:
        raise ValueError("an isotonic function needs at least one row")
    weights = np.ones(scores.size) if weights is None else np.asarray(weights, dtype=np.float64)
    points, place = np.unique(np.asarray(scores, dtype=np.float64), return_inverse=True)
    mass = np.bincount(place, weights=weights).astype(np.float64)
    means = np.bincount(place, weights=weights * truth.astype(np.float64)) / mass
    levels = _pooled(means, mass)
    inner = np.zeros(points.size, dtype=bool)  # knots that lie on a level stretch say nothing
    inner[1:-1] = (levels[1:-1] == levels[:-2]) & (levels[1:-1] == levels[2:])
    return Isotonic(points[~inner], levels[~inner])


def _pooled(means: Floats, mass: Floats) -> Floats:
    """Each run of falling means replaced by its common mean."""
    values: list[float] = []
    masses: list[float] = []
    sizes: list[int] = []
    for value, weight in zip(means.tolist(), mass.tolist(), strict=True):
        size = 1
        while values and values[-1] >= value:
            before = masses.pop()
            value = (values.pop() * before + value * weight) / (before + weight)
            weight += before
            size += sizes.pop()
        values.append(value)
        masses.append(weight)
        sizes.append(size)
    return np.repeat(values, sizes)
