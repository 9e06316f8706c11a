"""Estimates without labels: near the truth where the inputs change, honest where the concept does."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mainspring.domain.measurement import Measurement, State
from mainspring.domain.monitor import Monitor
from mainspring.domain.task import Task
from mainspring.monitoring.performance.estimate import estimate
from mainspring.testing.watched import DAY, HOUR, T0, Watched, day
from mainspring.training.metrics import measure

METRICS = [
    *((Task.BINARY, name) for name in ("roc_auc", "average_precision", "log_loss", "brier", "accuracy", "f1")),
    *((Task.MULTICLASS, name) for name in ("roc_auc", "log_loss", "accuracy", "f1")),
    *((Task.REGRESSION, name) for name in ("mae", "rmse")),
]


def estimated(watched: Watched, monitor: Monitor, number: int, **changes: Any) -> list[Measurement]:
    return estimate(watched.context(T0 + (number + 1) * DAY, **changes), monitor, day(number))


def realised(watched: Watched, metric: str, number: int) -> float:
    """By labels that come long after."""
    rows = watched.context(T0 + 99 * DAY).joined(day(number))
    outputs, classes = np.array(rows["outputs"].to_list()), watched.manifests[1].output.classes
    truth: Any = rows["label_value"].to_numpy()
    if classes:
        truth = np.array([classes.index(label) for label in rows["label"].to_list()])
    return measure(metric, outputs, truth, task=watched.task, positive=watched.positive)


@pytest.mark.parametrize(("task", "metric"), METRICS)
def test_it_is_near_what_comes_true_also_where_the_inputs_changed(task: Task, metric: str, tmp_path: Path) -> None:
    watched = Watched(tmp_path, task)
    watched.answer(4000, label_delay=50 * DAY)
    watched.answer(4000, T0 + DAY, shift=0.8, label_delay=50 * DAY)
    for number in (0, 1):
        (found,) = estimated(watched, Monitor.estimate(metric, margin=0.3), number, label_delay=50 * DAY)
        assert found.estimated
        assert "it does not see a change of the concept alone" in found.note
        assert found.method == ("DLE" if task is Task.REGRESSION else "CBPE")
        assert found.low is not None
        assert found.high is not None
        truth, half = realised(watched, metric, number), (found.high - found.low) / 2
        assert found.value == pytest.approx(truth, abs=2.5 * half)
        assert half < 0.1 * abs(truth) + 0.02


def test_inputs_that_make_it_worse_are_bad_before_any_label(tmp_path: Path) -> None:
    watched = Watched(tmp_path, Task.REGRESSION)
    watched.answer(2000, label_share=0)
    watched.answer(2000, T0 + DAY, shift=2.0, label_share=0)
    monitor = Monitor.estimate("mae", margin=0.1)
    assert [estimated(watched, monitor, number)[0].state for number in (0, 1)] == [State.FINE, State.BAD]


def test_the_interval_covers_what_comes_true(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    hits = 0
    for number in range(30):
        watched.answer(400, T0 + number * DAY, label_delay=50 * DAY)
        (found,) = estimated(watched, Monitor.estimate("accuracy"), number, label_delay=50 * DAY)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= realised(watched, "accuracy", number) <= found.high
    assert hits >= 26


def test_a_change_of_the_concept_is_not_seen_but_found_by_the_labels(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.answer(3000, moved=2.0, label_delay=HOUR)
    watched.answer(3000, T0 + DAY, moved=2.0, label_share=0)
    monitor = Monitor.estimate("log_loss", margin=0.05)
    blind, *nothing = estimated(watched, monitor, 0, label_delay=2 * DAY)
    assert (blind.state, nothing) == (State.FINE, [])  # no labels yet: nothing could tell
    now, gap = estimated(watched, monitor, 1, label_delay=DAY)
    assert (gap.state, gap.subject) == (State.BAD, "log_loss: measured less estimated")
    assert gap.value == pytest.approx(realised(watched, "log_loss", 0) - float(blind.value or 0), abs=1e-9)
    assert gap.window == day(0)
    assert not gap.estimated
    assert now.state is State.UNKNOWN
    assert "not to be believed" in now.note


def test_an_estimate_that_held_is_said_to_have_held(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.answer(3000)
    watched.answer(3000, T0 + DAY, label_share=0)
    now, gap = estimated(watched, Monitor.estimate("roc_auc", margin=0.05), 1, label_delay=DAY)
    assert (now.state, gap.state) == (State.FINE, State.FINE)
    assert gap.low is not None
    assert gap.high is not None
    assert gap.low < 0 < gap.high
    assert gap.note.startswith("measured 0.")


@pytest.mark.parametrize(
    ("task", "metric", "reference_rows", "note"),
    [
        (Task.BINARY, "roc_auc", 0, "shop@1 was sealed with no labelled reference rows"),
        (
            Task.REGRESSION,
            "r2",
            4000,
            "r2 of a regression cannot be estimated without labels; use one of: mae, rmse",
        ),
        (Task.BINARY, "mae", 4000, "mae is no metric of a binary model"),
    ],
)
def test_what_cannot_be_estimated_is_said(
    task: Task, metric: str, reference_rows: int, note: str, tmp_path: Path
) -> None:
    watched = Watched(tmp_path, task, reference_rows=reference_rows)
    watched.answer(300)
    (found,) = estimated(watched, Monitor.estimate(metric), 0)
    assert (found.state, found.estimated) == (State.UNKNOWN, True)
    assert note in found.note


def test_an_empty_window_and_one_row_are_not_enough(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    for number in (0, 1):
        (found,) = estimated(watched, Monitor.estimate("roc_auc"), 0)
        assert found.state is State.UNKNOWN
        assert found.note == f"{number} answers, and 200 are needed"
        watched.answer(1)


def test_inputs_that_are_missing_or_new_do_not_hinder_it(tmp_path: Path) -> None:
    watched = Watched(tmp_path, Task.REGRESSION)
    log = watched.answer(300, label_share=0)
    odd = log.with_columns(
        pl.col("id") + "x",
        pl.when(pl.col("input_device") == "tv").then(pl.lit("fridge")).alias("input_device"),
        pl.lit(None, pl.Float64).alias("input_age"),
    )
    watched.tables.record("predictions/shop", odd, partition="day", offsets={})
    (found,) = estimated(watched, Monitor.estimate("mae", margin=9.0), 0)
    assert (found.state, found.rows) == (State.FINE, 600)
