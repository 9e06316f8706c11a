"""Which rows a window takes, and where the newest part begins."""

from itertools import zip_longest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.retrain import ALIKE
from mainspring.training.windows import FEWEST_OF_HALF, effective_rows, newest_cut, rows_of_rule, window_rule

DAY = 86_400_000_000
MOMENTS = st.lists(st.integers(0, 20), min_size=1, max_size=40).map(lambda days: np.array(days) * DAY)


@given(MOMENTS, st.integers(1, 50))
def test_a_number_of_rows_takes_the_newest_ones(when: np.ndarray, count: int) -> None:
    places, weights = rows_of_rule(window_rule(f"{count} rows", when, None), when)
    assert weights is None
    assert len(places) == min(count, len(when))
    others = np.setdiff1d(np.arange(len(when)), places)
    if others.size:
        assert when[places].min() >= when[others].max()
    assert (np.diff(places) > 0).all()  # in their order


@given(MOMENTS, st.integers(0, 21))
def test_a_time_goes_back_from_the_newest_row_and_a_change_from_itself(when: np.ndarray, days: int) -> None:
    if days:
        places, _ = rows_of_rule(window_rule(f"{days}d", when, None), when)
        assert places.tolist() == np.flatnonzero(when >= when.max() - days * DAY).tolist()
    places, _ = rows_of_rule(window_rule("since_change", when, days * DAY), when)
    assert places.tolist() == np.flatnonzero(when >= days * DAY).tolist()


@given(st.lists(st.integers(0, 2_000), min_size=1, max_size=1_500).map(np.array), st.integers(0, 2_000))
def test_half_of_the_rows_since_a_change_are_the_newest_of_them(when: np.ndarray, change: int) -> None:
    rule = window_rule("half_since_change", when, change)
    since = when[when >= change]
    if rule is None:
        assert since.size < 2 * FEWEST_OF_HALF
        return
    places, _ = rows_of_rule(rule, when)
    assert (when[places] >= change).all()
    ties = np.unique(when, return_counts=True)[1].max()
    assert abs(places.size - since.size / 2) <= ties
    others = np.setdiff1d(np.arange(len(when)), places)
    assert others.size == 0 or when[places].min() > when[others].max()


@given(MOMENTS, st.integers(1, 30))
def test_weights_halve_with_each_half_life_and_have_the_mean_1(when: np.ndarray, days: int) -> None:
    places, weights = rows_of_rule(window_rule(f"weighted {days}d", when, None), when)
    assert places.tolist() == list(range(len(when)))
    assert weights.mean() == pytest.approx(1)
    oldest, newest = weights[when.argmin()], weights[when.argmax()]
    assert newest / oldest == pytest.approx(2 ** ((when.max() - when.min()) / (days * DAY)))
    assert 1 <= effective_rows(places, weights) <= len(when) + 1e-9


@given(MOMENTS, st.integers(0, 21))
def test_the_time_since_a_change_is_a_half_life(when: np.ndarray, days: int) -> None:
    rule = window_rule("weighted since_change", when, days * DAY)
    places, weights = rows_of_rule(rule, when)
    assert places.tolist() == list(range(len(when)))
    assert np.isfinite(weights).all()
    since = when.max() - days * DAY
    if since > 0:
        assert rule == {"kind": "weighted", "half_life": since}
        at_change = weights[when == days * DAY]
        assert at_change == pytest.approx(weights.max() / 2)


@given(MOMENTS, st.lists(st.integers(0, 21), min_size=1, max_size=7, unique=True).map(sorted))
def test_of_spans_the_beginning_counts_and_the_end_does_not(when: np.ndarray, days: list[int]) -> None:
    edges = [day * DAY for day in days]
    spans = [[first, end] for first, end in zip_longest(edges[::2], edges[1::2])]
    places, weights = rows_of_rule({"kind": "spans", "spans": spans}, when)
    inside = [any(first <= one and (end is None or one < end) for first, end in spans) for one in when.tolist()]
    assert places.tolist() == np.flatnonzero(inside).tolist()
    assert weights is None


def test_all_takes_all_and_a_change_that_nobody_knows_nothing() -> None:
    when = np.arange(5)
    assert rows_of_rule(window_rule("all", when, None), when)[0].tolist() == [0, 1, 2, 3, 4]
    assert window_rule("since_change", when, None) is None
    assert window_rule("half_since_change", when, None) is None
    assert window_rule("weighted since_change", when, None) is None
    assert window_rule(ALIKE, when, 2) is None, "only an estimator's answers can tell"


def test_a_half_life_of_a_moment_leaves_the_newest_row() -> None:
    when = np.array([0, 400 * DAY])
    _, weights = rows_of_rule({"kind": "weighted", "half_life": 1}, when)
    assert weights.tolist() == [0.0, 2.0]


@given(MOMENTS, st.sampled_from([0.05, 0.2, 0.5, 0.9]), st.one_of(st.none(), st.integers(0, 21)))
def test_the_newest_part_is_about_a_share_and_keeps_a_moment_together(
    when: np.ndarray, share: float, days: int | None
) -> None:
    since = None if days is None else days * DAY
    cut = newest_cut(when, share, since)
    counted = when if since is None else when[when >= since]
    if cut is None:
        assert not counted.size or len(set(when)) == 1 or counted.max() == when.min()
        return
    assert cut in counted
    assert (when < cut).any()
    off = abs(int((counted >= cut).sum()) - counted.size * share)
    ties = np.unique(counted, return_counts=True)[1].max()
    assert off <= ties + 1


def test_without_rows_since_there_is_no_newest_part() -> None:
    assert newest_cut(np.arange(9), 0.2, since=9) is None
