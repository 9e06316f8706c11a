"""Which rows a retraining holds out, and what it keeps of the champion."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from mainspring.data.labelled_rows import ANSWERED
from mainspring.domain.model import Model
from mainspring.domain.release import OutputSpec
from mainspring.domain.retrain import Retrain
from mainspring.domain.source import Source
from mainspring.domain.task import Task
from mainspring.domain.trigger import Trigger, TriggerKind
from mainspring.loop.lifecycle.resolution import ResolvedModel
from mainspring.loop.lifecycle.windows import (
    kept_parameters_of,
    kept_positive,
    microseconds,
    retraining_split,
    rows_of_first,
    unseen_since,
    window_plan,
)
from mainspring.testing.releases import a_manifest
from mainspring.training.splitting import apply_split

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MODEL = Model("clicks", Source("clicks.csv", key="id"), target="clicked", retrain=Retrain())
RESOLVED = ResolvedModel(Task.BINARY, "clicked", ("age",), "id", None, "roc_auc")


def rows(source: int, asked: int, *, time: bool = False) -> pl.DataFrame:
    """Rows of the source, and as many answers an hour apart from `START` on."""
    at = [START + number * HOUR for number in range(asked)]
    known = [START - (source - number) * HOUR for number in range(source)]
    count = source + asked
    frame = pl.DataFrame(
        {
            "id": [f"c{number}" for number in range(count)],
            "age": np.arange(count),
            "clicked": ["yes" if number % 3 else "no" for number in range(count)],
            ANSWERED: pl.Series([*[None] * source, *at], dtype=pl.Datetime("us", "UTC")),
        }
    )
    return frame.with_columns(pl.Series("shown_at", [*known, *at])) if time else frame


def test_without_a_time_column_the_newest_answers_are_held_out() -> None:
    frame = rows(1_000, 500)
    split = retraining_split(frame, MODEL, RESOLVED, None)
    assert split is not None
    assert split["kind"] == "answered"
    assert np.flatnonzero(apply_split(frame, split)).tolist() == list(range(1_400, 1_500))


@pytest.mark.parametrize("time", [None, "shown_at"])
def test_after_a_change_the_newest_rows_since_it_are_held_out(time: str | None) -> None:
    frame, change = rows(1_000, 1_000, time=time is not None), START + 600 * HOUR
    split = retraining_split(frame, MODEL, replace(RESOLVED, time=time), change)
    assert split is not None
    assert split["kind"] == ("answered" if time is None else "time")
    assert np.flatnonzero(apply_split(frame, split)).tolist() == list(range(1_920, 2_000))
    plan = window_plan(MODEL, split, change, None)
    assert plan is not None
    assert plan.since == plan.change == microseconds(change)


def test_a_window_may_be_as_many_rows_as_the_first_release_was_made_of() -> None:
    plan, none = (window_plan(MODEL, None, None, rows_of_first(first)) for first in (a_manifest(), None))
    assert plan is not None
    assert none is not None
    assert plan.windows[:2] == ("all", "1000 rows")
    assert none.windows == (plan.windows[0], *plan.windows[2:])
    assert rows_of_first(replace(a_manifest(), training=None)) is None, "it was adopted"


def test_too_few_rows_since_a_change_are_no_holdout_of_their_own() -> None:
    frame = rows(1_000, 1_000)
    split = retraining_split(frame, MODEL, RESOLVED, START + 900 * HOUR)
    assert split is not None
    assert apply_split(frame, split).sum() == 200
    assert retraining_split(rows(1_000, 100), MODEL, RESOLVED, None) is None


def test_a_holdout_of_one_class_judges_nothing() -> None:
    frame = rows(1_000, 1_000).with_columns(
        clicked=pl.when(pl.int_range(pl.len()) < 1_850).then("clicked").otherwise(pl.lit("yes"))
    )
    change = START + 500 * HOUR
    split = retraining_split(frame, MODEL, RESOLVED, change)
    assert split is not None
    assert apply_split(frame, split).sum() == 200  # of all answers, of which some say no
    frame = frame.with_columns(
        clicked=pl.when(pl.int_range(pl.len()) < 1_700).then("clicked").otherwise(pl.lit("yes"))
    )
    assert retraining_split(frame, MODEL, RESOLVED, change) is None


def test_a_time_column_of_numbers_is_no_time() -> None:
    frame = rows(1_000, 500).with_columns(period=pl.int_range(pl.len()))
    split = retraining_split(frame, MODEL, replace(RESOLVED, time="period"), None)
    assert split is not None
    assert split["kind"] == "answered"


def test_rows_of_the_source_alone_are_held_out_as_the_model_says() -> None:
    frame = rows(1_000, 0).drop(ANSWERED)
    assert retraining_split(frame, MODEL, RESOLVED, None) is None
    assert retraining_split(frame, MODEL, RESOLVED, START) is None  # nobody knows when a row came
    assert window_plan(replace(MODEL, retrain=None), None, START, None) is None


@pytest.mark.parametrize(
    ("kind", "kept"),
    [
        (TriggerKind.DRIFT, True),
        (TriggerKind.PERFORMANCE, True),
        (TriggerKind.NEW_LABELS, True),
        (TriggerKind.NEW_DATA, True),
        (TriggerKind.SCHEDULE, False),
        (TriggerKind.BY_HAND, False),
    ],
)
def test_what_asks_for_new_rows_keeps_the_parameters(kind: TriggerKind, kept: bool) -> None:
    made = a_manifest()
    resolved = replace(RESOLVED, features=tuple(field.name for field in made.inputs))
    trigger = Trigger(id="one", kind=kind, at=START, reason="")
    assert kept_parameters_of(made, resolved, made.code_digest, trigger) == (made.ref if kept else None)
    assert kept_parameters_of(made, resolved, made.code_digest, None) is None
    assert kept_parameters_of(made, resolved, "other code", trigger) is None
    assert kept_parameters_of(made, RESOLVED, made.code_digest, trigger) is None
    assert kept_parameters_of(replace(made, training=None), resolved, made.code_digest, trigger) is None
    assert kept_parameters_of(None, resolved, made.code_digest, trigger) is None


def test_what_a_probability_is_of_does_not_change() -> None:
    made = a_manifest(output=OutputSpec(Task.BINARY, ("no", "yes"), "yes"))
    assert kept_positive(made, pl.Series(["yes", "no", None])) == "yes"
    assert kept_positive(made, pl.Series(["ja", "nein"])) is None
    assert kept_positive(None, pl.Series(["yes", "no"])) is None


def test_a_release_has_seen_no_answer_from_its_own_cut_on() -> None:
    made = a_manifest()
    assert made.training is not None
    assert unseen_since(made) == made.created_at
    split = {"kind": "answered", "cut": microseconds(START), "share": 0.2, "since": 0}
    learnt = replace(made, snapshots=("a", "b"), training=replace(made.training, split=split))
    assert unseen_since(learnt) == START
    assert unseen_since(replace(made, training=None)) == made.created_at
