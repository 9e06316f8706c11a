"""Each moment of a score job is done once, also after days without a controller and with clocks that jump."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.scheduled_score import MADE_UP, ScheduledScore, ScoreMemory, declared, done, due
from mainspring.errors import MainspringError

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
NIGHTLY = ScheduledScore(
    name="nightly", model="adclick", inputs=("in.csv",), output="out-{date}.csv", schedule="0 4 * * *"
)
SAME = replace(NIGHTLY, output="out.csv")


def all_due(job: ScheduledScore, memory: ScoreMemory, now: datetime) -> tuple[list[datetime], ScoreMemory]:
    """What is done one after the other at this time."""
    found = []
    memory = declared(memory, job, now)
    while (moment := due(job, memory, now)) is not None:
        found.append(moment)
        memory = done(memory, moment)
    return found, memory


def test_nothing_from_before_it_was_declared_is_done() -> None:
    found, memory = all_due(NIGHTLY, ScoreMemory(), NOON)
    assert found == []
    assert all_due(NIGHTLY, memory, NOON + DAY)[0] == [datetime(2026, 3, 3, 4, tzinfo=UTC)]


def test_missed_moments_are_made_up_for_in_order_where_each_has_an_output() -> None:
    _, memory = all_due(NIGHTLY, ScoreMemory(), NOON)
    found, memory = all_due(NIGHTLY, memory, NOON + 3 * DAY)
    assert [moment.day for moment in found] == [3, 4, 5]
    assert all_due(NIGHTLY, memory, NOON + 3 * DAY)[0] == []
    assert len(all_due(NIGHTLY, memory, NOON + 1_000 * DAY)[0]) == MADE_UP


def test_of_missed_moments_with_one_output_only_the_newest_is_done() -> None:
    _, memory = all_due(SAME, ScoreMemory(), NOON)
    found, memory = all_due(SAME, memory, NOON + 3 * DAY)
    assert [moment.day for moment in found] == [5]
    assert all_due(SAME, memory, NOON + 3 * DAY)[0] == []


@given(
    st.lists(st.integers(-5 * 86_400, 5 * 86_400), max_size=30),
    st.sampled_from([NIGHTLY, SAME, replace(NIGHTLY, schedule="30 */5 * * *")]),
)
def test_no_moment_is_done_twice_however_the_clock_jumps(jumps: list[int], job: ScheduledScore) -> None:
    now, memory, everything = NOON, ScoreMemory(), []
    for seconds in jumps:
        now += timedelta(seconds=seconds)
        found, memory = all_due(job, memory, now)
        assert all(moment <= now for moment in found)
        everything += found
    assert len(everything) == len(set(everything))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "Nightly Job"}, "name"),
        ({"model": "adclick@x"}, "names no release"),
        ({"schedule": "0 25 * * *"}, "no hour"),
        ({"inputs": ()}, "input"),
        ({"output": ""}, "input or output"),
        ({"output": "out-{day}.csv"}, "{day}"),
    ],
)
def test_a_job_that_makes_no_sense_says_so(changes: dict[str, object], words: str) -> None:
    with pytest.raises(MainspringError, match=words):
        replace(NIGHTLY, **changes)  # type: ignore[arg-type]
