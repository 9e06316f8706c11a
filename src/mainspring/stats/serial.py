"""The interval of a mean of rows that follow one another, and so hang together."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_FIXED_B = (1.9600, 2.9694, 0.4160, -0.5324)
_MOST_ALIKE = 0.97  # two neighbours; nearer to 1 the rows would tell nothing of how many of them are alike


def serial_interval(values: Floats) -> tuple[float, float]:
    """Where the mean of such rows lies, with 95 %.

    An interval for independent rows would be too narrow: where neighbours are alike by a half, it holds the mean
    in three cases of four. The variance is that of Newey and West 1987 (autocovariances with Bartlett's weights),
    over as many lags as Andrews 1991 finds best for rows whose neighbours are as alike; the critical value is that
    of Kiefer and Vogelsang 2005 for so many lags, which allows for what the variance itself may be wrong by.

    Args:
        values: [n] in their order, finite.

    Raises:
        ValueError: fewer than two rows.

    Examples:
        >>> low, high = serial_interval(np.random.default_rng(0).normal(0.1, 1, 10_000))
        >>> round(low, 2), round(high, 2)
        (0.09, 0.13)
    """
    count = len(values)
    if count < 2:
        raise ValueError(f"{count} rows have no interval")
    mean = float(values.mean())
    deviations = values - mean
    squares = float(deviations @ deviations)
    if squares == 0.0:
        return mean, mean
    alike = float(deviations[1:] @ deviations[:-1]) / squares
    lags = _lags(min(abs(alike), _MOST_ALIKE), count)
    variance = squares
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * float(deviations[lag:] @ deviations[:-lag])
    share = (lags + 1) / count
    critical = sum(factor * share**power for power, factor in enumerate(_FIXED_B))
    half = critical * math.sqrt(max(variance, 0.0)) / count * math.sqrt(count / (count - 1))
    return mean - half, mean + half


def _lags(alike: float, count: int) -> int:
    """Andrews 1991, equations 6.2 and 6.4, for an autoregression of the first order and Bartlett's weights."""
    shape = 4 * alike**2 / (1 - alike**2) ** 2
    return min(math.ceil(1.1447 * (shape * count) ** (1 / 3)) - 1, count - 2) if shape else 0
