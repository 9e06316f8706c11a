import math
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from mainspring.stats.samples import Sample
from mainspring.stats.two_sample_tests import (
    anderson_darling,
    cramer_von_mises,
    epps_singleton,
    ks_p_value,
    ks_test,
    mann_whitney,
    t_test,
)

calm = settings(deadline=None, max_examples=60)
TESTS = [ks_test, t_test, mann_whitney, cramer_von_mises, anderson_darling, epps_singleton]


@st.composite
def two_samples(draw, ties=True):
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    n, m = draw(st.integers(5, 80)), draw(st.integers(5, 80))
    samples = random.normal(size=n), random.normal(draw(st.floats(0, 1)), 1.2, size=m)
    decimals = draw(st.sampled_from([0, 1, 9] if ties else [9]))
    return tuple(sample.round(decimals) for sample in samples)


@calm
@given(two_samples())
def test_ks_is_scipys_exact_test(samples):
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        expected = stats.ks_2samp(*samples, method="exact")
    assume(not warned)  # where SciPy's paths overflow it takes the limit law
    assert ks_test(*map(Sample.of, samples)) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)


def test_ks_of_many_rows_is_near_scipys_at_any_size_of_the_p_value():
    random = np.random.default_rng(0)
    for shift, n, m in ((0, 1_100, 5_000), (0.05, 5_000, 5_000), (0.2, 5_000, 20_000), (0.3, 50_000, 9_000)):
        first, second = random.normal(size=n), random.normal(shift, 1, size=m)
        expected = stats.ks_2samp(first, second, method="asymp")
        found = ks_test(Sample.of(first), Sample.of(second))
        assert found.statistic == pytest.approx(expected.statistic, abs=1e-12)
        assert math.log(found.p_value) == pytest.approx(math.log(expected.pvalue), rel=0.01, abs=0.03)


def test_the_exact_chance_of_ks_meets_the_limit_where_one_takes_over():
    for distance in (0.02, 0.05, 0.1):
        exact, limit = ks_p_value(distance, 1_000, 1_000), ks_p_value(distance, 1_001, 1_001)
        assert math.log(limit) == pytest.approx(math.log(exact), abs=0.15)
        assert limit >= 0.99 * exact  # not smaller: no alarm of the approximation's own


def test_ks_has_no_chance_below_zero_or_above_one():
    assert ks_p_value(0.0, 10, 10) == ks_p_value(0.0, 10_000, 10_000) == 1.0
    assert ks_p_value(1.0, 0, 10) == 1.0
    assert 0 < ks_p_value(1.0, 500, 500) < 1e-200
    assert ks_p_value(1.0, 1, 1) == 1.0


@calm
@given(two_samples())
def test_t_is_scipys(samples):
    pair = [Sample.of(sample) for sample in samples]
    if min(np.ptp(sample) for sample in samples) > 0:
        for equal in (False, True):
            expected = stats.ttest_ind(*samples, equal_var=equal)
            assert t_test(*pair, equal_variances=equal) == pytest.approx(tuple(expected), rel=1e-6, abs=1e-9)


def test_t_of_constants():
    level, other = Sample.of([2.0, 2.0, 2.0]), Sample.of([1.0, 1.0])
    assert t_test(level, level) == (0.0, 1.0)
    assert t_test(level, other) == (math.inf, 0.0)
    assert t_test(Sample.of([1.0]), other).p_value == 1.0


@calm
@given(two_samples())
def test_mann_whitney_is_scipys(samples):
    expected = stats.mannwhitneyu(*samples, method="asymptotic")
    assert mann_whitney(*map(Sample.of, samples)) == pytest.approx(tuple(expected), rel=1e-9)


@calm
@given(two_samples())
def test_cramer_von_mises_is_scipys(samples):
    expected = stats.cramervonmises_2samp(*samples, method="asymptotic")
    found = cramer_von_mises(*map(Sample.of, samples))
    assert found == pytest.approx((expected.statistic, expected.pvalue), rel=1e-6, abs=1e-6)


@calm
@given(two_samples(), two_samples())
@pytest.mark.filterwarnings("ignore:p-value:UserWarning")
def test_anderson_darling_is_scipys(samples, more):
    for group in (samples, (*samples, *more)):
        expected = stats.anderson_ksamp(group, variant="midrank")
        found = anderson_darling(*map(Sample.of, group))
        assert found == pytest.approx((expected.statistic, expected.pvalue), rel=1e-6)


@calm
@given(two_samples(ties=False))
def test_epps_singleton_is_scipys(samples):
    expected = stats.epps_singleton_2samp(*samples)
    assert epps_singleton(*map(Sample.of, samples)) == pytest.approx(tuple(expected), rel=1e-6)


@pytest.mark.parametrize("test", TESTS)
def test_a_weight_is_so_many_rows(test):
    random = np.random.default_rng(1)
    values, weights = np.sort(random.normal(size=30).round(1)), random.integers(1, 5, size=30).astype(float)
    other = Sample.of(random.normal(size=50).round(1))
    weighted, repeated = Sample(values, weights), Sample.of(np.repeat(values, weights.astype(int)))
    assert test(weighted, other) == pytest.approx(test(repeated, other), rel=1e-9)


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("values", [([1.0], [1.0]), ([1.0] * 9, [1.0] * 7), ([1.0], [2.0]), ([3.0] * 6, [4.0])])
def test_a_few_or_equal_values_are_no_error(test, values):
    found = test(*map(Sample.of, values))
    assert not math.isnan(found.statistic)
    assert 0 <= found.p_value <= 1


@pytest.mark.parametrize("test", TESTS)
def test_where_nothing_changed_small_p_values_are_as_rare_as_they_say(test):
    random = np.random.default_rng(7)
    p_values = [
        test(Sample.of(random.exponential(size=120)), Sample.of(random.exponential(size=90))).p_value
        for _ in range(1_000)
    ]
    assert 22 <= sum(p < 0.05 for p in p_values) <= 85  # 50 expected, more than four standard deviations each way
