"""The monitors of the prediction log, looking at score jobs."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from mainspring.data.labels import label_frame
from mainspring.domain.feedback import message
from mainspring.domain.measurement import State
from mainspring.domain.monitor import Monitor
from mainspring.domain.task import Task
from mainspring.monitoring.drift.drift import drift, prediction
from mainspring.monitoring.performance.performance import performance
from mainspring.testing.scored import a_job
from mainspring.testing.watched import DAY, HOUR, T0, Watched

WEEK = 7 * DAY


@pytest.fixture
def shop(tmp_path):
    return Watched(tmp_path)


def looked(shop, measure, monitor, job, **changes):
    context = shop.context(changes.pop("now", job.ended), champion=job.release, job=job, **changes)
    return {(one.subject, *one.slice.values()): one for one in measure(context, monitor, job.window)}


def keyed(rows):
    return rows.with_columns(impression_id=pl.format("k{}", pl.int_range(pl.len())))


def told(shop, rows, at, share=1.0):
    """Labels by the keys of a share of the rows."""
    truth = shop.truth(rows)
    said = [
        message(
            prediction_id=None,
            key=key,
            name="label",
            label=None if shop.task is Task.REGRESSION else label,
            value=float(label) if shop.task is Task.REGRESSION else None,
            happened_at=None,
            feedback_id=None,
        )
        for key, label in list(zip(rows["impression_id"].to_list(), truth, strict=True))[
            : int(share * rows.height)
        ]
    ]
    shop.tables.record("labels/shop", label_frame(said, at), partition="day", offsets={})


def test_rows_like_those_of_training_are_fine(shop):
    job = a_job(shop, shop.rows(5_000), T0)
    for measure, monitor in ((drift, Monitor.drift()), (prediction, Monitor.prediction())):
        found = looked(shop, measure, monitor, job)
        assert {one.state for one in found.values()} == {State.FINE}, found
        assert {one.job for one in found.values()} == {"out.parquet"}
        assert {one.window for one in found.values()} == {job.window}


def test_a_shift_is_found_in_the_job_that_has_it_and_in_no_other(shop):
    fine = a_job(shop, shop.rows(5_000), T0)
    bad = a_job(shop, shop.rows(5_000, shift=0.5), T0)
    found = looked(shop, drift, Monitor.drift(), bad)
    assert (found["age",].state, found["device",].state) == (State.BAD, State.FINE)
    assert looked(shop, drift, Monitor.drift(), fine)["age",].state is State.FINE
    answers = looked(shop, prediction, Monitor.prediction(), bad)
    assert answers["probability:yes",].state is State.BAD


def test_the_answers_of_the_gateway_are_another_matter(shop):
    shop.answer(3_000, T0, HOUR, shift=2.0)
    job = a_job(shop, shop.rows(3_000), T0 + HOUR / 2)
    assert looked(shop, drift, Monitor.drift(), job)["age",].state is State.FINE
    assert looked(shop, drift, Monitor.drift(reference="previous"), job)[("",)].state is State.UNKNOWN


def test_by_slice_and_by_a_classifier(shop):
    rows = shop.rows(6_000)
    moved = rows.with_columns(
        pl.when(pl.col("device") == "tv").then(pl.col("age") + 1).otherwise("age").alias("age")
    )
    job = a_job(shop, moved, T0)
    found = looked(shop, drift, Monitor.drift(by="device"), job)
    assert found["age", "tv"].state is State.BAD
    assert found["age", "phone"].state is State.FINE
    (auc,) = looked(shop, drift, Monitor.drift(method="classifier"), job).values()
    assert auc.state is State.BAD
    assert "age" in auc.note


@pytest.mark.parametrize("reference", ["previous", "season", "2026-02-20/2026-02-28"])
def test_references_are_of_earlier_jobs(shop, reference):
    for days in (-14, -7, -6):
        a_job(shop, shop.rows(2_000, shift=1.0), T0 + days * DAY)
    same, other = a_job(shop, shop.rows(2_000, shift=1.0), T0), shop.rows(2_000)
    monitor = Monitor.drift(reference=reference)
    found = looked(shop, drift, monitor, same)
    assert found["age",].state is State.FINE, found
    found = looked(shop, drift, monitor, a_job(shop, other, T0 + 2 * HOUR))
    assert found["age",].state is State.BAD
    assert "job" in found["age",].note


def test_few_rows_are_not_enough_to_say(shop):
    for rows in (0, 1, 150):
        found = looked(shop, drift, Monitor.drift(), a_job(shop, shop.rows(rows), T0))
        assert {one.state for one in found.values()} == {State.UNKNOWN}


@pytest.mark.parametrize("task", list(Task))
def test_performance_is_known_once_labels_came_for_the_keys(tmp_path, task):
    shop = Watched(tmp_path, task)
    rows = keyed(shop.rows(3_000))
    job = a_job(shop, rows, T0)
    metric = "rmse" if task is Task.REGRESSION else "log_loss"
    monitor = Monitor.performance(metric, margin=0.2)
    (waiting,) = looked(shop, performance, monitor, job).values()
    assert (waiting.state, waiting.rows) == (State.UNKNOWN, 0)
    told(shop, rows, T0 + DAY)
    found = looked(shop, performance, monitor, job, now=T0 + 2 * DAY)[metric,]
    assert (found.state, found.rows, found.release, found.job) == (State.FINE, 3_000, 1, "out.parquet")
    assert found.low < found.value < found.high
    early = looked(shop, performance, monitor, job, now=T0 + HOUR).values()
    assert {one.rows for one in early} == {0}, "what is not known yet is not seen"


def test_a_model_that_became_worse_is_found_by_the_labels_of_a_job(shop):
    rows = keyed(shop.rows(4_000))
    job = a_job(shop, rows, T0)
    told(shop, rows.with_columns(age=-pl.col("age")), T0 + DAY)
    found = looked(shop, performance, Monitor.performance("roc_auc"), job, now=T0 + 2 * DAY)["roc_auc",]
    assert found.state is State.BAD


def test_labels_for_some_rows_only_are_waited_for(shop):
    rows = keyed(shop.rows(2_000))
    job = a_job(shop, rows, T0)
    told(shop, rows, T0 + DAY, share=0.5)
    monitor = Monitor.performance("roc_auc")
    (found,) = looked(shop, performance, monitor, job, now=T0 + 2 * DAY).values()
    assert found.state is State.UNKNOWN
    assert "50%" in found.note
    found = looked(shop, performance, monitor, job, now=T0 + 2 * DAY, label_delay=timedelta(hours=30))["roc_auc",]
    assert (found.state, found.rows) == (State.FINE, 1_000)


def test_an_input_of_another_kind_in_a_later_release_is_told_apart(shop):
    from dataclasses import replace

    from mainspring.domain.release import InputField
    from mainspring.domain.schema import Kind

    first = a_job(shop, shop.rows(500), T0)
    shop.release(2)
    fields = (shop.manifests[2].inputs[0], InputField("device", Kind.NUMBER))
    shop.manifests[2] = replace(shop.manifests[2], inputs=fields)
    numbers = shop.rows(500).with_columns(device=pl.lit(np.pi))
    second = a_job(shop, numbers, T0 + HOUR, release=2)
    for job, there in ((first, "phone"), (second, np.pi)):
        context = shop.context(job.ended, champion=job.release, job=job)
        sample = context.sample(job.window)
        assert any(there in sample[name].to_list() for name in sample.columns if name.endswith("input_device"))
    context = shop.context(second.ended, champion=2, job=second)
    assert context.slices(second.window, ["device"])[0][1] == 500
