"""Performance by late labels: when a window counts, what is bad, and that too little is never called fine."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import mean_absolute_error, roc_auc_score

from mainspring.domain.measurement import Measurement, State
from mainspring.domain.monitor import Monitor
from mainspring.domain.task import Task
from mainspring.monitoring.performance.performance import performance
from mainspring.testing.watched import DAY, HOUR, T0, Watched, day
from mainspring.training.metrics import metric_names

AUC = Monitor.performance("roc_auc", margin=0.02)


def first(found: list[Measurement], subject: str = "roc_auc", **wanted: Any) -> Measurement:
    return next(
        one for one in found if one.subject == subject and all(getattr(one, k) == v for k, v in wanted.items())
    )


def test_it_is_the_metric_of_the_labelled_answers_with_its_interval(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.answer(2000)
    found = first(performance(watched.context(T0 + 2 * DAY), AUC, day()))
    rows = watched.context(T0 + 2 * DAY).joined(day())
    expected = roc_auc_score((rows["label"] == "yes").to_numpy(), rows["value"].to_numpy())
    assert found.value == pytest.approx(expected)
    assert (found.state, found.release, found.rows) == (State.FINE, 1, 2000)
    assert found.low is not None
    assert found.high is not None
    assert found.low < expected < found.high
    sealed = watched.manifests[1].metrics["roc_auc"].value
    assert sealed is not None
    assert (found.reference, found.bar) == (sealed, pytest.approx(sealed - 0.02))
    assert "2,000 of 2,000 answers have a label" in found.note


@pytest.mark.parametrize("task", Task)
def test_every_metric_of_the_task_stands_beside_it_and_is_not_judged(task: Task, tmp_path: Path) -> None:
    watched = Watched(tmp_path, task)
    watched.answer(1000)
    metric = "mae" if task is Task.REGRESSION else "log_loss"
    found = performance(watched.context(T0 + 2 * DAY), Monitor.performance(metric, margin=0.2), day())
    assert {one.subject for one in found} == set(metric_names(task))
    assert all(one.value is not None and one.reference is not None for one in found)
    assert [one.subject for one in found if one.bar is not None] == [metric]
    if task is Task.REGRESSION:
        rows = watched.context(T0 + 2 * DAY).joined(day())
        assert first(found, "mae").value == pytest.approx(mean_absolute_error(rows["label_value"], rows["value"]))


def test_a_worse_concept_is_bad_and_the_same_concept_is_fine(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.answer(3000)
    watched.answer(3000, T0 + DAY, moved=1.5)
    context = watched.context(T0 + 4 * DAY)
    monitor = Monitor.performance("log_loss", margin=0.01)
    states = [first(performance(context, monitor, day(n)), "log_loss").state for n in (0, 1)]
    assert states == [State.FINE, State.BAD]


def test_a_bar_of_the_users_own(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.answer(3000)
    context = watched.context(T0 + 2 * DAY)
    for bar, state in ((0.6, State.FINE), (0.99, State.BAD)):
        found = first(performance(context, Monitor.performance("roc_auc", at_least=bar), day()))
        assert (found.state, found.bar) == (state, bar)


def test_a_window_waits_for_its_labels_and_says_until_when(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.answer(1000, label_share=0.5)
    waiting = first(performance(watched.context(T0 + DAY, label_delay=DAY), AUC, day()))
    assert waiting.state is State.UNKNOWN
    assert "judged from 80% on, or from 2026-03-04 00:00 UTC on" in waiting.note
    due = first(performance(watched.context(T0 + 2 * DAY, label_delay=DAY), AUC, day()))
    assert due.state is State.FINE
    assert due.rows == pytest.approx(500, abs=80)
    undeclared = first(performance(watched.context(T0 + 9 * DAY), AUC, day()))
    assert undeclared.state is State.UNKNOWN
    assert "it declares none" in undeclared.note


def test_labels_that_come_later_are_not_seen(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.answer(1000, label_delay=2 * DAY)
    early = first(performance(watched.context(T0 + DAY), AUC, day()))
    assert (early.state, early.rows) == (State.UNKNOWN, 0)
    assert first(performance(watched.context(T0 + 3 * DAY), AUC, day())).state is State.FINE


def test_little_is_not_enough_to_say(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    context = watched.context(T0 + 9 * DAY)
    (nothing,) = performance(context, AUC, day())
    assert (nothing.state, nothing.note) == (State.UNKNOWN, "nothing was answered in this time")
    watched.answer(1)
    (one,) = performance(context, AUC, day())
    assert one.state is State.UNKNOWN
    assert "and 200 are needed" in one.note
    watched.answer(500, T0 + DAY, labels=["no"] * 500)
    same = first(performance(context, AUC, day(1)))
    assert (same.state, same.value) == (State.UNKNOWN, None)
    assert "all 500 labels are 'no'" in same.note


def test_labels_that_are_no_class_are_left_out_and_counted(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.answer(
        1000, labels=np.where(np.arange(1000) % 10 == 0, "maybe", np.where(np.arange(1000) % 2, "no", "yes"))
    )
    found = first(performance(watched.context(T0 + 2 * DAY), AUC, day()))
    assert found.rows == 900
    assert "100 labels are no class of the release" in found.note


def test_labels_of_unknown_predictions_change_nothing(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.answer(300, label_share=0.0)
    watched.say([f"nobody{n}/0" for n in range(300)], ["yes"] * 300, [T0 + HOUR] * 300)
    (found,) = performance(watched.context(T0 + 2 * DAY), AUC, day())
    assert found.state is State.UNKNOWN
    assert "0 of 300 answers have a label" in found.note


def test_outputs_that_are_no_numbers_are_left_out(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    log = watched.answer(400)
    outputs = pl.Series("outputs", [[float("nan"), 1.0], [0.5], [None, 0.5]], dtype=pl.List(pl.Float64))
    broken = log.head(3).with_columns(pl.col("id") + "x", outputs)
    watched.tables.record("predictions/shop", broken, partition="day", offsets={})
    found = first(performance(watched.context(T0 + 2 * DAY), AUC, day()))
    assert (found.state, found.rows) == (State.FINE, 400)


def test_each_release_is_judged_by_its_own_figure(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.release(2, noise=1.0)
    watched.answer(1000)
    watched.answer(1000, release=2, role="canary")
    watched.answer(50, release=1, role="pinned")
    found = performance(watched.context(T0 + 2 * DAY), AUC, day())
    one, two = first(found, release=1), first(found, release=2)
    assert (one.rows, two.rows) == (1050, 1000)
    assert one.state is two.state is State.FINE  # worse, but no worse than it was sealed with
    assert one.value is not None
    assert two.value is not None
    assert two.value < one.value - 0.05
    unknown = watched.context(T0 + 2 * DAY, manifests={1: watched.manifests[1]})
    assert first(performance(unknown, AUC, day()), release=2).note == "release 2 is not known any more"


def test_a_challenger_is_compared_on_the_rows_that_both_answered(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.release(2, noise=0.5)
    watched.answer(2000, shadow=2)
    watched.answer(700)
    context = watched.context(T0 + 2 * DAY, challengers=(2,))
    gain = first(performance(context, AUC, day()), "roc_auc gain")
    assert (gain.release, gain.rows, gain.state) == (2, 2000, State.FINE)
    assert gain.high is not None
    assert gain.high < 0
    assert "release 2 is worse than release 1 on 2,000 rows" in gain.note
    few = Monitor.performance("roc_auc", margin=0.02, min_rows=2500)
    assert first(performance(context, few, day()), "roc_auc gain").state is State.UNKNOWN


def test_a_slice_that_went_bad_is_found_where_the_whole_is_fine(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    rows = watched.answer(4000, label_share=0.0)
    is_tv = (rows["input_device"] == "tv").to_numpy()
    truth = np.where(rows["value"].to_numpy() > 0.5, "yes", "no")
    turned = np.where(is_tv & (np.arange(4000) % 2 == 0), np.where(truth == "yes", "no", "yes"), truth)
    watched.say(rows["id"].to_list(), turned, [T0 + DAY] * 4000)
    monitor = Monitor.performance("roc_auc", margin=0.05, by="device")
    found = performance(watched.context(T0 + 2 * DAY), monitor, day())
    assert first(found, slice={"device": "tv"}).state is State.BAD
    phone = first(found, slice={"device": "phone"})
    assert phone.state is State.FINE
    assert phone.reference is not None  # of the same slice of the holdout


def test_slices_of_numbers_are_the_same_in_every_window(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.answer(2000)
    watched.answer(2000, T0 + DAY, shift=1.0)
    monitor = Monitor.performance("log_loss", margin=0.2, by="age")
    context = watched.context(T0 + 3 * DAY)
    names = [{str(one.slice["age"]) for one in performance(context, monitor, day(n)) if one.slice} for n in (0, 1)]
    assert names[0] == names[1] == {"< -2", "-2 to 0", "0 to 2", "≥ 2"}


def test_without_reference_rows_slices_have_no_figure_to_be_compared_with(tmp_path: Path) -> None:
    watched = Watched(tmp_path, reference_rows=0)
    watched.answer(1000)
    monitor = Monitor.performance("roc_auc", margin=0.05, by="device")
    found = performance(watched.context(T0 + 2 * DAY), monitor, day())
    assert first(found, slice={}).state is State.FINE
    sliced = first(found, slice={"device": "tv"})
    assert sliced.state is State.UNKNOWN
    assert "give the monitor a bar" in sliced.note


@pytest.mark.parametrize("reference", ["previous", "season", "2026-03-02/2026-03-03"])
def test_an_earlier_time_may_be_the_reference(reference: str, tmp_path: Path) -> None:
    watched, last = Watched(tmp_path), 7 if reference == "season" else 1
    watched.answer(1500)
    watched.answer(1500, T0 + last * DAY, moved=1.5)
    context, monitor = watched.context(T0 + 9 * DAY), Monitor.performance("log_loss", reference=reference)
    before = first(performance(context, Monitor.performance("log_loss"), day()), "log_loss")
    found = first(performance(context, monitor, day(last)), "log_loss")
    assert (found.reference, found.state) == (before.value, State.BAD)
    if reference in ("previous", "season"):
        nothing = first(performance(context, monitor, day()), "log_loss")
        assert (nothing.reference, nothing.state) == (None, State.UNKNOWN)
        assert "there is no figure to compare it with" in nothing.note


def test_a_metric_of_another_task_is_said(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.answer(300)
    (found,) = performance(watched.context(T0 + 2 * DAY), Monitor.performance("rmse", at_most=1.0), day())
    assert found.state is State.UNKNOWN
    assert found.note.startswith("rmse is no metric of a binary model; use one of: roc_auc")


def test_a_stable_model_is_hardly_ever_bad(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    for number in range(40):
        watched.answer(500, T0 + number * DAY)
    monitor = Monitor.performance("roc_auc")  # no margin: its own figure is the bar
    context = watched.context(T0 + 50 * DAY)
    states = [first(performance(context, monitor, day(number))).state for number in range(40)]
    assert State.BAD not in states
    assert states.count(State.FINE) >= 36


def test_events_of_the_hour_that_clocks_change_are_counted_once(tmp_path: Path) -> None:
    start = T0 + timedelta(days=27)  # 29 March 2026: in Europe the day has 23 hours, here it has 24
    watched = Watched(tmp_path)
    watched.answer(2400, start)
    context = watched.context(start + 3 * DAY)
    hours = [first(performance(context, AUC, day(27)))]
    assert hours[0].rows == 2400
