"""From measurements to alerts and the outbox, in one transaction a look."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mainspring.domain.alert import AlertState, EventKind, Silence
from mainspring.domain.measurement import Measurement, State
from mainspring.domain.monitor import Monitor
from mainspring.errors import WorkspaceBusy
from mainspring.monitoring.alerts.raising import raise_alerts
from mainspring.settings_alerts import AlertSettings
from mainspring.stores.records import SqlRecords
from mainspring.testing.contracts.records_alerts import NOON, a_cause

HOUR = timedelta(hours=1)
SETTINGS = AlertSettings(file=Path("alerts.jsonl"))  # and the console
DRIFT = Monitor.drift()


@pytest.fixture
def records(tmp_path: Path) -> Iterator[SqlRecords]:
    opened = SqlRecords(f"sqlite:///{tmp_path / 'records.db'}")
    yield opened
    opened.close()


def look(hour: int, state: State = State.BAD, monitor: str = "drift", subject: str = "age") -> Measurement:
    value = {State.BAD: 0.31, State.FINE: 0.01, State.UNKNOWN: None}[state]
    return replace(a_cause(subject, state, NOON + hour * HOUR, value=value), monitor=monitor)


def run(records: SqlRecords, measurements, monitors=(DRIFT,), hour: int = 0):
    return raise_alerts(records, "adclick", monitors, measurements, now=NOON + hour * HOUR, settings=SETTINGS)


def test_an_alert_and_its_notifications_come_together(records: SqlRecords) -> None:
    (event,) = run(records, [look(0), look(0, subject="income"), look(0, State.FINE, subject="city")])
    assert event.kind is EventKind.FIRED
    assert [cause.subject for cause in event.alert.causes] == ["age", "income"]
    (alert,) = records.alerts()
    assert (alert.state, alert.told_at) == (AlertState.FIRING, NOON)
    assert {one.sink: one.event for one in records.notifications()} == {"console": event, "file": event}
    assert run(records, [look(1), look(1, subject="income")], hour=1) == [], "the same is not told again"
    assert run(records, [look(2, State.FINE), look(2, State.FINE, subject="income")], hour=2) == []
    (end,) = run(records, [look(4, State.FINE), look(4, State.FINE, subject="income")], hour=4)
    assert (end.kind, end.alert.id) == (EventKind.RESOLVED, alert.id)
    assert len(records.notifications()) == 4


def test_the_same_looks_again_change_nothing(records: SqlRecords) -> None:
    story = [look(0), look(1, State.FINE), look(3, State.FINE), look(4)]
    kinds = [event.kind for event in run(records, story, hour=4)]
    assert kinds == [EventKind.FIRED, EventKind.RESOLVED, EventKind.FIRED], "a pause that is caught up with"
    before = (records.alerts(), records.notifications(), records.alert_looks("adclick"))
    assert run(records, story, hour=5) == []
    assert (records.alerts(), records.notifications(), records.alert_looks("adclick")) == before
    assert [one.state for one in records.alerts()] == [AlertState.FIRING, AlertState.RESOLVED]


@settings(max_examples=25, deadline=None)
@example("bfbuffbbfuffbffff", 5, 3)
@given(st.text("bfu-", max_size=20), st.integers(0, 20), st.integers(0, 20))
def test_a_story_gives_the_same_in_one_piece_and_look_by_look(signs: str, end: int, begin: int) -> None:
    states = {"b": State.BAD, "f": State.FINE, "u": State.UNKNOWN}
    story = [look(hour, states[sign]) for hour, sign in enumerate(signs) if sign in states]
    rule = Monitor.drift(for_="1h")
    found = []
    for pieces in ([story], [[one] for one in story], [story[:end], story[min(begin, end) :]]):
        records = SqlRecords("sqlite://")
        events = [event for piece in pieces for event in run(records, piece, [rule], hour=len(signs))]
        alerts = [replace(one, id="") for one in records.alerts()]
        told = [(one.sink, one.event.kind, one.event.at) for one in records.notifications()]
        found.append(([(event.kind, event.at) for event in events], alerts, sorted(told)))
        records.close()
    assert found[0] == found[1] == found[2]


def test_a_pending_alert_that_comes_to_nothing_leaves_nothing(records: SqlRecords) -> None:
    rule = Monitor.drift(for_="2h")
    assert run(records, [look(0)], [rule]) == []
    assert [one.state for one in records.alerts()] == [AlertState.PENDING]
    assert run(records, [look(1, State.FINE)], [rule], hour=1) == []
    assert records.alerts() == []
    assert run(records, [look(2), look(3, State.FINE)], [rule], hour=3) == []
    assert records.alerts() == records.notifications() == []


def test_a_silenced_alert_is_kept_and_told_afterwards(records: SqlRecords) -> None:
    records.add_silence(
        Silence(id="s", model="adclick", monitor="*", created_at=NOON, until=NOON + 2 * HOUR, by="ana", reason="r")
    )
    assert run(records, [look(0)]) == []
    assert records.notifications() == []
    assert records.alerts()[0].state is AlertState.FIRING
    assert run(records, [look(1)], hour=1) == []
    (event,) = run(records, [], hour=2)
    assert (event.kind, event.at) == (EventKind.FIRED, NOON + 2 * HOUR)
    assert run(records, [], hour=3) == []
    assert records.alerts()[0].told_at == NOON + 2 * HOUR


def test_the_end_of_what_nobody_heard_of_is_not_told(records: SqlRecords) -> None:
    silence = Silence(
        id="s", model="*", monitor="drift", created_at=NOON, until=NOON + 9 * HOUR, by="ana", reason="r"
    )
    records.add_silence(silence)
    assert run(records, [look(0), look(1, State.FINE), look(3, State.FINE)], hour=3) == []
    assert records.alerts()[0].state is AlertState.RESOLVED
    assert records.notifications() == []


def test_the_alert_of_a_monitor_that_is_gone_ends(records: SqlRecords) -> None:
    other = Monitor.performance("roc_auc", at_least=0.7, for_="5h")
    run(records, [look(0), look(0, monitor=other.name)], [DRIFT, other])
    (event,) = run(records, [], [], hour=1)
    assert (event.kind, event.alert.monitor, event.alert.ending) == (
        EventKind.RESOLVED,
        "drift",
        "its monitor is no longer declared",
    )
    assert [one.monitor for one in records.alerts()] == ["drift"], "the pending one was dropped"
    assert run(records, [], [], hour=2) == []


def test_measurements_of_no_declared_monitor_raise_nothing(records: SqlRecords) -> None:
    assert run(records, [look(0, monitor="nosuch")]) == []
    assert records.alerts() == []


def test_two_that_watch_at_once_raise_one_alert(records: SqlRecords, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one looks between our reading and our writing."""
    write = records.record_looks

    def late(*given, **named):
        monkeypatch.undo()
        run(records, [look(0)])
        return write(*given, **named)

    monkeypatch.setattr(records, "record_looks", late)
    with pytest.raises(WorkspaceBusy):
        run(records, [look(0)])
    assert len(records.alerts()) == 1
    assert len(records.notifications()) == 2


def test_five_hundred_features_are_one_alert_and_one_message(records: SqlRecords) -> None:
    (event,) = run(records, [look(0, subject=f"x{number}") for number in range(500)])
    assert len(event.alert.causes) == 500
    (told, _) = records.notifications()
    assert (len(told.event.alert.causes), told.event.more) == (10, 490)


def test_a_further_change_ends_the_alert_of_the_first_and_has_its_own(records: SqlRecords) -> None:
    def found(hour: int, since: int) -> Measurement:
        return replace(look(hour), example={"since": (NOON + since * HOUR).isoformat()})

    story = [found(0, -3), found(1, -3), found(9, 8), found(10, 8)]
    events = [event for one in story for event in run(records, [one], hour=10)]
    first, second, third = events
    assert [event.kind for event in events] == [EventKind.FIRED, EventKind.RESOLVED, EventKind.FIRED]
    assert first.alert.id == second.alert.id != third.alert.id
    assert "a further change" in second.alert.ending
    moments = {one.state: one.changed_at for one in records.alerts()}
    assert moments == {AlertState.RESOLVED: NOON - 3 * HOUR, AlertState.FIRING: NOON + 8 * HOUR}
    assert len(records.notifications()) == 6
