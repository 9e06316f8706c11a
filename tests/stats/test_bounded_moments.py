"""Powers of rows of a known range: the same as NumPy's, in any portions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mainspring.stats.bounded_moments import BoundedMoments

rows_in_range = arrays(np.float64, st.integers(0, 60), elements=st.floats(-3, 5))


@given(rows_in_range, st.integers(0, 60))
def test_mean_variance_and_powers_are_numpys_however_the_rows_came(rows: np.ndarray, cut: int) -> None:
    parts, rest = BoundedMoments(-3, 5), BoundedMoments(-3, 5)
    parts.add(rows[:cut])
    rest.add(rows[cut:])
    parts.merge(BoundedMoments.from_dict(rest.to_dict()))
    assert parts.count == rows.size
    if not rows.size:
        assert parts.mean == 0
        assert math.isnan(parts.variance)
        return
    assert parts.mean == pytest.approx(rows.mean(), abs=1e-9)
    if rows.size > 1:
        assert parts.variance == pytest.approx(rows.var(ddof=1), abs=1e-9)
    deviations = (rows - rows.mean()) / 4
    assert parts.central() == pytest.approx([(deviations**power).sum() for power in range(5)], abs=1e-9)


@pytest.mark.parametrize("row", [-1.01, 1.01, math.nan, math.inf])
def test_a_row_outside_is_refused_by_name_and_nothing_is_taken_in(row: float) -> None:
    moments = BoundedMoments(-1, 1)
    with pytest.raises(ValueError, match="not within -1"):
        moments.add(np.array([0.0, row]))
    assert moments.count == 0


def test_a_row_that_rounding_put_outside_is_at_the_end() -> None:
    moments = BoundedMoments(0, 0.1)
    moments.add(np.array([0.1 + 1e-17, 0.3 - 0.2]))
    assert moments.mean == pytest.approx(0.1)


def test_ranges_do_not_mix_and_must_be_some() -> None:
    with pytest.raises(ValueError, match="do not mix"):
        BoundedMoments(-1, 1).merge(BoundedMoments(0, 1))
    for low, high in ((1, 1), (2, 1), (-math.inf, 0), (0, math.nan)):
        with pytest.raises(ValueError, match="no range"):
            BoundedMoments(low, high)
