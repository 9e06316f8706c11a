"""Intervals of quantiles at all looks: of raw rows, of rows with ties, of sketches."""

import math

import numpy as np
import pytest
from scipy.special import bdtr

from mainspring.stats.quantiles import QuantileSketch
from mainspring.stats.samples import Sample
from mainspring.stats.sequential_quantiles import quantile_ratio_sequence, quantile_sequence

ALPHA = 0.05


def most(replications: int) -> int:
    """More misses than these, a sequence that misses with a chance of alpha has one time in a thousand."""
    return next(k for k in range(replications) if bdtr(k, replications, ALPHA) > 0.999)


@pytest.mark.parametrize("share", [0.5, 0.99])
@pytest.mark.parametrize("digits", [9, 1], ids=["all different", "ties"])
def test_the_quantile_is_missed_no_more_often_than_was_said(share: float, digits: int) -> None:
    random = np.random.default_rng(0)
    everyone = np.ceil(np.random.default_rng(1).exponential(size=1_000_001) * 10**digits) / 10**digits
    truth = float(np.sort(everyone)[math.ceil(share * everyone.size) - 1])
    missed = 0
    for _ in range(60):
        rows = random.choice(everyone, 5_000)
        for look in np.unique(np.geomspace(100, 5_000, 30).astype(int)):
            low, high = quantile_sequence(Sample.of(rows[:look]), share, alpha=ALPHA, tuned_to=100)
            if not low <= truth <= high:
                missed += 1
                break
    assert missed <= most(60)


def test_a_sketch_says_what_the_rows_say_and_never_more() -> None:
    rows = np.random.default_rng(0).lognormal(size=200_000)
    sketch = QuantileSketch()
    for part in np.split(rows, 100):
        sketch.add(part)
    assert sketch.rank_error > 0
    for share in (0.05, 0.5, 0.99):
        low, high = quantile_sequence(Sample.of(rows), share, alpha=ALPHA, tuned_to=500)
        wide = quantile_sequence(Sample.from_sketch(sketch), share, alpha=ALPHA, tuned_to=500)
        assert wide[0] <= low < high <= wide[1]
        assert wide[1] - wide[0] < 8 * (high - low)


def test_too_few_rows_leave_the_ends_open() -> None:
    assert quantile_sequence(Sample.of([]), 0.5, alpha=ALPHA, tuned_to=500) == (-math.inf, math.inf)
    assert quantile_sequence(Sample.of([1.0, 2.0, 3.0]), 0.5, alpha=ALPHA, tuned_to=500) == (-math.inf, math.inf)
    low, high = quantile_sequence(Sample.of(np.arange(100.0)), 0.99, alpha=ALPHA, tuned_to=500)
    assert 50 < low < 98
    assert high == math.inf


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, math.nan])
def test_what_is_no_share_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="no share"):
        quantile_sequence(Sample.of([1.0]), share, alpha=ALPHA, tuned_to=500)


def test_the_ratio_of_two_quantiles_holds_and_narrows() -> None:
    random = np.random.default_rng(0)
    widths = []
    for rows in (200, 2_000, 20_000):
        slow, quick = (Sample.of(random.exponential(scale, size=rows)) for scale in (3.0, 1.0))
        low, high = quantile_ratio_sequence(slow, quick, 0.5, alpha=ALPHA, tuned_to=500)
        assert low < 3 < high
        widths.append(high - low)
    assert widths[0] > 2 * widths[1] > 4 * widths[2]


def test_a_ratio_to_nothing_is_open() -> None:
    zeros, some = Sample.of(np.zeros(1_000)), Sample.of(np.ones(1_000))
    assert quantile_ratio_sequence(some, zeros, 0.5, alpha=ALPHA, tuned_to=500) == (0.0, math.inf)
    assert quantile_ratio_sequence(some, some, 0.5, alpha=ALPHA, tuned_to=500) == (1.0, 1.0)
