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


SHARES = st.floats(0.02, 0.9)


@given(st.lists(st.integers(0, 30), min_size=10, max_size=100), st.integers(1, 5), SHARES)
def test_with_a_time_the_past_is_fitted_and_the_future_scored(
    times: list[int], count: int, held_out: float
) -> None:
    time = np.array(times)
    folds = make_folds(np.zeros(len(time)), Task.REGRESSION, seed=0, time=time, held_out=held_out, count=count)
    forward = [time[fit_on].max() < time[score_on].min() for fit_on, score_on in folds]
    assert all(forward) or not any(forward)  # where no two times differ at any origin, all is dealt at random
    if all(forward):
        assert len(folds) <= count
        scored = [time[score_on] for _, score_on in folds]
        assert scored == [] or all(  # rows of one time are all scored, or none of them
            (np.isin(time, part) == np.isin(np.arange(len(time)), score_on)).all()
            for part, (_, score_on) in zip(scored, folds, strict=True)
        )


@given(st.integers(100, 400), st.integers(1, 5), SHARES)
def test_each_forward_fold_repeats_the_holdout(n: int, count: int, held_out: float) -> None:
    time = np.random.default_rng(n).permutation(n)
    folds = make_folds(np.zeros(n), Task.REGRESSION, seed=0, time=time, held_out=held_out, count=count)
    assert max(time[folds[0][1]]) == n - 1  # the newest first, up to the newest row
    for fit_on, score_on in folds:
        assert abs(len(score_on) - held_out * n) <= 1  # as long as the holdout is of all rows
        assert len(fit_on) >= round(n * min(0.5, 1 - held_out)) - 1
        assert sorted(time[fit_on]) == list(range(len(fit_on)))  # all that came before
        assert sorted(time[score_on]) == list(range(len(fit_on), len(fit_on) + len(score_on)))
    learnt = [len(fit_on) for fit_on, _ in folds]
    assert learnt == sorted(learnt, reverse=True)
    assert len(folds) == (count if held_out < 0.45 else len(folds))


def test_forward_folds_of_the_default_holdout() -> None:
    time = np.random.default_rng(0).permutation(100)
    folds = make_folds(np.zeros(100), Task.REGRESSION, seed=0, time=time, held_out=0.2, count=3)
    assert [(len(fit_on), sorted(time[score_on])) for fit_on, score_on in folds] == [
        (start, list(range(start, start + 20))) for start in (80, 65, 50)
    ]


def test_a_holdout_of_most_rows_leaves_one_origin() -> None:
    (only,) = make_folds(np.zeros(50), Task.REGRESSION, seed=0, time=np.arange(50), held_out=0.6, count=3)
    assert [part.tolist() for part in only] == [list(range(20)), list(range(20, 50))]


def test_one_time_alone_is_dealt_at_random() -> None:
    folds = make_folds(np.zeros(50), Task.REGRESSION, seed=0, time=np.zeros(50, dtype=int), count=5)
    assert sorted(np.concatenate([score_on for _, score_on in folds])) == list(range(50))


@pytest.mark.parametrize(("rows", "count"), [(500, 5), (50_000, 3), (200_000, 1)])
def test_fewer_folds_for_more_rows(rows: int, count: int) -> None:
    assert len(make_folds(np.zeros(rows), Task.REGRESSION, seed=0)) == count
