"""The alerts of the loop itself, which nobody measures but it: beside what a model declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainspring.domain.alert import AlertState
from mainspring.domain.measurement import Measurement, State, Window
from mainspring.domain.monitor import AlertSeverity, Monitor, MonitorKind

if TYPE_CHECKING:
    from mainspring.domain.alert import Event
    from mainspring.domain.model import Model
    from mainspring.workspace import Workspace


def _own(name: str, subject: str) -> Monitor:
    kind, severity = MonitorKind.TECHNICAL, AlertSeverity.CRITICAL
    return Monitor(kind=kind, name=name, subject=subject, severity=severity, every="1s")


BREAKER = _own("retraining", "fruitless trainings")
LOST_TARGET = _own("rollback", "releases that could not return")
OWN = (BREAKER, LOST_TARGET)


def tell(
    workspace: Workspace, model: Model, monitor: Monitor, value: int, *, bar: int | None, note: str
) -> list[Event]:
    """Raise the alert where the value is over 0, or end it; says nothing where all is told.

    Args:
        monitor: one of `OWN`.
        bar: that the value has come to, for people.
        note: what is wrong and the cure, in words.

    Raises:
        WorkspaceBusy: another process has looked at the model meanwhile.
    """
    from mainspring.monitoring.alerts.raising import raise_alerts

    records, now = workspace.records, workspace.clock.now()
    states = (AlertState.PENDING, AlertState.FIRING)
    is_open = any(alert.monitor == monitor.name for alert in records.alerts(model.name, states=states))
    if is_open == bool(value):
        return []
    measured = Measurement(
        monitor=monitor.name,
        kind=monitor.kind,
        subject=monitor.subject,
        window=Window(now, now),
        at=now,
        state=State.BAD if value else State.FINE,
        value=float(value),
        bar=None if bar is None else float(bar),
        note=note if value else "",
    )
    return raise_alerts(
        records,
        model.name,
        (*model.everything_watched, *OWN),
        [measured],
        now=now,
        settings=workspace.settings.alerts,
    )
