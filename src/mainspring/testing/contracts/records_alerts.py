"""The law of `ports.Records` on alerts, silences and the outbox; part of `RecordsContract`."""

import dataclasses
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mainspring.domain.alert import Alert, AlertState, Event, EventKind, Silence, resolve
from mainspring.domain.measurement import Measurement, State, Window
from mainspring.domain.monitor import AlertSeverity
from mainspring.domain.notification import Notification, NotificationState
from mainspring.domain.ports import Records
from mainspring.errors import StoreError, UsageError, WorkspaceBusy

NOON = datetime(2026, 3, 1, 12, 0, 0, 123457, tzinfo=UTC)
HOUR = timedelta(hours=1)
_HOLD = timedelta(minutes=1)


def a_cause(subject: str = "age", state: State = State.BAD, at: datetime = NOON, **other: Any) -> Measurement:
    given = {"value": 0.31, "bar": 0.1, "rows": 5000, "method": "KS", "release": 7, **other}
    return Measurement("drift", "drift", subject, Window(at - timedelta(days=1), at), at, state, **given)


def an_alert(alert_id: str, monitor: str = "drift", hours: int = 0, **other: Any) -> Alert:
    at = NOON + hours * HOUR
    given: dict[str, Any] = {"state": AlertState.FIRING, "fired_at": at, "causes": (a_cause(at=at),), **other}
    return Alert(
        id=alert_id,
        model="adclick",
        monitor=monitor,
        severity=AlertSeverity.WARNING,
        since=at,
        last_seen=at,
        **given,
    )


def a_notification(
    alert: Alert, sink: str = "webhook", *, at: datetime = NOON, kind: EventKind = EventKind.FIRED
) -> Notification:
    return Notification.of(Event(id=f"{alert.id}-{kind}", kind=kind, at=at, alert=alert), sink, at)


class AlertsContract:
    """Needs the fixtures `records` and `open_records`."""

    def test_alerts_read_back_as_they_were_written(
        self, records: Records, open_records: Callable[[], Records]
    ) -> None:
        odd = a_cause(
            "naïve “x” \\ ;--", slice={"device": "phone"}, low=0.1, p_value=1e-300, example={"a": [1, None]}
        )
        first = an_alert("alert-1", causes=(odd, a_cause()), owner="ana", told_at=NOON)
        second = an_alert("alert-2", "performance", hours=1, state=AlertState.PENDING, fired_at=None)
        looks = {"drift": (None, NOON), "performance": (None, NOON + HOUR)}
        records.record_looks("adclick", looks, alerts=[first, second])
        other = open_records()
        assert other.alerts("adclick") == [second, first]
        assert other.alerts(states=(AlertState.FIRING,)) == [first]
        assert other.alerts(limit=1) == [second]
        assert other.alerts("churn") == []
        assert other.alert("alert-1") == first
        assert other.alert("alert") is None  # too short
        assert other.alert("alert-9") is None
        with pytest.raises(UsageError, match="more than one alert begins with 'alert-'"):
            other.alert("alert-")
        assert other.alert_looks("adclick") == {"drift": NOON, "performance": NOON + HOUR}

    def test_an_alert_changes_and_a_pending_one_is_dropped(self, records: Records) -> None:
        pending = an_alert("alert-1", state=AlertState.PENDING, fired_at=None)
        records.record_looks("adclick", {"drift": (None, NOON)}, alerts=[pending])
        records.record_looks("adclick", {"drift": (NOON, NOON + HOUR)}, dropped=["alert-1"])
        assert records.alerts() == []
        later = an_alert("alert-2", hours=2)
        records.record_looks("adclick", {"drift": (NOON + HOUR, NOON + 2 * HOUR)}, alerts=[later])
        ended = resolve(later, NOON + 3 * HOUR)[0]
        again = an_alert("alert-3", hours=4)
        looks = {"drift": (NOON + 2 * HOUR, NOON + 4 * HOUR)}
        records.record_looks("adclick", looks, alerts=[ended, again])
        assert records.alerts() == [again, ended]

    def test_whoever_looked_later_wins_nothing(self, records: Records) -> None:
        """Two processes that watch the same model must not raise the same alert twice."""
        records.record_looks("adclick", {"drift": (None, NOON)}, alerts=[an_alert("alert-1")])
        late = an_alert("alert-2", "other")
        with pytest.raises(WorkspaceBusy, match="looked at drift of adclick meanwhile"):
            records.record_looks(
                "adclick",
                {"other": (None, NOON), "drift": (None, NOON)},
                alerts=[late],
                notifications=[a_notification(late)],
            )
        assert [one.id for one in records.alerts()] == ["alert-1"]
        assert records.alert_looks("adclick") == {"drift": NOON}
        assert records.notifications() == []

    def test_a_monitor_has_one_open_alert(self, records: Records) -> None:
        records.record_looks("adclick", {"drift": (None, NOON)}, alerts=[an_alert("alert-1")])
        with pytest.raises(StoreError):
            records.record_looks("adclick", {"drift": (NOON, NOON + HOUR)}, alerts=[an_alert("alert-2")])
        assert [one.id for one in records.alerts()] == ["alert-1"]

    def test_silences(self, records: Records, open_records: Callable[[], Records]) -> None:
        first = Silence(
            id="s1", model="ad*", monitor="*", created_at=NOON, until=NOON + HOUR, by="ana", reason="a 'campaign'"
        )
        second = dataclasses.replace(first, id="s2", created_at=NOON + HOUR, until=NOON + 3 * HOUR)
        for one in (first, first, second):
            records.add_silence(one)
        assert open_records().silences() == [second, first]
        assert records.silences(NOON) == [first]
        assert records.silences(NOON + HOUR) == [second]
        ended = records.end_silence("s2", NOON + 2 * HOUR, actor="ana")
        assert ended == dataclasses.replace(second, until=NOON + 2 * HOUR)
        assert records.end_silence("s2", NOON + 2.5 * HOUR, actor="ana") == ended
        assert records.silences(NOON + 2 * HOUR) == []
        with pytest.raises(UsageError, match="no silence 's9'"):
            records.end_silence("s9", NOON, actor="ana")

    def test_a_notification_until_it_is_sent(self, records: Records) -> None:
        alert = an_alert("alert-1")
        told = a_notification(alert)
        for before, after in ((None, NOON), (NOON, NOON + HOUR)):
            records.record_looks("adclick", {"drift": (before, after)}, alerts=[alert], notifications=[told])
        assert records.notifications() == [told]
        assert records.take_notifications("file", now=NOON, hold=_HOLD) == []
        assert records.take_notifications("webhook", now=NOON - HOUR, hold=_HOLD) == []
        (taken,) = records.take_notifications("webhook", now=NOON, hold=_HOLD)
        assert taken == dataclasses.replace(told, attempts=1, due_at=NOON + _HOLD)
        assert records.take_notifications("webhook", now=NOON, hold=_HOLD) == [], "it is being sent"
        put_off = dataclasses.replace(taken, due_at=NOON + HOUR, error="the host is away")
        records.settle_notification(put_off)
        (again,) = records.take_notifications("webhook", now=NOON + HOUR, hold=_HOLD)
        assert (again.attempts, again.error) == (2, "the host is away")
        sent = dataclasses.replace(again, state=NotificationState.SENT, error="", ended_at=NOON + HOUR)
        records.settle_notification(sent)
        assert records.take_notifications("webhook", now=NOON + 9 * HOUR, hold=_HOLD) == []
        assert records.notifications(states=(NotificationState.SENT,)) == [sent]
        assert records.sent_since("webhook", NOON) == 1
        assert records.sent_since("webhook", NOON + HOUR) == records.sent_since("file", NOON) == 0
        records.settle_notification(put_off)
        assert records.notifications() == [sent], "what was sent stays so, whatever a slower sender says"

    def test_old_notifications_go_and_waiting_ones_stay(self, records: Records) -> None:
        told = [a_notification(an_alert(f"alert-{number}")) for number in range(2)]
        records.record_looks("adclick", {"drift": (None, NOON)}, notifications=told)
        (first,) = records.take_notifications("webhook", now=NOON, hold=_HOLD, limit=1)
        records.settle_notification(dataclasses.replace(first, state=NotificationState.SENT, ended_at=NOON))
        month = NOON + timedelta(days=30)
        records.record_looks("adclick", {"drift": (NOON, month)})
        assert len(records.notifications()) == 2
        records.record_looks("adclick", {"drift": (month, month + HOUR)})
        assert [one.id for one in records.notifications()] == [told[1].id]

    def test_who_died_while_sending_is_followed_by_another(self, records: Records) -> None:
        alert = an_alert("alert-1")
        records.record_looks("adclick", {"drift": (None, NOON)}, notifications=[a_notification(alert)])
        (first,) = records.take_notifications("webhook", now=NOON, hold=_HOLD)
        (second,) = records.take_notifications("webhook", now=NOON + _HOLD, hold=_HOLD)
        assert (second.id, second.attempts) == (first.id, 2)

    def test_the_end_is_not_told_before_the_beginning(self, records: Records) -> None:
        alert, other = an_alert("alert-1"), an_alert("alert-2", "performance")
        told = [
            a_notification(alert),
            a_notification(alert, at=NOON + HOUR, kind=EventKind.RESOLVED),
            a_notification(other, at=NOON + 2 * HOUR),
            a_notification(alert, "file", at=NOON + HOUR, kind=EventKind.RESOLVED),
        ]
        records.record_looks("adclick", {"drift": (None, NOON)}, notifications=told)
        late = NOON + 3 * HOUR
        taken = records.take_notifications("webhook", now=late, hold=_HOLD)
        assert [one.event.id for one in taken] == ["alert-1-fired", "alert-2-fired"]
        failed = dataclasses.replace(taken[0], state=NotificationState.FAILED, ended_at=late)
        records.settle_notification(failed)
        (end,) = records.take_notifications("webhook", now=late, hold=_HOLD)
        assert end.event.id == "alert-1-resolved"

    def test_senders_at_once_send_each_once(self, records: Records, open_records: Callable[[], Records]) -> None:
        told = [a_notification(an_alert(f"alert-{number}")) for number in range(20)]
        records.record_looks("adclick", {"drift": (None, NOON)}, notifications=told)
        taken: list[str] = []

        def take(mine: Records) -> None:
            while found := mine.take_notifications("webhook", now=NOON, hold=_HOLD, limit=1):
                taken.extend(one.id for one in found)

        threads = [threading.Thread(target=take, args=(open_records(),)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(taken) == sorted(one.id for one in told)

    def test_the_states_of_monitors(self, records: Records, open_records: Callable[[], Records]) -> None:
        states: dict[str, dict[str, Any]] = {
            "concept": {"seen": 3, "blocks": [[0.5, None]], "text": "ünïcode"},
            "business": {"at": 1},
        }
        records.put_monitor_states("adclick", states)
        records.put_monitor_states("churn", {"concept": {"seen": 9}})
        assert open_records().monitor_states("adclick") == states
        records.put_monitor_states("adclick", {"concept": {"seen": 4}, "business": {}})
        assert records.monitor_states("adclick") == {"concept": {"seen": 4}}
        assert records.monitor_states("churn") == {"concept": {"seen": 9}}
        assert records.monitor_states("nosuch") == {}
