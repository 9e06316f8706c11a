"""The window that does best on newer rows is taken, and the longer one wherever they leave it open."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mainspring.domain.task import Task
from mainspring.training.dataset import TrainingData
from mainspring.training.window_choice import FEWEST, WindowChoices, decide_window, window_choices
from mainspring.training.windows import WindowPlan

N = 1_000


@pytest.fixture(scope="module")
def data(clicks: Any) -> TrainingData:
    """1,250 rows an hour apart, the newest fifth of them held out."""
    made = clicks.data(rows=clicks.rows(1_250))
    when = np.arange(1_250, dtype=np.int64)
    return replace(made, when=when, holdout=when >= N)


def choices_of(data: TrainingData, *windows: str, change: int | None = None) -> WindowChoices:
    return window_choices(WindowPlan(windows, change, change), data)


def answers(data: TrainingData, choices: WindowChoices, skill: float) -> np.ndarray:
    """Probabilities of the newer rows that are right by this much more than by chance."""
    y = data.training_target[choices.newer]
    noise = np.random.default_rng(1).random(len(y)) * 0.5
    share = np.clip(0.25 + noise + skill * (y - 0.5), 0.01, 0.99)
    return np.column_stack([1 - share, share])


def test_windows_are_compared_on_the_newest_part_that_none_of_them_has(data: TrainingData) -> None:
    choices = choices_of(data, "since_change", "all", "300 rows", change=500)
    assert choices.newer.tolist() == list(range(900, N))  # a fifth of the rows since the change
    assert [fit.window for fit in choices.fits] == ["all", "since_change", "300 rows"]  # the longest first
    assert [fit.rows.places.tolist() for fit in choices.fits] == [
        list(range(900)),
        list(range(500, 900)),
        list(range(600, 900)),
    ]
    assert [fit.rule for fit in choices.fits] == [
        {"kind": "all"},
        {"kind": "since", "start": 500},
        {"kind": "newest", "rows": 300},
    ]


def test_the_best_is_taken_where_it_is_clearly_better(data: TrainingData) -> None:
    choices = choices_of(data, "all", "since_change", change=500)
    outputs = {"all": answers(data, choices, 0.1), "since_change": answers(data, choices, 0.6)}
    taken = decide_window(choices, outputs, data, seed=0)
    assert (taken.window, taken.reason, taken.rows_compared) == ("since_change", "the best on newer rows", 100)
    beaten, best = taken.tried
    assert beaten.gap is not None
    assert beaten.gap.low > 0
    assert best.gap is not None
    assert best.gap.value == 0
    assert beaten.value > best.value  # the metric itself, of which less is better
    assert (beaten.rows, best.rows) == (900, 400)


def test_of_windows_that_are_alike_the_longer_one_is_taken(data: TrainingData) -> None:
    choices = choices_of(data, "300 rows", "all")
    same = answers(data, choices, 0.3)
    slightly = np.clip(same + 1e-4 * np.random.default_rng(2).normal(0, 1, same.shape), 0.001, 0.999)
    assert decide_window(choices, {"all": same, "300 rows": same}, data, seed=0).window == "all"
    assert decide_window(choices, {"all": same, "300 rows": slightly}, data, seed=0).window == "all"


def test_where_a_change_is_known_the_best_is_taken_also_in_doubt(data: TrainingData) -> None:
    choices = choices_of(data, "all", "since_change", change=500)
    same = answers(data, choices, 0.3)
    truth = np.column_stack([1 - data.training_target[choices.newer], data.training_target[choices.newer]])
    slightly = same + 1e-4 * (truth - same)
    for best in ("all", "since_change"):
        outputs = {"all": same, "since_change": same, best: slightly}
        assert decide_window(choices, outputs, data, seed=0).window == best


def test_the_newest_half_since_a_change_is_tried_once_it_has_rows(data: TrainingData) -> None:
    windows = ("all", "since_change", "half_since_change")
    choices = choices_of(data, *windows, change=0)
    assert [fit.window for fit in choices.fits] == ["all", "half_since_change"]  # all rows are since the change
    assert choices.fits[1].rule == {"kind": "since", "start": N // 2}
    assert choices.fits[1].rows.places.tolist() == list(range(400, 800))  # of those that are not compared on
    choices = choices_of(data, *windows, change=500)
    assert choices.notes == {"half_since_change": "too few rows have come since the change"}


def test_what_cannot_be_tried_says_why(data: TrainingData) -> None:
    choices = choices_of(data, "all", "since_change", f"{FEWEST - 1} rows", "2000 rows", "weighted 1h")
    assert choices.notes == {
        "since_change": "no change is known",
        f"{FEWEST - 1} rows": f"it has {FEWEST - 1} rows to learn from, under {FEWEST}",
        "2000 rows": "it has the same rows as all",
    }
    one_class = np.where(np.arange(1_250) < 500, data.y, 0)
    choices = choices_of(replace(data, y=one_class), "all", "300 rows")
    assert choices.notes == {"300 rows": "it has no row of the class 'yes'"}
    assert not choices.is_comparison
    taken = decide_window(choices, {}, data, seed=0)
    assert (taken.window, taken.reason) == ("all", "the only one that can be tried")


def test_with_too_few_newer_rows_the_longest_is_taken(data: TrainingData) -> None:
    choices = choices_of(data, "since_change", "all", change=N - 150)
    assert not choices.is_comparison
    taken = decide_window(choices, {}, data, seed=0)
    assert (taken.window, taken.reason) == ("all", "the longest: 30 newer rows are too few to compare on")


def test_a_change_that_leaves_the_order_of_the_rows_is_seen(data: TrainingData) -> None:
    """Both rank the rows alike; only the border between the classes has moved."""
    choices = choices_of(data, "all", "since_change", change=500)
    right = answers(data, choices, 0.4)
    moved = np.column_stack([1 - right[:, 1] / 3, right[:, 1] / 3])
    taken = decide_window(choices, {"all": moved, "since_change": right}, data, seed=0)
    assert (taken.window, taken.metric) == ("since_change", "brier")


def test_a_window_whose_answers_are_no_numbers_is_not_taken(data: TrainingData) -> None:
    choices = choices_of(data, "all", "since_change", change=500)
    sane = answers(data, choices, 0.1)
    nonsense = np.full_like(sane, np.nan)
    taken = decide_window(choices, {"all": nonsense, "since_change": sane}, data, seed=0)
    assert taken.window == "since_change"
    assert [one.value is None for one in taken.tried] == [True, False]
    both = decide_window(choices, {"all": nonsense, "since_change": nonsense}, data, seed=0)
    assert (both.window, both.reason) == ("all", "none of the windows gives answers that are numbers")


def test_where_no_fit_ended_all_rows_are_taken(data: TrainingData) -> None:
    choices = choices_of(data, "since_change", "300 rows", change=500)
    failed = replace(choices, notes={"since_change": "it crashed", "300 rows": "it took too long"})
    taken = decide_window(failed, {}, data, seed=0)
    assert (taken.window, taken.rule) == ("all", {"kind": "all"})
    assert [one.note for one in taken.tried] == ["it crashed", "it took too long"]


def test_a_regression_compares_its_errors(clicks: Any) -> None:
    made = clicks.data(clicks.model(target="spent"), rows=clicks.rows(1_250), task=Task.REGRESSION)
    data = replace(made, when=np.arange(1_250), holdout=np.arange(1_250) >= N)
    choices = choices_of(data, "all", "since_change", change=500)
    y = data.training_target[choices.newer]
    outputs = {"all": (y + 9)[:, None], "since_change": (y + 1)[:, None]}
    taken = decide_window(choices, outputs, data, seed=0)
    assert taken.window == "since_change"
    assert [one.value for one in taken.tried] == pytest.approx([9, 1])
