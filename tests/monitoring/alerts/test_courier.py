"""Delivery: at least once, in order, never in anybody's way, whatever the other end does."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mainspring.domain.alert import Alert, Event, EventKind
from mainspring.domain.notification import NotificationState
from mainspring.errors import NotDelivered, Undeliverable
from mainspring.monitoring.alerts.courier import GIVE_UP, Courier
from mainspring.settings_alerts import AlertSettings
from mainspring.stores.records import SqlRecords
from mainspring.testing.clock import FakeClock
from mainspring.testing.contracts.records_alerts import NOON, a_notification, an_alert
from mainspring.testing.receiver import Received, answer, hang, receiver

SETTINGS = AlertSettings(console=False, max_per_hour=3)
WAITING, SENT, FAILED = NotificationState.WAITING, NotificationState.SENT, NotificationState.FAILED


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'records.db'}"


@pytest.fixture
def records(url: str) -> Iterator[SqlRecords]:
    opened = SqlRecords(url)
    yield opened
    opened.close()


class Pen:
    """A sink that notes what it gets, and fails as it is told."""

    def __init__(self, name: str = "webhook", *, is_limited: bool = True) -> None:
        self.name = name
        self.is_limited = is_limited
        self.got: list[str] = []
        self.fail: Callable[[], None] = lambda: None

    def send(self, event: Event, *, key: str) -> None:
        self.fail()
        self.got.append(key)


def fill(records: SqlRecords, count: int, *sinks: str) -> None:
    told = [a_notification(an_alert(f"alert-{n}"), sink) for n in range(count) for sink in sinks or ("webhook",)]
    before = records.alert_looks("adclick").get("drift")
    records.record_looks("adclick", {"drift": (before, NOON)}, notifications=told)


def states(records: SqlRecords) -> list[NotificationState]:
    return [one.state for one in reversed(records.notifications())]


def courier(records: SqlRecords, *sinks: Pen, clock: FakeClock | None = None, **other) -> Courier:
    return Courier(records, SETTINGS, sinks=sinks, clock=clock or FakeClock(NOON), poll=0.02, **other)


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread or process does."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


def test_what_waits_is_delivered_once_and_in_order(records: SqlRecords) -> None:
    fill(records, 3)
    pen = Pen()
    with courier(records, pen) as running:
        assert running.settle(30)
        assert pen.got == [f"alert-{n}-fired-webhook" for n in range(3)]
        assert states(records) == [SENT] * 3
        fill(records, 3)
        assert running.settle(30)
    assert len(pen.got) == 3


def test_only_so_many_an_hour_for_people_and_the_rest_later(records: SqlRecords) -> None:
    fill(records, 5, "webhook", "file")
    people, machine, clock = Pen(), Pen("file", is_limited=False), FakeClock(NOON)
    with courier(records, people, machine, clock=clock) as running:
        assert running.settle(30)
        assert (len(people.got), len(machine.got)) == (3, 5)
        clock.sleep(3599)
        assert running.settle(30)
        assert len(people.got) == 3
        clock.sleep(1)
        until(lambda: len(people.got) == 5)


def test_it_is_tried_again_ever_more_seldom_until_it_is_given_up(records: SqlRecords) -> None:
    fill(records, 1)
    pen, clock = Pen(), FakeClock(NOON)
    waits: list[float] = []

    def refuse() -> None:
        raise NotDelivered("the host is away", cure="wait")

    pen.fail = refuse
    with courier(records, pen, clock=clock) as running:
        while True:
            assert running.settle(30)
            (one,) = records.notifications()
            if one.state is not WAITING:
                break
            waits.append((one.due_at - clock.now()).total_seconds())
            clock.set(one.due_at)
    assert waits[:9] == [5, 10, 20, 40, 80, 160, 320, 640, 900]
    assert set(waits[9:]) == {900}
    assert (one.state, one.error) == (FAILED, "the host is away; wait")
    assert GIVE_UP <= clock.now() - NOON < GIVE_UP + timedelta(minutes=15)


def test_what_will_never_be_understood_is_given_up_at_once(records: SqlRecords) -> None:
    fill(records, 2)
    pen = Pen()

    def refuse() -> None:
        pen.fail = lambda: None
        raise Undeliverable("it answered 400")

    pen.fail = refuse
    with courier(records, pen) as running:
        assert running.settle(30)
    assert states(records) == [FAILED, SENT]


def test_a_sink_that_stumbles_stops_nothing(records: SqlRecords) -> None:
    fill(records, 2)
    pen = Pen()

    def stumble() -> None:
        pen.fail = lambda: None
        raise ZeroDivisionError

    pen.fail = stumble
    with courier(records, pen) as running:
        assert running.settle(30)
    assert pen.got == ["alert-1-fired-webhook"]
    assert states(records) == [WAITING, SENT]


def test_a_server_says_when_to_come_again(records: SqlRecords) -> None:
    fill(records, 1)
    with receiver(behave=answer(429, b"", Retry_After="600")) as there:
        given = replace(SETTINGS, webhook_url=there.url, allowed_hosts=("localhost",))
        with Courier(records, given, clock=FakeClock(NOON), poll=0.02) as running:
            assert running.settle(30)
    (one,) = records.notifications()
    assert one.due_at == NOON + timedelta(minutes=10)
    assert "answered 429" in one.error


def test_a_sink_that_hangs_holds_up_nobody(records: SqlRecords, tmp_path: Path) -> None:
    """Neither another sink, nor the watching, nor the end of the process."""
    others = _couriers()
    with receiver() as there:
        there.behave = hang(there)
        given = replace(
            SETTINGS,
            webhook_url=there.url,
            allowed_hosts=("localhost",),
            file=tmp_path / "alerts.jsonl",
            timeout=60,
        )
        fill(records, 2, "webhook", "file")
        with Courier(records, given, clock=FakeClock(NOON), poll=0.02) as running:
            until(lambda: len(there.got) == 1)
            until(lambda: (tmp_path / "alerts.jsonl").exists() and len(_lines(tmp_path)) == 2)
            fill(records, 4, "webhook", "file")
            until(lambda: len(_lines(tmp_path)) == 4)
            assert not running.settle(0.1)
            started = time.monotonic()
            running.stop(timeout=0.1)
            assert time.monotonic() - started < 30  # half of what the sink would have held it
            until(lambda: [one.name for one in _couriers() - others] == ["courier-webhook"])
    until(lambda: not _couriers() - others)  # it ends with what it was waiting for
    by_sink = {one.sink: one.state for one in records.notifications()}
    assert by_sink == {"webhook": WAITING, "file": SENT}


def _couriers() -> set[threading.Thread]:
    return {one for one in threading.enumerate() if one.name.startswith("courier")}


def _lines(folder: Path) -> list[str]:
    return (folder / "alerts.jsonl").read_text().splitlines()


def test_a_sink_that_is_not_configured_keeps_its_notifications(records: SqlRecords) -> None:
    fill(records, 1, "file")
    with courier(records, Pen("webhook")) as running:
        assert running.settle(30)
    assert states(records) == [WAITING]


def test_a_sink_that_forgets_is_reminded(records: SqlRecords) -> None:
    class Forgetful(Pen):
        reminded: list[list[str]] = []  # noqa: RUF012

        def remind(self, alerts: list[Alert]) -> None:
            self.reminded.append([one.id for one in alerts])

    told = an_alert("alert-1", told_at=NOON)
    silenced = an_alert("alert-2", "performance")
    looks = {"drift": (None, NOON), "performance": (None, NOON)}
    records.record_looks("adclick", looks, alerts=[told, silenced])
    clock, sink = FakeClock(NOON), Forgetful("alertmanager", is_limited=False)
    with courier(records, sink, clock=clock) as running:
        for expected in (1, 1, 2):
            until(lambda expected=expected: len(sink.reminded) == expected)
            assert running.settle(30)
            assert len(sink.reminded) == expected
            clock.sleep(150)
    assert sink.reminded == [["alert-1"]] * 2


_CHILD = """
import os, signal, sys
from mainspring.monitoring.alerts.courier import Courier
from mainspring.settings_alerts import AlertSettings
from mainspring.stores.records import SqlRecords

class Records(SqlRecords):
    def settle_notification(self, notification):
        if sys.argv[3] == "die":
            os.kill(os.getpid(), signal.SIGKILL)  # it was sent, and this was not noted
        super().settle_notification(notification)

records = Records(sys.argv[1])
settings = AlertSettings(console=False, webhook_url=sys.argv[2], allowed_hosts=("localhost",))
with Courier(records, settings, hold=1.0, poll=0.02) as courier:
    sys.stdin.read()
"""


def _child(url: str, there: str, how: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", _CHILD, url, there, how], stdin=subprocess.PIPE)


def _end(child: "subprocess.Popen[bytes]") -> int:
    child.communicate()
    return child.returncode


def test_whoever_is_killed_between_sending_and_noting_sends_again_with_the_same_key(
    records: SqlRecords, url: str
) -> None:
    fill(records, 1)
    with receiver() as there:
        assert _end(_child(url, there.url, "die")) == -signal.SIGKILL
        assert len(there.got) == 1
        assert states(records) == [WAITING]
        after = _child(url, there.url, "live")
        until(lambda: states(records) == [SENT])
        assert _end(after) == 0
    assert [_key(one) for one in there.got] == ["alert-0-fired-webhook"] * 2
    assert there.got[0].body == there.got[1].body
    assert records.notifications()[0].attempts == 2


def test_whoever_is_killed_in_the_midst_of_sending_sends_again(records: SqlRecords, url: str) -> None:
    fill(records, 3)
    with receiver() as there:
        there.behave = hang(there)
        child = _child(url, there.url, "live")
        until(lambda: len(there.got) == 1)
        child.kill()
        _end(child)
        there.behave = answer()
        after = _child(url, there.url, "live")
        until(lambda: states(records) == [SENT] * 3)
        _end(after)
    assert {_key(one) for one in there.got} == {f"alert-{n}-fired-webhook" for n in range(3)}
    assert len(there.got) == 4


def _key(request: Received) -> str:
    return request.headers["Idempotency-Key"]


def test_two_couriers_deliver_each_once(records: SqlRecords, url: str) -> None:
    fill(records, 12, "file")
    other = SqlRecords(url)
    pens = [Pen("file", is_limited=False) for _ in range(2)]
    with courier(records, pens[0]) as one, courier(other, pens[1]) as two:
        assert one.settle(30)
        assert two.settle(30)
    other.close()
    assert sorted(pens[0].got + pens[1].got) == sorted(f"alert-{n}-fired-file" for n in range(12))


def test_the_end_follows_the_beginning_even_where_that_was_put_off(records: SqlRecords) -> None:
    alert = an_alert("alert-0")
    end = a_notification(alert, at=NOON + timedelta(minutes=1), kind=EventKind.RESOLVED)
    records.record_looks("adclick", {"drift": (None, NOON)}, notifications=[a_notification(alert), end])
    pen, clock = Pen(), FakeClock(NOON + timedelta(hours=1))

    def refuse_once() -> None:
        pen.fail = lambda: None
        raise NotDelivered("not yet")

    pen.fail = refuse_once
    with courier(records, pen, clock=clock) as running:
        assert running.settle(30)
        assert pen.got == []
        clock.sleep(5)
        until(lambda: len(pen.got) == 2)
    assert pen.got == ["alert-0-fired-webhook", "alert-0-resolved-webhook"]
