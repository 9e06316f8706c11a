"""A staircase gives, at each later moment, what the law of windows says of the events."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.aggregation import AggregateFunction, Aggregation
from mainspring.domain.feature_view import Value
from mainspring.features.stairs import Window, bucket_of, build_stairs, empty_value, first_bucket, value_at

TEXT_TOO = (AggregateFunction.COUNT, AggregateFunction.LAST, AggregateFunction.DISTINCT)


@dataclass(frozen=True)
class Event:
    at: int
    value: float | str


def by_the_law(window: Window, events: list[Event], now: int) -> Value:
    """`domain.aggregation`, word for word."""
    far_end = math.floor((now - window.over) / window.step) * window.step
    values = [event.value for event in events if far_end < event.at <= now]
    match window.function:
        case AggregateFunction.COUNT:
            return len(values)
        case AggregateFunction.SUM:
            return math.fsum(values)
        case AggregateFunction.DISTINCT:
            return len(set(values))
    if not values:
        return None
    match window.function:
        case AggregateFunction.MEAN:
            return math.fsum(values) / len(values)
        case AggregateFunction.MIN:
            return min(values)
        case AggregateFunction.MAX:
            return max(values)
    return values[-1]


def stairs_of(window: Window, entities: list[list[Event]], now: int):
    events = [event for entity in entities for event in entity]
    starts = np.cumsum([0, *(len(entity) for entity in entities)])
    times = np.array([event.at for event in events], np.int64)
    values = np.array([event.value for event in events], object if text_in(events) else np.float64)
    return build_stairs(window, starts, times, None if window.function is AggregateFunction.COUNT else values, now)


def text_in(events: list[Event]) -> bool:
    return any(isinstance(event.value, str) for event in events)


# Small numbers, so that events meet the steps' ends, each other and the window's; some before 1970.
times = st.integers(-200, 400)
numbers = st.sampled_from([0.1, 0.2, 0.3, -5.0, 1e12, 7.25])


def entities(values: st.SearchStrategy[float | str]) -> st.SearchStrategy[list[list[Event]]]:
    events = st.lists(st.builds(Event, times, values), max_size=12)
    return st.lists(events.map(lambda found: sorted(found, key=lambda event: event.at)), max_size=5)


@given(
    st.sampled_from(list(AggregateFunction)),
    entities(numbers),
    st.integers(1, 150),
    st.integers(1, 40),
    st.lists(st.integers(0, 300), min_size=1, max_size=6),
)
def test_it_gives_what_the_law_says_at_every_later_moment(function, entities, over, step, waits) -> None:
    window = Window(function, over, step)
    made = 400
    stairs = stairs_of(window, entities, made)
    assert len(stairs) == len(entities)
    for entity, found in zip(entities, stairs, strict=True):
        for now in (made + wait for wait in (0, *waits)):
            expected = by_the_law(window, entity, now)
            value = value_at(window, found, now)
            if isinstance(expected, float):
                assert value == pytest.approx(expected, rel=1e-15, abs=0)
            else:
                assert value == expected


@given(st.sampled_from(TEXT_TOO), entities(st.sampled_from(["a", "b", "ü", ""])))
def test_texts_are_counted_and_remembered(function, entities) -> None:
    window = Window(function, 120, 7)
    for entity, found in zip(entities, stairs_of(window, entities, 400), strict=True):
        for now in range(400, 540, 3):
            assert value_at(window, found, now) == by_the_law(window, entity, now)


@given(entities(numbers))
def test_whole_numbers_stay_exact(entities) -> None:
    window = Window(AggregateFunction.MAX, 120, 7)
    great = 2**62
    starts = np.cumsum([0, *(len(entity) for entity in entities)])
    at = np.array([event.at for entity in entities for event in entity], np.int64)
    for entity, found in zip(entities, build_stairs(window, starts, at, at + great, 400), strict=True):
        within = [event.at + great for event in entity if event.at > (280 // 7) * 7]
        assert value_at(window, found, 400) == (max(within) if within else None)


def test_it_holds_no_more_than_it_needs() -> None:
    """A year of events, of which a window sees an hour; equal neighbours are one stair."""
    window = Window.of(Aggregation("count", over="1h"))
    minute, now = 60_000_000, 10**15
    times = np.sort(now - np.arange(500_000) * minute)
    (counts,) = build_stairs(window, np.array([0, times.size]), times, None, now)
    assert counts is not None
    assert len(counts[1]) == len(counts[2]) == 61  # the minutes of an hour, and the one in which it began
    (last,) = build_stairs(
        Window.of(Aggregation("last", "x", over="1h")), np.array([0, times.size]), times, times, now
    )
    assert last is not None
    assert (len(last[1]), last[2]) == (1, [now])


def test_the_ends_of_steps_and_windows() -> None:
    assert [bucket_of(at, 10) for at in (-10, -9, 0, 1, 10, 11)] == [-2, -1, -1, 0, 0, 1]
    assert bucket_of(np.array([-10, 11]), 10).tolist() == [-2, 1]
    # At 100 an hour of 30 goes back to 70, which itself is not within; at 109 still, at 110 to 80.
    assert [first_bucket(now, 30, 10) for now in (99, 100, 109, 110)] == [6, 7, 7, 8]
    assert bucket_of(70, 10) < first_bucket(100, 30, 10) <= bucket_of(71, 10)


def test_nothing_at_all() -> None:
    for function in AggregateFunction:
        window = Window(function, 60, 1)
        values = None if function is AggregateFunction.COUNT else np.empty(0)
        assert build_stairs(window, np.array([0]), np.empty(0, np.int64), values, 0) == []
        assert build_stairs(window, np.array([0, 0]), np.empty(0, np.int64), values, 0) == [None]
        assert value_at(window, None, 0) == empty_value(function)
