"""Parity differences: real ones are bad, those of chance are not, and too little is not enough to say."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mainspring.domain.measurement import Measurement, State
from mainspring.domain.monitor import Monitor
from mainspring.domain.task import Task
from mainspring.monitoring.performance.fairness import fairness
from mainspring.stats.proportions import difference_interval
from mainspring.testing.watched import DAY, T0, Watched, day

RATE = Monitor.fairness("device", at_most=0.1)


def by_device(found: list[Measurement]) -> dict[str, Measurement]:
    return {one.slice["device"]: one for one in found if one.slice}


def unequal(watched: Watched, count: int = 2000) -> pl.DataFrame:
    """Answers that say `yes` more often to phones."""
    log = watched.answer(0 + count, label_share=0.0)
    age = pl.when(pl.col("input_device") == "phone").then(0.9).otherwise(0.2)
    chance = age + pl.Series(np.random.default_rng(3).normal(0, 0.3, count))
    return log.with_columns(
        pl.col("id") + "u",
        pl.col("request_id") + "u",
        pl.lit(2, pl.Int32).alias("release"),
        pl.concat_list(1 - chance, chance).alias("outputs"),
    )


def test_equal_rates_are_fine_with_wilsons_intervals(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.answer(3000)
    whole, *each = fairness(watched.context(T0 + DAY), RATE, day())
    assert (whole.state, whole.slice, whole.rows) == (State.FINE, {}, 3000)
    assert {one.slice["device"] for one in each} == {"phone", "tv"}
    rows = watched.context(T0 + DAY).joined(day())
    for device, one in by_device(each).items():
        chosen = rows.filter(pl.col("input_device") == device)
        assert one.value == pytest.approx((chosen["prediction"] == "yes").mean())
        assert one.method == "Wilson"


def test_unequal_rates_are_bad_and_both_values_are_named(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.release(2)
    watched.tables.record("predictions/shop", unequal(watched), partition="day", offsets={})
    whole, *each = fairness(watched.context(T0 + DAY, champion=2), RATE, day())
    assert whole.state is State.BAD
    assert whole.example == {"higher": {"device": "phone"}, "lower": {"device": "tv"}}
    rates = by_device(each)
    assert rates["phone"].value is not None
    assert rates["tv"].value is not None
    assert whole.value == pytest.approx(rates["phone"].value - rates["tv"].value)
    hits = [(round((one.value or 0) * one.rows), one.rows) for one in (rates["phone"], rates["tv"])]
    assert (whole.low, whole.high) == pytest.approx(difference_interval(*hits))
    assert whole.note.startswith("device=phone against device=tv")


@pytest.mark.parametrize("metric", ["roc_auc", "accuracy"])
def test_a_metric_of_the_task_is_compared_by_labels(metric: str, tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    log = watched.answer(4000, label_share=0.0)
    right = np.where(log["value"].to_numpy() > 0.5, "yes", "no")
    wrong = (log["input_device"] == "tv").to_numpy() & (np.random.default_rng(0).random(4000) < 0.4)
    said = np.where(wrong, np.where(right == "yes", "no", "yes"), right)
    watched.say(log["id"].to_list(), said, [T0 + DAY] * 4000)
    monitor = Monitor.fairness("device", metric, at_most=0.1)
    whole, *_ = fairness(watched.context(T0 + 2 * DAY), monitor, day())
    assert whole.state is State.BAD
    assert whole.example["lower"] == {"device": "tv"}
    waiting, *rest = fairness(watched.context(T0 + DAY / 2), monitor, day())
    assert (waiting.state, rest) == (State.UNKNOWN, [])


def test_a_numeric_column_is_compared_by_its_quarters(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.answer(3000)
    whole, *each = fairness(watched.context(T0 + DAY), Monitor.fairness("age"), day())
    assert whole.state is State.BAD
    assert {one.slice["age"] for one in each} == {"< -2", "-2 to 0", "0 to 2", "≥ 2"}


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    context = watched.context(T0 + 5 * DAY)
    (nothing,) = fairness(context, RATE, day())
    assert (nothing.state, nothing.note) == (State.UNKNOWN, "0 rows, and 200 are needed")
    watched.answer(260)
    few, *each = fairness(context, RATE, day())
    assert few.state is State.UNKNOWN
    assert few.note == "0 of 2 values have 200 rows or more, and two are needed"
    assert all(one.state is State.UNKNOWN and "are needed" in one.note for one in each)
    (other,) = fairness(context, Monitor.fairness("device", "rmse"), day())
    assert "rmse is no metric of a binary model" in other.note


def test_only_a_binary_model_has_a_positive_rate(tmp_path: Path) -> None:
    watched = Watched(tmp_path, Task.MULTICLASS)
    watched.answer(500)
    (found,) = fairness(watched.context(T0 + DAY), RATE, day())
    assert found.state is State.UNKNOWN
    assert "name a metric of the task instead" in found.note


def test_chance_is_no_bias(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    for number in range(30):
        watched.answer(800, T0 + number * DAY, label_share=0.0)
    monitor = Monitor.fairness("device", at_most=0.0)
    context = watched.context(T0 + 40 * DAY)
    states = [fairness(context, monitor, day(number))[0].state for number in range(30)]
    assert State.BAD not in states
