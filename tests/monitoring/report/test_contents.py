from dataclasses import replace
from datetime import timedelta

import pytest

from mainspring.domain.alert import AlertState
from mainspring.domain.measurement import State, Window
from mainspring.domain.monitor import MonitorKind
from mainspring.monitoring.report.contents import build_report
from mainspring.monitoring.report.headline import Harm
from mainspring.testing.fortnight import BROKE, DAY, END, HOUR, PERIOD, fortnight, measured


@pytest.fixture(scope="module")
def broken():
    return fortnight()


def report_of(*measurements, **more):
    given = {"period": PERIOD, "generated_at": END, "measurements": measurements} | more
    return build_report("adclick", **given)


def figure(kind, value, *, state=State.FINE, monitor="", subject="roc_auc", end=END, bar=0.78, **more):
    more = {"low": value - 0.01, "high": value + 0.01, **more}
    return measured(monitor or f"{kind}_m", kind, subject, end, value=value, bar=bar, state=state, **more)


def test_the_top_says_what_changed_since_when_and_that_it_hurts(broken):
    report = broken.report()
    top = report.headline
    assert (report.state, top.harm, report.releases) == (State.BAD, Harm.YES, (7,))
    assert top.title == "price changed, and it hurts"
    assert top.changed.startswith("price: the mean rose from")
    assert "11 other inputs did not change" in top.changed
    assert top.since.startswith("price was first seen on 17 Jul")
    assert "5 days ago" in top.since
    assert top.hurts.startswith("Yes: roc_auc is 0.7")
    assert "at least 0.78 is fine" in top.hurts


def test_the_drift_is_seen_within_a_day_of_its_beginning(broken):
    (change,) = [one for one in broken.report().changes if one.state is State.BAD]
    assert change.name == "price"
    assert BROKE < change.since < BROKE + DAY


def test_without_a_break_all_is_fine_and_it_says_only_what_it_knows():
    report = fortnight(broken=False).report()
    assert (report.state, report.headline.harm) == (State.FINE, Harm.NO)
    assert report.headline.title == "All that could be measured is as it should be"
    assert "estimated at" in report.headline.hurts  # the newest labels are not in
    assert {one.monitor for one in report.unsaid} == {"feature_age", "performance_roc_auc"}


def test_nothing_measured_is_never_fine():
    report = report_of()
    assert (report.state, report.headline.harm) == (State.UNKNOWN, Harm.UNKNOWN)
    assert report.headline.title == "There is not enough to say how the model does"
    silent = measured(
        "drift", MonitorKind.DRIFT, "", END, state=State.UNKNOWN, note="the window has no rows", rows=0
    )
    report = report_of(silent)
    assert report.state is State.UNKNOWN
    assert [(one.monitor, one.note) for one in report.unsaid] == [("drift", "the window has no rows")]
    assert "could not be said" in report.headline.changed


def test_an_estimate_alone_is_called_likely_and_named_an_estimate():
    report = report_of(
        figure(MonitorKind.ESTIMATE, 0.70, state=State.BAD, estimated=True),
        figure(MonitorKind.PERFORMANCE, 0.81, end=END - 3 * DAY, at=END),
    )
    assert report.headline.harm is Harm.LIKELY
    assert "roc_auc is estimated at 0.7" in report.headline.hurts
    assert "By labels, roc_auc is 0.81" in report.headline.hurts


def test_harm_without_a_changed_input_says_so():
    report = report_of(
        figure(MonitorKind.PERFORMANCE, 0.7, state=State.BAD),
        measured("drift", MonitorKind.DRIFT, "age", END, value=0.01, bar=0.1),
    )
    assert report.headline.title == "roc_auc is not as it should be, though no input has changed"


def test_a_change_of_the_concept_is_likely_to_hurt():
    shifted = measured(
        "concept_residual", MonitorKind.CONCEPT, "residual", END, state=State.BAD, value=0.06,
        note="truth follows the inputs otherwise since about 17 July",
    )  # fmt: skip
    top = report_of(shifted).headline
    assert top.harm is Harm.LIKELY
    assert "otherwise since about 17 July" in top.hurts
    assert "the concept changed" in top.changed


def test_a_figure_beyond_its_bar_that_chance_could_have_made_is_perhaps():
    doubtful = figure(MonitorKind.PERFORMANCE, 0.76, state=State.UNKNOWN, note="too early to be sure")
    fine = measured("revenue", MonitorKind.BUSINESS, "revenue", END, value=2.0, bar=1.0)
    top = report_of(doubtful, fine).headline
    assert top.harm is Harm.UNKNOWN
    assert top.hurts.startswith("Perhaps: roc_auc is 0.76")


def test_figures_without_a_bar_prove_no_harmlessness():
    top = report_of(figure(MonitorKind.PERFORMANCE, 0.81, bar=None, note="shown, not judged")).headline
    assert top.harm is Harm.UNKNOWN


def test_a_stale_figure_is_told_as_such():
    old = figure(MonitorKind.PERFORMANCE, 0.81, end=END - 3 * DAY)
    new = figure(MonitorKind.PERFORMANCE, 0.0, state=State.UNKNOWN, note="no labels")
    new = replace(new, value=None, low=None, high=None)
    top = report_of(old, new).headline
    assert top.harm is Harm.UNKNOWN
    assert top.hurts.startswith("Not known now. Last: roc_auc is 0.81")


def test_a_firing_alert_keeps_the_report_bad():
    calm = fortnight(broken=False)
    (alert, _) = fortnight().alerts
    report = calm.report(alerts=(alert,))
    assert report.state is State.BAD
    assert "still firing" in report.headline.title


def test_firing_alerts_come_first_and_those_ended_before_are_left_out(broken):
    firing, resolved = broken.alerts
    ended = replace(resolved, since=END - 40 * DAY, resolved_at=END - 30 * DAY)
    report = broken.report(alerts=(resolved, ended, firing))
    assert [one.state for one in report.alerts] == [AlertState.FIRING, AlertState.RESOLVED]


def test_only_the_period_counts(broken):
    week = Window(END - 10 * DAY, END - 7 * DAY)
    report = broken.report(period=week, generated_at=week.end, alerts=())
    assert report.state is State.FINE
    assert all(hour in week for hour, _ in report.volume)
    assert all(week.start < one.window.end <= week.end for series in report.series for one in series.points)


def test_parts_of_a_column_stand_with_it_and_a_colon_alone_makes_no_part():
    report = report_of(
        measured("drift", MonitorKind.DRIFT, "age", END, value=0.01, bar=0.1),
        measured(
            "drift", MonitorKind.DRIFT, "age: missing", END,
            value=0.3, bar=0.05, state=State.BAD, note="missing in 30 %",
        ),
        measured("drift", MonitorKind.DRIFT, "odd: name", END, value=0.01, bar=0.1),
    )  # fmt: skip
    assert [(change.name, change.state) for change in report.changes] == [
        ("age", State.BAD),
        ("odd: name", State.FINE),
    ]
    assert report.changes[0].sentence == "missing in 30 %"


def test_a_part_that_is_bad_no_more_is_forgotten():
    part = measured("drift", MonitorKind.DRIFT, "age: missing", END - HOUR, value=0.3, bar=0.05, state=State.BAD)
    whole = [measured("drift", MonitorKind.DRIFT, "age", end, value=0.01, bar=0.1) for end in (END - HOUR, END)]
    (change,) = report_of(part, *whole).changes
    assert change.state is State.FINE


def test_an_input_and_an_answer_of_the_same_name_are_two():
    report = report_of(
        measured("drift", MonitorKind.DRIFT, "prediction", END, value=0.01, bar=0.1),
        measured("prediction", MonitorKind.PREDICTION, "prediction", END, value=0.2, bar=0.1, state=State.BAD),
    )
    assert [change.is_answer for change in report.changes] == [True, False]


def test_an_empty_period_is_no_error():
    assert report_of(period=Window(END, END)).state is State.UNKNOWN
    assert report_of(volume=[(END - timedelta(hours=1), 5)]).rows == 5


def test_what_was_bad_from_the_first_look_on_is_not_said_to_have_begun_then():
    looks = [
        measured("drift", MonitorKind.DRIFT, name, end, value=0.4, bar=0.1, state=State.BAD)
        for name in ("age", "fare", "tip")
        for end in (END - HOUR, END)
    ]
    since = report_of(*looks).headline.since
    assert since == "age and 2 more were so already when this report begins, on 22 Jul 08:00."


def test_the_answers_of_several_releases_are_told_apart():
    report = report_of(
        measured("prediction", MonitorKind.PREDICTION, "prediction", END, value=0.01, bar=0.1, release=7),
        measured("prediction", MonitorKind.PREDICTION, "prediction", END, value=0.2, bar=0.1, release=8,
                 state=State.BAD),
    )  # fmt: skip
    assert [change.title for change in report.changes] == ["prediction of release 8", "prediction of release 7"]
    assert report.headline.title.startswith("prediction of release 8 changed")
