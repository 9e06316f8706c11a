from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.domain.measurement import State, Window
from mainspring.domain.monitor import MonitorKind
from mainspring.monitoring.report.series import MOST_POINTS, at_most, series_of
from mainspring.testing.fortnight import DAY, END, HOUR, measured

STATES = {"f": State.FINE, "b": State.BAD, "u": State.UNKNOWN}
VALUES = {"f": 0.01, "b": 0.3, "u": None}


def looks(story, *, every=HOUR, subject="age", **more):
    """A look for each letter, the last at `END`: fine, bad or unknown."""
    return [
        measured(
            "drift", MonitorKind.DRIFT, subject, END - every * (len(story) - 1 - place),
            value=VALUES[letter], bar=0.1, state=STATES[letter], **more,
        )
        for place, letter in enumerate(story)
    ]  # fmt: skip


def only(story, **more):
    (series,) = series_of(looks(story, **more))
    return series


def test_not_enough_to_say_ends_nothing_bad_and_keeps_nothing_fine():
    assert only("fbbuu").state is State.BAD
    assert only("fffuu").state is State.UNKNOWN
    assert only("bbbff").state is State.FINE
    assert only("uuu").state is State.UNKNOWN


def test_the_bad_time_begins_with_its_first_look():
    assert only("ffbbb").since == END - 2 * HOUR
    assert only("ffbub").since == END - 2 * HOUR
    assert only("fffff").since is None
    assert only("bbb").since == END - 2 * HOUR


def test_a_fine_look_whose_window_shares_rows_with_bad_ones_ends_nothing():
    assert only("ffbfbb").since == END - 3 * HOUR
    assert only("b" + "f" * 30 + "bb").since == END - HOUR


def test_a_fine_window_that_stands_by_itself_ends_the_bad_time():
    assert only("bbfbb", every=DAY).since == END - DAY


def test_of_a_window_measured_twice_the_newest_that_says_something_counts():
    first = looks("f")[0]
    again = replace(first, at=first.at + HOUR, state=State.BAD, value=0.4)
    silent = replace(first, at=first.at + 2 * HOUR, state=State.UNKNOWN, value=None)
    (series,) = series_of([silent, again, first])
    assert series.points == (again,)


def test_what_the_newest_look_did_not_measure_is_not_current():
    gone = looks("fffb", subject="old")[:3]
    series = {one.subject: one for one in series_of([*looks("ffff"), *gone])}
    assert (series["age"].current, series["old"].current) == (True, False)


def test_a_look_that_failed_as_a_whole_neither_hides_nor_clears_what_was_bad_before():
    failed = measured("drift", MonitorKind.DRIFT, "", END + HOUR, state=State.UNKNOWN, note="it failed")
    series = {one.subject: one for one in series_of([*looks("fb"), *looks("ff", subject="fine"), failed])}
    assert (series["age"].current, series["age"].state) == (True, State.BAD)
    assert (series["fine"].current, series["fine"].state) == (True, State.UNKNOWN)


@settings(deadline=None)
@given(st.text("fbu", min_size=1, max_size=900))
def test_a_long_story_is_thinned_without_losing_a_bad_stretch_or_the_end(story):
    series = only(story)
    assert len(series.points) <= max(1, min(len(story), MOST_POINTS))
    assert series.newest.window.end == END
    assert series.newest.state is STATES[story[-1]]
    if "b" in story[: len(story) - len(story) // MOST_POINTS - 1]:
        assert any(one.state is State.BAD for one in series.points)
    assert list(series.points) == sorted(series.points, key=lambda one: one.window.end)
    assert (series.since is not None) == (series.state is State.BAD)


def test_the_side_of_the_bar_is_the_metrics_or_what_the_states_tell():
    def points(*pairs, subject="figure", kind=MonitorKind.BUSINESS):
        return [
            measured("m", kind, subject, END + n * HOUR, value=value, bar=1.0, state=state)
            for n, (value, state) in enumerate(pairs)
        ]

    assert at_most(points((2.0, State.BAD)))
    assert not at_most(points((0.5, State.BAD), (2.0, State.FINE)))
    assert not at_most(points((2.0, State.FINE), (2.1, State.FINE), (0.99, State.FINE)))
    assert not at_most(points((0.5, State.UNKNOWN), (1.5, State.FINE)))
    assert not at_most(points((0.5, State.FINE), subject="roc_auc", kind=MonitorKind.PERFORMANCE))
    assert at_most(points((2.0, State.FINE), subject="rmse", kind=MonitorKind.ESTIMATE))
    assert at_most([])


def test_slices_and_releases_are_series_of_their_own():
    mixed = [*looks("f"), *looks("f", release=3), *looks("f", release=4), *looks("f", slice={"a": "1", "b": "2"})]
    assert len(series_of([*mixed, *looks("f", slice={"b": "2", "a": "1"})])) == 4


def test_a_window_need_not_end_at_the_look():
    late = replace(looks("f")[0], window=Window(END - timedelta(days=9), END - timedelta(days=8)))
    (series,) = series_of([late])
    assert series.current
