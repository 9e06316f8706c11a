"""What came before a change and is like what came since is found by the answers, batch by batch."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.retrain import ALIKE
from mainspring.domain.task import Task
from mainspring.training.alike_rows import BATCH, Batches, batches_before, extended
from mainspring.training.dataset import TrainingData
from mainspring.training.window_choice import WindowChoices, window_choices
from mainspring.training.windows import WindowPlan, rows_of_rule

N, CHANGE = 3_000, 2_500
WINDOWS = ("all", "since_change", ALIKE)


@pytest.fixture(scope="module")
def data(clicks: Any) -> TrainingData:
    """3,200 rows an hour apart, the newest 200 of them held out; what came in the first 1,000 comes again."""
    made = clicks.data(rows=clicks.rows(N + 200))
    when = np.arange(N + 200, dtype=np.int64)
    return replace(made, when=when, holdout=when >= N)


def choices_of(data: TrainingData, *windows: str, change: int | None = CHANGE) -> WindowChoices:
    return window_choices(WindowPlan(windows or WINDOWS, change, change), data)


def answers(y: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Probabilities that are about right, or about wrong."""
    noise = np.random.default_rng(len(y)).uniform(0.1, 0.4, len(y))
    share = np.where((y == 1) == right, 1 - noise, noise)
    return np.column_stack([1 - share, share])


def asked_of(data: TrainingData, begins: int) -> tuple[Batches, np.ndarray]:
    """An estimator of what came since, which knows the first 1,000 rows as well."""
    batches = batches_before(begins, data.training_when)
    return batches, answers(data.training_target[batches.asked], batches.asked < 1_000)


def newer_of(data: TrainingData, choices: WindowChoices, right: bool = True) -> np.ndarray:
    return answers(data.training_target[choices.newer], np.full(choices.newer.size, right))


def test_what_is_like_the_rows_since_the_change_is_learnt_from_with_them(data: TrainingData) -> None:
    choices = choices_of(data)
    assert ALIKE not in choices.notes
    found = extended(
        choices, {"since_change": newer_of(data, choices)}, {"since_change": asked_of(data, CHANGE)}, data
    )
    assert [fit.window for fit in found.fits] == ["all", ALIKE, "since_change"]  # the longest first
    fit = found.fits[1]
    assert fit.rule == {"kind": "spans", "spans": [[0, 1_000], [CHANGE, None]]}
    assert fit.rows.places.tolist() == [*range(1_000), *range(CHANGE, choices.newer.min())]
    chosen, _ = rows_of_rule(fit.rule, data.training_when)
    assert chosen.tolist() == [*range(1_000), *range(CHANGE, N)]  # and with the newer rows where it is taken


def test_it_extends_the_better_of_the_windows_since_the_change(data: TrainingData) -> None:
    choices = choices_of(data, "all", "since_change", "half_since_change", ALIKE, change=2_000)
    begins = {fit.window: int(fit.rows.places.min()) for fit in choices.fits[1:]}
    assert set(begins) == {"since_change", "half_since_change"}
    earlier = {window: asked_of(data, start) for window, start in begins.items()}
    for best, start in begins.items():
        newer = {window: newer_of(data, choices, window == best) for window in begins}
        found = extended(choices, newer, earlier, data)
        (fit,) = (fit for fit in found.fits if fit.window == ALIKE)
        assert fit.rule["spans"][-1] == [start, None]
        assert fit.rule["spans"][0][1] <= 1_000


@pytest.mark.parametrize(
    ("right_about", "note"),
    [
        (0, "nothing that came before is like since_change"),
        (CHANGE, "it has the same rows as all"),
    ],
)
def test_where_nothing_or_everything_is_alike_there_is_nothing_to_try(
    data: TrainingData, right_about: int, note: str
) -> None:
    choices = choices_of(data)
    batches = batches_before(CHANGE, data.training_when)
    told = answers(data.training_target[batches.asked], batches.asked < right_about)
    found = extended(choices, {"since_change": newer_of(data, choices)}, {"since_change": (batches, told)}, data)
    assert found.notes == {ALIKE: note}
    assert found.fits == choices.fits


def test_answers_that_are_no_numbers_are_like_nothing(data: TrainingData) -> None:
    choices = choices_of(data)
    batches, told = asked_of(data, CHANGE)
    newer = newer_of(data, choices)
    broken = np.where(batches.asked[:, None] % 600 == 1, np.nan, told)  # in every batch
    found = extended(choices, {"since_change": newer}, {"since_change": (batches, broken)}, data)
    assert found.notes == {ALIKE: "nothing that came before is like since_change"}
    found = extended(choices, {"since_change": newer * np.nan}, {"since_change": (batches, told)}, data)
    assert found.notes == {ALIKE: "no window since the change can be tried"}


def test_without_rows_of_before_and_without_a_fit_there_is_nothing_alike(data: TrainingData) -> None:
    choices = choices_of(data, "since_change", ALIKE, change=100)
    assert choices.is_comparison, "one window and what is like it"
    batches = batches_before(100, data.training_when)
    assert (batches.spans, batches.asked.size) == ((), 0)
    nothing = np.empty((0, 2))
    found = extended(
        choices, {"since_change": newer_of(data, choices)}, {"since_change": (batches, nothing)}, data
    )
    assert found.notes == {ALIKE: "nothing that came before is like since_change"}
    failed = choices.noted("since_change", "it crashed")
    assert extended(failed, {}, {}, data).notes == {
        "since_change": "it crashed",
        ALIKE: "no window since the change can be tried",
    }


def test_without_a_change_nothing_is_looked_for(data: TrainingData) -> None:
    choices = choices_of(data, change=None)
    assert not choices.seeks_alike
    assert choices.notes == {"since_change": "no change is known", ALIKE: "no change is known"}


def test_a_regression_is_asked_about_its_values(clicks: Any) -> None:
    made = clicks.data(clicks.model(target="spent"), rows=clicks.rows(N + 200), task=Task.REGRESSION)
    when = np.arange(N + 200, dtype=np.int64)
    data = replace(made, when=when, holdout=when >= N)
    choices = choices_of(data)
    batches = batches_before(CHANGE, when[:N])
    y = data.training_target
    noise = np.random.default_rng(3).normal(size=N)
    told = (y + noise + np.where(np.arange(N) < 1_000, 0, 50))[:, None]
    newer = (y + noise)[choices.newer][:, None]
    found = extended(choices, {"since_change": newer}, {"since_change": (batches, told[batches.asked])}, data)
    assert found.fits[1].rule == {"kind": "spans", "spans": [[0, 1_000], [CHANGE, None]]}


@given(
    st.lists(st.integers(0, 3_000), max_size=4_000).map(lambda moments: np.array(moments, dtype=np.int64)),
    st.integers(0, 3_001),
)
def test_batches_follow_each_other_and_have_enough_rows(when: np.ndarray, end: int) -> None:
    found = batches_before(end, when)
    edge = end
    for (first, last), size in zip(found.spans, found.sizes, strict=True):
        assert last == edge
        assert first < last
        inside = int(((when >= first) & (when < last)).sum())
        assert size == min(inside, BATCH)
        edge = first
    assert found.asked.size == sum(found.sizes)
    assert (when[found.asked] < end).all()
    left = int((when < edge).sum())
    assert left < BATCH
    for (first, last), places in zip(found.spans, found.of_each(found.asked), strict=True):
        assert ((when[places] >= first) & (when[places] < last)).all()
        assert np.unique(places).size == places.size


def test_a_long_past_has_a_hundred_batches_and_is_asked_about_in_part() -> None:
    found = batches_before(1_000_000, np.arange(1_000_000))
    assert len(found.spans) == 100
    assert found.asked.size == 100 * BATCH
    assert found.spans[0] == (990_000, 1_000_000)
