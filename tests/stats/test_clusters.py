"""How much less rows tell that hang together."""

import numpy as np
import pytest

from mainspring.stats.clusters import BUCKETS, ClusterSums
from mainspring.stats.moments import Moments
from mainspring.stats.sequential import mean_sequence


def times_of(values: np.ndarray, clusters: np.ndarray, parts: int = 1) -> float:
    sums = ClusterSums()
    for one, other in zip(np.array_split(values, parts), np.array_split(clusters, parts), strict=True):
        sums.add(one, other)
    return sums.times()


def test_rows_that_are_copies_count_once() -> None:
    random = np.random.default_rng(0)
    values = np.repeat(random.normal(size=50_000), 7)
    clusters = np.repeat(random.integers(0, 2**60, 50_000), 7)
    assert times_of(values, clusters, parts=5) == pytest.approx(7, rel=0.1)


def test_rows_that_do_not_hang_together_count_whole() -> None:
    random = np.random.default_rng(0)
    clusters = random.integers(0, 2**60, 300_000)
    assert times_of(random.exponential(size=300_000), clusters) < 1.1
    # Users with many rows each, whose rows have nothing to do with one another
    assert times_of(random.exponential(size=300_000), clusters % 500) < 1.3


def test_rows_that_are_all_alike_none_or_of_one_cluster_have_no_effect() -> None:
    assert ClusterSums().times() == 1
    assert times_of(np.full(1_000, 0.1), np.arange(1_000)) == 1
    assert times_of(np.arange(10.0), np.full(10, 3)) == 1


def test_an_interval_that_heeds_it_holds_the_truth_and_one_that_does_not_misses_it() -> None:
    random = np.random.default_rng(0)
    missed = {"heeded": 0, "not": 0}
    for _ in range(100):
        users = random.integers(0, 500, 10_000)
        values = random.normal(size=500)[users] + random.normal(0, 0.2, 10_000)
        moments = Moments()
        moments.add(values)
        for name, times in (("heeded", times_of(values, users)), ("not", 1.0)):
            thinner = Moments.of(
                int(moments.count / times), moments.mean, moments.m2 / times, moments.minimum, moments.maximum
            )
            low, high = mean_sequence(thinner, alpha=0.05, tuned_to=200)
            missed[name] += not low <= 0 <= high
    assert missed["heeded"] <= 12
    assert missed["not"] > 25


def test_more_clusters_than_buckets_are_put_together() -> None:
    random = np.random.default_rng(0)
    clusters = np.repeat(np.arange(20 * BUCKETS), 3)
    values = np.repeat(random.normal(size=20 * BUCKETS), 3)
    assert times_of(values, clusters) == pytest.approx(3, rel=0.1)
