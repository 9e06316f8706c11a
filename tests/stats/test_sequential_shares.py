"""Intervals of shares at all looks: for what is common, what is rare, and what was never seen."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import bdtr

from mainspring.stats.proportions import difference_interval
from mainspring.stats.sequential import Side
from mainspring.stats.sequential_shares import log_fortune, share_difference_sequence, share_sequence

ALPHA = 0.05
ROWS = 10_000
SIDES: tuple[Side, ...] = ("both", "low", "high")
calm = settings(deadline=None, max_examples=80)
counts = st.integers(1, 5_000).flatmap(lambda rows: st.tuples(st.integers(0, rows), st.just(rows)))


def most(replications: int) -> int:
    """More misses than these, a sequence that misses with a chance of alpha has one time in a thousand."""
    return next(k for k in range(replications) if bdtr(k, replications, ALPHA) > 0.999)


def misses(share: float, side: Side, *, replications: int, seed: int) -> int:
    """In how many of the replications the share is refuted at any row, from the first on."""
    random = np.random.default_rng(seed)
    n, at = np.arange(1.0, ROWS + 1), np.array([share])
    found = 0
    for _ in range(replications):
        hits = np.cumsum(random.random(ROWS) < share).astype(np.float64)
        fortune = log_fortune(hits, n, at, alpha=ALPHA, tuned_to=500, side=side)
        found += bool((fortune >= math.log(1 / ALPHA)).any())
    return found


@pytest.mark.parametrize("share", [0.001, 0.02, 0.5])
@pytest.mark.parametrize("side", SIDES)
def test_looking_at_every_row_misses_no_more_often_than_was_said(share: float, side: Side) -> None:
    assert misses(share, side, replications=40, seed=0) <= most(40)


@pytest.mark.soak
@pytest.mark.parametrize("share", [0.001, 0.02, 0.5])
@pytest.mark.parametrize("side", SIDES)
def test_looking_at_every_row_misses_no_more_often_than_was_said_in_thousands(share: float, side: Side) -> None:
    assert misses(share, side, replications=1_000, seed=1) <= most(1_000)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_at_ten_times_the_rows_it_was_tuned_to_it_is_at_most_1_6_times_as_wide(share: float) -> None:
    rows = 5_000
    low, high = share_sequence(rows * share, rows, alpha=ALPHA, tuned_to=500)
    assert 1.5 < (high - low) / (2 * 1.96 * math.sqrt(share * (1 - share) / rows)) < 1.6


@pytest.mark.parametrize("rows", [1, 500, 10_000, 1_000_000])
def test_what_was_never_seen_may_still_be(rows: int) -> None:
    low, high = share_sequence(0, rows, alpha=ALPHA, tuned_to=500)
    assert low == 0
    assert high > min(math.log(1 / ALPHA) / rows, 0.9)
    assert high < 12 / rows or rows == 1
    assert share_sequence(rows, rows, alpha=ALPHA, tuned_to=500) == pytest.approx((1 - high, 1))


def test_a_few_failures_of_what_hardly_ever_fails_are_enough() -> None:
    """Five in two hundred, where one in a thousand is allowed."""
    low, _ = share_sequence(5, 200, alpha=ALPHA, tuned_to=500, side="low")
    assert low > 0.001


def test_no_rows_say_nothing_and_what_is_no_share_is_refused() -> None:
    assert share_sequence(0, 0, alpha=ALPHA, tuned_to=500) == (0, 1)
    for hits, rows in ((3, 2), (-1, 2)):
        with pytest.raises(ValueError, match="no share"):
            share_sequence(hits, rows, alpha=ALPHA, tuned_to=500)


@calm
@given(counts, st.sampled_from(SIDES))
def test_what_lies_beyond_a_refuted_share_is_refuted_too(given_counts: tuple[int, int], side: Side) -> None:
    hits, rows = given_counts
    seen = hits / rows
    at = np.array([float(hits)]), np.array([float(rows)])
    for end, of in ((0.0, "low"), (1.0, "high")):
        if side not in ("both", of):
            continue
        tried = np.linspace(end, seen, 302)[1:-1]
        tried = tried[(tried > 0) & (tried < 1)]
        refuted = log_fortune(*at, tried, alpha=ALPHA, tuned_to=500, side=side) >= math.log(1 / ALPHA)
        assert (np.diff(refuted[1:].astype(int)) <= 0).all()


@calm
@given(counts)
def test_it_holds_the_share_turns_with_it_and_a_single_side_is_narrower(given_counts: tuple[int, int]) -> None:
    hits, rows = given_counts
    low, high = share_sequence(hits, rows, alpha=ALPHA, tuned_to=500)
    assert 0 <= low <= hits / rows <= high <= 1
    turned = share_sequence(rows - hits, rows, alpha=ALPHA, tuned_to=500)
    assert turned == pytest.approx((1 - high, 1 - low), abs=1e-7)
    assert share_sequence(hits, rows, alpha=ALPHA, tuned_to=500, side="low")[0] >= low - 1e-7
    assert share_sequence(hits, rows, alpha=ALPHA, tuned_to=500, side="high")[1] <= high + 1e-7


@calm
@given(counts, counts)
def test_the_difference_turns_with_its_sign_and_is_wider_than_for_one_look(
    first: tuple[int, int], second: tuple[int, int]
) -> None:
    low, high = share_difference_sequence(first, second, alpha=ALPHA, tuned_to=500)
    assert -1 <= low <= first[0] / first[1] - second[0] / second[1] <= high <= 1
    turned = share_difference_sequence(second, first, alpha=ALPHA, tuned_to=500)
    assert turned == pytest.approx((-high, -low), abs=1e-7)
    once = difference_interval(first, second)
    assert high - low > 0.95 * (once[1] - once[0]), "of no hit at all the exact interval is as narrow as Wilson's"


@pytest.mark.parametrize("share", [0.005, 0.1])
@pytest.mark.parametrize("pace", [1, 10])
def test_a_difference_that_is_none_is_claimed_no_more_often_than_was_said(share: float, pace: int) -> None:
    random = np.random.default_rng(0)
    claimed = 0
    for _ in range(50):
        one, other = (np.cumsum(random.random(size) < share) for size in (4_000, pace * 4_000))
        for look in np.unique(np.geomspace(100, 4_000, 20).astype(int)):
            low, high = share_difference_sequence(
                (one[look - 1], look), (other[pace * look - 1], pace * look), alpha=ALPHA, tuned_to=100
            )
            if not low <= 0 <= high:
                claimed += 1
                break
    assert claimed <= most(50)
