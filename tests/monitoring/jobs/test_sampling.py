"""The sample of a job is uniform, whatever rhythm its rows have, and the same however it comes in parts."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mainspring.monitoring.jobs.sampling import MOST, chosen, halvings


@given(st.integers(0, 10**9))
def test_no_more_rows_are_expected_than_are_wanted(rows):
    halved = halvings(rows)
    assert rows / 2**halved <= MOST
    assert not halved or rows / 2**halved > MOST / 2


@given(st.integers(0, 10**12), st.integers(1, 5_000), st.integers(0, 12))
def test_what_is_left_after_more_halvings_was_left_after_fewer(start, rows, halved):
    numbers = np.arange(start, start + rows)
    fewer, more = chosen(numbers, halved), chosen(numbers, halved + 1)
    assert not (more & ~fewer).any()
    cut = rows // 2
    in_parts = [chosen(numbers[:cut], halved), chosen(numbers[cut:], halved)]
    assert (np.concatenate(in_parts) == fewer).all()


def test_each_row_has_the_same_chance_whatever_the_rhythm():
    rows = 2_000_000
    taken = np.flatnonzero(chosen(np.arange(rows), halvings(rows)))
    assert abs(taken.size - rows / 32) < 5 * np.sqrt(rows / 32)
    for rhythm in (2, 3, 7, 8, 10, 64, 1000):
        counts = np.bincount(taken % rhythm, minlength=rhythm)
        expected = taken.size / rhythm
        chi_squared = ((counts - expected) ** 2 / expected).sum()
        assert chi_squared < rhythm - 1 + 5 * np.sqrt(2 * rhythm), rhythm
    quarters = np.bincount(taken * 4 // rows)
    assert (np.abs(quarters - taken.size / 4) < 5 * np.sqrt(taken.size * 3 / 16)).all()
