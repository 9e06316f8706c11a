import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.domain.schema import Kind
from mainspring.stats.distinct import DistinctCounter, hash_numbers, hash_texts
from mainspring.stats.frequencies import Frequencies
from mainspring.stats.moments import Moments
from mainspring.stats.profile import ColumnProfile, Profile
from mainspring.stats.quantiles import QuantileSketch

calm = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
numbers = st.floats(-1e9, 1e9) | st.integers(-3, 3).map(float)


def sketch_of(values, capacity=8, seed=0):
    sketch = QuantileSketch(capacity, seed)
    sketch.add(np.array(values, dtype=np.float64))
    return sketch


def worst_rank_error(sketch, values):
    values = np.sort(np.array(values, dtype=np.float64))
    truth = np.searchsorted(values, values, side="right")
    return np.abs(sketch.rank(values) - truth).max(initial=0)


@calm
@given(st.lists(st.lists(numbers, max_size=60), min_size=1, max_size=8), st.randoms(), st.integers(0, 5))
def test_ranks_keep_the_proven_bound_however_blocks_are_merged(blocks, random, seed):
    sketches = [sketch_of(block, seed=seed) for block in blocks]
    values = [value for block in blocks for value in block]
    while len(sketches) > 1:
        random.shuffle(sketches)
        last = sketches.pop()
        sketches[0].merge(last)
    whole = sketches[0]
    kept, weights = whole.weighted()
    assert whole.count == len(values) == weights.sum()
    assert worst_rank_error(whole, values) <= whole.rank_error
    assert np.isin(kept, values).all()


@calm
@given(st.lists(numbers, min_size=1, max_size=300), st.floats(0, 1))
def test_a_quantile_is_within_the_bound(values, share):
    sketch = sketch_of(values)
    found = sketch.quantile(share)
    ordered = np.sort(values)
    at_or_below = np.searchsorted(ordered, found, side="right")
    below = np.searchsorted(ordered, found, side="left")
    assert at_or_below >= share * len(values) - sketch.rank_error
    assert below <= share * len(values) + sketch.rank_error


def test_small_data_are_exact():
    sketch = sketch_of(range(1000), capacity=1024)
    assert sketch.rank_error == 0
    assert sketch.quantile(0.25) == 249
    assert np.isnan(QuantileSketch().quantile(0.5))


@pytest.mark.parametrize("block", [1_000_000, 10_000, 997])
def test_a_million_rows_stay_small_and_near(block):
    values = np.random.default_rng(0).lognormal(size=1_000_000)
    sketch = QuantileSketch()
    for start in range(0, values.size, block):
        sketch.add(values[start : start + block])
    assert sketch.rank_error <= 0.011 * values.size
    assert worst_rank_error(sketch, values) <= min(sketch.rank_error, 0.003 * values.size)
    assert sketch.weighted()[0].size < 12 * 1024


def test_the_same_seed_gives_the_same_sketch():
    values = np.random.default_rng(0).normal(size=5000)
    assert sketch_of(values, seed=1).to_dict() == sketch_of(values, seed=1).to_dict()
    assert sketch_of(values, seed=1).to_dict() != sketch_of(values, seed=2).to_dict()


@calm
@given(st.lists(st.lists(numbers, max_size=200), min_size=2, max_size=6), st.integers(0, 5))
def test_many_merged_at_once_are_the_whole(blocks, seed):
    first, *others = [sketch_of(block, seed=seed) for block in blocks]
    first.merge(*others)
    values = [value for block in blocks for value in block]
    kept, weights = first.weighted()
    assert first.count == len(values) == weights.sum()
    assert worst_rank_error(first, values) <= first.rank_error
    assert np.isin(kept, values).all()


def test_many_merged_at_once_err_less_than_one_after_the_other():
    parts = np.split(np.random.default_rng(0).normal(size=64_000), 64)
    at_once, in_turn = QuantileSketch(), QuantileSketch()
    sketches = [sketch_of(part, capacity=512) for part in parts]
    at_once.merge(*sketches)
    for sketch in sketches:
        in_turn.merge(sketch)
    assert at_once.rank_error < in_turn.rank_error
    assert at_once.weighted()[0].size < 8 * 1024


def test_a_sketch_is_its_parts():
    sketch = sketch_of(range(1000), capacity=64)
    again = QuantileSketch.of(
        sketch.levels, sketch.compactions, rank_error=sketch.rank_error, capacity=64, seed=sketch.seed
    )
    assert again.to_dict() == sketch.to_dict()


@calm
@given(st.lists(numbers, max_size=300))
def test_a_column_is_the_same_as_its_sketches_of_unsorted_values(values):
    values = np.array(values, dtype=np.float64)
    column = ColumnProfile(Kind.NUMBER)
    column.add_numbers(values)
    quantiles, distinct = QuantileSketch(), DistinctCounter()
    quantiles.add(values)
    distinct.add(hash_numbers(values))
    ordered = ColumnProfile(Kind.NUMBER)
    ordered.add_numbers(np.sort(np.append(values, [np.nan, np.inf])), ordered=True)
    assert (ordered.missing, ordered.infinite) == (1, 1)
    assert ordered.distinct.to_dict() == column.distinct.to_dict()
    assert column.quantiles.to_dict() == ordered.quantiles.to_dict() == quantiles.to_dict()
    assert column.distinct.to_dict() == distinct.to_dict()


@calm
@given(st.lists(numbers, max_size=50), st.lists(numbers, max_size=50))
def test_merged_moments_are_those_of_the_whole(first, second):
    parts = [Moments(), Moments()]
    for moments, values in zip(parts, (first, second), strict=True):
        moments.add(np.array(values, dtype=np.float64))
    parts[0].merge(parts[1])
    whole = np.array(first + second)
    assert parts[0].count == whole.size
    if whole.size:
        scale = np.abs(whole).max()
        assert parts[0].mean == pytest.approx(whole.mean(), abs=1e-9 * scale)
        assert parts[0].m2 == pytest.approx(np.square(whole - whole.mean()).sum(), abs=1e-9 * scale**2)
        assert (parts[0].minimum, parts[0].maximum) == (whole.min(), whole.max())


def test_moments_of_large_times_keep_their_digits_and_huge_values_do_not_crash():
    moments = Moments()
    moments.add(1.7e9 + np.arange(1000.0))
    moments.add(1.7e9 + np.arange(1000.0, 2000.0))
    assert moments.variance == pytest.approx(np.arange(2000.0).var(ddof=1), rel=1e-9)
    huge = Moments()
    huge.add(np.array([1.7e308, 1.7e308, -1.0]))
    huge.add(np.array([-1.7e308]))
    assert np.isfinite(huge.mean)
    json.dumps(huge.to_dict(), allow_nan=False)
    assert Moments.from_dict(huge.to_dict()).to_dict() == huge.to_dict()


@calm
@given(
    st.lists(st.dictionaries(st.sampled_from("abcdefghij"), st.integers(1, 50)), min_size=1, max_size=6),
    st.integers(1, 12),
    st.randoms(),
)
def test_held_counts_are_within_the_error_and_the_error_within_the_bound(blocks, capacity, random):
    truth = Counter()
    sketches = []
    for block in blocks:
        truth.update(block)
        sketches.append(Frequencies(capacity))
        sketches[-1].add(block)
    while len(sketches) > 1:
        random.shuffle(sketches)
        last = sketches.pop()
        sketches[0].merge(last)
    seen = sketches[0]
    assert len(seen.counts) <= capacity
    assert seen.error <= truth.total() / (capacity + 1)
    assert seen.count == truth.total() == seen.other + sum(seen.counts.values())
    for value, count in truth.items():
        assert 0 <= count - seen.counts.get(value, 0) <= seen.error
    if len(truth) <= capacity:
        assert seen.counts == truth


@calm
@given(st.lists(st.lists(st.text(max_size=3)), min_size=1, max_size=5))
def test_distinct_values_are_a_set_whatever_the_order(blocks):
    forward, backward = DistinctCounter(16), DistinctCounter(16)
    for block in blocks:
        part = DistinctCounter(16)
        part.add(hash_texts(block))
        forward.merge(part)
    for block in reversed(blocks):
        backward.add(hash_texts(block))
    assert forward.to_dict() == backward.to_dict()
    distinct = {value for block in blocks for value in block}
    if len(distinct) < 16:
        assert forward.estimate == len(distinct)


@calm
@given(st.lists(st.tuples(st.integers(4, 20), st.sets(st.integers(0, 200), max_size=60)), min_size=2, max_size=6))
def test_many_distinct_counters_merged_at_once_are_those_of_the_union(parts):
    counters = []
    for capacity, values in parts:
        counter = DistinctCounter(capacity)
        counter.add(hash_numbers(np.array(sorted(values), dtype=np.float64)), different=True)
        counters.append(counter)
    whole = DistinctCounter(min(capacity for capacity, _ in parts))
    whole.add(hash_numbers(np.array([value for _, values in parts for value in values], dtype=np.float64)))
    counters[0].merge(*counters[1:])
    assert counters[0].to_dict() == whole.to_dict()


@pytest.mark.parametrize("count", [2_000, 50_000, 1_000_000])
def test_many_distinct_values_are_estimated_within_four_standard_errors(count):
    counter = DistinctCounter()
    counter.add(hash_numbers(np.arange(count, dtype=np.float64)))
    assert not counter.is_exact
    assert counter.estimate == pytest.approx(count, rel=4 / np.sqrt(1022))


def test_both_zeros_are_one_number():
    assert hash_numbers(np.array([0.0]))[0] == hash_numbers(np.array([-0.0]))[0]


def filled():
    profile = Profile({"n": Kind.NUMBER, "t": Kind.TIME, "c": Kind.CATEGORY, "b": Kind.BOOLEAN, "x": Kind.TEXT})
    profile.columns["n"].add_numbers(np.array([1.0, np.nan, np.inf, -np.inf, 2.5]))
    profile.columns["t"].add_numbers(np.array([1.7e9, 1.8e9]))
    profile.columns["c"].add_counts({"ä": 3, "": 1}, missing=2)
    profile.columns["b"].add_counts({"true": 3, "false": 1})
    profile.columns["x"].add_counts({"secret words": 2, "s": 1}, missing=1)
    return profile


def test_a_profile_survives_json():
    profile = filled()
    text = json.dumps(profile.to_dict(), allow_nan=False)
    again = Profile.from_dict(json.loads(text))
    assert again.to_dict() == profile.to_dict()
    again.merge(filled())
    assert again.columns["n"].rows == 10
    assert again.columns["n"].infinite == 4
    assert again.columns["n"].present == 8
    assert again.columns["c"].frequencies.counts == {"ä": 6, "": 2}


def test_a_profile_keeps_no_free_text():
    profile = filled()
    assert "secret" not in json.dumps(profile.to_dict())
    assert profile.columns["x"].moments.maximum == 12
    assert profile.columns["x"].distinct.estimate == 2


def test_profiles_of_other_columns_kinds_or_formats_are_refused():
    with pytest.raises(ValueError, match="cannot take in one of a"):
        ColumnProfile(Kind.TIME).merge(ColumnProfile(Kind.NUMBER))
    with pytest.raises(ValueError, match="a profile of a cannot take in one of b"):
        Profile({"a": Kind.NUMBER}).merge(Profile({"b": Kind.NUMBER}))
    with pytest.raises(ValueError, match="format 99"):
        Profile.from_dict({"format": 99, "columns": {}})


def test_an_empty_profile_is_plain():
    profile = Profile({"n": Kind.NUMBER, "c": Kind.CATEGORY})
    profile.columns["n"].add_numbers(np.array([np.nan, np.nan]))
    assert Profile.from_dict(profile.to_dict()).to_dict() == profile.to_dict()
    assert profile.columns["n"].moments.minimum is None
    assert profile.columns["n"].distinct.estimate == 0
