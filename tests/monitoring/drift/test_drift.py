from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from mainspring.domain.measurement import State, Window
from mainspring.domain.monitor import Monitor, MonitorKind
from mainspring.domain.task import Task
from mainspring.monitoring.drift.drift import drift, prediction
from mainspring.monitoring.hours.update import update_hours
from mainspring.testing.watched import DAY, HOUR, T0, Watched, day

WEEK = 7 * DAY


@pytest.fixture
def shop(tmp_path):
    return Watched(tmp_path)


def looked(shop, measure, monitor, window, **changes):
    now = window.end
    update_hours(shop.tables, "shop", shop.manifests, now=now, slices=[monitor.by] if monitor.by else [])
    return measure(shop.context(now, **changes), monitor, window)


def by_subject(found):
    return {(one.subject, *one.slice.values()): one for one in found}


def test_stable_inputs_are_fine_and_each_feature_is_measured(shop):
    shop.answer(3_000, label_share=0)
    found = looked(shop, drift, Monitor.drift(), day())
    assert [one.subject for one in found] == ["age", "device"]
    assert {one.state for one in found} == {State.FINE}
    age = found[0]
    assert (age.method, age.kind, age.rows) == ("ks", MonitorKind.DRIFT, 3_000)
    assert age.value < age.bar
    assert age.p_value > 0.001


def test_a_shift_is_found_in_the_feature_that_moved_and_told_with_an_example(shop):
    shop.answer(3_000, shift=0.3, label_share=0)
    age, device = looked(shop, drift, Monitor.drift(), day())
    assert (age.state, device.state) == (State.BAD, State.FINE)
    assert "the mean is 0.3" in age.note
    assert age.value > age.bar
    assert age.example["current"] != age.example["reference"]


def test_from_the_first_day_on_it_is_rather_skew(shop):
    notes = []
    for number in (0, 10):
        shop.answer(2_000, T0 + number * DAY, shift=0.5, label_share=0)
        notes.append(looked(shop, drift, Monitor.drift(), day(number))[0].note)
    assert "rather skew between training and serving" in notes[0]
    assert "drift since then, or skew" in notes[1]


def test_missing_values_and_new_categories_are_subjects_of_their_own(shop):
    rows = shop.rows(2_000).with_columns(
        pl.when(pl.int_range(pl.len()) % 5 == 0).then(None).otherwise("age").alias("age"),
        pl.when(pl.int_range(pl.len()) % 4 == 0).then(pl.lit("fridge")).otherwise("device").alias("device"),
    )
    shop.rows = lambda count, shift=0.0: rows
    shop.outputs = lambda rows, release: np.tile([0.4, 0.6], (rows.height, 1))
    shop.answer(2_000, label_share=0, labels=["no"] * 2_000)
    found = by_subject(looked(shop, drift, Monitor.drift(), day()))
    missing, unseen = found[("age: missing",)], found[("device: unseen",)]
    assert missing.state is unseen.state is State.BAD
    assert "missing in 20 % of the rows, before in 0 %" in missing.note
    assert unseen.example == {"value": "fridge", "rows": 500}
    assert found[("age",)].state is State.FINE


def test_an_alarm_of_ones_own_and_chosen_features(shop):
    shop.answer(3_000, shift=0.3, label_share=0)
    (age,) = looked(shop, drift, Monitor.drift(["age"], at_most=0.5), day())
    assert (age.state, age.bar) == (State.FINE, 0.5)
    (none,) = looked(shop, drift, Monitor.drift(["agee"]), day())
    assert none.state is State.UNKNOWN
    assert none.note == "the release has no input 'agee'; correct `features` of the monitor"
    (age,) = looked(shop, drift, Monitor.drift(["age"], method="psi"), day())
    assert age.method == "psi"


@pytest.mark.parametrize("rows", [0, 1, 199])
def test_few_rows_are_not_enough_to_say(shop, rows):
    shop.answer(500, T0 + 3 * DAY, label_share=0)
    if rows:
        shop.answer(rows, shift=5, label_share=0)
    (found,) = looked(shop, drift, Monitor.drift(), day())
    assert found.state is State.UNKNOWN
    assert "not enough to say" in found.note
    assert found.rows == rows


def test_each_slice_is_compared_with_the_same_slice_of_the_release(shop):
    shop.answer(3_000, label_share=0)
    frame = shop.rows(4_000)
    moved = frame.with_columns(
        pl.when(pl.col("device") == "tv").then(pl.col("age") + 1).otherwise("age").alias("age")
    )
    shop.rows = lambda count, shift=0.0: moved
    shop.answer(4_000, T0 + DAY, label_share=0)
    found = by_subject(looked(shop, drift, Monitor.drift(["age"], by="device"), day(1)))
    assert {key: one.state for key, one in found.items()} == {
        ("age",): State.BAD,
        ("age", "phone"): State.FINE,
        ("age", "tv"): State.BAD,
    }
    assert found[("age", "tv")].rows < 2_000


def test_slices_need_reference_rows(tmp_path):
    shop = Watched(tmp_path, reference_rows=0)
    shop.answer(3_000, label_share=0)
    found = by_subject(looked(shop, drift, Monitor.drift(["age"], by="device"), day()))
    assert found[("age",)].state is State.FINE
    assert found[("", "phone")].state is State.UNKNOWN
    assert "sealed without reference rows" in found[("", "phone")].note


def test_personal_inputs_are_not_in_the_log(shop):
    from dataclasses import replace

    from mainspring.domain.schema import Personal

    shop.answer(1_000, label_share=0)
    manifest = shop.manifests[1]
    fields = (replace(manifest.inputs[0], personal=Personal.MASK), manifest.inputs[1])
    shop.manifests[1] = replace(manifest, inputs=fields)
    age, device = sorted(looked(shop, drift, Monitor.drift(), day()), key=lambda one: one.subject)
    assert (age.state, device.state) == (State.UNKNOWN, State.FINE)
    assert age.note == "it is personal: the prediction log does not have it in clear"


@pytest.mark.parametrize("task", list(Task))
def test_answers_move_with_the_inputs(tmp_path, task):
    shop = Watched(tmp_path, task)
    shop.answer(3_000, label_share=0)
    shop.answer(3_000, T0 + DAY, shift=0.7, label_share=0)
    fine = looked(shop, prediction, Monitor.prediction(), day())
    bad = by_subject(looked(shop, prediction, Monitor.prediction(), day(1)))
    assert {one.state for one in fine} == {State.FINE}
    assert bad[("prediction",)].state is State.BAD
    names = {
        Task.BINARY: {"probability:yes"},
        Task.MULTICLASS: {f"probability:{name}" for name in ("bronze", "gold", "silver")},
        Task.REGRESSION: set(),
    }
    assert {one.subject for one in fine if one.subject.startswith("probability")} == names[task]
    assert {one.release for one in fine} == {1}


def test_a_challenger_is_compared_with_its_own_reference(shop):
    shop.release(2, noise=1.5)
    shop.answer(2_000, label_share=0, shadow=2)
    found = looked(shop, prediction, Monitor.prediction(), day(), challengers=(2,))
    assert {one.release for one in found if one.subject == "prediction"} == {1, 2}
    assert {one.state for one in found} == {State.FINE}


def test_a_monitor_that_looks_often_needs_more_to_be_sure(shop):
    """The same rows: a look a week bears a p-value that a look an hour does not."""
    shop.answer(800, shift=0.12, label_share=0)
    states = {}
    for every in ("1h", "7d"):
        found = looked(shop, drift, Monitor.drift(["age"], every=every, at_most=0.0), day())
        states[every] = found[0].state
        assert 0.2 / 8760 < found[0].p_value < 0.2 / 52.2
    assert states == {"1h": State.FINE, "7d": State.BAD}


@pytest.mark.soak
def test_stable_weeks_hour_by_hour_make_no_alarm(shop):
    shop.answer(2_000, T0, label_share=0)
    fine = 0
    for hour in range(24, 24 * 14):
        end = T0 + hour * HOUR
        if hour % 24 == 0:  # not all at once: what claims to be of days ahead is of no hour
            shop.answer(2_000, end, label_share=0)
        found = looked(shop, drift, Monitor.drift(), Window(end - timedelta(days=1), end))
        assert State.BAD not in {one.state for one in found}, found
        fine += {one.state for one in found} == {State.FINE}
    assert fine > 200, "there was enough to say"
