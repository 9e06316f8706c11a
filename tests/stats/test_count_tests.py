import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from mainspring.stats.count_tests import (
    chi_squared,
    chi_squared_fit,
    compare_shares,
    fisher_exact,
    g_test,
    g_test_fit,
    pool_rare,
)

calm = settings(deadline=None, max_examples=80)


@st.composite
def two_counts(draw, least=0):
    k = draw(st.integers(2, 8))
    return tuple(
        np.array(draw(st.lists(st.integers(least, 60), min_size=k, max_size=k).filter(any)), dtype=np.float64)
        for _ in range(2)
    )


@calm
@given(two_counts(least=1))
def test_fits_are_scipys(counts):
    reference, current = counts
    expected = reference / reference.sum() * current.sum()
    assert chi_squared_fit(*counts) == pytest.approx(tuple(stats.chisquare(current, expected)), abs=1e-12)
    statistic, p_value = stats.power_divergence(current, expected, lambda_="log-likelihood")
    if statistic > 0:  # rounding takes SciPy's below, and has no p-value there
        assert g_test_fit(*counts) == pytest.approx((statistic, p_value), abs=1e-9)
    else:
        assert g_test_fit(*counts) == (0.0, 1.0)


@calm
@given(two_counts())
def test_two_samples_are_scipys(counts):
    kept = counts[0] + counts[1] > 0
    assume(kept.sum() > 1)
    table = np.stack(counts)[:, kept]
    assert chi_squared(*counts) == pytest.approx(
        tuple(stats.chi2_contingency(table, correction=False))[:2], abs=1e-12
    )
    found = tuple(stats.chi2_contingency(table, correction=False, lambda_="log-likelihood"))[:2]
    assert g_test(*counts) == pytest.approx(found, abs=1e-9)


def test_a_value_that_the_reference_does_not_have_does_not_fit_it():
    for test in (chi_squared_fit, g_test_fit):
        assert test(np.array([5.0, 0.0]), np.array([5.0, 1.0])) == (float("inf"), 0.0)
    assert chi_squared(np.array([7.0, 0.0]), np.array([5.0, 0.0])) == (0.0, 1.0)


@calm
@given(*[st.integers(0, 40)] * 4)
def test_fishers_test_is_scipys(a, b, c, d):
    assert fisher_exact((a, b), (c, d)) == pytest.approx(stats.fisher_exact([[a, b], [c, d]]).pvalue, rel=1e-6)


@calm
@given(st.integers(0, 4_000), st.integers(1, 4_000), st.integers(0, 4_000), st.integers(1, 4_000))
def test_shares_are_compared_by_fishers_test_until_pearsons_holds_far_out(a, n, c, m):
    assume(a <= n and c <= m)
    table = np.array([[a, n - a], [c, m - c]])
    p = compare_shares(a, n, c, m)
    if not table.sum(axis=0).all():
        assert p == 1
    elif stats.contingency.expected_freq(table).min() < 1_000:
        assert p == pytest.approx(stats.fisher_exact(table).pvalue, rel=1e-6, abs=1e-300)
    else:
        assert p == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue)


def test_no_rows_differ_from_nothing():
    assert compare_shares(0, 0, 5, 10) == compare_shares(3, 10, 0, 0) == 1.0


@calm
@given(two_counts())
def test_pooling_keeps_all_rows_and_leaves_no_rare_category_but_where_few_are_left(counts):
    pooled = pool_rare(*counts)
    assert pooled[0].sum() == counts[0].sum()
    assert pooled[1].sum() == counts[1].sum()
    expected = np.outer([one.sum() for one in pooled], pooled[0] + pooled[1]) / (pooled[0] + pooled[1]).sum()
    assert pooled[0].size <= 2 or expected.min() >= 5


@pytest.mark.parametrize("rows", [300, 5_000])
def test_pooled_counts_of_a_long_tail_are_rarely_called_different(rows):
    random = np.random.default_rng(0)
    law = 1 / np.arange(1, 400) ** 1.3
    law /= law.sum()
    p_values = []
    for _ in range(3_000):
        counts = pool_rare(
            random.multinomial(20_000, law).astype(float), random.multinomial(rows, law).astype(float)
        )
        p_values.append(chi_squared(*counts).p_value)
    for alpha, most in ((0.05, 210), (0.001, 12)):  # 150 and 3 expected; five standard deviations more
        assert sum(p < alpha for p in p_values) <= most
