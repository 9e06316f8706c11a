import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.task import Task
from mainspring.training.folds import make_folds


@given(st.integers(10, 300), st.integers(1, 5), st.integers(0, 99))
def test_each_row_is_scored_once_and_never_fitted_on_by_its_fold(n: int, count: int, seed: int) -> None:
    folds = make_folds(np.zeros(n), Task.REGRESSION, seed=seed, count=count)
    assert len(folds) == count
    for fit_on, score_on in folds:
        assert sorted([*fit_on, *score_on]) == list(range(n))
    if count > 1:
        assert sorted(np.concatenate([score_on for _, score_on in folds])) == list(range(n))


def test_classes_are_dealt_evenly() -> None:
    y = np.array([0] * 90 + [1] * 10)
    for _, score_on in make_folds(y, Task.BINARY, seed=1, count=5):
        assert np.bincount(y[score_on]).tolist() == [18, 2]


def test_the_seed_decides() -> None:
    y = np.arange(50.0)
    first, again, other = (make_folds(y, Task.REGRESSION, seed=s, count=2)[0][1].tolist() for s in (1, 1, 2))
    assert first == again != other


@given(st.lists(st.integers(0, 30), min_size=10, max_size=100), st.integers(1, 3))
def test_with_a_time_the_past_is_fitted_and_the_future_scored(times: list[int], count: int) -> None:
    time = np.array(times)
    folds = make_folds(np.zeros(len(time)), Task.REGRESSION, seed=0, time=time, count=count)
    if (
        len(set(times)) > 4
        and len(folds) == count
        and all(time[fit_on].max() < time[score_on].min() for fit_on, score_on in folds)
    ):
        return
    # Too few distinct times for all blocks: those that are left still look forward, or all is dealt at random.
    forward = [time[fit_on].max() < time[score_on].min() for fit_on, score_on in folds]
    assert all(forward) or not any(forward) or len(set(times)) < len(times)


def test_forward_blocks_are_the_newer_half() -> None:
    time = np.random.default_rng(0).permutation(80)
    folds = make_folds(np.zeros(80), Task.REGRESSION, seed=0, time=time, count=4)
    assert [sorted(time[score_on]) for _, score_on in folds] == [
        list(range(start, start + 10)) for start in (40, 50, 60, 70)
    ]


@pytest.mark.parametrize(("rows", "count"), [(500, 5), (50_000, 3), (200_000, 1)])
def test_fewer_folds_for_more_rows(rows: int, count: int) -> None:
    assert len(make_folds(np.zeros(rows), Task.REGRESSION, seed=0)) == count
