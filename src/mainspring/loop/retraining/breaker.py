"""The alert that says that trainings brought nothing, and that triggers start no more of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainspring.domain.alert import AlertState
from mainspring.domain.measurement import Measurement, State, Window
from mainspring.domain.monitor import AlertSeverity, Monitor, MonitorKind

if TYPE_CHECKING:
    from mainspring.domain.alert import Event
    from mainspring.domain.model import Model
    from mainspring.workspace import Workspace

BREAKER = Monitor(
    kind=MonitorKind.TECHNICAL,
    name="retraining",
    subject="fruitless trainings",
    severity=AlertSeverity.CRITICAL,
    every="1s",
)
"""Beside what a model declares; nobody measures it but the triggers."""


def tell_breaker(workspace: Workspace, model: Model, stopped: int) -> list[Event]:
    """Raise the alert, or end it; says nothing where all is told.

    Args:
        stopped: after how many trainings in a row for nothing the breaker holds; 0 where it does not.

    Raises:
        WorkspaceBusy: another process has looked at the model meanwhile.
    """
    from mainspring.monitoring.alerts.raising import raise_alerts

    records, now = workspace.records, workspace.clock.now()
    states = (AlertState.PENDING, AlertState.FIRING)
    is_open = any(alert.monitor == BREAKER.name for alert in records.alerts(model.name, states=states))
    if is_open == bool(stopped):
        return []
    retrain = model.retrain
    bar = float(retrain.breaker) if retrain is not None else None
    measured = Measurement(
        monitor=BREAKER.name,
        kind=BREAKER.kind,
        subject=BREAKER.subject,
        window=Window(now, now),
        at=now,
        state=State.BAD if stopped else State.FINE,
        value=float(stopped),
        bar=bar,
        note=f"{stopped} trainings in a row brought no new champion; no more is started until a person has "
        "trained: mainspring run"
        if stopped
        else "",
    )
    return raise_alerts(
        records,
        model.name,
        (*model.everything_watched, BREAKER),
        [measured],
        now=now,
        settings=workspace.settings.alerts,
    )
