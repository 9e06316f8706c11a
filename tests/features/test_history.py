"""History of real sources: Feast's published answers, several views at once, views over views, pushed rows."""

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mainspring.domain.aggregation import Aggregation
from mainspring.domain.feature_view import FeatureView
from mainspring.domain.source import Source
from mainspring.errors import DeclarationError
from mainspring.features.history import history
from mainspring.testing.offline import OfflineWorld


def hour(hour: float) -> datetime:
    return datetime(2026, 3, 1, int(hour), round(hour % 1 * 60), tzinfo=UTC)


def test_feast_s_drivers(world: OfflineWorld, real_data: Path) -> None:
    file = real_data / "feast" / "remote_offline_driver_stats.parquet"
    expected = json.loads((real_data / "feast" / "expected_remote_offline.json").read_text())["rows"]
    # Its rows were created years after they happened, and its example looks at event times only.
    drivers = FeatureView("drivers", source=Source(str(file)), key="driver_id", time="event_timestamp", ttl="1d")
    events = pl.DataFrame(expected).select("driver_id", pl.col("event_timestamp").str.to_datetime(time_zone="UTC"))
    refs = [drivers["avg_daily_trips"], drivers["conv_rate"]]
    found = history(events, refs, world.offline(), time="event_timestamp")
    assert found["drivers.avg_daily_trips"].to_list() == [590, 974, 127]
    for values_to_add, sums in (([1, 2, 3], "conv_rate_plus_val1"), ([10, 20, 30], "conv_rate_plus_val2")):
        added = found["drivers.conv_rate"] + pl.Series(values_to_add)
        assert added.to_list() == pytest.approx([row[sums] for row in expected], abs=1e-6)
    known = FeatureView(
        "known", source=Source(str(file)), key="driver_id", time="event_timestamp", created="created", ttl="1d"
    )
    late = history(events, [known["avg_daily_trips"]], world.offline(), time="event_timestamp")
    assert late["known.avg_daily_trips"].to_list() == [None, None, None]


def test_feast_s_toy_with_a_lifetime(world: OfflineWorld, real_data: Path) -> None:
    folder = real_data / "feast" / "pit_doc"
    source = Source(str(folder / "driver_hourly_stats.csv"))
    drivers = FeatureView("drivers", source=source, key="driver_id", time="event_timestamp", ttl="2h")
    events = pl.read_csv(folder / "entity_df.csv", try_parse_dates=True)
    found = history(
        events, [drivers["trips_today"], drivers["earnings_today"]], world.offline(), time="event_timestamp"
    )
    expected = pl.read_csv(folder / "expected_ttl_2h.csv", try_parse_dates=True)
    assert_frame_equal(found.rename({name: name.rpartition(".")[2] for name in found.columns}), expected)


@pytest.fixture
def spending(world: OfflineWorld) -> FeatureView:
    world.write(
        "spending.csv",
        pl.DataFrame(
            {
                "user": ["a", "a", "b", "a"],
                "at": ["2026-03-01T01:00Z", "2026-03-01T02:00Z", "2026-03-01T02:00Z", "2026-03-01T05:00Z"],
                "shop": ["x", "y", "x", "x"],
                "amount": [1.5, 2.0, 7.25, 4.0],
            }
        ),
    )
    return FeatureView(
        "spending",
        source=Source("spending.csv"),
        key="user",
        time="at",
        columns=["amount", "shop"],
        aggregations=[Aggregation("sum", "amount", over="2h")],
    )


def test_several_views_at_once(world: OfflineWorld, spending: FeatureView) -> None:
    shops = FeatureView("shops", source=Source("spending.csv"), key=["shop"], time="at", columns=["user"])
    events = pl.DataFrame({"shop": ["x", "y"], "user": ["b", "a"], "at": [hour(3), hour(6)]})
    refs = [shops["user"], spending["sum_amount_2h"], spending["amount"]]
    found = history(events, refs, world.offline(), time="at")
    assert found.rows(named=True) == [
        {**events.row(0, named=True), "shops.user": "b", "spending.sum_amount_2h": 7.25, "spending.amount": 7.25},
        {**events.row(1, named=True), "shops.user": "a", "spending.sum_amount_2h": 4.0, "spending.amount": 4.0},
    ]


def test_no_feature_is_asked_for_twice(world: OfflineWorld, spending: FeatureView) -> None:
    events = pl.DataFrame({"user": ["a"], "at": [hour(3)]})
    with pytest.raises(DeclarationError, match=r"'spending.amount' is asked for twice"):
        history(events, [spending["amount"], spending["amount"]], world.offline(), time="at")
    other = FeatureView("spending", source=Source("spending.csv"), key="user", time="at")
    with pytest.raises(DeclarationError, match="there are two views 'spending'"):
        history(events, [spending["amount"], other["shop"]], world.offline(), time="at")


def test_a_view_over_a_view_has_its_rows(world: OfflineWorld, spending: FeatureView) -> None:
    @spending.features
    def doubled(rows: pl.DataFrame) -> pl.Series:
        return rows["amount"] * 2

    by_shop = FeatureView(
        "by_shop",
        source=spending,
        key="shop",
        columns=["doubled", "sum_amount_2h"],
        aggregations=[Aggregation("max", "sum_amount_2h", over="1d")],
    )
    events = pl.DataFrame({"shop": ["x", "x", "y"], "when": [hour(1), hour(5), hour(2.5)]})
    refs = [by_shop["doubled"], by_shop["sum_amount_2h"], by_shop["max_sum_amount_2h_1d"]]
    found = history(events, refs, world.offline(), time="when").drop("shop", "when")
    assert found.rows() == [(3.0, 1.5, 1.5), (8.0, 4.0, 7.25), (4.0, 3.5, 3.5)]


def test_pushed_rows_come_after_those_of_the_source(world: OfflineWorld, spending: FeatureView) -> None:
    offline = world.offline()
    events = pl.DataFrame({"user": ["a", "b", "c"], "at": [hour(9)] * 3})
    refs = [spending["amount"], spending["sum_amount_2h"]]
    before = offline.take(spending)
    rows = {"user": ["a", "b", "b", "c"], "at": [hour(5), hour(1), hour(8.5), hour(8)], "shop": ["z"] * 4}
    world.push(spending, pl.DataFrame({**rows, "amount": [40.0, 10.0, 5.0, 6.0]}))
    middle = offline.take(spending)
    world.push(spending, pl.DataFrame({"user": ["b"], "at": [hour(9)], "shop": ["z"], "amount": [1.0]}))

    def asked(**options: object) -> list[tuple[object, ...]]:
        return history(events, refs, world.offline(), time="at", **options).drop("user", "at").rows()  # type: ignore[arg-type]

    # Of rows of one time the pushed one is the later; one that is older changes nothing.
    now = [(40.0, 0.0), (1.0, 6.0), (6.0, 6.0)]
    assert asked() == now
    assert asked(taken={"spending": offline.take(spending)}) == now
    # What was read before stays as it was.
    assert asked(taken={"spending": middle}) == [(40.0, 0.0), (5.0, 5.0), (6.0, 6.0)]
    assert asked(taken={"spending": before}) == [(4.0, 0.0), (7.25, 0.0), (None, 0.0)]
    kept = offline.rows(spending, middle).collect()
    assert kept["__order"].to_list() == list(range(8))
