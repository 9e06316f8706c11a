import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.stats.quantiles import QuantileSketch
from mainspring.stats.samples import Sample, counts_at

calm = settings(deadline=None, max_examples=60)
numbers = st.lists(st.integers(-5, 5).map(float) | st.floats(-1e6, 1e6), min_size=1, max_size=40)


@calm
@given(numbers, numbers)
def test_counts_at_hold_every_row_once_at_its_value(first, second):
    values, ones, others = counts_at(Sample.of(first), Sample.of(second))
    assert np.repeat(values, ones.astype(int)).tolist() == sorted(first)
    assert np.repeat(values, others.astype(int)).tolist() == sorted(second)
    assert (np.diff(values) > 0).all()


@calm
@given(numbers)
def test_mean_and_variance_are_numpys(values):
    sample = Sample.of(values)
    assert sample.mean == pytest.approx(np.mean(values), rel=1e-9, abs=1e-6)
    if len(values) > 1:
        assert sample.variance == pytest.approx(np.var(values, ddof=1), rel=1e-9, abs=1e-6)
    else:
        assert np.isnan(sample.variance)


def test_a_sketch_is_a_sample_of_all_its_rows_that_knows_its_error():
    values = np.random.default_rng(0).normal(size=20_000)
    sketch = QuantileSketch()
    sketch.add(values)
    sample = Sample.from_sketch(sketch)
    assert sample.size == 20_000
    assert sample.share_error == sketch.rank_error / 20_000 > 0
    assert Sample.of(values).share_error == 0
