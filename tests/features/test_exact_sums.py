"""Sums by differences of cumulative sums are those of exact arithmetic."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mainspring.features.exact_sums import slices

WIDE = st.floats(-1e15, 1e15).map(lambda value: value if abs(value) > 1e-15 else 0.0)
ANY = st.floats(allow_nan=False, allow_infinity=False)


def window_sum(parts: list[np.ndarray], begin: int, end: int) -> float:
    total = 0.0
    for part in reversed(parts):
        cumulative = np.concatenate([[0.0], np.cumsum(part)])
        total += cumulative[end] - cumulative[begin]
    return total


@given(arrays(np.float64, st.integers(0, 60), elements=WIDE), st.data())
def test_a_window_sum_is_the_exact_one_rounded(values: np.ndarray, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, values.size))
    end = data.draw(st.integers(begin, values.size))
    exact = math.fsum(values[begin:end])
    assert abs(window_sum(slices(values), begin, end) - exact) <= math.ulp(exact)


@given(arrays(np.float64, st.integers(0, 60), elements=ANY))
def test_the_parts_add_up_to_the_values(values: np.ndarray) -> None:
    parts = slices(values)
    assert 1 <= len(parts) <= 4
    assert [math.fsum(row) for row in zip(*parts, strict=True)] == values.tolist()


def test_the_order_and_the_company_change_nothing() -> None:
    """What lies outside the window, and how much of it, does not touch the sum."""
    random = np.random.default_rng(3)
    window = random.lognormal(3, 2, 500)
    exact = math.fsum(window)
    for scale in (0.0, 1.0, 1e12):
        before = random.normal(0, 1, 100_000) * scale
        values = np.concatenate([before, random.permutation(window), before])
        assert window_sum(slices(values), before.size, before.size + 500) == exact


def test_a_plain_difference_would_be_wrong() -> None:
    """The tests above can fail."""
    values = np.array([1e17, 0.1, 0.2])
    cumulative = np.cumsum(values)
    assert cumulative[2] - cumulative[0] == 0.0
    assert window_sum(slices(values), 1, 3) == 0.1 + 0.2
