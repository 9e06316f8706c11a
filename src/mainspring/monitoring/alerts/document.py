"""An event as plain JSON, for files, webhooks and `--json`."""

from datetime import datetime
from typing import Any

from mainspring.domain.alert import Alert, Event, about
from mainspring.domain.measurement import Measurement
from mainspring.monitoring.alerts.wording import describe, headline, next_steps

FORMAT = 1
"""Of the document; entries may be added to it, and none goes or changes without a new number."""


def document(event: Event) -> dict[str, Any]:
    """What a program needs to know; `id` is the same at every repetition of the same event."""
    alert = event.alert
    return {
        "format": FORMAT,
        "id": event.id,
        "kind": str(event.kind),
        "at": event.at.isoformat(),
        "text": headline(event),
        "alert": alert_document(alert) | {"causes_left_out": event.more},
        "look_further": [f"mainspring alerts show {alert.id}", *next_steps(alert)],
    }


def alert_document(alert: Alert) -> dict[str, Any]:
    """The alert alone."""
    return {
        "id": alert.id,
        "model": alert.model,
        "monitor": alert.monitor,
        "severity": str(alert.severity),
        "owner": alert.owner,
        "state": str(alert.state),
        "since": alert.since.isoformat(),
        "last_seen": alert.last_seen.isoformat(),
        "fired_at": _time(alert.fired_at),
        "told_at": _time(alert.told_at),
        "resolved_at": _time(alert.resolved_at),
        "ending": alert.ending,
        "times_changed": alert.times_changed,
        "causes": [_cause(cause) for cause in alert.causes],
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _cause(cause: Measurement) -> dict[str, Any]:
    subject, place, release = about(cause)
    return {
        "text": describe(cause),
        "kind": cause.kind,
        "subject": subject,
        "slice": dict(place),
        "release": release,
        "from": cause.window.start.isoformat(),
        "until": cause.window.end.isoformat(),
        "value": cause.value,
        "low": cause.low,
        "high": cause.high,
        "bar": cause.bar,
        "reference": cause.reference,
        "method": cause.method,
        "p_value": cause.p_value,
        "estimated": cause.estimated,
        "rows": cause.rows,
        "note": cause.note,
        "example": dict(cause.example),
        "job": cause.job,
    }
