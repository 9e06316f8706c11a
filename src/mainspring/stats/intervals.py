"""Confidence intervals by resampling rows, for statistics that have no formula.

The percentile bootstrap (Efron and Tibshirani 1993, chapter 13). A resample is not a copy of rows but a weight
per row, how often it was drawn: a statistic that takes weights needs its sorting and its indexing only once,
whatever the number of resamples, and paired statistics see the very same resamples.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], float]

_MOST_UNDEFINED = 0.1  # with a greater share of undefined resamples the interval would flatter the statistic
_BLOCK = 2_000_000  # weights held at a time by `bootstrap_means`


def resample_weights(n: int, resamples: int, seed: int) -> Iterator[Floats]:
    """For each resample how often each of n rows was drawn: float64 [n], summing to n.

    The resamples are the same for the same n and seed, so that two calls can be compared pairwise.

    Examples:
        >>> [weights.sum() for weights in resample_weights(5, 2, seed=1)]
        [np.float64(5.0), np.float64(5.0)]
    """
    random = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(random.integers(0, n, size=n), minlength=n).astype(np.float64)


def bootstrap_statistics(
    statistics: Mapping[str, Statistic],
    n: int,
    *,
    seed: int,
    resamples: int = 500,
    confidence: float = 0.95,
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of several statistics over the same resamples.

    Args:
        statistics: each takes weights per row, float64 [n], and gives a number, NaN where it is undefined on
            these rows (no row of a class, say).
        n: the number of rows.
        confidence: the share of resamples that the interval covers.

    Returns:
        Low and high per statistic; both NaN where there are no rows, or where more than a tenth of the
        resamples are undefined. Fewer undefined ones are left out.

    Examples:
        >>> x = np.arange(100.0)
        >>> found = bootstrap_statistics({"mean": lambda w: float(w @ x / w.sum())}, 100, seed=0)
        >>> found["mean"][0] < 49.5 < found["mean"][1]
        True
    """
    if n == 0:
        return dict.fromkeys(statistics, (float("nan"), float("nan")))
    values: dict[str, list[float]] = {name: [] for name in statistics}
    for weights in resample_weights(n, resamples, seed):
        for name, statistic in statistics.items():
            values[name].append(statistic(weights))
    return {name: percentile_interval(np.array(found), confidence) for name, found in values.items()}


def bootstrap(
    statistic: Statistic, n: int, *, seed: int, resamples: int = 500, confidence: float = 0.95
) -> tuple[float, float]:
    """The percentile interval of one statistic; see `bootstrap_statistics`."""
    return bootstrap_statistics({"": statistic}, n, seed=seed, resamples=resamples, confidence=confidence)[""]


def paired_bootstrap(
    first: Statistic, second: Statistic, n: int, *, seed: int, resamples: int = 500, confidence: float = 0.95
) -> tuple[float, float]:
    """The percentile interval of `first − second`, each resample used for both.

    Two models judged on the same rows err on the same rows; their difference is known far better than either.

    Examples:
        >>> x = np.random.default_rng(0).normal(size=200)
        >>> interval = paired_bootstrap(lambda w: w @ (x + 0.5) / 200, lambda w: w @ x / 200, 200, seed=0)
        >>> [round(bound, 9) for bound in interval]
        [0.5, 0.5]
    """
    return bootstrap(
        lambda weights: first(weights) - second(weights), n, seed=seed, resamples=resamples, confidence=confidence
    )


def bootstrap_indices(
    statistic: Callable[[NDArray[np.int64]], float],
    n: int,
    *,
    seed: int,
    resamples: int = 500,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """As `bootstrap`, for a statistic that cannot take weights: it gets the drawn rows' numbers, int64 [n].

    The draws are those of `resample_weights` of the same n and seed.
    """
    if n == 0:
        return float("nan"), float("nan")
    random = np.random.default_rng(seed)
    values = [statistic(random.integers(0, n, size=n)) for _ in range(resamples)]
    return percentile_interval(np.array(values), confidence)


def bootstrap_means(
    values: Floats, *, seed: int, resamples: int = 500, confidence: float = 0.95
) -> tuple[Floats, Floats]:
    """Percentile intervals of the means of columns: values [n] or [n, k] give low [k] and high [k].

    Over the same resamples as `bootstrap` with the same seed; one matrix product per block of resamples.

    Examples:
        >>> low, high = bootstrap_means(np.arange(1000.0), seed=0)
        >>> bool(low[0] < 499.5 < high[0])
        True
    """
    columns = values[:, None] if values.ndim == 1 else values
    n, k = columns.shape
    if n == 0:
        return np.full(k, np.nan), np.full(k, np.nan)
    draws = resample_weights(n, resamples, seed)
    block = max(1, min(resamples, _BLOCK // n))
    means = np.empty((resamples, k))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        means[start : start + size] = np.stack([next(draws) for _ in range(size)]) @ columns / n
    intervals = [percentile_interval(means[:, column], confidence) for column in range(k)]
    return np.array([low for low, _ in intervals]), np.array([high for _, high in intervals])


def percentile_interval(values: Floats, confidence: float) -> tuple[float, float]:
    """The central interval that holds this share of the values; NaN where too many of them are undefined."""
    defined = values[~np.isnan(values)]
    if defined.size == 0 or defined.size < (1 - _MOST_UNDEFINED) * values.size:
        return float("nan"), float("nan")
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)
