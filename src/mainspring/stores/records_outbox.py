"""The outbox in the records database: what is still to be told, and what became of it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from mainspring.domain.alert import Event
from mainspring.domain.notification import Notification, NotificationState
from mainspring.stores.records_engine import Engine
from mainspring.stores.records_rows import moment, time_of
from mainspring.stores.records_schema import notifications

_WAITING = str(NotificationState.WAITING)


class SqlOutbox:
    """The part of `ports.Records` that concerns notifications; mixed into `SqlRecords`."""

    _engine: Engine

    def take_notifications(
        self, sink: str, *, now: datetime, hold: timedelta, limit: int = 10
    ) -> Sequence[Notification]:
        if not self._has_due(sink, now):
            return []  # most looks find nothing, and need not wait for a writer
        with self._engine.writing() as connection:
            rows = connection.execute(_due(sink, now).limit(limit)).all()
            held = (
                notifications.update()
                .where(notifications.c.id.in_([row.id for row in rows]))
                .values(due_at=moment(now + hold), attempts=notifications.c.attempts + 1)
            )
            connection.execute(held)
            mine = sa.select(notifications).where(notifications.c.id.in_([row.id for row in rows]))
            found = connection.execute(mine.order_by(notifications.c.created_at, notifications.c.id))
            return [_notification(row) for row in found]

    def settle_notification(self, notification: Notification) -> None:
        row = notification_row(notification)
        # The attempts are those of the database: somebody may have taken it since.
        settled = {name: row[name] for name in ("state", "due_at", "error", "ended_at")}
        with self._engine.writing() as connection:
            connection.execute(
                notifications.update()
                .where(notifications.c.id == notification.id, notifications.c.state == _WAITING)
                .values(**settled)
            )

    def notifications(
        self, *, states: Collection[NotificationState] = tuple(NotificationState), limit: int = 100
    ) -> Sequence[Notification]:
        query = sa.select(notifications).where(notifications.c.state.in_([str(state) for state in states]))
        query = query.order_by(notifications.c.created_at.desc(), notifications.c.id.desc()).limit(limit)
        with self._engine.reading() as connection:
            return [_notification(row) for row in connection.execute(query)]

    def sent_since(self, sink: str, since: datetime) -> int:
        query = sa.select(sa.func.count()).where(
            notifications.c.sink == sink,
            notifications.c.state == str(NotificationState.SENT),
            notifications.c.ended_at > moment(since),
        )
        with self._engine.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def _has_due(self, sink: str, now: datetime) -> bool:
        with self._engine.reading() as connection:
            return connection.execute(_due(sink, now).limit(1)).first() is not None


def _due(sink: str, now: datetime) -> sa.Select[Any]:
    earlier = notifications.alias("earlier")
    has_earlier = sa.exists().where(
        earlier.c.sink == notifications.c.sink,
        earlier.c.alert_id == notifications.c.alert_id,
        earlier.c.state == _WAITING,
        sa.or_(
            earlier.c.created_at < notifications.c.created_at,
            sa.and_(earlier.c.created_at == notifications.c.created_at, earlier.c.id < notifications.c.id),
        ),
    )
    return (
        sa.select(notifications)
        .where(
            notifications.c.sink == sink,
            notifications.c.state == _WAITING,
            notifications.c.due_at <= moment(now),
            ~has_earlier,
        )
        .order_by(notifications.c.created_at, notifications.c.id)
    )


def notification_row(notification: Notification) -> dict[str, Any]:
    ended_at = notification.ended_at
    return {
        "id": notification.id,
        "sink": notification.sink,
        "alert_id": notification.event.alert.id,
        "event": as_json(notification.event),
        "created_at": moment(notification.created_at),
        "due_at": moment(notification.due_at),
        "state": str(notification.state),
        "attempts": notification.attempts,
        "error": notification.error,
        "ended_at": None if ended_at is None else moment(ended_at),
    }


def _notification(row: sa.Row[Any]) -> Notification:
    return Notification(
        id=row.id,
        sink=row.sink,
        event=msgspec.json.decode(row.event, type=Event),
        created_at=time_of(row.created_at),
        due_at=time_of(row.due_at),
        state=NotificationState(row.state),
        attempts=row.attempts,
        error=row.error,
        ended_at=None if row.ended_at is None else time_of(row.ended_at),
    )


def as_json(value: Any) -> str:
    """The value as JSON; what a measurement's example holds may be NumPy's, or a date."""
    return msgspec.json.encode(value, enc_hook=_plain).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return value.tolist() if hasattr(value, "tolist") else str(value)
