"""Raises, keeps and resolves a model's alerts by what its monitors measured."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from mainspring.domain.alert import Alert, AlertState, Event, Silence, advance, is_another, resolve, tell
from mainspring.domain.ids import uuid7
from mainspring.domain.measurement import Measurement
from mainspring.domain.monitor import Monitor
from mainspring.domain.notification import Notification
from mainspring.domain.ports_alerts import AlertRecords
from mainspring.settings_alerts import AlertSettings

_OPEN = (AlertState.PENDING, AlertState.FIRING)
_MANY = 10_000  # more monitors than any model has
_UNDECLARED = "its monitor is no longer declared"
_ANOTHER = "a further change was found, which has an alert of its own"


def raise_alerts(
    records: AlertRecords,
    model: str,
    monitors: Sequence[Monitor],
    measurements: Iterable[Measurement],
    *,
    now: datetime,
    settings: AlertSettings,
) -> list[Event]:
    """Bring the model's alerts up to these measurements, and put what is to be told into the outbox.

    One transaction; looks that the alerts know of already are passed over, so that after a crash the same
    measurements, or all since `records.alert_looks(model)`, can be given again. Nothing is sent here: a `Courier`
    delivers the outbox.

    Args:
        monitors: all that the model declares; the alerts of others end.
        measurements: those of one monitor with the same `at` are one look.
        now: for the silences and the outbox.

    Returns:
        what people are told.

    Raises:
        WorkspaceBusy: another process has looked meanwhile; nothing was written.
    """
    known = records.alert_looks(model)
    silences = records.silences(live_at=now)
    stored = {one.monitor: one for one in records.alerts(model, states=_OPEN, limit=_MANY)}
    fresh = _by_monitor(one for one in measurements if one.monitor not in known or one.at > known[one.monitor])
    looks: dict[str, tuple[datetime | None, datetime]] = {}
    changes = _Changes(silences, now)
    for monitor in monitors:
        before = alert = stored.get(monitor.name)
        for at, look in _looks(fresh.get(monitor.name, ())):
            alert = changes.look(alert, look, monitor, model, at)
            looks[monitor.name] = (known.get(monitor.name), at)
        changes.settle(before, alert)
    declared = {monitor.name for monitor in monitors}
    for alert in stored.values():
        if alert.monitor not in declared:
            changes.undeclared(alert)
    for alert in [*changes.alerts.values()]:
        seen = known.get(alert.monitor)
        looks.setdefault(alert.monitor, (seen, seen or now))  # its state is as it was read
    records.record_looks(
        model,
        looks,
        alerts=list(changes.alerts.values()),
        dropped=changes.dropped,
        notifications=[Notification.of(event, sink, now) for event in changes.events for sink in settings.sinks],
    )
    return changes.events


@dataclass(slots=True)
class _Changes:
    """What the looks make of the alerts, to be written at once."""

    silences: Sequence[Silence]
    now: datetime
    alerts: dict[str, Alert] = field(default_factory=dict)  # by id
    dropped: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def look(
        self, alert: Alert | None, look: Sequence[Measurement], monitor: Monitor, model: str, at: datetime
    ) -> Alert | None:
        """The alert that is open after this look."""
        if alert is not None and is_another(alert, look):
            ended, over = resolve(alert, at, _ANOTHER)
            self.alerts[ended.id] = self.told(ended, over)
            alert = None
        after, event = advance(alert, look, monitor, model=model, now=at, new_id=uuid7)
        if after is None:
            self.alerts.pop(alert.id if alert else "", None)
            return None
        after = self.told(after, event)
        if after.is_open:
            return after
        self.alerts[after.id] = after
        return None

    def settle(self, before: Alert | None, alert: Alert | None) -> None:
        """Note what has become of a monitor's alert after its last look."""
        if alert is not None:
            alert = self.told(alert, None)  # a silence may be over, whether there was a look or not
            if alert != before:
                self.alerts[alert.id] = alert
        if before is not None and (alert is None or alert.id != before.id) and before.id not in self.alerts:
            self.dropped.append(before.id)

    def undeclared(self, alert: Alert) -> None:
        if alert.state is AlertState.PENDING:
            self.dropped.append(alert.id)
            return
        ended, event = resolve(alert, self.now, _UNDECLARED)
        self.alerts[ended.id] = self.told(ended, event)

    def told(self, alert: Alert, event: Event | None) -> Alert:
        alert, event = tell(alert, event, self.silences, self.now)
        if event is not None:
            self.events.append(event)
        return alert


def _by_monitor(measurements: Iterable[Measurement]) -> dict[str, list[Measurement]]:
    found: dict[str, list[Measurement]] = {}
    for one in measurements:
        found.setdefault(one.monitor, []).append(one)
    return found


def _looks(measurements: Iterable[Measurement]) -> Iterator[tuple[datetime, list[Measurement]]]:
    in_order = sorted(measurements, key=lambda one: one.at)
    for at, look in groupby(in_order, key=lambda one: one.at):
        yield at, list(look)
