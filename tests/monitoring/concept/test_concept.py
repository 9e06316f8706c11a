"""The concept monitor: each label once, in the order of the answers, over looks that may be repeated."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mainspring.domain.instants import microseconds
from mainspring.domain.measurement import Measurement, State, Window
from mainspring.domain.monitor import Monitor
from mainspring.domain.task import Task
from mainspring.domain.window import TrainingWindow
from mainspring.monitoring.concept.concept import concept
from mainspring.release.reference_rows import REFERENCE_ROWS
from mainspring.testing.releases import A_TRAINING
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
        (found,) = concept(context, self.monitor, Window(now - (self.monitor.window_length or DAY), now))
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
    assert {one.state for one in before} <= {State.UNKNOWN, State.FINE}


def test_a_release_that_stays_as_good_as_it_was_has_not_changed(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    days(watched, 3)
    looker = Looker(watched)
    assert {looker.look(T0 + number * DAY).state for number in (1, 2, 3)} == {State.FINE}


def test_who_looks_every_few_seconds_need_not_wait_for_the_hour(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    minute, start = timedelta(minutes=1), T0 + timedelta(minutes=7, seconds=3)
    of_live = {"label_share": 0.5, "label_delay": timedelta(seconds=2)}
    watched.answer(3_600, start, 6 * minute, **of_live)
    watched.answer(2_400, start + 6 * minute, 4 * minute, moved=1.0, **of_live)
    monitor = Monitor.concept(every="5s", window="10m")
    looker = Looker(watched, monitor, delay=timedelta(seconds=5))
    found = [looker.look(T0 + timedelta(seconds=5 * number)) for number in range(84, 205)]
    bad = [one for one in found if one.state is State.BAD]
    assert bad
    assert start + 6 * minute < bad[0].at < start + 8 * minute
    since = datetime.fromisoformat(bad[0].example["since"])
    assert abs(since - (start + 6 * minute)) <= 0.5 * minute


def test_seconds_whose_answers_are_still_on_their_way_to_the_table_are_waited_for(tmp_path: Path) -> None:
    watched, second = Watched(tmp_path), timedelta(seconds=1)
    looker = Looker(watched, Monitor.concept(every="5s", window="10m"), delay=5 * second)
    watched.answer(600, T0, 60 * second, label_delay=second)
    assert looker.look(T0 + 60 * second).rows == 500, "as far as both logs have come, less the label delay"
    assert looker.look(T0 + 120 * second).rows == 500, "nothing has come since"
    watched.answer(600, T0 + 60 * second, 60 * second, label_delay=second)
    assert looker.look(T0 + 125 * second).rows == 1100
    assert looker.look(T0 + 600 * second).rows == 1200, "after five minutes nothing is on its way any more"


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
    detectors = [looker.state["concept_residual"]["streams"] for looker in (often, twice, once)]
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
    assert looker.state["concept_residual"]["streams"]["timely"]["detector"]["columns"][0]["seen"] >= 4700  # type: ignore[index]


def test_an_hour_of_which_most_labels_never_come_is_taken_once_they_are_due(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.answer(6000, label_share=0.3)
    looker = Looker(watched, delay=3 * HOUR)
    looker.look(T0 + DAY)
    seen = looker.state["concept_residual"]["streams"]["timely"]["detector"]["columns"][0]["seen"]  # type: ignore[index]
    assert seen == pytest.approx(0.3 * 6000 * 21 / 24, abs=150)


def seen(looker: Looker, stream: str) -> int:
    """How many labels the detector of a stream was fed."""
    columns = looker.state[looker.monitor.name]["streams"][stream]["detector"]["columns"]  # type: ignore[index]
    return int(columns[0]["seen"]) + len(columns[0]["pending"]) if columns else 0


def test_a_label_that_comes_after_its_hour_was_taken_is_followed_among_its_like(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    log = watched.answer(2400, label_share=0)
    truth = np.array(log["prediction"].to_list())
    early, late = np.arange(2400) % 5 > 0, np.arange(2400) % 5 == 0
    at = log["at"].to_list()
    for chosen, delay in ((early, HOUR), (late, 30 * HOUR)):
        places = np.flatnonzero(chosen)
        watched.say([log["id"][int(n)] for n in places], truth[places], [at[int(n)] + delay for n in places])
    looker = Looker(watched)
    looker.look(T0 + HOUR)
    looker.look(T0 + DAY + 2 * HOUR)
    assert (seen(looker, "timely"), seen(looker, "late")) == (1920, 0)
    second = looker.look(T0 + DAY + 18 * HOUR)
    assert (seen(looker, "timely"), seen(looker, "late")) == (1920, 241)
    assert "241 came after their hour was taken" in second.note
    looker.look(T0 + 3 * DAY)
    assert (seen(looker, "timely"), seen(looker, "late")) == (1920, 480)
    looker.look(T0 + 4 * DAY)
    assert (seen(looker, "timely"), seen(looker, "late")) == (1920, 480), "each label once"


def test_where_all_labels_come_later_than_was_declared_a_change_is_found_all_the_same(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    for number in range(5):
        watched.answer(1200, T0 + number * DAY, moved=1.5 * (number >= 3), label_delay=9 * HOUR)
    looker = Looker(watched, delay=HOUR)
    found = [looker.look(T0 + hours * HOUR) for hours in range(3, 5 * 24, 3)]
    assert seen(looker, "timely") == 0
    (first, *_) = [one for one in found if one.state is State.BAD]
    assert first.since is not None
    assert abs(first.since - (T0 + 3 * DAY)) <= 4 * HOUR
    assert {one.state for one in found if one.at <= T0 + 3 * DAY} == {State.UNKNOWN, State.FINE}


def test_late_labels_that_are_otherwise_than_timely_ones_are_no_change(tmp_path: Path) -> None:
    """Who complains, complains at once; that nobody complained is known when a batch comes, days later."""
    watched = Watched(tmp_path)
    looker = Looker(watched)
    states = []
    for number in range(12):
        log = watched.answer(1200, T0 + number * DAY, label_share=0)
        truth, at = watched.truth(pl.DataFrame({"age": log["input_age"]})), log["at"].to_list()
        late = (truth == "no") & (np.arange(1200) % 3 == 0)
        for chosen, said_at in ((~late, [one + HOUR for one in at]), (late, [T0 + (number + 3) * DAY] * 1200)):
            places = np.flatnonzero(chosen)
            watched.say([log["id"][int(n)] for n in places], truth[places], [said_at[int(n)] for n in places])
        states.append(looker.look(T0 + (number + 1) * DAY).state)
    assert State.BAD not in states
    assert states[-1] is State.FINE
    assert seen(looker, "late") > 1000


def test_a_change_is_told_once_by_the_stream_that_sees_it_first(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    for number in range(6):
        log = watched.answer(2400, T0 + number * DAY, label_share=0)
        moved = 1.5 * (number >= 4)
        truth, at = watched.truth(pl.DataFrame({"age": log["input_age"]}), moved=moved), log["at"].to_list()
        for half, delay in ((0, HOUR), (1, 26 * HOUR)):
            places = np.arange(half, 2400, 2)
            watched.say([log["id"][int(n)] for n in places], truth[places], [at[int(n)] + delay for n in places])
    looker = Looker(watched, Monitor.concept(min_label_share=0.5))
    found = [looker.look(T0 + hours * HOUR) for hours in range(6, 8 * 24, 6)]
    changes = looker.state["concept_residual"]["changes"]
    assert seen(looker, "late") == 6 * 1200
    assert [one["stream"] for one in changes] == ["timely"]  # type: ignore[attr-defined]
    assert len({one.since for one in found if one.state is State.BAD}) == 1


def test_what_comes_later_than_a_week_is_not_seen_any_more(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    log = watched.answer(240, label_share=0)
    looker = Looker(watched)
    looker.look(T0 + HOUR)
    looker.look(T0 + DAY + HOUR)
    for days_later in (6, 10):
        looker.look(T0 + days_later * DAY)
        place = days_later * 10
        watched.say([log["id"][place]], [log["prediction"][place]], [T0 + days_later * DAY + HOUR])
        looker.look(T0 + days_later * DAY + 2 * HOUR)
        assert seen(looker, "late") == 1


def test_duplicates_corrections_and_early_labels_each_count_once(tmp_path: Path) -> None:
    watched = Watched(tmp_path, reference_rows=0)
    log = watched.answer(1000, label_share=0)
    ids, truth = log["id"].to_list(), log["prediction"].to_list()
    watched.say(ids[:100], truth[:100], [T0 - HOUR] * 100)  # known before it was asked
    watched.say(ids[100:900], truth[100:900], [one + HOUR for one in log["at"].to_list()[100:900]])
    watched.say(ids[100:300], truth[100:300], [one + 2 * HOUR for one in log["at"].to_list()[100:300]])  # again
    looker = Looker(watched)
    looker.look(T0 + HOUR)
    looker.look(T0 + DAY + HOUR)
    assert (seen(looker, "timely"), seen(looker, "late")) == (900, 0)
    other = ["no" if one == "yes" else "yes" for one in truth]
    watched.say(ids[880:890], other[880:890], [T0 + DAY + 2 * HOUR] * 10, "label")
    watched.say(ids[900:905], truth[900:905], [T0 + DAY + 2 * HOUR] * 5)
    found = looker.look(T0 + DAY + 4 * HOUR)
    assert (seen(looker, "timely"), seen(looker, "late")) == (900, 5)
    assert "5 came after their hour was taken" in found.note


def test_a_further_change_is_told_with_its_own_moment(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    days(watched, 2, rows=2400)
    days(watched, 2, start=2, moved=1.5, rows=2400)
    days(watched, 1, start=4, rows=2400)
    looker = Looker(watched, Monitor.concept(window="5d"))
    found = [looker.look(T0 + hours * HOUR) for hours in range(6, 5 * 24 + 2, 6)]
    moments = sorted({one.since for one in found if one.since is not None})
    assert len(moments) == 2
    assert abs(moments[0] - (T0 + 2 * DAY)) <= 2 * HOUR
    assert abs(moments[1] - (T0 + 4 * DAY)) <= 2 * HOUR
    assert "the newest of 2 changes" in found[-1].note


def test_another_champion_begins_anew(tmp_path: Path) -> None:
    watched = Watched(tmp_path, reference_rows=0)
    watched.release(2)
    days(watched, 2)
    watched.answer(900, T0 + 2 * DAY, release=2)
    looker = Looker(watched)
    assert looker.look(T0 + 2 * DAY).rows > 900
    assert looker.look(T0 + 3 * DAY, champion=2).release == 2
    assert looker.state["concept_residual"]["streams"]["timely"]["detector"]["columns"][0]["seen"] <= 900  # type: ignore[index]


def taught(watched: Watched, number: int, cut: datetime, *, window: str = "all") -> None:
    """Its held-out rows are the newest that were known when production taught it."""
    split = {"kind": "answered", "cut": microseconds(cut), "share": 0.2, "since": microseconds(cut)}
    taken = TrainingWindow(window, {"kind": "all"}, "the best on newer rows")
    manifest = watched.manifests[number]
    watched.manifests[number] = replace(manifest, training=replace(A_TRAINING, split=split, window=taken))


@pytest.mark.parametrize("method", ["residual", "adwin"])
def test_a_change_that_goes_on_while_the_next_release_is_made_is_seen_by_the_rows_it_held_out(
    method: str, tmp_path: Path
) -> None:
    watched = Watched(tmp_path)
    watched.release(2)
    watched.answer(450, T0, DAY / 2, release=1, moved=1.2)
    watched.answer(450, T0, DAY / 2, release=2, moved=1.2)
    monitor = Monitor.concept(method)
    assert Looker(watched, monitor).look(T0 + DAY).state is not State.BAD, "that is the usual"
    taught(watched, 2, T0 - HOUR)
    looker = Looker(watched, monitor)
    found = looker.look(T0 + DAY, champion=2)
    assert found.state is State.BAD
    assert found.rows == 450
    if method == "residual":
        assert T0 - HOUR <= datetime.fromisoformat(found.example["since"]) <= T0 + 2 * HOUR
    looks = [Looker(watched, monitor), Looker(watched, monitor)]
    for hours in range(1, 25):
        looks[0].look(T0 + hours * HOUR, champion=2)
    looks[1].look(T0 + DAY, champion=2)
    assert looks[0].state[monitor.name]["streams"] == looks[1].state[monitor.name]["streams"]


def test_a_release_that_does_as_it_did_on_the_rows_it_held_out_has_not_changed(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    taught(watched, 1, T0 - HOUR)
    days(watched, 3)
    looker = Looker(watched)
    assert {looker.look(T0 + hours * HOUR).state for hours in range(6, 75, 6)} == {State.FINE}


@pytest.mark.parametrize("task", Task)
def test_a_change_among_the_rows_that_a_release_held_out_is_told_at_once(task: Task, tmp_path: Path) -> None:
    watched = Watched(tmp_path, task)
    watched.release(2, moved=1.2)
    taught(watched, 2, T0 - DAY)
    watched.answer(50, T0, 2 * HOUR, release=2, moved=1.2)
    looker = Looker(watched)
    found = looker.look(T0 + 4 * HOUR, champion=2)
    assert found.state is State.BAD
    assert datetime.fromisoformat(found.example["since"]) == T0 - DAY
    watched.answer(1200, T0 + 2 * HOUR, DAY, release=2, moved=1.2)
    later = [looker.look(T0 + hours * HOUR, champion=2).state for hours in range(30, 48, 6)]
    assert later[-1] is State.FINE, "it is told for a window, and is then the usual"


SURE_TASKS = [task for task in Task if task.is_classification]


@pytest.mark.parametrize("window", ["since_change", "half_since_change"])
@pytest.mark.parametrize("task", SURE_TASKS)
def test_that_a_release_learnt_while_the_truth_was_still_changing_is_told(
    task: Task, window: str, tmp_path: Path
) -> None:
    watched = Watched(tmp_path, task)
    watched.release(2, unsure=0.3)
    taught(watched, 2, T0 - DAY, window=window)
    watched.answer(600, release=2)
    often, once = Looker(watched), Looker(watched)
    found = [often.look(T0 + hours * HOUR, champion=2) for hours in range(1, 25)]
    last = once.look(T0 + DAY, champion=2)
    assert {one.state for one in found[-12:]} == {State.BAD}
    assert "the truth was still changing while the release learnt" in last.note
    what = {Task.BINARY: "its squared error is less", Task.MULTICLASS: "it is right more often"}
    assert what[task] in last.note
    assert datetime.fromisoformat(last.example["since"]) == T0 - DAY
    changes = [looker.state["concept_residual"]["changes"] for looker in (often, once)]
    assert [len(of) for of in changes] == [1, 1], "it is told once"  # type: ignore[arg-type]


@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize(
    ("unsure", "before", "window"),
    [(0.0, 0.0, "since_change"), (0.3, 0.3, "since_change"), (0.3, 0.0, "all")],
    ids=["as sure as it may be", "by its nature", "of old rows too"],
)
def test_of_no_needless_doubt_nothing_is_told(
    task: Task, unsure: float, before: float, window: str, tmp_path: Path
) -> None:
    watched = Watched(tmp_path, task)
    watched.release(2, unsure=before)
    watched.release(3, unsure=unsure)
    taught(watched, 3, T0 - DAY, window=window)
    for number in range(3):
        watched.answer(1200, T0 + number * DAY, release=3)
    looker = Looker(watched)
    assert {looker.look(T0 + hours * HOUR, champion=3).state for hours in range(6, 78, 6)} == {State.FINE}


@pytest.mark.parametrize("harm", ["changed", "gone"])
def test_a_release_before_that_is_damaged_hinders_nothing(harm: str, tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.release(2, unsure=0.3)
    taught(watched, 2, T0 - DAY, window="since_change")
    place = watched.folders[1] / REFERENCE_ROWS
    if harm == "gone":
        place.unlink()
    else:
        place.write_bytes(b"PAR1 nothing")
    watched.answer(1200, release=2)
    assert Looker(watched).look(T0 + DAY, champion=2).state is State.FINE


def test_what_comes_of_a_release_long_after_it_was_made_is_no_doubt_of_its_learning(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.release(2)
    taught(watched, 2, T0 - DAY, window="since_change")
    watched.answer(600, release=2)
    looker = Looker(watched)
    looker.look(T0 + 12 * HOUR, champion=2)
    assert looker.state["concept_residual"]["doubt"] is None, "with the 4,000 rows that it held out enough is seen"


def test_of_a_release_that_was_sealed_before_releases_held_rows_nothing_is_expected(tmp_path: Path) -> None:
    watched = Watched(tmp_path, reference_rows=0)
    taught(watched, 1, T0 - HOUR)
    watched.answer(300)
    assert Looker(watched).look(T0 + DAY).state is State.UNKNOWN


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
