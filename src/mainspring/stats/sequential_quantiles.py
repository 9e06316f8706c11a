"""Intervals of quantiles that hold at all looks together: for latencies, whose mean says little.

How many rows lie at or below the true quantile of a share p is a count of yes or no with chance p, so the counts
that no bet has refuted (`sequential_shares`) name the two order statistics between which the quantile lies (Howard
and Ramdas 2022, theorem 1b). That needs nothing of the rows but that they have the same quantile; ties do no harm.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from mainspring.stats.samples import Sample
from mainspring.stats.sequential import NOTHING_KNOWN, Interval
from mainspring.stats.sequential_shares import log_fortune


def quantile_sequence(sample: Sample, share: float, *, alpha: float, tuned_to: int) -> Interval:
    """The interval of the value that a share of all rows to come is at or below, by those that came.

    Args:
        sample: of all rows so far, raw or from a sketch; what the sketch's ranks may be off by widens it.
        share: 0.5 for the median.
        alpha, tuned_to: as of `sequential.mean_sequence`.

    Returns:
        Low and high; infinite where there are too few rows for an end.

    Raises:
        ValueError: a share that is none.

    Examples:
        >>> sample = Sample.of(np.random.default_rng(0).normal(size=5_000))
        >>> low, high = quantile_sequence(sample, 0.5, alpha=0.05, tuned_to=500)
        >>> -0.1 < low < 0 < high < 0.1
        True
    """
    if not 0 < share < 1:
        raise ValueError(f"{share} is no share of the rows between 0 and 1")
    rows = round(sample.size)
    if not rows:
        return NOTHING_KNOWN
    fewest, most = _counts(rows, share, alpha, tuned_to)
    reached = np.cumsum(sample.weights)
    low, high = NOTHING_KNOWN
    at = int(np.searchsorted(reached + sample.rank_error, fewest, side="left"))
    if fewest > 0 and at < sample.values.size:
        low = float(sample.values[at])
    at = int(np.searchsorted(reached - sample.rank_error, most + 1, side="left"))
    if at < sample.values.size:
        high = float(sample.values[at])
    return low, high


def quantile_ratio_sequence(
    first: Sample, second: Sample, share: float, *, alpha: float, tuned_to: int
) -> Interval:
    """How many times `second`'s quantile `first`'s is, of positive numbers: from the two intervals, alpha halved.

    Examples:
        >>> random = np.random.default_rng(0)
        >>> slow, quick = (Sample.of(random.exponential(scale, size=4_000)) for scale in (3.0, 1.0))
        >>> low, high = quantile_ratio_sequence(slow, quick, 0.5, alpha=0.05, tuned_to=500)
        >>> 2.3 < low < 3 < high < 4
        True
    """
    (low_1, high_1), (low_2, high_2) = (
        quantile_sequence(sample, share, alpha=alpha / 2, tuned_to=tuned_to) for sample in (first, second)
    )
    low = max(low_1, 0.0) / high_2 if high_2 > 0 else 0.0
    high = high_1 / low_2 if low_2 > 0 else math.inf
    return low, high


def _counts(rows: int, share: float, alpha: float, tuned_to: int) -> tuple[int, int]:
    """The fewest and the most rows at or below the quantile that no bet has refuted."""
    bar = math.log(1 / alpha)

    def refuted(count: int) -> bool:
        fortune = log_fortune(
            np.array([float(count)]), np.array([float(rows)]), np.array([share]), alpha=alpha, tuned_to=tuned_to
        )
        return bool(fortune[0] >= bar)

    middle = round(rows * share)
    return _first_kept(0, middle, refuted), rows - _first_kept(0, rows - middle, lambda gap: refuted(rows - gap))


def _first_kept(start: int, kept: int, refuted: Callable[[int], bool]) -> int:
    """The first count from the start on that is not refuted; `kept` is not."""
    while start < kept:
        middle = (start + kept) // 2
        if refuted(middle):
            start = middle + 1
        else:
            kept = middle
    return kept
