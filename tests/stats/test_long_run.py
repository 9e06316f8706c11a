import json

import numpy as np
import pytest

from mainspring.stats.long_run import LongRunVariance


def taken_in(means):
    found = LongRunVariance()
    for mean in means:
        found.add(float(mean))
    return found


def test_independent_blocks_are_called_so_but_for_a_few():
    found = [taken_in(np.random.default_rng(seed).normal(size=1_500)).times(1.0) for seed in range(40)]
    assert sum(times == 1 for times in found) >= 36
    assert max(found) < 4


@pytest.mark.parametrize("memory", [0.5, 0.8, 0.95])
def test_blocks_that_remember_the_one_before_vary_as_theory_says(memory):
    """The variance of a mean of many: (1 + φ) / (1 − φ) times that of independent ones."""
    random = np.random.default_rng(1)
    steps = random.normal(size=60_000)
    values = np.empty_like(steps)
    value = 0.0
    for place, step in enumerate(steps):
        value = memory * value + step
        values[place] = value
    expected = (1 + memory) / (1 - memory)
    assert expected / 1.6 < taken_in(values).times(float(values.var())) < 2.5 * expected


def test_one_change_does_not_count_as_restlessness():
    random = np.random.default_rng(2)
    values = random.normal(size=2_000)
    values[1_000:] += 3
    assert taken_in(values).times(1.0) == 1


def test_too_few_blocks_or_no_variance_say_nothing():
    assert taken_in([0, 9] * 7).times(1.0) == 1
    assert taken_in(np.zeros(500)).times(0.0) == 1


def test_it_rests_as_json_and_goes_on_the_same():
    means = np.random.default_rng(3).normal(size=700).cumsum()
    whole, half = taken_in(means), taken_in(means[:333])
    half = LongRunVariance.from_dict(json.loads(json.dumps(half.to_dict())))
    for mean in means[333:]:
        half.add(float(mean))
    assert half.to_dict() == whole.to_dict()
    assert half.times(1.0) == whole.times(1.0) > 10
