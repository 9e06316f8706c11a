"""Hands alerts to a Prometheus Alertmanager (API v2), which groups, routes and repeats by its own rules."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from mainspring.domain.alert import Alert, Event, EventKind
from mainspring.monitoring.alerts.wording import describe, next_steps, summary
from mainspring.monitoring.sinks.posting import Poster

_PATH = "/api/v2/alerts"
_HOLDS = timedelta(days=1)
_TEST_HOLDS = timedelta(minutes=5)


class AlertmanagerSink:
    """Alertmanager forgets at a restart and ends what nobody repeats; so a firing alert is given a day, and the
    courier reminds it every few minutes.

    Args:
        now: gives the time.
    """

    name = "alertmanager"
    is_limited = False  # it has limits of its own

    def __init__(self, poster: Poster, now: Callable[[], datetime]) -> None:
        self._poster = poster
        self._now = now

    def send(self, event: Event, *, key: str) -> None:
        holds = _TEST_HOLDS if event.kind is EventKind.TEST else _HOLDS
        body = [alertmanager(event.alert, until=self._now() + holds, more=event.more)]
        self._poster.post(body, {"Idempotency-Key": key}, _PATH)

    def remind(self, alerts: Sequence[Alert]) -> None:
        until = self._now() + _HOLDS
        self._poster.post([alertmanager(alert, until=until) for alert in alerts], {}, _PATH)


def alertmanager(alert: Alert, *, until: datetime, more: int = 0) -> dict[str, Any]:
    """The alert as `postableAlert` of the API.

    Args:
        until: when a firing one ends by itself.
    """
    labels = {
        "alertname": "MainspringMonitor",
        "model": alert.model,
        "monitor": alert.monitor,
        "severity": str(alert.severity),
        "owner": alert.owner,
    }
    return {
        # Never the causes: they change while it fires, and other labels are another alert.
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {
            "summary": f"{alert.monitor} of {alert.model}: {summary(alert, more)}",
            "description": "\n".join(describe(cause) for cause in alert.causes[:10]),
            "look_further": "\n".join((f"mainspring alerts show {alert.id}", *next_steps(alert))),
        },
        "startsAt": (alert.fired_at or alert.since).isoformat(),
        "endsAt": (alert.resolved_at or until).isoformat(),
    }
