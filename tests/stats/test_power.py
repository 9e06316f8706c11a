"""Sample sizes against figures that others have published, and against simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.stats.moments import Moments
from mainspring.stats.power import Means, Plan, Shares, least_effect, power_of, rows_needed
from mainspring.stats.sequential import difference_sequence

calm = settings(deadline=None, max_examples=40)


@pytest.mark.parametrize(
    ("of", "effect", "plan", "each"),
    [
        # R: power.t.test(power = .90, delta = 1) and the example of statsmodels' TTestIndPower
        (Means(sd=1), 1.0, Plan(power=0.9), 22.02110),
        (Means(sd=1), 0.5, Plan(power=0.8), 63.76561),
        (Means(sd=10, mean=7), -2.0, Plan(power=0.8), 393.40570),
        # R: power.prop.test(p1 = .50, p2 = .75, power = .90) and power = .80
        (Shares(share=0.5), 0.25, Plan(power=0.9), 76.7069),
        (Shares(share=0.5), 0.25, Plan(power=0.8), 57.67344),
    ],
)
def test_published_sizes_of_two_equal_groups(of: Means | Shares, effect: float, plan: Plan, each: float) -> None:
    assert rows_needed(of, effect, plan) / 2 == pytest.approx(each, rel=1e-4)


def test_a_published_power() -> None:
    """R: power.prop.test(n = 50, p1 = .50, p2 = .75), power.t.test(n = 20, delta = 1)."""
    assert power_of(Shares(share=0.5), 0.25, 100, Plan()) == pytest.approx(0.740, abs=5e-4)
    assert power_of(Means(sd=1), 1.0, 40, Plan()) == pytest.approx(0.8689528, abs=1e-6)


def test_of_large_groups_it_is_the_closed_form() -> None:
    """(z + z)²·(σ²/π₁ + σ²/π₂)/δ², as in any textbook."""
    found = rows_needed(Means(sd=2), 0.01, Plan(shares=(0.9, 0.1)))
    assert found == pytest.approx((1.959964 + 0.841621) ** 2 * 4 * (1 / 0.9 + 1 / 0.1) / 1e-4, rel=1e-4)


def test_more_groups_share_alpha() -> None:
    three = rows_needed(Shares(share=0.1), 0.02, Plan(shares=(1 / 3, 1 / 3, 1 / 3)))
    two = rows_needed(Shares(share=0.1), 0.02, Plan(alpha=0.025))
    assert three / 3 == pytest.approx(two / 2, rel=1e-6)


def test_looking_always_needs_about_twice_the_rows() -> None:
    for of, effect in ((Shares(share=0.05), 0.01), (Means(sd=1), 0.05)):
        once, always = (rows_needed(of, effect, Plan(is_fixed=fixed)) for fixed in (True, False))
        assert 1.7 < always / once < 2.3


def test_of_tests_that_are_looked_at_always_as_many_find_the_effect_as_was_said() -> None:
    plan = Plan(is_fixed=False, tuned_to=100)
    each = math.ceil(rows_needed(Means(sd=1), 0.2, plan) / 2)
    random = np.random.default_rng(0)
    found = 0
    for _ in range(400):
        groups = []
        for mean in (0.2, 0.0):
            moments = Moments()
            moments.add(random.normal(mean, 1, each))
            groups.append(moments)
        found += difference_sequence(groups[0], groups[1], alpha=0.05, tuned_to=100)[0] > 0
    assert 0.74 < found / 400 < 0.86


@calm
@given(
    st.sampled_from([Means(sd=3.0), Shares(share=0.1)]),
    st.floats(0.02, 0.5),
    st.booleans(),
    st.sampled_from([(0.5, 0.5), (0.8, 0.2), (0.4, 0.3, 0.3)]),
)
def test_the_least_effect_turns_the_size_back(
    of: Means | Shares, effect: float, is_fixed: bool, shares: tuple[float, ...]
) -> None:
    plan = Plan(is_fixed=is_fixed, shares=shares)
    rows = rows_needed(of, effect, plan)
    assert least_effect(of, rows, plan) == pytest.approx(effect, rel=1e-4)
    assert power_of(of, effect, rows, plan) == pytest.approx(plan.power, rel=1e-4)


def test_what_no_test_can_find_is_infinite() -> None:
    assert rows_needed(Means(sd=1e9), 1e-6, Plan()) == math.inf
    assert least_effect(Shares(share=0.99), 20, Plan()) == math.inf
    assert power_of(Means(sd=1), 1.0, 2, Plan()) == 0


@pytest.mark.parametrize("effect", [0.0, math.nan, math.inf])
def test_no_effect_is_refused(effect: float) -> None:
    with pytest.raises(ValueError, match="none to be found"):
        rows_needed(Means(sd=1), effect, Plan())


def test_shares_beyond_the_ends_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        rows_needed(Shares(share=0.9), 0.2, Plan())


@pytest.mark.parametrize(
    "given_plan",
    [
        {"alpha": 0.0},
        {"power": 1.0},
        {"alpha": 0.9},
        {"shares": (1.0,)},
        {"shares": (0.6, 0.6)},
        {"shares": (1, 0)},
    ],
)
def test_a_plan_that_makes_no_test_is_refused(given_plan: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Plan(**given_plan)  # type: ignore[arg-type]
