"""Aggregates over windows: against the law, event by event, and against what an online vector answers."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.aggregation import AggregateFunction, Aggregation
from mainspring.features.asof import NONE, Timeline
from mainspring.features.stairs import Window, build_stairs, value_at
from mainspring.features.windows import add, aggregate, two_sum, window_start

SECOND = 1_000_000
_WINDOWS = ["1s", "3s", "60s", "90s", "1h"]


@dataclass(frozen=True)
class Event:
    entity: int
    event: int
    created: int
    value: float | None


@st.composite
def _events(draw: st.DrawFn) -> list[Event]:
    unit = draw(st.sampled_from([SECOND // 3, SECOND, 60 * SECOND]))
    value = st.one_of(st.none(), st.sampled_from([0.0, 0.1, 0.2, -0.3, 1e17, -1e17, 5.0]))
    latest = draw(st.sampled_from([0, 4, 60]))
    drawn = draw(
        st.lists(st.tuples(st.integers(0, 1), st.integers(-70, 70), st.integers(-1, latest), value), max_size=16)
    )
    return [Event(entity, event * unit, (event + late) * unit, value) for entity, event, late, value in drawn]


def _brute(aggregation: Aggregation, events: list[Event], entity: int, at: int) -> float | None:
    """The law, word by word."""
    step, over = (int(length.total_seconds() * SECOND) for length in (aggregation.step, aggregation.length))
    after = math.floor((at - over) / step) * step
    counting = [
        (event.event, event.created, place, event.value)
        for place, event in enumerate(events)
        if event.entity == entity and after < event.event <= at and event.created <= at
    ]
    if aggregation.function == AggregateFunction.COUNT:
        return len(counting)
    counting = [one for one in counting if one[3] is not None]
    values = [one[3] for one in counting]
    match aggregation.function:
        case AggregateFunction.SUM:
            return math.fsum(values)
        case AggregateFunction.DISTINCT:
            return len(set(values))
    if not values:
        return None
    match aggregation.function:
        case AggregateFunction.MEAN:
            return math.fsum(values) / len(values)
        case AggregateFunction.MIN:
            return min(values)
        case AggregateFunction.MAX:
            return max(values)
    return max(counting)[3]


def _aggregated(aggregation: Aggregation, events: list[Event], asked: list[tuple[int, int]]) -> list[float | None]:
    timeline = Timeline(
        np.array([event.entity for event in events], np.int64),
        2,
        np.array([event.event for event in events], np.int64),
        np.array([event.created for event in events], np.int64),
    )
    given = [event.value for event in events]
    present = np.array([value is not None for value in given], bool)[timeline.row]
    values = np.array([0.0 if value is None else value for value in given])[timeline.row]
    entity, at = (np.array(side, np.int64) for side in zip(*asked, strict=True))
    found, there = aggregate(aggregation, timeline, values, present, entity, at)
    if aggregation.function == AggregateFunction.LAST:
        found = np.where(found == NONE, np.nan, values[found] if values.size else np.nan)
    has = np.ones(len(asked), bool) if there is None else there
    return [value if one else None for value, one in zip(found.tolist(), has.tolist(), strict=True)]


def _aggregation(function: AggregateFunction, over: str) -> Aggregation:
    return Aggregation(function, None if function == AggregateFunction.COUNT else "value", over=over)


@pytest.mark.parametrize("function", list(AggregateFunction))
@given(
    events=_events(),
    over=st.sampled_from(_WINDOWS),
    asked=st.lists(st.tuples(st.sampled_from([0, 1, NONE]), st.integers(-4_500, 4_500)), min_size=1, max_size=8),
)
def test_an_aggregate_is_the_law_s(
    function: AggregateFunction, events: list[Event], over: str, asked: list[tuple[int, int]]
) -> None:
    aggregation = _aggregation(function, over)
    moments = [(entity, at * SECOND) for entity, at in asked]
    expected = [_brute(aggregation, events, entity, at) for entity, at in moments]
    assert _aggregated(aggregation, events, moments) == expected


@pytest.mark.parametrize("function", list(AggregateFunction))
@given(events=_events(), over=st.sampled_from(_WINDOWS), made=st.integers(-100, 100), later=st.integers(0, 4_000))
def test_a_vector_answers_the_same_until_further_events_come(
    function: AggregateFunction, events: list[Event], over: str, made: int, later: int
) -> None:
    aggregation = _aggregation(function, over)
    now, then = made * SECOND, (made + later) * SECOND
    known = sorted(
        (one for one in events if one.entity == 0 and max(one.event, one.created) <= now),
        key=lambda one: (one.event, one.created),
    )
    having = [one for one in known if function == AggregateFunction.COUNT or one.value is not None]
    times = np.array([one.event for one in having], np.int64)
    values = None if function == AggregateFunction.COUNT else np.array([one.value for one in having], np.float64)
    window = Window.of(aggregation)
    (stairs,) = build_stairs(window, np.array([0, len(having)]), times, values, now)
    (offline,) = _aggregated(aggregation, known, [(0, then)]) if known else (value_at(window, None, then),)
    online = value_at(window, stairs, then)
    assert online == offline if offline is None else online == pytest.approx(offline, rel=1e-12, abs=0)


def test_a_long_window_of_many_events_with_late_ones() -> None:
    rng = np.random.default_rng(4)
    count = 3_000
    events = [
        Event(int(rng.integers(2)), at := int(rng.integers(80_000)) * SECOND, at + late, float(rng.normal()))
        for late in (rng.pareto(1.0, count) * 30).astype(np.int64) * SECOND
    ]
    asked = [(int(rng.integers(2)), int(rng.integers(90_000)) * SECOND) for _ in range(40)]
    for function in AggregateFunction:
        aggregation = _aggregation(function, "5h")
        expected = [_brute(aggregation, events, entity, at) for entity, at in asked]
        assert _aggregated(aggregation, events, asked) == expected


def test_the_far_end_moves_in_steps_and_the_near_one_does_not() -> None:
    hour = Aggregation("count", over="1h")
    events = [Event(0, 0, 0, None), Event(0, 60 * SECOND, 0, None), Event(0, 3_661 * SECOND, 0, None)]
    moments = [0, 59, 60, 3_600, 3_659, 3_660, 3_661, 3_719, 3_720]
    asked = [(0, at * SECOND) for at in moments]
    # An event at the far end itself does not count.
    assert _aggregated(hour, events, asked) == [1, 1, 2, 1, 1, 0, 1, 1, 1]


def test_there_is_no_window_before_the_first_moment() -> None:
    first = -(2**63)
    assert window_start(np.array([first]), Aggregation("count", over="7d"))[0] < first + 86_400 * SECOND


@given(st.lists(st.floats(-1e200, 1e200), max_size=20))
def test_a_pair_keeps_what_rounding_leaves_out(values: list[float]) -> None:
    high, low = 0.0, 0.0
    for value in values:
        high, low = add(high, low, value, 0.0)
    exact = math.fsum(values)
    # The pair's error is relative to the magnitudes that were added.
    assert abs(high - exact) <= math.ulp(exact) + 2**-100 * math.fsum(map(abs, values))
    assert two_sum(high, low) == (high, low)
