"""Intervals of rows of a known range: they hold for what was not seen yet, and are not much wider for it."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import bdtr

from mainspring.stats.bounded_moments import BoundedMoments
from mainspring.stats.moments import Moments
from mainspring.stats.sequential import difference_sequence, mean_sequence
from mainspring.stats.sequential_bounded import log_fortune

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]
ALPHA = 0.05
ROWS = 10_000

DRAWS: dict[str, tuple[Draw, float, tuple[float, float]]] = {
    "differences of Brier scores": (lambda r, n: np.clip(r.normal(0, 0.1, n), -1, 1), 0.0, (-1, 1)),
    "differences of errors": (lambda r, n: r.choice([-1.0, 0.0, 1.0], p=[0.02, 0.96, 0.02], size=n), 0.0, (-1, 1)),
    "one in a thousand": (lambda r, n: (r.random(n) < 0.001) * 1.0, 0.001, (0, 1)),
    "all alike": (lambda r, n: np.zeros(n), 0.0, (-1, 1)),
    "a little better, and seldom much worse": (
        lambda r, n: np.where(r.random(n) < 0.005, -3.0, 0.015) + r.normal(0, 0.01, n),
        0.995 * 0.015 - 0.005 * 3,
        (-4.6, 4.6),
    ),
    "at either end": (lambda r, n: r.choice([0.0, 1.0], size=n), 0.5, (0, 1)),
}


def ranged(rows: Floats, bounds: tuple[float, float] = (-1, 1)) -> BoundedMoments:
    moments = BoundedMoments(*bounds)
    moments.add(rows)
    return moments


def most(replications: int) -> int:
    """More misses than these, a sequence that misses with a chance of alpha has one time in a thousand."""
    return next(k for k in range(replications) if bdtr(k, replications, ALPHA) > 0.999)


def misses(draw: Draw, truth: float, bounds: tuple[float, float], *, replications: int, seed: int) -> int:
    """In how many of the replications the truth is refuted at any row, from the first on."""
    random = np.random.default_rng(seed)
    middle, half = sum(bounds) / 2, (bounds[1] - bounds[0]) / 2
    at = np.array([(truth - middle) / half])
    n = np.arange(1.0, ROWS + 1)
    found = 0
    for _ in range(replications):
        units = (draw(random, ROWS) - middle) / half
        first, second, third, fourth = (np.cumsum(units**power) for power in (1, 2, 3, 4))
        mean = first / n
        cubes = third - 3 * mean * second + 2 * mean**2 * first
        fourths = fourth - 4 * mean * third + 6 * mean**2 * second - 3 * mean**3 * first
        above = np.stack([n, 0 * n, second - mean * first, cubes, fourths])
        below = above * (-1.0) ** np.arange(5)[:, None]
        fortune = np.maximum(
            log_fortune(mean, above, at, alpha=ALPHA / 2, tuned_to=500),
            log_fortune(-mean, below, -at, alpha=ALPHA / 2, tuned_to=500),
        )
        found += bool((fortune >= math.log(2 / ALPHA)).any())
    return found


@pytest.mark.parametrize("name", DRAWS)
def test_looking_at_every_row_misses_no_more_often_than_was_said(name: str) -> None:
    draw, truth, bounds = DRAWS[name]
    assert misses(draw, truth, bounds, replications=25, seed=0) <= most(25)


@pytest.mark.soak
@pytest.mark.parametrize("name", DRAWS)
def test_looking_at_every_row_misses_no_more_often_than_was_said_in_hundreds(name: str) -> None:
    draw, truth, bounds = DRAWS[name]
    assert misses(draw, truth, bounds, replications=500, seed=1) <= ALPHA * 500, "it is proved, not only expected"


def test_what_is_simulated_is_what_the_interval_says() -> None:
    """At its ends the bet has just been won."""
    rows = np.clip(np.random.default_rng(0).normal(0.02, 0.2, 3_000), -1, 1)
    moments = ranged(rows)
    low, high = mean_sequence(moments, alpha=ALPHA, tuned_to=500)
    mean, central = np.array([moments.mean]), moments.central()[:, None]
    turned = central * (-1.0) ** np.arange(5)[:, None]
    for fortune in (
        log_fortune(mean, central, np.array([low]), alpha=ALPHA / 2, tuned_to=500),
        log_fortune(-mean, turned, np.array([-high]), alpha=ALPHA / 2, tuned_to=500),
    ):
        assert fortune == pytest.approx(math.log(2 / ALPHA), abs=1e-5)


def test_the_bet_never_grows_on_average_at_a_mean_that_is_true() -> None:
    """The proof for a single row: of any two values about the mean the bets come to 1 at most."""
    for mean in (-0.9, -0.3, 0.0, 0.5, 0.95):
        for low in np.linspace(-1, mean, 9):
            for high in np.linspace(mean, 1, 9)[1:]:
                chance = (mean - low) / (high - low)
                total = 0.0
                for value, share in ((low, 1 - chance), (high, chance)):
                    central = np.array([1.0, 0, 0, 0, 0])[:, None]
                    one = log_fortune(np.array([value]), central, np.array([mean]), alpha=ALPHA, tuned_to=500)
                    total += share * math.exp(float(one[0]))
                assert total <= 1 + 1e-12


@pytest.mark.parametrize("sd", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("tuned_to", [500, 2_000])
def test_at_ten_times_the_rows_it_was_tuned_to_it_is_hardly_wider_than_without_the_range(
    sd: float, tuned_to: int
) -> None:
    rows = np.clip(np.random.default_rng(0).normal(0, sd, 10 * tuned_to), -1, 1)
    low, high = mean_sequence(ranged(rows), alpha=ALPHA, tuned_to=tuned_to)
    assert 1.5 < (high - low) / 2 / (1.96 * sd / math.sqrt(10 * tuned_to)) < 1.75


def test_higher_powers_make_it_narrower_than_mean_and_variance_alone() -> None:
    rows = np.clip(np.random.default_rng(0).normal(0, 0.1, 2_000), -1, 1)
    plain = Moments()
    plain.add(rows)
    low, high = mean_sequence(ranged(rows), alpha=ALPHA, tuned_to=500)
    wider = mean_sequence(plain, alpha=ALPHA, tuned_to=500, bounds=(-1, 1))
    assert wider[0] < low < rows.mean() < high < wider[1]
    assert high - low < 0.85 * (wider[1] - wider[0])


@pytest.mark.parametrize("rows", [1, 100, 10_000, 1_000_000])
def test_rows_that_are_all_alike_leave_room_for_what_may_come(rows: int) -> None:
    low, high = mean_sequence(ranged(np.zeros(rows)), alpha=ALPHA, tuned_to=500)
    assert low == pytest.approx(-high)
    # Were a row 1 with a chance of x, none of n would be with one of (1 − x)^n: alpha/2 at log(2/alpha)/n
    assert high > min(math.log(2 / ALPHA) / rows, 0.99)
    assert high < 20 / rows or rows == 1


def test_no_rows_say_nothing_but_the_range() -> None:
    assert mean_sequence(BoundedMoments(-2, 3), alpha=ALPHA, tuned_to=500) == (-2, 3)
    assert mean_sequence(ranged(np.full(5, -1.0)), alpha=ALPHA, tuned_to=500)[0] == -1


calm = settings(deadline=None, max_examples=60)
some_rows = st.tuples(st.integers(0, 2**32), st.integers(2, 3_000), st.floats(0.1, 20), st.floats(0.1, 20))


@calm
@given(some_rows)
def test_what_lies_beyond_a_refuted_mean_is_refuted_too(given_rows: tuple[int, int, float, float]) -> None:
    """Else what the interval leaves out might hold a mean that no bet has refuted."""
    seed, count, a, b = given_rows
    moments = ranged(np.random.default_rng(seed).beta(a, b, count) * 2 - 1)
    tried = np.linspace(-1, moments.mean, 402)[1:-1]
    fortune = log_fortune(np.array([moments.mean]), moments.central()[:, None], tried, alpha=ALPHA, tuned_to=500)
    refuted = fortune >= math.log(1 / ALPHA)
    assert (np.diff(refuted.astype(int)) <= 0).all()


@calm
@given(some_rows, st.floats(-50, 50), st.floats(0.01, 100))
def test_the_interval_holds_the_mean_is_in_the_range_and_turns_and_moves_with_it(
    given_rows: tuple[int, int, float, float], shift: float, scale: float
) -> None:
    seed, count, a, b = given_rows
    rows = np.random.default_rng(seed).beta(a, b, count) * 2 - 1
    low, high = mean_sequence(ranged(rows), alpha=ALPHA, tuned_to=500)
    assert -1 <= low <= rows.mean() <= high <= 1
    assert mean_sequence(ranged(-rows), alpha=ALPHA, tuned_to=500) == pytest.approx((-high, -low), abs=1e-6)
    moved = ranged(shift + scale * rows, (shift - scale, shift + scale))
    ends = mean_sequence(moved, alpha=ALPHA, tuned_to=500)
    assert ends == pytest.approx((shift + scale * low, shift + scale * high), abs=1e-5 * (1 + scale))


def test_a_row_outside_the_bounds_is_refused() -> None:
    plain = Moments()
    plain.add(np.array([0.0, 2.0]))
    with pytest.raises(ValueError, match="not within"):
        mean_sequence(plain, alpha=ALPHA, tuned_to=500, bounds=(-1, 1))


def test_the_difference_of_two_groups_is_missed_no_more_often_than_was_said() -> None:
    random = np.random.default_rng(0)
    missed = 0
    for _ in range(40):
        first, second = random.beta(1, 20, 2_000), random.beta(1, 20, 20_000)
        for look in (100, 300, 1_000, 2_000):
            low, high = difference_sequence(
                ranged(first[:look], (0, 1)), ranged(second[: 10 * look], (0, 1)), alpha=ALPHA, tuned_to=100
            )
            if not low <= 0 <= high:
                missed += 1
                break
    assert missed <= most(40)


def test_against_a_group_without_rows_all_is_possible() -> None:
    low, high = difference_sequence(
        ranged(np.full(10_000, 0.2), (0, 1)), BoundedMoments(0, 1), alpha=ALPHA, tuned_to=100
    )
    assert low == pytest.approx(-0.8, abs=1e-3)
    assert high == pytest.approx(0.2, abs=1e-3)
