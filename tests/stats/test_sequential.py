"""Intervals that hold at all looks together: how often they miss, how wide they are, what they refuse to say."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import bdtr, ndtri

from mainspring.stats.bounded_moments import BoundedMoments
from mainspring.stats.moments import Moments
from mainspring.stats.sequential import (
    NOTHING_KNOWN,
    Side,
    critical_value,
    critical_values,
    difference_sequence,
    mean_sequence,
)

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]
ALPHA = 0.05
ROWS = 20_000


def moments_of(rows: Floats) -> Moments:
    moments = Moments()
    moments.add(rows)
    return moments


def most(replications: int) -> int:
    """More misses than these, a sequence that misses with a chance of alpha has one time in a thousand."""
    return next(k for k in range(replications) if bdtr(k, replications, ALPHA) > 0.999)


def misses(draw: Draw, truth: float, *, tuned_to: int, replications: int, seed: int = 0) -> tuple[int, int]:
    """In how many of the replications an interval, at any row from the first on, lies below or above the truth."""
    random = np.random.default_rng(seed)
    n = np.arange(1.0, ROWS + 1)
    bars = np.minimum(critical_values(n, np.maximum(n - 1, 1), alpha=ALPHA, tuned_to=tuned_to), 1e9)
    below = above = 0
    for _ in range(replications):
        rows = draw(random, ROWS)
        means = np.cumsum(rows) / n
        squares = np.maximum(np.cumsum(rows * rows) - n * means**2, 0.0)
        furthest = np.maximum(np.maximum.accumulate(rows) - means, means - np.minimum.accumulate(rows))
        said = (furthest**2 <= 0.05 * squares) & (squares > 0)
        out = said & (np.abs(means - truth) > bars * np.sqrt(squares / np.maximum(n - 1, 1) / n))
        if out.any():
            first = int(out.argmax())
            below, above = below + (means[first] < truth), above + (means[first] > truth)
            # What was computed for all rows at once is what the function says of these
            low, high = mean_sequence(moments_of(rows[: first + 1]), alpha=ALPHA, tuned_to=tuned_to)
            assert not low <= truth <= high
    return int(below), int(above)


DRAWS: dict[str, tuple[Draw, float]] = {
    "normal": (lambda random, n: random.normal(3, 2, n), 3.0),
    "heavy tails": (lambda random, n: random.standard_t(3, n), 0.0),
    "skewed": (lambda random, n: random.exponential(1, n), 1.0),
    "one in a hundred": (lambda random, n: (random.random(n) < 0.01) * 1.0, 0.01),
    "one in a thousand": (lambda random, n: (random.random(n) < 0.001) * 1.0, 0.001),
    "few who buy, for very different sums": (
        lambda random, n: (random.random(n) < 0.02) * random.lognormal(0, 1, n),
        0.02 * math.exp(0.5),
    ),
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("tuned_to", [100, 500])
def test_looking_at_every_row_misses_no_more_often_than_was_said(name: str, tuned_to: int) -> None:
    draw, truth = DRAWS[name]
    assert sum(misses(draw, truth, tuned_to=tuned_to, replications=100)) <= most(100)


@pytest.mark.soak
@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("tuned_to", [100, 500])
def test_looking_at_every_row_misses_no_more_often_than_was_said_in_thousands(name: str, tuned_to: int) -> None:
    draw, truth = DRAWS[name]
    assert sum(misses(draw, truth, tuned_to=tuned_to, replications=2_000, seed=1)) <= most(2_000)


def test_a_fixed_interval_would_miss_far_more_often() -> None:
    """The harness can see a miss."""
    random = np.random.default_rng(0)
    n = np.arange(1.0, 5_001)
    missed = 0
    for _ in range(100):
        means = np.cumsum(random.normal(size=5_000)) / n
        missed += bool((np.abs(means) > 1.96 / np.sqrt(n))[100:].any())
    assert missed > 30


@pytest.mark.parametrize("tuned_to", [100, 500, 5_000])
def test_at_ten_times_the_rows_it_was_tuned_to_it_is_at_most_1_6_times_as_wide(tuned_to: int) -> None:
    rows = 10 * tuned_to
    found = critical_value(rows, rows - 1, alpha=ALPHA, tuned_to=tuned_to)
    assert 1.5 < found / float(ndtri(0.975)) < 1.6
    assert critical_value(100 * tuned_to, 100 * tuned_to - 1, alpha=ALPHA, tuned_to=tuned_to) < 1.75 * 1.96


def test_the_critical_value_becomes_that_of_the_asymptotic_sequence() -> None:
    """Waudby-Smith et al. 2024, theorem 2.2, with ρ² = 1/k."""
    n, k = 10**7, 4 * 500 / (2 * math.log(20) + math.log(1 + 2 * math.log(20)))
    said = math.sqrt((n / k + 1) / (n / k) * 2 * math.log(math.sqrt(n / k + 1) / ALPHA))
    assert critical_value(n, n - 1, alpha=ALPHA, tuned_to=500) == pytest.approx(said, rel=1e-4)


def test_rows_that_are_all_alike_say_nothing_where_no_range_is_known() -> None:
    for rows in (np.zeros(0), np.zeros(1), np.zeros(100_000), np.full(5_000, 0.1)):
        assert mean_sequence(moments_of(rows), alpha=ALPHA, tuned_to=500) == NOTHING_KNOWN
    almost = np.zeros(5_000)
    almost[0] = 1e-9
    assert mean_sequence(moments_of(almost), alpha=ALPHA, tuned_to=500) == NOTHING_KNOWN


def test_a_row_so_great_that_its_square_is_infinite_says_nothing() -> None:
    rows = np.append(np.random.default_rng(0).normal(size=1_000), 1e200)
    assert mean_sequence(moments_of(rows), alpha=ALPHA, tuned_to=500) == NOTHING_KNOWN


@given(
    st.floats(-1e3, 1e3),
    st.floats(1e-3, 1e3),
    st.integers(0, 2**32),
    st.sampled_from(["both", "low", "high"]),
)
def test_it_moves_and_grows_with_the_rows_and_each_side_is_within_both(
    shift: float, scale: float, seed: int, side: Side
) -> None:
    rows = np.random.default_rng(seed).normal(size=800)
    low, high = mean_sequence(moments_of(rows), alpha=ALPHA, tuned_to=200, side=side)
    moved = mean_sequence(moments_of(shift + scale * rows), alpha=ALPHA, tuned_to=200, side=side)
    assert moved == pytest.approx((shift + scale * low, shift + scale * high), rel=1e-6, abs=1e-6)
    both = mean_sequence(moments_of(rows), alpha=ALPHA, tuned_to=200)
    if side == "low":
        assert high == math.inf
        assert both[0] < low < rows.mean()
    if side == "high":
        assert low == -math.inf
        assert rows.mean() < high < both[1]


def test_moments_that_were_merged_say_the_same() -> None:
    rows = np.random.default_rng(0).normal(size=3_000)
    parts = moments_of(rows[:100])
    parts.merge(Moments.from_dict(moments_of(rows[100:]).to_dict()))
    whole = mean_sequence(moments_of(rows), alpha=ALPHA, tuned_to=500)
    assert mean_sequence(parts, alpha=ALPHA, tuned_to=500) == pytest.approx(whole)


@pytest.mark.parametrize(("alpha", "tuned_to"), [(0.0, 10), (1.0, 10), (0.05, 0), (math.nan, 10)])
def test_what_makes_no_sense_is_refused(alpha: float, tuned_to: int) -> None:
    with pytest.raises(ValueError):
        mean_sequence(moments_of(np.arange(100.0)), alpha=alpha, tuned_to=tuned_to)
    with pytest.raises(ValueError):
        difference_sequence(
            moments_of(np.arange(100.0)), moments_of(np.arange(100.0)), alpha=alpha, tuned_to=tuned_to
        )


@pytest.mark.parametrize("paces", [(0.5, 0.5), (0.05, 0.95), (0.05, 0.5)], ids=["even", "canary", "growing"])
def test_the_difference_of_two_groups_that_grow_at_any_pace_is_missed_no_more_often(
    paces: tuple[float, float],
) -> None:
    """In the third the canary's share grows in the middle, as from step to step of a rollout."""
    random = np.random.default_rng(0)
    looks = np.unique(np.geomspace(100, ROWS, 60).astype(int))
    missed = 0
    for _ in range(100):
        share = np.full(ROWS, paces[0])
        share[ROWS // 4 :] = paces[0] if sum(paces) == 1 else paces[1]
        is_first = random.random(ROWS) < share
        rows = np.where(is_first, random.normal(1, 3, ROWS), random.normal(0.5, 1, ROWS))
        for look in looks:
            first, second = rows[:look][is_first[:look]], rows[:look][~is_first[:look]]
            low, high = difference_sequence(moments_of(first), moments_of(second), alpha=ALPHA, tuned_to=100)
            if not low <= 0.5 <= high:
                missed += 1
                break
    assert missed <= most(100)


def test_two_groups_of_which_one_was_not_seen_to_vary_say_nothing() -> None:
    varied = moments_of(np.random.default_rng(0).normal(size=10_000))
    for other in (Moments(), moments_of(np.zeros(5_000))):
        assert difference_sequence(varied, other, alpha=ALPHA, tuned_to=100) == NOTHING_KNOWN
        assert difference_sequence(other, varied, alpha=ALPHA, tuned_to=100) == NOTHING_KNOWN


def test_the_difference_of_equal_groups_is_as_wide_as_half_of_the_rows_make_it() -> None:
    rows = np.random.default_rng(0).normal(size=4_000)
    low, high = difference_sequence(moments_of(rows), moments_of(rows), alpha=ALPHA, tuned_to=500)
    error = rows.std(ddof=1) * math.sqrt(2 / 4_000)
    assert high == -low
    assert high / error == pytest.approx(critical_value(2_000, 7_998, alpha=ALPHA, tuned_to=500))


def test_a_group_with_a_range_and_one_without_do_not_go_together() -> None:
    ranged = BoundedMoments(0, 1)
    ranged.add(np.full(10, 0.5))
    with pytest.raises(TypeError, match="range"):
        difference_sequence(ranged, moments_of(np.arange(1_000.0)), alpha=ALPHA, tuned_to=100)
