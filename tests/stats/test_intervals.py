import time

import numpy as np
import pytest

from mainspring.stats.intervals import (
    bootstrap,
    bootstrap_indices,
    bootstrap_means,
    bootstrap_statistics,
    paired_bootstrap,
    percentile_interval,
    resample_weights,
)


def test_the_interval_of_a_mean_is_that_of_theory():
    x = np.random.default_rng(1).normal(10, 2, size=4000)
    low, high = bootstrap(lambda w: float(w @ x) / x.size, x.size, seed=0, resamples=1000)
    half = 1.96 * x.std() / np.sqrt(x.size)
    assert low == pytest.approx(x.mean() - half, abs=half / 6)
    assert high == pytest.approx(x.mean() + half, abs=half / 6)


def test_the_interval_covers_the_truth_as_often_as_stated():
    random = np.random.default_rng(5)
    hits = 0
    for trial in range(200):
        x = random.exponential(size=300)
        low, high = bootstrap(lambda w, x=x: float(w @ x) / 300, 300, seed=trial, resamples=300, confidence=0.9)
        hits += low <= 1.0 <= high
    assert 165 <= hits <= 195  # 180 ± 3.5 standard deviations


def test_indices_weights_and_means_see_the_same_resamples():
    x = np.random.default_rng(2).normal(size=700)
    by_weights = bootstrap(lambda w: float(w @ x) / 700, 700, seed=9)
    by_indices = bootstrap_indices(lambda i: float(x[i].mean()), 700, seed=9)
    low, high = bootstrap_means(np.column_stack([x, 2 * x]), seed=9)
    assert by_indices == pytest.approx(by_weights, abs=1e-12)
    assert (low[0], high[0]) == pytest.approx(by_weights, abs=1e-12)
    assert (low[1], high[1]) == pytest.approx(tuple(2 * b for b in by_weights), abs=1e-12)


def test_the_same_seed_gives_the_same_interval_and_another_a_different_one():
    x = np.random.default_rng(2).normal(size=100)
    intervals = [bootstrap(lambda w: float(w @ x) / 100, 100, seed=seed) for seed in (3, 3, 4)]
    assert intervals[0] == intervals[1] != intervals[2]


def test_a_paired_difference_is_known_better_than_either():
    random = np.random.default_rng(3)
    shared = random.normal(size=2000)
    first, second = shared + 0.05 + random.normal(0, 0.1, 2000), shared
    low, high = paired_bootstrap(lambda w: float(w @ first), lambda w: float(w @ second), 2000, seed=0)
    alone = bootstrap(lambda w: float(w @ first), 2000, seed=0)
    assert low > 0
    assert (high - low) * 5 < alone[1] - alone[0]


def test_undefined_resamples_are_left_out_until_they_are_too_many():
    values = np.arange(100.0)
    values[:10] = np.nan
    assert percentile_interval(values, 0.9) == pytest.approx((14.45, 94.55))
    values[10] = np.nan
    assert all(np.isnan(percentile_interval(values, 0.9)))
    assert all(np.isnan(percentile_interval(np.array([]), 0.9)))


def test_no_rows_give_no_interval():
    assert all(np.isnan(bootstrap(lambda w: 1.0, 0, seed=0)))
    assert all(np.isnan(bootstrap_indices(lambda i: 1.0, 0, seed=0)))
    low, high = bootstrap_means(np.empty((0, 2)), seed=0)
    assert np.isnan(low).all()
    assert np.isnan(high).all()


def test_several_statistics_share_the_resamples():
    seen = {"a": [], "b": []}

    def remember(name):
        def statistic(weights):
            seen[name].append(weights.copy())
            return 0.0

        return statistic

    bootstrap_statistics({name: remember(name) for name in seen}, 20, seed=1, resamples=5)
    assert np.array_equal(seen["a"], seen["b"])
    assert np.array_equal(seen["a"], list(resample_weights(20, 5, 1)))


def test_fifty_thousand_rows_are_resampled_in_seconds():
    x = np.random.default_rng(0).normal(size=50_000)
    start = time.perf_counter()
    bootstrap(lambda w: float(w @ x), x.size, seed=0, resamples=200)
    assert time.perf_counter() - start < 30
