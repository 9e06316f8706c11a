"""Delivers the outbox, in threads of its own, so that no receiver can hold up the watching or another receiver."""

import logging
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.domain.alert import AlertState
from mainspring.domain.notification import Notification, NotificationState
from mainspring.domain.ports_alerts import AlertRecords
from mainspring.errors import NotDelivered, StoreError, Undeliverable
from mainspring.monitoring.sinks.opening import open_sinks
from mainspring.monitoring.sinks.port import RemindedSink, Sink
from mainspring.settings_alerts import AlertSettings

_LOG = logging.getLogger("mainspring.alerts")
_HOUR = timedelta(hours=1)
GIVE_UP = timedelta(days=1)
"""What could not be told for so long is told no more; `mainspring alerts list` says so."""
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=15)
_REMIND = 300.0  # seconds
_MANY = 1_000


class Courier:
    """Delivers what waits for the configured sinks, at least once, until it is stopped; a context manager.

    Args:
        sinks: those of the settings where not given.
        poll: seconds between two looks into the outbox; `nudge` makes it look at once.
        hold: seconds for which one that is being sent is nobody else's; longer than any sending may take.
    """

    def __init__(
        self,
        records: AlertRecords,
        settings: AlertSettings,
        *,
        sinks: Sequence[Sink] | None = None,
        clock: Clock = SYSTEM_CLOCK,
        poll: float = 1.0,
        hold: float | None = None,
    ) -> None:
        if sinks is None:
            sinks = open_sinks(settings, console=sys.stderr, clock=clock)
        held = timedelta(seconds=2 * settings.timeout + 60 if hold is None else hold)
        self._lanes = [_Lane(records, sink, settings.max_per_hour, clock, held, poll) for sink in sinks]

    def __enter__(self) -> Self:
        for lane in self._lanes:
            lane.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def nudge(self) -> None:
        """There is something new in the outbox."""
        for lane in self._lanes:
            lane.nudge()

    def settle(self, timeout: float) -> bool:
        """Wait until nothing is due any more, at most so many seconds; whether that came to be."""
        self.nudge()
        deadline = SYSTEM_CLOCK.monotonic() + timeout
        return all(lane.is_idle.wait(max(0.0, deadline - SYSTEM_CLOCK.monotonic())) for lane in self._lanes)

    def stop(self, timeout: float = 2.0) -> None:
        """End; who is in the midst of sending is left alone after so many seconds, and sends again next time."""
        for lane in self._lanes:
            lane.stop()
        deadline = SYSTEM_CLOCK.monotonic() + timeout
        for lane in self._lanes:
            lane.join(max(0.0, deadline - SYSTEM_CLOCK.monotonic()))


class _Lane(threading.Thread):
    """What one sink gets."""

    def __init__(
        self, records: AlertRecords, sink: Sink, max_per_hour: int, clock: Clock, hold: timedelta, poll: float
    ) -> None:
        super().__init__(name=f"courier-{sink.name}", daemon=True)
        self.is_idle = threading.Event()
        self._records = records
        self._sink = sink
        self._max_per_hour = max_per_hour
        self._clock = clock
        self._hold = hold
        self._poll = poll
        self._wake = threading.Event()
        self._is_over = threading.Event()
        self._is_held_back = False
        self._next_reminder = clock.monotonic()

    def nudge(self) -> None:
        self.is_idle.clear()
        self._wake.set()

    def stop(self) -> None:
        self._is_over.set()
        self._wake.set()

    def run(self) -> None:
        while not self._is_over.is_set():
            self._wake.clear()
            if self._attempt():
                continue
            if not self._wake.is_set():
                self.is_idle.set()
            self._wake.wait(self._poll)

    def _attempt(self) -> bool:
        """Deliver the oldest that is due; whether there was one. Whatever goes wrong, the lane goes on."""
        try:
            now = self._clock.now()
            if self._must_wait(now):
                return False
            taken = self._records.take_notifications(self._sink.name, now=now, hold=self._hold, limit=1)
            for notification in taken:
                self._records.settle_notification(self._deliver(notification))
            if not taken:
                self._remind()
            return bool(taken)
        except StoreError as error:
            _LOG.error("the outbox cannot be read: %s", error)
        except Exception:
            _LOG.exception("the sink %s stumbled; it is tried again", self._sink.name)
        return False

    def _must_wait(self, now: datetime) -> bool:
        if not self._sink.is_limited:
            return False
        is_full = self._records.sent_since(self._sink.name, now - _HOUR) >= self._max_per_hour
        if is_full and not self._is_held_back:
            _LOG.warning(
                "the sink %s has had %d messages in an hour; the rest waits", self._sink.name, self._max_per_hour
            )
        self._is_held_back = is_full
        return is_full

    def _deliver(self, notification: Notification) -> Notification:
        """What became of the notification."""
        try:
            self._sink.send(notification.event, key=notification.id)
        except Undeliverable as error:
            return self._given_up(notification, str(error))
        except NotDelivered as error:
            return self._put_off(notification, str(error), error.where.get("after", 0))
        except Exception as error:  # a sink of ours that stumbles must not stumble for ever over the same event
            _LOG.exception("the sink %s stumbled", self._sink.name)
            return self._put_off(notification, f"{type(error).__name__} in the sink", 0)
        return replace(notification, state=NotificationState.SENT, error="", ended_at=self._clock.now())

    def _put_off(self, notification: Notification, error: str, after: int) -> Notification:
        now = self._clock.now()
        if now - notification.created_at >= GIVE_UP:
            return self._given_up(notification, error)
        wait = min(_FIRST_WAIT * 2 ** min(notification.attempts - 1, 20), _LONGEST_WAIT)
        wait = max(wait, timedelta(seconds=min(after, _HOUR.total_seconds())))
        _LOG.warning("the sink %s: %s; tried again in %s", self._sink.name, error, wait)
        return replace(notification, due_at=now + wait, error=error)

    def _given_up(self, notification: Notification, error: str) -> Notification:
        _LOG.error("the sink %s: %s; given up", self._sink.name, error)
        return replace(notification, state=NotificationState.FAILED, error=error, ended_at=self._clock.now())

    def _remind(self) -> None:
        present = self._clock.monotonic()
        if not isinstance(self._sink, RemindedSink) or present < self._next_reminder:
            return
        self._next_reminder = present + _REMIND
        firing = self._records.alerts(states=(AlertState.FIRING,), limit=_MANY)
        told = [alert for alert in firing if alert.told_at is not None]
        if told:
            try:
                self._sink.remind(told)
            except NotDelivered as error:
                _LOG.warning("the sink %s: %s", self._sink.name, error)
