"""The concept monitor: each label once, in the order of the answers, over looks that may be repeated."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from mainspring.domain.measurement import Measurement, State, Window
from mainspring.domain.monitor import Monitor
from mainspring.domain.task import Task
from mainspring.monitoring.concept.concept import concept
from mainspring.testing.watched import DAY, HOUR, T0, Watched

CONCEPT = Monitor.concept()


class Looker:
    """Looks again and again, and keeps what the monitor wants to know as JSON in between."""

    def __init__(self, watched: Watched, monitor: Monitor = CONCEPT, delay: timedelta | None = HOUR) -> None:
        self.watched, self.monitor, self.delay = watched, monitor, delay
        self.state: dict[str, dict[str, object]] = {}

    def look(self, now: datetime, *, champion: int = 1) -> Measurement:
        states = json.loads(json.dumps(self.state, allow_nan=False))
        context = self.watched.context(now, champion=champion, states=states, label_delay=self.delay)
        (found,) = concept(context, self.monitor, Window(now - DAY, now))
        self.state = context.states
        return found


def days(watched: Watched, count: int, *, start: int = 0, moved: float = 0.0, rows: int = 1200) -> None:
    for number in range(start, start + count):
        watched.answer(rows, T0 + number * DAY, moved=moved)


@pytest.mark.parametrize("task", Task)
def test_a_change_of_the_law_is_found_and_said_since_when(task: Task, tmp_path: Path) -> None:
    watched = Watched(tmp_path, task)
    days(watched, 3)
    days(watched, 2, start=3, moved=1.0)
    looker = Looker(watched)
    found = [looker.look(T0 + hours * HOUR) for hours in range(6, 5 * 24 + 2, 6)]
    bad = [one for one in found if one.state is State.BAD]
    assert bad
    assert T0 + 3 * DAY < bad[0].at <= T0 + 4 * DAY
    since = datetime.fromisoformat(bad[0].example["since"])
    assert abs(since - (T0 + 3 * DAY)) <= 4 * HOUR
    assert "truth follows the inputs otherwise since about 2026-03-0" in bad[0].note
    before = [one for one in found if one.at <= T0 + 3 * DAY]
    assert {one.state for one in before} == {State.UNKNOWN, State.FINE}


def test_no_change_is_none(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    days(watched, 12)
    looker = Looker(watched)
    states = {looker.look(T0 + number * DAY).state for number in range(2, 13)}
    assert states == {State.FINE}


def test_a_shift_of_the_inputs_alone_is_no_change_of_the_concept(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    days(watched, 3)
    for number in range(3, 6):
        watched.answer(1200, T0 + number * DAY, shift=1.0)
    looker = Looker(watched)
    assert {looker.look(T0 + number * DAY).state for number in range(2, 7)} == {State.FINE}


def test_looking_twice_or_seldom_gives_the_same_knowledge(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    days(watched, 2)
    days(watched, 1, start=2, moved=1.5)
    often, twice, once = Looker(watched), Looker(watched), Looker(watched)
    once.look(T0 + DAY + HOUR)
    for number in range(25, 3 * 24 + 2):
        often.look(T0 + number * HOUR)
        if number % 7 == 4:
            twice.look(T0 + number * HOUR)
            twice.look(T0 + number * HOUR)
    end = T0 + 3 * DAY + 2 * HOUR
    for looker in (often, twice, once):
        looker.look(end)
    detectors = [looker.state["concept_residual"]["detector"] for looker in (often, twice, once)]
    assert detectors[0] == detectors[1] == detectors[2]
    changes = [looker.state["concept_residual"]["changes"] for looker in (often, twice, once)]
    said = [[(one["index"], one["since"]) for one in of] for of in changes]  # type: ignore[attr-defined]
    assert said[0]
    assert said[0] == said[1] == said[2]


def test_labels_that_are_not_in_yet_are_waited_for(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.answer(2400, label_delay=2 * DAY)
    watched.answer(2400, T0 + DAY, label_delay=HOUR)
    looker = Looker(watched, delay=2 * DAY)
    waiting = looker.look(T0 + DAY)
    assert waiting.state is State.UNKNOWN
    assert waiting.rows == 0
    looker.look(T0 + 4 * DAY)
    assert looker.state["concept_residual"]["detector"]["seen"] >= 4700  # type: ignore[index]


def test_an_hour_of_which_most_labels_never_come_is_taken_once_they_are_due(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.answer(6000, label_share=0.3)
    looker = Looker(watched, delay=3 * HOUR)
    looker.look(T0 + DAY)
    seen = looker.state["concept_residual"]["detector"]["seen"]  # type: ignore[index]
    assert seen == pytest.approx(0.3 * 6000 * 21 / 24, abs=150)


def test_another_champion_begins_anew(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.release(2)
    days(watched, 2)
    watched.answer(900, T0 + 2 * DAY, release=2)
    looker = Looker(watched)
    assert looker.look(T0 + 2 * DAY).rows > 900
    assert looker.look(T0 + 3 * DAY, champion=2).release == 2
    assert looker.state["concept_residual"]["detector"]["seen"] <= 900  # type: ignore[index]


def test_it_stays_bad_for_a_window_and_is_then_the_usual(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    days(watched, 2)
    days(watched, 4, start=2, moved=1.5)
    looker = Looker(watched)
    states = [looker.look(T0 + number * DAY / 2).state for number in range(2, 13)]
    first = states.index(State.BAD)
    assert states[first:] == [State.BAD, State.BAD] + [State.FINE] * (len(states) - first - 2)


@pytest.mark.parametrize("method", ["adwin", "page_hinkley", "kswin", "ddm"])
def test_rivers_detectors_see_the_error(method: str, tmp_path: Path) -> None:
    pytest.importorskip("river")
    watched = Watched(tmp_path)
    days(watched, 1)
    log = watched.answer(1200, T0 + DAY, label_share=0)
    wrong = np.where((log["prediction"] == "yes").to_numpy(), "no", "yes")
    watched.say(log["id"].to_list(), wrong, [moment + HOUR for moment in log["at"].to_list()])
    looker = Looker(watched, Monitor.concept(method))
    found = [looker.look(T0 + number * 6 * HOUR) for number in range(2, 10)]
    assert State.BAD in [one.state for one in found if one.at > T0 + DAY]


def test_ddm_counts_errors_which_a_regression_has_none_of(tmp_path: Path) -> None:
    found = Looker(Watched(tmp_path, Task.REGRESSION), Monitor.concept("ddm")).look(T0 + DAY)
    assert found.state is State.UNKNOWN
    assert "use another detector" in found.note


def test_nothing_answered_and_little_answered_are_not_enough(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    looker = Looker(watched)
    assert looker.look(T0).state is State.UNKNOWN
    watched.answer(1)
    found = looker.look(T0 + DAY)
    assert found.state is State.UNKNOWN
    assert found.note == "too few labels so far to know what is usual (1 in all)"
