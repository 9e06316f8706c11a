import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mainspring.stats.proportions import difference_interval, wilson_interval

calm = settings(deadline=None, max_examples=80)
shares = st.integers(0, 500).flatmap(lambda rows: st.tuples(st.integers(0, rows), st.just(rows)))


@calm
@given(shares, st.sampled_from([0.9, 0.95, 0.99]))
def test_wilsons_interval_is_scipys(share, confidence):
    hits, rows = share
    if rows:
        expected = stats.binomtest(hits, rows).proportion_ci(confidence, method="wilson")
        assert wilson_interval(hits, rows, confidence) == pytest.approx(tuple(expected), abs=1e-9)
    else:
        assert wilson_interval(hits, rows, confidence) == (0, 1)


@calm
@given(shares, shares)
def test_the_interval_of_a_difference_holds_it_turns_with_its_sign_and_stays_in_range(first, second):
    low, high = difference_interval(first, second)
    assert -1 <= low <= high <= 1
    assert difference_interval(second, first) == pytest.approx((-high, -low))
    if first[1] and second[1]:
        assert low - 1e-12 <= first[0] / first[1] - second[0] / second[1] <= high + 1e-12


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [  # Newcombe 1998, table II, method 10
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((10, 10), (0, 10), (0.6075, 1.0)),
        ((5, 56), (0, 29), (-0.0381, 0.1926)),
    ],
)
def test_newcombes_own_figures(first, second, expected):
    assert difference_interval(first, second) == pytest.approx(expected, abs=5e-5)


def test_the_difference_is_covered_as_often_as_stated():
    random = np.random.default_rng(0)
    hits = sum(
        low <= 0.15 <= high
        for low, high in (
            difference_interval((random.binomial(60, 0.25), 60), (random.binomial(200, 0.1), 200))
            for _ in range(2_000)
        )
    )
    assert 1_860 <= hits <= 1_940


@pytest.mark.parametrize(("hits", "rows"), [(3, 2), (-1, 2)])
def test_what_is_no_share_is_refused(hits, rows):
    with pytest.raises(ValueError, match="is no share"):
        wilson_interval(hits, rows)
