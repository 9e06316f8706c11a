"""Groups of the wrong size are seen, and groups of the right size are not accused, however often one looks."""

import numpy as np
import pytest
from scipy import stats

from mainspring.stats.sample_ratio import sample_ratio


@pytest.mark.parametrize(
    ("counts", "shares"), [([480, 520], [0.5, 0.5]), ([100, 220, 310], [1, 2, 3]), ([5, 0], [0.9, 0.1])]
)
def test_for_one_look_it_is_scipys_chi_squared_test(counts: list[int], shares: list[float]) -> None:
    expected = np.array(shares) / sum(shares) * sum(counts)
    assert sample_ratio(counts, shares).fixed_p_value == pytest.approx(stats.chisquare(counts, expected).pvalue)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.05, 0.95), (0.25, 0.25, 0.5)])
def test_right_groups_are_accused_at_any_look_no_more_often_than_was_said(shares: tuple[float, ...]) -> None:
    random = np.random.default_rng(0)
    accused = 0
    for _ in range(100):
        totals = np.cumsum(random.multinomial(100, shares, size=100), axis=0)
        accused += any(sample_ratio(counts.tolist(), shares).p_value < 0.05 for counts in totals)
    assert accused <= 12, "5 are expected at most"


def test_a_group_that_loses_one_row_in_fifty_is_found_and_named() -> None:
    random = np.random.default_rng(0)
    kept = random.binomial(100_000, 0.98)
    found = sample_ratio([100_000, kept, 100_200], [1, 1, 1])
    assert found.p_value < 0.001
    assert found.worst == 1
    assert found.excess == pytest.approx(-0.0135, abs=0.003)


def test_the_order_and_the_scale_of_the_groups_do_not_matter() -> None:
    one = sample_ratio([300, 500, 250], [0.3, 0.5, 0.2])
    other = sample_ratio([250, 300, 500], [2, 3, 5])
    assert one.p_value == pytest.approx(other.p_value)
    assert (one.worst, other.worst) == (2, 0)


def test_no_rows_prove_nothing() -> None:
    assert sample_ratio([0, 0], [1, 1]).p_value == 1


@pytest.mark.parametrize(("counts", "shares"), [([1], [1]), ([1, -1], [1, 1]), ([1, 1], [1, 0]), ([1, 1], [1])])
def test_what_cannot_be_compared_is_refused(counts: list[int], shares: list[float]) -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        sample_ratio(counts, shares)
