"""Intervals of means that hold at all looks together, so that looking often is not cheating.

An interval of 95 % for a fixed number of rows misses the truth one time in twenty. Who looks again with every new
row, and stops when he likes what he sees, misses it far more often, and in the end for certain. A confidence
sequence is a row of intervals, one for each number of rows, of which all together hold the truth with a chance of
1 − alpha: one may look at each, stop at any, and go on after it. The price is an interval about 1.6 times as wide.

| rows | by | what is proved |
| --- | --- | --- |
| of any size | `mean_sequence` of `Moments` | exact for normal rows; for others as their number grows |
| of a known range: clipped losses, errors | the same of `BoundedMoments` | for any such rows, from the first on |
| yes or no | `share_sequence` (`sequential_shares`) | the same |
| quantiles of rows of any size | `quantile_sequence` (`sequential_quantiles`) | the same |
| areas under a curve, which are no means of rows | `mean_sequence` of windows (`rank_windows`) | the same |
| two groups | `difference_sequence`, `share_difference_sequence` | as their number grows |

A row of `Moments` that is rare and far out, and was not seen yet, is not allowed for: a challenger that gains a
little everywhere and loses much in one row of a thousand looks better until that row comes. Where a range is
known, say so.

Rows are taken as independent, or at least each with the same mean whatever came before. They are needed only as
their moments, which can be stored and merged, and in which their order is lost: two who look at the same rows see
the same interval, whenever and however often each of them has looked before.
"""

from __future__ import annotations

import math
from typing import Literal, TypeGuard

import numpy as np
from numpy.typing import NDArray

from mainspring.stats.bounded_moments import BoundedMoments
from mainspring.stats.moments import Moments
from mainspring.stats.sequential_bounded import least_mean

Floats = NDArray[np.float64]
Interval = tuple[float, float]
Side = Literal["both", "low", "high"]
"""Of a one-sided sequence the other end is open (or the end of the range)."""

NOTHING_KNOWN: Interval = (-math.inf, math.inf)
_AHEAD = 4  # times `tuned_to` rows is where the interval is at its best; it is good from 1 to 100 times
_GREATEST_ROW = 0.05  # of all squared deviations; with more in one row, a sum of rows is not yet normal


def mean_sequence(
    moments: Moments | BoundedMoments,
    *,
    alpha: float,
    tuned_to: int,
    bounds: tuple[float, float] | None = None,
    side: Side = "both",
) -> Interval:
    """The interval of the mean of all rows to come, by those that came.

    Args:
        moments: of the rows so far, all of them since the first look.
        alpha: the chance that any of the intervals, at any time, misses the mean.
        tuned_to: the number of rows at which one begins to look. It must not follow from the rows.
        bounds: the range of the rows, where it is known and only their `Moments` are; `BoundedMoments` know their
            own, and give a narrower interval.
        side: `both`, or `low` for the least that the mean may be, or `high` for the most.

    Returns:
        Low and high; infinite (or the range) where nothing can be said. Without a range that is so as long as a
        twentieth of the variance, or all of it, is in one row: then what came tells nothing of what is rare.

    Raises:
        ValueError: an alpha or a `tuned_to` that makes no sense, or a row outside the bounds.

    Examples:
        >>> moments = Moments()
        >>> moments.add(np.random.default_rng(0).normal(0.1, 1, size=5_000))
        >>> low, high = mean_sequence(moments, alpha=0.05, tuned_to=500)
        >>> round(low, 3), round(high, 3)
        (0.052, 0.139)
        >>> unseen, ranged = Moments(), BoundedMoments(-1, 1)
        >>> unseen.add(np.zeros(1_000))
        >>> ranged.add(np.zeros(1_000))
        >>> mean_sequence(unseen, alpha=0.05, tuned_to=500)
        (-inf, inf)
        >>> low, high = mean_sequence(ranged, alpha=0.05, tuned_to=500)
        >>> -0.01 < low < 0 < high < 0.01
        True
    """
    _check(alpha, tuned_to)
    if isinstance(moments, BoundedMoments) or bounds is not None:
        return _ranged(moments, bounds, alpha=alpha, tuned_to=tuned_to, side=side)
    if not _is_spread(moments):
        return NOTHING_KNOWN
    n = moments.count
    half = math.sqrt(moments.variance / n) * critical_value(
        n, n - 1, alpha=alpha, tuned_to=tuned_to, two_sided=side == "both"
    )
    return _around(moments.mean, half, half, side)


def difference_sequence(
    first: Moments | BoundedMoments,
    second: Moments | BoundedMoments,
    *,
    alpha: float,
    tuned_to: int,
    side: Side = "both",
) -> Interval:
    """The interval of `first`'s mean less `second`'s, two groups of which no row is in both.

    For rows that two have answered both, take the moments of the differences and `mean_sequence`: it is narrower.
    Either group may grow faster than the other, and at another pace later on. Of rows of a known range, the
    intervals of the two means are put together by the root of squares (Zou and Donner 2008; for shares Newcombe
    1998), and no rows at all are as good as any in that range.

    Args:
        tuned_to: the number of rows of the smaller group at which one begins to look.
        side: as of `mean_sequence`.

    Examples:
        >>> random = np.random.default_rng(0)
        >>> first, second = Moments(), Moments()
        >>> first.add(random.normal(0.3, 1, size=2_000))
        >>> second.add(random.normal(0, 1, size=30_000))
        >>> low, high = difference_sequence(first, second, alpha=0.05, tuned_to=200)
        >>> round(low, 2), round(high, 2)
        (0.2, 0.34)
    """
    _check(alpha, tuned_to)
    if isinstance(first, BoundedMoments) and isinstance(second, BoundedMoments):
        one, other = (
            (
                group.mean if group.count else group.middle,
                mean_sequence(group, alpha=alpha, tuned_to=tuned_to, side=end),
            )
            for group, end in ((first, side), (second, opposite(side)))
        )
        return combined(one, other, side)
    if not (_is_spread(first) and _is_spread(second)):
        return NOTHING_KNOWN
    errors = [(group.variance / group.count, group.count - 1) for group in (first, second)]
    squared = sum(error for error, _ in errors)
    freedom = squared**2 / sum(error**2 / each for error, each in errors)  # Welch and Satterthwaite
    # As many rows of one group as would tell its mean as well; of two equal groups, half of one
    rows = (first.variance + second.variance) / 2 / squared
    half = math.sqrt(squared) * critical_value(
        rows, freedom, alpha=alpha, tuned_to=tuned_to, two_sided=side == "both"
    )
    return _around(first.mean - second.mean, half, half, side)


def critical_value(rows: float, freedom: float, *, alpha: float, tuned_to: int, two_sided: bool = True) -> float:
    """How many standard errors the interval reaches to either side; infinite with too few rows.

    The bet against a mean m is a normal mixture over the distance of the true mean from m in standard deviations
    (Robbins 1970), with the unknown variance taken out by its scale invariance: with ν degrees of freedom and a
    mixture of variance 1/k, √κ·((1 + t²/ν)/(1 + κ·t²/ν))^((ν+1)/2), κ = k/(n + k). It is a martingale for normal
    rows of mean m and any variance (Gönen et al. 2005; Pérez-Ortiz, Lardy, de Heide, Grünwald 2024), so that
    it ever reaches 1/alpha with a chance of alpha at most (Ville 1939); as the rows grow it becomes the asymptotic
    confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024, which holds for rows of any
    distribution with a variance. A one-sided bet is at least twice this one less √κ, as for half of the mixture.

    Examples:
        >>> round(critical_value(2_000, 1_999, alpha=0.05, tuned_to=500), 2)
        3.04
        >>> critical_value(3, 2, alpha=0.05, tuned_to=500)
        inf
    """
    found = critical_values(
        np.array([float(rows)]), np.array([float(freedom)]), alpha=alpha, tuned_to=tuned_to, two_sided=two_sided
    )
    return float(found[0])


def critical_values(
    rows: Floats, freedom: Floats, *, alpha: float, tuned_to: int, two_sided: bool = True
) -> Floats:
    """As `critical_value`, for many [n] at once."""
    kept = mixture_rows(alpha, tuned_to)
    share = kept / (rows + kept)
    bar = np.log(1 / alpha) if two_sided else np.log((1 / alpha + np.sqrt(share)) / 2)
    ratio = np.exp(np.minimum((2 * bar - np.log(share)) / (freedom + 1), 700.0))
    left = 1 - share * ratio
    excess = np.where(left > 0, (ratio - 1) / np.where(left > 0, left, 1.0), np.inf)
    found: Floats = np.sqrt(freedom * excess)
    return found


def mixture_rows(alpha: float, tuned_to: float) -> float:
    """The k of a mixture of variance 1/k in standard deviations that is narrowest at four times `tuned_to` rows.

    Tuned to where the looks begin it would be a tenth narrower there, and wider from five times as many rows on.
    The formula is that of Waudby-Smith et al. 2024, section 2.4.
    """
    doubled = 2 * math.log(1 / alpha)
    return _AHEAD * tuned_to / (doubled + math.log(1 + doubled))


def combined(first: tuple[float, Interval], second: tuple[float, Interval], side: Side) -> Interval:
    """The interval of a difference, from the means of two groups and their intervals, by the root of squares."""
    (mean_1, (low_1, high_1)), (mean_2, (low_2, high_2)) = first, second
    below = math.hypot(mean_1 - low_1, high_2 - mean_2) if side != "high" else math.inf
    above = math.hypot(high_1 - mean_1, mean_2 - low_2) if side != "low" else math.inf
    return _around(mean_1 - mean_2, below, above, side)


_OPPOSITE: dict[Side, Side] = {"both": "both", "low": "high", "high": "low"}


def opposite(side: Side) -> Side:
    """The side of the group that is taken off, where this is that of the difference."""
    return _OPPOSITE[side]


def _around(middle: float, below: float, above: float, side: Side) -> Interval:
    return (
        middle - below if side != "high" else -math.inf,
        middle + above if side != "low" else math.inf,
    )


def _ranged(
    moments: Moments | BoundedMoments,
    bounds: tuple[float, float] | None,
    *,
    alpha: float,
    tuned_to: int,
    side: Side,
) -> Interval:
    """The interval of rows of a known range."""
    if isinstance(moments, BoundedMoments):
        low, high, central = moments.low, moments.high, moments.central()
    else:
        assert bounds is not None
        low, high = bounds
        least, greatest = moments.minimum, moments.maximum
        if least is not None and greatest is not None and not low <= least <= greatest <= high:
            raise ValueError(f"rows from {least} to {greatest} are not within {low} to {high}")
        central = np.array([moments.count, 0.0, moments.m2 / ((high - low) / 2) ** 2])
    middle, half = (low + high) / 2, (high - low) / 2
    mean = (moments.mean - middle) / half if moments.count else 0.0
    level = alpha / 2 if side == "both" else alpha
    turned = central * (-1.0) ** np.arange(central.size)  # as seen from above
    if side != "high":
        low = middle + half * least_mean(mean, central, alpha=level, tuned_to=tuned_to)
    if side != "low":
        high = middle - half * least_mean(-mean, turned, alpha=level, tuned_to=tuned_to)
    return low, high


def _is_spread(moments: Moments | BoundedMoments) -> TypeGuard[Moments]:
    """Whether no single row makes up much of the variance; before, no sum of rows is near normal (Lindeberg)."""
    if isinstance(moments, BoundedMoments):
        raise TypeError("one group has a range and the other has none; take `Moments` of both")
    if moments.minimum is None or moments.maximum is None or not moments.minimum < moments.maximum:
        return False  # of rows that are all alike, the variance may be what rounding left
    greatest = max(moments.maximum - moments.mean, moments.mean - moments.minimum)
    return math.isfinite(moments.m2) and greatest**2 <= _GREATEST_ROW * moments.m2


def _check(alpha: float, tuned_to: int) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha {alpha} is no chance of error between 0 and 1")
    if tuned_to < 1:
        raise ValueError(f"tuned_to {tuned_to} is under 1")
