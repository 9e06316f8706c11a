"""Tests of numbers: whether two samples, of any sizes, are of one distribution.

Each takes weighted samples, so that a raw sample (weights 1) is exact, and what a sketch kept of one works the
same. A sample's size is the sum of its weights.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, gammaln, kolmogorov, kv, ndtr, stdtr

from mainspring.stats.count_tests import Significance
from mainspring.stats.distances import kolmogorov_smirnov
from mainspring.stats.samples import Sample, counts_at

Floats = NDArray[np.float64]

_MOST_ROWS_EXACT = 2_000  # of both samples together; beyond, the limit law is off by less than it matters


def ks_test(first: Sample, second: Sample) -> Significance:
    """Kolmogorov and Smirnov's test: the greatest difference of the distribution functions.

    Examples:
        >>> result = ks_test(Sample.of([1.0, 2.0, 3.0]), Sample.of([4.0, 5.0, 6.0]))
        >>> result.statistic, round(result.p_value, 9)
        (1.0, 0.1)
    """
    distance = kolmogorov_smirnov(first, second)
    return Significance(distance, ks_p_value(distance, first.size, second.size))


def ks_p_value(distance: float, first_size: float, second_size: float) -> float:
    """The chance of a greatest difference D of at least this much; too great, never too small, where values tie.

    Exact for up to 2,000 rows together, by the paths that leave the band (Hodges 1957); beyond by Kolmogorov's
    limit law (Smirnov 1939).

    Examples:
        >>> ks_p_value(0.05, 5_000, 100_000) < 1e-9
        True
    """
    n, m = round(first_size), round(second_size)
    if n < 1 or m < 1:
        return 1.0
    if n + m <= _MOST_ROWS_EXACT:
        return _share_of_paths_outside(distance, n, m)
    return float(kolmogorov(math.sqrt(n * m / (n + m)) * distance))


def t_test(first: Sample, second: Sample, *, equal_variances: bool = False) -> Significance:
    """Welch's test of equal means, or Student's where the variances are taken as equal; two-sided.

    Returns:
        The statistic has the sign of the first mean less the second. Of samples that do not vary at all the
        p-value is 1 where they are equal, else 0.

    Examples:
        >>> round(t_test(Sample.of([1.0, 2.0, 3.0]), Sample.of([2.0, 3.0, 4.0])).p_value, 4)
        0.2879
    """
    n, m = first.size, second.size
    if n < 2 or m < 2:
        return Significance(0.0, 1.0)
    difference, of_first, of_second = first.mean - second.mean, first.variance, second.variance
    if equal_variances:
        freedom = n + m - 2
        squared = ((n - 1) * of_first + (m - 1) * of_second) / freedom * (1 / n + 1 / m)
    else:
        parts = of_first / n, of_second / m
        squared = sum(parts)
        freedom = squared**2 / (parts[0] ** 2 / (n - 1) + parts[1] ** 2 / (m - 1)) if squared else 1.0
    if not squared:
        return Significance(math.copysign(math.inf, difference), 0.0) if difference else Significance(0.0, 1.0)
    statistic = difference / math.sqrt(squared)
    return Significance(statistic, float(2 * stdtr(freedom, -abs(statistic))))


def mann_whitney(first: Sample, second: Sample) -> Significance:
    """Mann and Whitney's U of the first sample, by the normal law with corrections for ties and continuity.

    Examples:
        >>> mann_whitney(Sample.of([1.0, 2.0, 2.0]), Sample.of([2.0, 3.0])).statistic
        1.0
    """
    _, ones, others = counts_at(first, second)
    n, m, both = first.size, second.size, ones + others
    u = float(ones @ (np.cumsum(others) - others / 2))
    rows = n + m
    variance = n * m / 12 * (rows + 1 - float((both**3 - both).sum()) / (rows * (rows - 1))) if rows > 1 else 0.0
    if not variance > 0:
        return Significance(u, 1.0)
    z = max(abs(u - n * m / 2) - 0.5, -0.5) / math.sqrt(variance)
    return Significance(u, min(1.0, float(2 * ndtr(-z))))


def cramer_von_mises(first: Sample, second: Sample) -> Significance:
    """Cramér and von Mises' test: the mean squared difference of the distribution functions (Anderson 1962).

    The p-value is the limit law's (Csörgő and Faraway 1996), right to two digits from 10 rows each on.

    Examples:
        >>> result = cramer_von_mises(Sample.of([1.0, 2.0, 3.0]), Sample.of([4.0, 5.0, 6.0]))
        >>> round(result.statistic, 4)
        0.5278
    """
    _, ones, others = counts_at(first, second)
    n, m = first.size, second.size
    rows, product = n + m, n * m
    u = n * _squared_rank_gaps(ones, others) + m * _squared_rank_gaps(others, ones)
    statistic = u / (product * rows) - (4 * product - 1) / (6 * rows)
    mean = (1 + 1 / rows) / 6
    variance = (rows + 1) * (4 * product * rows - 3 * (n * n + m * m) - 2 * product)
    variance /= 45 * rows**2 * 4 * product
    if not variance > 0:
        return Significance(statistic, 1.0)
    standard = 1 / 6 + (statistic - mean) / math.sqrt(45 * variance)
    return Significance(statistic, 1.0 if standard < 0.003 else max(0.0, 1 - _cramer_von_mises_law(standard)))


def anderson_darling(*samples: Sample) -> Significance:
    """The k-sample test of Anderson and Darling, with midranks (Scholz and Stephens 1987, equation 7).

    Returns:
        The standardised statistic; the p-value by interpolation in their table 2, which reaches from 0.001 to
        0.25: outside it is the nearest of the two.

    Examples:
        >>> anderson_darling(Sample.of([1.0, 2.0, 3.0, 4.0]), Sample.of([5.0, 6.0, 7.0, 8.0])).p_value < 0.02
        True
    """
    values = np.unique(np.concatenate([sample.values for sample in samples]))
    counts = np.stack([_counts_of(sample, values) for sample in samples])
    sizes, ties = counts.sum(axis=1), counts.sum(axis=0)
    rows = float(sizes.sum())
    middle = np.cumsum(ties) - ties / 2
    spread = middle * (rows - middle) - rows * ties / 4
    if rows < 4 or values.size < 2 or not (sizes > 0).all():
        return Significance(0.0, 0.25)
    statistic = 0.0
    for own, size in zip(counts, sizes.tolist(), strict=True):
        below = np.cumsum(own) - own / 2
        terms = ties / rows * np.square(rows * below - middle * size)
        statistic += float((terms / spread).sum()) / size
    statistic *= (rows - 1) / rows
    freedom = len(samples) - 1
    standard = (statistic - freedom) / math.sqrt(_anderson_darling_variance(sizes))
    return Significance(standard, _anderson_darling_p_value(standard, freedom))


def epps_singleton(first: Sample, second: Sample) -> Significance:
    """Epps and Singleton's test of the characteristic functions at 0.4 and 0.8, for numbers that tie (1986).

    Examples:
        >>> numbers = [1.0, 2.0, 2.0, 3.0, 4.0, 5.0]
        >>> round(epps_singleton(Sample.of(numbers), Sample.of(numbers)).p_value, 6)
        1.0
    """
    values, ones, others = counts_at(first, second)
    n, m = first.size, second.size
    scale = _quartile_range(values, ones + others) / 2
    if min(n, m) < 5 or not scale > 0:
        return Significance(0.0, 1.0)
    angles = np.array([[0.4], [0.8]]) / scale * values
    waves = np.concatenate([np.cos(angles), np.sin(angles)])
    means = waves @ ones / n, waves @ others / m
    covariances = [
        (waves * weights / size) @ waves.T - np.outer(mean, mean)
        for weights, size, mean in ((ones, n, means[0]), (others, m, means[1]))
    ]
    rows = n + m
    inverse = np.linalg.pinv(rows / n * covariances[0] + rows / m * covariances[1])
    gap = means[0] - means[1]
    statistic = rows * float(gap @ inverse @ gap)
    if max(n, m) < 25:
        statistic /= 1 + rows**-0.45 + 10.1 * (n**-1.7 + m**-1.7)
    return Significance(statistic, float(chdtrc(int(np.linalg.matrix_rank(inverse)), statistic)))


def _share_of_paths_outside(distance: float, n: int, m: int) -> float:
    """Of all orders of n and m different values the share whose greatest difference is at least this.

    The paths through a grid of n × m, one step after another: at each point the chance of having left the band is
    the mean of that at the two points before, weighted by how many paths came from each. All terms are positive,
    so that tiny chances keep their digits.
    """
    least = (math.ceil(distance * n * m - 1e-7)) / (n * m) - 1e-12
    if least <= 0:
        return 1.0
    outside = np.zeros(n + 2)  # [i + 1]: having taken i of the first sample; the ends are no points
    taken = np.arange(n + 1, dtype=np.float64)
    for step in range(1, n + m + 1):
        low, high = max(0, step - m), min(n, step)
        i = taken[low : high + 1]
        moved = (outside[low : high + 1] * i + outside[low + 1 : high + 2] * (step - i)) / step
        moved[np.abs(i / n - (step - i) / m) >= least] = 1.0
        outside[low + 1 : high + 2] = moved
    return min(1.0, float(outside[n + 1]))


def _squared_rank_gaps(own: Floats, other: Floats) -> float:
    """The sum over a sample's rows of (rank among both, ties shared, less rank among its own)²."""
    both = own + other
    rank = np.cumsum(both) - (both - 1) / 2
    first = np.cumsum(own) - own + 1  # of each run of ties, the ranks first, first + 1, … among its own
    gap = rank - first
    # Σ (gap − j)² for j from 0 to own − 1
    sums = own * gap**2 - gap * own * (own - 1) + (own - 1) * own * (2 * own - 1) / 6
    return float(sums[own > 0].sum())


def _cramer_von_mises_law(x: float) -> float:
    """The limit law's distribution function (Csörgő and Faraway 1996, equation 1.3)."""
    total, k, term = 0.0, 0, 1.0
    while term >= 1e-12:
        y = 4 * k + 1
        q = y * y / (16 * x)
        scale = math.exp(gammaln(k + 0.5) - gammaln(k + 1)) / (math.pi**1.5 * math.sqrt(x))
        term = scale * math.sqrt(y) * math.exp(-q) * float(kv(0.25, q))
        total += term
        k += 1
    return total


def _anderson_darling_variance(sizes: Floats) -> float:
    """Scholz and Stephens 1987, equation 4."""
    k, rows = sizes.size, float(sizes.sum())
    inverse = float((1 / sizes).sum())
    sums = np.cumsum(1 / np.arange(rows - 1, 1, -1))
    h = float(sums[-1]) + 1
    g = float((sums / np.arange(2, rows)).sum())
    a = (4 * g - 6) * (k - 1) + (10 - 6 * g) * inverse
    b = (2 * g - 4) * k**2 + 8 * h * k + (2 * g - 14 * h - 4) * inverse - 8 * h + 4 * g - 6
    c = (6 * h + 2 * g - 2) * k**2 + (4 * h - 4 * g + 6) * k + (2 * h - 6) * inverse + 4 * h
    d = (2 * h + 6) * k**2 - 4 * h * k
    return (a * rows**3 + b * rows**2 + c * rows + d) / ((rows - 1) * (rows - 2) * (rows - 3))


def _anderson_darling_p_value(statistic: float, freedom: int) -> float:
    """By a parabola through the logarithms of table 2's significances."""
    levels = np.array([0.25, 0.1, 0.05, 0.025, 0.01, 0.005, 0.001])
    b0 = np.array([0.675, 1.281, 1.645, 1.96, 2.326, 2.573, 3.085])
    b1 = np.array([-0.245, 0.25, 0.678, 1.149, 1.822, 2.364, 3.615])
    b2 = np.array([-0.105, -0.305, -0.362, -0.391, -0.396, -0.345, -0.154])
    critical = b0 + b1 / math.sqrt(freedom) + b2 / freedom
    if statistic < critical[0]:
        return 0.25
    if statistic > critical[-1]:
        return 0.001
    return float(np.exp(np.polyval(np.polyfit(critical, np.log(levels), 2), statistic)))


def _counts_of(sample: Sample, values: Floats) -> Floats:
    places = np.searchsorted(values, sample.values)
    found: Floats = np.bincount(places, weights=sample.weights, minlength=values.size).astype(np.float64)
    return found


def _quartile_range(values: Floats, weights: Floats) -> float:
    """With linear interpolation between the rows, as numpy.quantile does by default."""
    reached = np.cumsum(weights)
    quartiles = []
    for share in (0.25, 0.75):
        place = share * (reached[-1] - 1)
        low, part = math.floor(place), place - math.floor(place)
        below, above = values[np.searchsorted(reached, [low, low + (part > 0)], side="right")]
        quartiles.append(below + part * (above - below))
    return float(quartiles[1] - quartiles[0])
