"""The join of events with views: every event once and in order, whatever the types, zones and names."""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from mainspring.data.parsing import DTYPES
from mainspring.domain.aggregation import Aggregation
from mainspring.domain.feature_view import FeatureView
from mainspring.domain.schema import Kind
from mainspring.domain.source import Source
from mainspring.errors import DataError
from mainspring.features import joining
from mainspring.features.asof import Timeline
from mainspring.features.definition import CREATED_TIME, EVENT_TIME, ORDER, Definition, define
from mainspring.features.joining import Joined, Joiner, join

DAY = datetime(2026, 3, 1, tzinfo=UTC)
ADS = Source("ads.parquet", time="at")


def at(minutes: float) -> datetime:
    return DAY + timedelta(minutes=minutes)


def view(kinds: Mapping[str, Kind], *, key: str | Sequence[str] = "ad", **options: Any) -> Definition:
    declared = FeatureView("creative", source=ADS, key=key, created="known", **options)
    return define(declared, {**kinds, "at": Kind.TIME, "known": Kind.TIME}, {})


def rows(definition: Definition, *given: tuple[Any, ...]) -> pl.LazyFrame:
    """Rows of keys, event time, created time and the columns of the view."""
    kinds = {key.name: DTYPES[key.kind] for key in definition.keys}
    moment = pl.Datetime("us", "UTC")
    schema = {**kinds, EVENT_TIME: moment, CREATED_TIME: moment}
    schema |= {name: DTYPES[kind] for name, kind in definition.columns.items()}
    return pl.LazyFrame(list(given), schema=schema, orient="row").with_row_index(ORDER)


def joined(definition: Definition, kept: pl.LazyFrame, events: pl.DataFrame, time: str = "when") -> pl.DataFrame:
    return join(events, [Joined(definition, kept, definition.names)], time=time)


WIDTH = {"ad": Kind.INTEGER, "width": Kind.NUMBER}


def test_each_event_sees_what_was_known_at_its_time() -> None:
    definition = view(WIDTH, ttl="30m", defaults={"width": -1.0})
    kept = rows(
        definition,
        (1, at(0), at(0), 10.0),
        (1, at(10), at(20), 20.0),  # known late
        (1, at(10), at(15), 15.0),
        (2, at(0), at(0), None),
    )
    events = pl.DataFrame(
        {
            "id": list(range(9)),
            "ad": [1, 1, 1, 1, 1, 1, 2, 3, None],
            "when": [at(m) for m in (-1, 0, 14, 15, 20, 40.001, 0, 0, 0)],
        }
    )
    found = joined(definition, kept, events)
    assert_frame_equal(found.drop("creative.width"), events)
    assert found["creative.width"].to_list() == [-1, 10, 10, 15, 20, -1, -1, -1, -1]
    # A row exactly as old as the lifetime still counts.
    assert joined(definition, kept, events.with_columns(when=at(40)))["creative.width"][0] == 20


def test_rows_and_events_without_a_key_or_a_time_join_nothing() -> None:
    definition = view(WIDTH)
    kept = rows(definition, (None, at(0), at(0), 1.0), (1, None, at(0), 2.0), (1, at(0), None, 3.0))
    events = pl.DataFrame({"ad": [None, 1], "when": [at(5), None]}, schema_overrides={"ad": pl.Int64})
    assert joined(definition, kept, events)["creative.width"].to_list() == [None, None]
    assert joined(definition, kept, events.with_columns(when=at(5)))["creative.width"].to_list() == [None, None]
    kept = rows(definition, (None, at(0), at(0), 1.0), (1, at(0), at(0), 4.0))
    assert joined(definition, kept, events.with_columns(when=at(5)))["creative.width"].to_list() == [None, 4.0]


def two_views() -> tuple[Definition, Definition]:
    declared = FeatureView("second", source=ADS, key="ad", created="known")
    return view(WIDTH), define(declared, {**WIDTH, "at": Kind.TIME, "known": Kind.TIME}, {})


def test_of_large_views_one_at_a_time_is_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "_ROWS_AT_ONCE", 1)
    first, second = two_views()
    held: list[int] = []

    def counted(frame: pl.DataFrame) -> pl.DataFrame:
        held.append(sum(isinstance(one, Timeline) for one in gc.get_objects()))
        return frame

    kept = rows(first, (1, at(0), at(0), 10.0))
    views = [
        Joined(first, kept, first.names),
        Joined(second, kept.map_batches(counted, projection_pushdown=False), second.names),
    ]
    found = join(pl.DataFrame({"ad": [1], "when": [at(5)]}), views, time="when")
    assert found.row(0)[2:] == (10.0, 10.0)
    assert held[1] == 0, "the first view's rows were let go of before the second's were read"
    assert held[-1] == 1, "its own are counted"


def test_small_views_are_joined_at_the_same_time() -> None:
    views, both = two_views(), Barrier(2)
    length, keys, columns = 0, 1, 2  # what of a view is read, in this order

    def meeting(read: Iterator[int]) -> Callable[[pl.DataFrame], pl.DataFrame]:
        def meet(frame: pl.DataFrame) -> pl.DataFrame:
            if next(read) == keys:
                both.wait(60)
            return frame

        return meet

    kept = rows(views[0], (1, at(0), at(0), 10.0))
    given = [
        Joined(
            one,
            kept.map_batches(meeting(iter([length, keys, columns])), projection_pushdown=False),
            one.names,
        )
        for one in views
    ]
    assert join(pl.DataFrame({"ad": [1], "when": [at(5)]}), given, time="when").row(0)[2:] == (10.0, 10.0)


@pytest.mark.parametrize("rows_at_once", [1, 5, 100])
def test_how_many_are_joined_at_the_same_time_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, rows_at_once: int
) -> None:
    monkeypatch.setattr(joining, "_ROWS_AT_ONCE", rows_at_once)
    definitions = [
        define(
            FeatureView(name, source=ADS, key="ad", created="known"),
            {**WIDTH, "at": Kind.TIME, "known": Kind.TIME},
            {},
        )
        for name in ("a", "b", "c", "d")
    ]
    events = pl.DataFrame({"ad": [2, 1], "when": [at(5), at(0)]})
    given = [
        Joined(one, rows(one, *((ad, at(0), at(0), float(10 * place + ad)) for ad in range(place))), one.names)
        for place, one in enumerate(definitions)  # of no row, one, two and three
    ]
    found = join(events, given, time="when")
    assert found.columns == ["ad", "when", "a.width", "b.width", "c.width", "d.width"]
    assert found.rows() == [
        (2, at(5), None, None, None, 32.0),
        (1, at(0), None, None, 21.0, 31.0),
    ]
    assert_frame_equal(Joiner(given).join(events, time="when"), found)


def test_several_keys_name_the_entity_together() -> None:
    kinds = {"shop": Kind.CATEGORY, "day": Kind.TIME, "big": Kind.BOOLEAN, "width": Kind.INTEGER}
    definition = view(kinds, key=["shop", "day", "big"])
    kept = rows(
        definition,
        ("a", at(0), True, at(0), at(0), 1),
        ("a", at(0), False, at(0), at(0), 2),
        ("b", at(0), True, at(0), at(0), 3),
    )
    events = pl.DataFrame(
        {
            "big": [True, False, True, False],
            "shop": ["a", "a", "b", "b"],
            "day": [at(0)] * 4,
            "when": [at(1)] * 4,
        }
    )
    assert joined(definition, kept, events)["creative.width"].to_list() == [1, 2, 3, None]


@pytest.mark.parametrize(
    "times",
    [
        pl.Series([at(10)]),
        pl.Series([at(10).replace(tzinfo=None)]),
        pl.Series([at(10)]).dt.convert_time_zone("Asia/Tokyo"),
        pl.Series([at(10)]).dt.cast_time_unit("ms"),
        pl.Series([at(10)]).dt.cast_time_unit("ns"),
    ],
    ids=["utc", "naive", "zone", "ms", "ns"],
)
def test_a_moment_is_the_same_in_every_zone_and_unit(times: pl.Series) -> None:
    definition = view(WIDTH)
    kept = rows(definition, (1, at(10), at(10), 1.0), (1, at(10.001), at(10.001), 2.0))
    events = pl.DataFrame({"ad": [1], "when": times})
    found = joined(definition, kept, events)
    assert found["creative.width"].to_list() == [1.0]
    assert found.schema["when"] == times.dtype


def test_a_date_is_its_first_moment() -> None:
    definition = view(WIDTH)
    kept = rows(definition, (1, at(0), at(0), 1.0), (1, at(1), at(1), 2.0))
    events = pl.DataFrame({"ad": [1], "when": [DAY.date()]})
    assert joined(definition, kept, events)["creative.width"].to_list() == [1.0]


def test_times_before_1970_and_far_away() -> None:
    definition = view(WIDTH, ttl="30m")
    moon, far = datetime(1969, 7, 20, 20, 17, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
    kept = rows(definition, (1, moon, moon, 1969.0), (1, far, far, 9999.0))
    events = pl.DataFrame({"ad": [1] * 4, "when": [moon - timedelta(microseconds=1), moon, at(0), far]})
    assert joined(definition, kept, events)["creative.width"].to_list() == [None, 1969.0, None, 9999.0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pl.Series([1, 2], dtype=pl.UInt8), [1.0, None]),
        (pl.Series([1.0, float("nan")]), [1.0, None]),
        (pl.Series([1, 2**63], dtype=pl.UInt64), [1.0, None]),
        (pl.Series([None, None]), [None, None]),
    ],
)
def test_whole_numbers_of_any_type_are_keys(values: pl.Series, expected: list[float | None]) -> None:
    definition = view(WIDTH)
    kept = rows(definition, (1, at(0), at(0), 1.0))
    events = pl.DataFrame({"ad": values, "when": [at(1)] * 2})
    assert joined(definition, kept, events)["creative.width"].to_list() == expected


@pytest.mark.parametrize("sparse", [0, 10**15])
def test_keys_far_apart_are_found(sparse: int) -> None:
    definition = view(WIDTH)
    kept = rows(definition, (-sparse - 2, at(0), at(0), 1.0), (sparse, at(0), at(0), 2.0))
    asked = [-sparse - 2, sparse, sparse - 1, -(2**63), 2**63 - 1]
    events = pl.DataFrame({"ad": asked, "when": [at(1)] * 5})
    assert joined(definition, kept, events)["creative.width"].to_list() == [1.0, 2.0, None, None, None]


def test_texts_are_keys_however_they_are_stored() -> None:
    definition = view({"ad": Kind.ID, "width": Kind.NUMBER})
    kept = rows(definition, ("007", at(0), at(0), 7.0))
    for dtype in (pl.String, pl.Categorical, pl.Enum(["007", "7"])):
        events = pl.DataFrame({"ad": pl.Series(["007", "7"]).cast(dtype), "when": [at(1)] * 2})
        assert joined(definition, kept, events)["creative.width"].to_list() == [7.0, None]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Kind.INTEGER, ["1"]),
        (Kind.INTEGER, [1.5]),
        (Kind.INTEGER, [True]),
        (Kind.ID, [1]),
        (Kind.TIME, ["2026-03-01"]),
        (Kind.BOOLEAN, [1]),
    ],
)
def test_a_key_of_another_type_is_refused(kind: Kind, values: list[Any]) -> None:
    definition = view({"ad": kind, "width": Kind.NUMBER})
    events = pl.DataFrame({"ad": values, "when": [at(1)]})
    with pytest.raises(DataError, match=r"the key 'ad' .* of kind .*; give both the same kind"):
        joined(definition, rows(definition), events)


def test_what_is_not_there_is_named() -> None:
    definition = view(WIDTH)
    events = pl.DataFrame({"add": [1], "wen": [at(1)]})
    with pytest.raises(DataError, match=r"no column 'ad'.*; add it; did you mean 'add'\?"):
        joined(definition, rows(definition), events, time="wen")
    with pytest.raises(DataError, match=r"no column 'when'.*; did you mean 'wen'\?"):
        joined(definition, rows(definition), events.rename({"add": "ad"}))
    with pytest.raises(DataError, match="the column 'when' holds String, not times"):
        joined(definition, rows(definition), pl.DataFrame({"ad": [1], "when": ["now"]}))
    with pytest.raises(DataError, match=r"the rows have a column 'creative\.width' already"):
        joined(definition, rows(definition), pl.DataFrame({"ad": [1], "when": [at(1)], "creative.width": [0]}))
    with pytest.raises(DataError, match=r"no feature 'wdth'; did you mean 'width'\?"):
        join(events, [Joined(definition, rows(definition), ("wdth",))], time="wen")


def test_nothing_joined_with_nothing_is_nothing_of_the_right_types() -> None:
    counted = [Aggregation("count", over="1h"), Aggregation("last", "name", over="1h")]
    kinds = {"ad": Kind.INTEGER, "width": Kind.NUMBER, "name": Kind.TEXT}
    definition = view(kinds, columns=["width"], aggregations=counted)
    events = pl.DataFrame({"ad": [1], "when": [at(1)]})
    for asked in (events, events.clear()):
        for kept in (rows(definition), rows(definition, (2, at(0), at(0), 1.0, "x"))):
            found = joined(definition, kept, asked)
            assert found.schema["creative.width"] == pl.Float64
            assert found.schema["creative.count_1h"] == pl.Int64
            assert found.schema["creative.last_name_1h"] == pl.String
            assert found.rows() == [(1, at(1), None, 0, None)][: asked.height]


def test_names_that_are_patterns_mean_themselves() -> None:
    name = "^.*$"
    definition = view({name: Kind.INTEGER, "^w.*$": Kind.NUMBER, "width": Kind.NUMBER}, key=name)
    kept = rows(definition, (1, at(0), at(0), 2.0, 3.0))
    events = pl.DataFrame({"ad": [1], "when": [at(1)]}).rename({"ad": name, "when": "^t$"})
    found = joined(definition, kept, events, time="^t$")
    assert found.row(0, named=True) == {name: 1, "^t$": at(1), "creative.^w.*$": 2.0, "creative.width": 3.0}


def test_lazy_events_are_events() -> None:
    definition = view(WIDTH)
    kept = rows(definition, (1, at(0), at(0), 1.0))
    events = pl.DataFrame({"ad": [1], "when": [at(1)]})
    found = join(events.lazy(), [Joined(definition, kept, ("width",))], time="when")
    assert_frame_equal(found, joined(definition, kept, events))


def test_every_kind_is_joined_and_filled() -> None:
    kinds = {
        "ad": Kind.INTEGER,
        "number": Kind.NUMBER,
        "whole": Kind.INTEGER,
        "flag": Kind.BOOLEAN,
        "label": Kind.CATEGORY,
        "since": Kind.TIME,
    }
    defaults = {"number": 1, "whole": 2, "flag": True, "label": "none", "since": "2020-01-01T00:00:00Z"}
    definition = view(kinds, defaults=defaults)
    kept = rows(definition, (1, at(0), at(0), 0.5, 7, False, "x", at(3)))
    found = joined(definition, kept, pl.DataFrame({"ad": [1, 2], "when": [at(1)] * 2})).drop("ad", "when")
    assert found.rows() == [(0.5, 7, False, "x", at(3)), (1.0, 2, True, "none", datetime(2020, 1, 1, tzinfo=UTC))]


def test_aggregates_of_every_kind() -> None:
    kinds = {"ad": Kind.INTEGER, "spent": Kind.NUMBER, "flag": Kind.BOOLEAN, "name": Kind.TEXT, "since": Kind.TIME}
    wanted = [
        Aggregation("count", over="1h", name="events"),
        Aggregation("sum", "spent", over="1h", name="total"),
        Aggregation("mean", "flag", over="1h", name="share"),
        Aggregation("max", "since", over="1h", name="latest"),
        Aggregation("last", "name", over="1h", name="newest"),
        Aggregation("distinct", "name", over="1h", name="names"),
    ]
    definition = view(kinds, aggregations=wanted, defaults={"newest": "nobody", "total": 5.0})
    kept = rows(
        definition,
        (1, at(0), at(0), 0.1, True, at(9), "x"),
        (1, at(1), at(1), 0.2, False, at(2), None),
        (1, at(2), at(30), None, None, None, "y"),
    )
    events = pl.DataFrame({"ad": [1, 1, 1, 2], "when": [at(5), at(30), at(200), at(5)]})
    found = joined(definition, kept, events).drop("ad", "when")
    assert found.rows() == [
        (2, 0.1 + 0.2, 0.5, at(9), "x", 1),
        (3, 0.1 + 0.2, 0.5, at(9), "y", 2),
        # Of no events a sum is nought, and no default stands for that.
        (0, 0.0, None, None, "nobody", 0),
        (0, 0.0, None, None, "nobody", 0),
    ]


_KEYS = st.sampled_from([1, 2, None])
_MINUTES = st.integers(0, 9)


@given(
    given_rows=st.lists(st.tuples(_KEYS, st.none() | _MINUTES, st.none() | st.integers(0, 12)), max_size=12),
    asked=st.lists(st.tuples(_KEYS, st.none() | st.integers(-1, 14)), max_size=8),
    ttl=st.sampled_from([None, 1, 3]),
)
def test_the_join_is_the_law_s(
    given_rows: list[tuple[int | None, int | None, int | None]],
    asked: list[tuple[int | None, int | None]],
    ttl: int | None,
) -> None:
    definition = view(WIDTH, ttl=None if ttl is None else f"{ttl}m")

    def moment(minutes: int | None) -> datetime | None:
        return None if minutes is None else at(minutes)

    kept = rows(
        definition,
        *((key, moment(event), moment(made), float(row)) for row, (key, event, made) in enumerate(given_rows)),
    )
    events = pl.DataFrame(
        [(key, moment(when)) for key, when in asked],
        schema={"ad": pl.Int64, "when": pl.Datetime("us", "UTC")},
        orient="row",
    )
    expected = []
    for key, when in asked:
        known = [
            (event, made, row)
            for row, (owner, event, made) in enumerate(given_rows)
            if None not in (key, when, owner, event, made)
            and owner == key
            and event <= when  # type: ignore[operator]
            and made <= when  # type: ignore[operator]
        ]
        newest = max(known, default=None)  # type: ignore[type-var]
        expired = newest is not None and ttl is not None and newest[0] < when - ttl  # type: ignore[operator]
        expected.append(None if newest is None or expired else float(newest[2]))
    assert joined(definition, kept, events)["creative.width"].to_list() == expected
