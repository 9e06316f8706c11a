"""Which row holds at a moment: against the law, row by row."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.features.asof import NONE, Timeline

_MOMENTS = st.integers(-5, 12)
Time = Callable[[int], int]


@dataclass(frozen=True)
class Row:
    entity: int
    event: int
    created: int


@st.composite
def _rows(draw: st.DrawFn) -> list[Row]:
    """Histories of three entities, with ties, and rows that come late, on time, or before they happen."""
    rows = draw(st.lists(st.tuples(st.integers(0, 2), _MOMENTS, st.integers(-2, 6)), max_size=14))
    return [Row(entity, event, event + late) for entity, event, late in rows]


def _holding(rows: list[Row], entity: int, at: int) -> int | None:
    """The law, word by word."""
    known = [
        place for place, row in enumerate(rows) if row.entity == entity and row.event <= at and row.created <= at
    ]
    return max(known, key=lambda place: (rows[place].event, rows[place].created, place), default=None)


def _as_it_is(moment: int) -> int:
    return moment


def _far(moment: int) -> int:
    """No two fit into one number of 64 bits with an entity and a place."""
    return moment * 2**58


def _near_and_far(moment: int) -> int:
    """Most differ in their last bits only, which have no room beside the first bits of the others."""
    return moment if moment < 10 else (moment - 9) * 2**59


def _timeline(rows: list[Row], time: Time = _as_it_is, *, late: bool = True) -> Timeline:
    entity = np.array([row.entity for row in rows], np.int64)
    event = np.array([time(row.event) for row in rows], np.int64)
    created = np.array([time(row.created) for row in rows], np.int64)
    return Timeline(entity, 3, event, created if late else None)


def _asked(timeline: Timeline, questions: list[tuple[int, int]], time: Time = _as_it_is) -> list[int | None]:
    entity = np.array([entity for entity, _ in questions], np.int64)
    at = np.array([time(at) for _, at in questions], np.int64)
    return [None if rank == NONE else int(timeline.row[rank]) for rank in timeline.newest(entity, at)]


@given(_rows(), st.lists(st.tuples(st.integers(0, 2), st.integers(-6, 20)), min_size=1, max_size=10))
def test_the_row_that_holds_is_the_law_s(rows: list[Row], questions: list[tuple[int, int]]) -> None:
    expected = [_holding(rows, entity, at) for entity, at in questions]
    assert _asked(_timeline(rows), questions) == expected


@given(_rows(), st.lists(st.tuples(st.integers(0, 2), st.integers(-6, 20)), min_size=1, max_size=10))
def test_without_a_created_time_a_row_is_known_when_it_happens(
    rows: list[Row], questions: list[tuple[int, int]]
) -> None:
    at_once = [Row(row.entity, row.event, row.event) for row in rows]
    expected = [_holding(at_once, entity, at) for entity, at in questions]
    assert _asked(_timeline(rows, late=False), questions) == expected


@pytest.mark.parametrize("time", [_far, _near_and_far])
@given(_rows(), st.lists(st.tuples(st.integers(0, 2), st.integers(-6, 18)), min_size=1, max_size=10))
def test_times_that_do_not_fit_into_one_number_with_the_entity_are_sorted_all_the_same(
    time: Time, rows: list[Row], questions: list[tuple[int, int]]
) -> None:
    expected = [_holding(rows, entity, at) for entity, at in questions]
    assert _asked(_timeline(rows, time), questions, time) == expected


def test_what_is_backfilled_later_does_not_leak_into_the_past() -> None:
    rows = [Row(0, 10, 10), Row(0, 12, 100), Row(0, 11, 100)]
    questions = [(0, 9), (0, 10), (0, 99), (0, 100), (0, 10_000)]
    assert _asked(_timeline(rows), questions) == [None, 0, 0, 1, 1]


def test_an_entity_without_rows_has_none() -> None:
    timeline = _timeline([Row(0, 1, 1)])
    unknown = np.array([NONE, 1, 2], np.int64)
    assert timeline.newest(unknown, np.full(3, 99)).tolist() == [NONE] * 3
    nothing = _timeline([])
    assert nothing.newest(np.array([0, NONE]), np.full(2, 99)).tolist() == [NONE] * 2


@pytest.mark.parametrize("limit", [np.iinfo(np.int64).min, np.iinfo(np.int64).max])
def test_the_first_and_the_last_moment_there_are(limit: int) -> None:
    timeline = Timeline(np.zeros(2, np.int64), 1, np.array([limit, 0]), np.array([limit, 0]))
    assert timeline.newest(np.zeros(1, np.int64), np.array([limit])).tolist() == [int(limit > 0)]
