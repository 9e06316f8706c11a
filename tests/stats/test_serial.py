"""An interval for rows that hang together covers the mean as often as it says."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter

from mainspring.stats.serial import serial_interval


@pytest.mark.parametrize(
    ("alike", "rows", "least"),
    [
        (-0.3, 1_000, 0.93),
        (0.0, 200, 0.93),
        (0.2, 1_000, 0.93),
        (0.5, 200, 0.9),
        (0.5, 1_000, 0.92),
        (0.8, 1_000, 0.9),
    ],
)
def test_it_covers_the_mean(alike: float, rows: int, least: float) -> None:
    random = np.random.default_rng(7)
    found = as_if_independent = 0
    for _ in range(1_000):
        values = lfilter([1], [1, -alike], random.normal(size=rows + 200))[200:]
        low, high = serial_interval(values)
        found += low <= 0 <= high
        as_if_independent += abs(values.mean()) <= 1.96 * values.std(ddof=1) / math.sqrt(rows)
    assert least <= found / 1_000 <= 0.975
    if alike >= 0.5:
        assert as_if_independent / 1_000 < 0.8


def test_it_is_newey_and_wests() -> None:
    """The standard error of statsmodels 0.15: OLS on a constant, cov_type="HAC", 8 lags, use_correction."""
    values = np.sin(np.arange(60) ** 1.3)
    low, high = serial_interval(values)
    assert (low + high) / 2 == pytest.approx(values.mean())
    share = 9 / 60  # eight lags
    critical = 1.96 + 2.9694 * share + 0.416 * share**2 - 0.5324 * share**3
    assert (high - low) / 2 / critical == pytest.approx(0.025073039649711405, rel=1e-9)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_any_rows_have_one_around_their_mean(rows: list[float]) -> None:
    values = np.array(rows)
    low, high = serial_interval(values)
    assert low <= values.mean() <= high


def test_rows_that_are_all_alike_leave_no_doubt() -> None:
    assert serial_interval(np.full(10, 0.25)) == (0.25, 0.25)


def test_one_row_has_none() -> None:
    with pytest.raises(ValueError, match="1 rows have no interval"):
        serial_interval(np.ones(1))
