"""The part of the records' port that concerns monitors and alerts."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from mainspring.domain.alert import Alert, AlertState, Silence
from mainspring.domain.notification import Notification, NotificationState


class AlertRecords(Protocol):
    """Alerts, silences, the outbox of notifications, and what monitors want to know at their next look.

    Law: that of `Records`. There is at most one open alert of a model and monitor.
    """

    def alerts(
        self, model: str | None = None, *, states: Collection[AlertState] = tuple(AlertState), limit: int = 100
    ) -> Sequence[Alert]: ...

    def alert(self, alert_id: str) -> Alert | None:
        """By its whole id or a prefix of at least six characters. Raises `UsageError` for an ambiguous one."""
        ...

    def alert_looks(self, model: str) -> Mapping[str, datetime]:
        """By monitor the time of the last look that its alert knows of."""
        ...

    def record_looks(
        self,
        model: str,
        looks: Mapping[str, tuple[datetime | None, datetime]],
        *,
        alerts: Sequence[Alert] = (),
        dropped: Sequence[str] = (),
        notifications: Sequence[Notification] = (),
    ) -> None:
        """Write what some looks made of the alerts, and what is to be told, all or nothing.

        Args:
            looks: by monitor the last look before these (`None` for none), and the last of these.
            alerts: those that are new or changed, whole.
            dropped: ids of pending alerts that came to nothing.
            notifications: those of an id that is there already are left as they are. Those that ended 30 days
                before the newest look go.

        Raises:
            WorkspaceBusy: another process has looked meanwhile; nothing was written.
        """
        ...

    def add_silence(self, silence: Silence) -> None:
        """Store it and tell the history."""
        ...

    def end_silence(self, silence_id: str, at: datetime, *, actor: str) -> Silence:
        """End a silence now and tell the history; one that is over stays as it is.

        Raises `UsageError` where there is none.
        """
        ...

    def silences(self, live_at: datetime | None = None) -> Sequence[Silence]:
        """All that there ever were, or those in force at that time."""
        ...

    def take_notifications(
        self, sink: str, *, now: datetime, hold: timedelta, limit: int = 10
    ) -> Sequence[Notification]:
        """Those that are due, the oldest first; each has one attempt more, and is not due again for `hold`.

        What an alert has to say later waits until what it said before was told or given up.
        """
        ...

    def settle_notification(self, notification: Notification) -> None:
        """Write what became of an attempt: its state, when it is due again, and the error."""
        ...

    def notifications(
        self, *, states: Collection[NotificationState] = tuple(NotificationState), limit: int = 100
    ) -> Sequence[Notification]: ...

    def sent_since(self, sink: str, since: datetime) -> int:
        """How many notifications the sink took after that time."""
        ...

    def monitor_states(self, model: str) -> Mapping[str, Mapping[str, Any]]:
        """By monitor what it wants to know at its next look, as plain JSON."""
        ...

    def put_monitor_states(self, model: str, states: Mapping[str, Mapping[str, Any]]) -> None:
        """Replace the states of these monitors; an empty one is taken away."""
        ...
