"""A figure of the user's own: right, with an interval, and harmless whatever the function does."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mainspring.domain.measurement import State
from mainspring.domain.monitor import Monitor
from mainspring.monitoring.performance.business import business
from mainspring.testing.watched import DAY, T0, Watched, day


def revenue(rows: pl.DataFrame) -> pl.Series:
    return rows["outcome_revenue"]


def total_share(rows: pl.DataFrame) -> float:
    return float((rows["label"] == "yes").mean() or 0.0)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    watched = Watched(tmp_path)
    watched.release(2)
    watched.answer(1000, outcome=("revenue", np.full(1000, 2.0) + np.arange(1000) % 2), arm="a", role="arm")
    watched.answer(500, outcome=("revenue", np.full(500, 9.0)), release=2, arm="b", role="arm")
    return watched


def test_it_is_measured_over_all_by_release_and_by_arm(watched: Watched) -> None:
    found = business(watched.context(T0 + 2 * DAY), Monitor.business(revenue, at_least=3.0), day())
    said = {(one.release, one.slice.get("arm")): one for one in found}
    assert set(said) == {(None, None), (1, None), (2, None), (None, "a"), (None, "b")}
    assert said[None, None].value == pytest.approx((1000 * 2.5 + 500 * 9) / 1500)
    assert said[1, None].value == said[None, "a"].value == 2.5
    assert (said[1, None].state, said[2, None].state) == (State.BAD, State.FINE)
    low, high = said[1, None].low, said[1, None].high
    assert low is not None
    assert high is not None
    assert high - low == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(1000), rel=0.2)
    assert {one.subject for one in found} == {"revenue"}


def test_one_number_is_asked_for_each_group(watched: Watched) -> None:
    found = business(watched.context(T0 + 2 * DAY), Monitor.business(total_share, at_most=0.9), day())
    rows = watched.context(T0 + 2 * DAY).joined(day())
    for one in found:
        group = rows if one.release is None else rows.filter(pl.col("release") == one.release)
        if "arm" in one.slice:
            group = rows.filter(pl.col("arm") == one.slice["arm"])
        assert one.value == pytest.approx(total_share(group))
        assert one.low is not None
        assert one.high is not None
        assert one.low < one.value < one.high
        assert one.state is State.FINE


def test_rows_without_a_number_are_left_out_and_counted(watched: Watched) -> None:
    watched.answer(300)
    found = business(watched.context(T0 + 2 * DAY), Monitor.business(revenue), day())
    assert found[0].rows == 1500
    assert "300 rows have no number and were left out" in found[0].note


def broken(_: Any) -> Any:
    raise KeyError("no such column")


@pytest.mark.parametrize(
    ("function", "note"),
    [
        (broken, "broken raised KeyError: 'no such column'"),
        (lambda rows: "many", "gave str, which is no number"),
        (lambda rows: None, "gave nan, which is no number"),
        (lambda rows: float("inf"), "gave inf, which is no number"),
        (lambda rows: rows["outcome_revenue"].head(3), "gave 3 numbers for 1,500 rows"),
        (lambda rows: rows, "gave DataFrame, which is no number"),
        (lambda rows: rows["id"], "gave Series, which is no number"),
        (lambda rows: [None] * rows.height, "it gave no number for any row"),
        (lambda rows: rows["outcome_profit"], 'raised ColumnNotFoundError: "outcome_profit" not found'),
    ],
)
def test_whatever_it_does_is_said(watched: Watched, function: Any, note: str) -> None:
    found = business(watched.context(T0 + 2 * DAY), Monitor.business(function, name="figure"), day())
    assert {one.state for one in found} == {State.UNKNOWN}
    assert note in found[0].note


def test_too_few_rows_are_not_enough(watched: Watched) -> None:
    (nothing,) = business(watched.context(T0 + 2 * DAY), Monitor.business(revenue), day(1))
    assert nothing.state is State.UNKNOWN
    found = business(watched.context(T0 + 2 * DAY), Monitor.business(revenue, min_rows=600), day())
    assert [one.state for one in found if one.release == 2] == [State.UNKNOWN]
