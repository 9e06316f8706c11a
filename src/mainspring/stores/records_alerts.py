"""Alerts, silences and the states of monitors in the records database."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from mainspring.clock import Clock
from mainspring.domain.alert import Alert, AlertState, Silence
from mainspring.domain.history import EntryKind
from mainspring.domain.notification import Notification, NotificationState
from mainspring.errors import UsageError, WorkspaceBusy
from mainspring.stores.records_engine import Engine
from mainspring.stores.records_history import append
from mainspring.stores.records_outbox import as_json, notification_row
from mainspring.stores.records_rows import moment, time_of
from mainspring.stores.records_schema import alert_looks, alerts, monitor_states, notifications, silences

_SHORTEST_PREFIX = 6
_KEEP_ENDED = timedelta(days=30)  # notifications that were sent or given up


class SqlAlerts:
    """The part of `ports.Records` that concerns alerts; mixed into `SqlRecords`."""

    _engine: Engine
    _clock: Clock

    def alerts(
        self, model: str | None = None, *, states: Collection[AlertState] = tuple(AlertState), limit: int = 100
    ) -> Sequence[Alert]:
        query = sa.select(alerts.c.body).where(alerts.c.state.in_([str(state) for state in states]))
        if model is not None:
            query = query.where(alerts.c.model == model)
        query = query.order_by(alerts.c.since.desc(), alerts.c.id.desc()).limit(limit)
        with self._engine.reading() as connection:
            return [_alert(body) for body in connection.execute(query).scalars()]

    def alert(self, alert_id: str) -> Alert | None:
        if len(alert_id) < _SHORTEST_PREFIX:
            return None
        prefix = sa.func.substr(alerts.c.id, 1, len(alert_id))
        query = sa.select(alerts.c.id, alerts.c.body).where(prefix == alert_id).limit(2)
        with self._engine.reading() as connection:
            found = connection.execute(query).all()
        if len(found) > 1:
            raise UsageError(
                f"more than one alert begins with {alert_id!r}",
                cure="give more of its id",
                where={"alert": alert_id},
            )
        return _alert(found[0].body) if found else None

    def alert_looks(self, model: str) -> Mapping[str, datetime]:
        with self._engine.reading() as connection:
            return _looks(connection, model)

    def record_looks(
        self,
        model: str,
        looks: Mapping[str, tuple[datetime | None, datetime]],
        *,
        alerts: Sequence[Alert] = (),
        dropped: Sequence[str] = (),
        notifications: Sequence[Notification] = (),
    ) -> None:
        with self._engine.writing() as connection:
            present = _looks(connection, model)
            for monitor, (before, _) in looks.items():
                if present.get(monitor) != before:
                    raise WorkspaceBusy(
                        f"another process has looked at {monitor} of {model} meanwhile",
                        cure="let one process watch a model; nothing was written",
                        where={"model": model, "monitor": monitor},
                    )
            for monitor, (_, after) in looks.items():
                _put_look(connection, model, monitor, after)
            _put_alerts(connection, alerts, dropped)
            _put_notifications(connection, notifications)
            if looks:
                _tidy_notifications(connection, max(after for _, after in looks.values()))

    # Silences

    def add_silence(self, silence: Silence) -> None:
        with self._engine.writing() as connection:
            known = sa.select(silences.c.id).where(silences.c.id == silence.id)
            if connection.execute(known).first() is None:
                connection.execute(silences.insert().values(**_silence_row(silence)))
                _tell(connection, self._clock, silence, silence.by, f"silenced: {silence.reason}")

    def end_silence(self, silence_id: str, at: datetime, *, actor: str) -> Silence:
        with self._engine.writing() as connection:
            query = sa.select(silences).where(silences.c.id == silence_id)
            row = connection.execute(query).one_or_none()
            if row is None:
                raise UsageError(
                    f"there is no silence {silence_id!r}",
                    cure="see `mainspring alerts list`",
                    where={"silence": silence_id},
                )
            silence = _silence(row)
            if silence.until <= at:
                return silence
            ended = silences.update().where(silences.c.id == silence_id).values(until=moment(at))
            connection.execute(ended)
            shortened = replace(silence, until=at)
            _tell(connection, self._clock, shortened, actor, "ended before its time")
            return shortened

    def silences(self, live_at: datetime | None = None) -> Sequence[Silence]:
        query = sa.select(silences).order_by(silences.c.created_at.desc(), silences.c.id.desc())
        if live_at is not None:
            present = moment(live_at)
            query = query.where(silences.c.created_at <= present, silences.c.until > present)
        with self._engine.reading() as connection:
            return [_silence(row) for row in connection.execute(query)]

    # What monitors want to know at their next look

    def monitor_states(self, model: str) -> Mapping[str, Mapping[str, Any]]:
        query = sa.select(monitor_states).where(monitor_states.c.model == model)
        with self._engine.reading() as connection:
            return {row.monitor: msgspec.json.decode(row.state) for row in connection.execute(query)}

    def put_monitor_states(self, model: str, states: Mapping[str, Mapping[str, Any]]) -> None:
        with self._engine.writing() as connection:
            old = sa.and_(monitor_states.c.model == model, monitor_states.c.monitor.in_(list(states)))
            connection.execute(monitor_states.delete().where(old))
            for monitor, state in states.items():
                if state:
                    row = {"model": model, "monitor": monitor, "state": as_json(state)}
                    connection.execute(monitor_states.insert().values(**row))


def _looks(connection: sa.Connection, model: str) -> dict[str, datetime]:
    rows = connection.execute(sa.select(alert_looks).where(alert_looks.c.model == model))
    return {row.monitor: time_of(row.at) for row in rows}


def _put_look(connection: sa.Connection, model: str, monitor: str, at: datetime) -> None:
    same = sa.and_(alert_looks.c.model == model, alert_looks.c.monitor == monitor)
    connection.execute(alert_looks.delete().where(same))
    connection.execute(alert_looks.insert().values(model=model, monitor=monitor, at=moment(at)))


def _put_alerts(connection: sa.Connection, changed: Sequence[Alert], dropped: Sequence[str]) -> None:
    # Those that end come first: another of the same monitor may begin in the same transaction.
    gone = [*dropped, *(one.id for one in changed)]
    connection.execute(alerts.delete().where(alerts.c.id.in_(gone)))
    for one in changed:
        connection.execute(
            alerts.insert().values(
                id=one.id,
                model=one.model,
                monitor=one.monitor,
                state=str(one.state),
                since=moment(one.since),
                body=as_json(one),
            )
        )


def _tidy_notifications(connection: sa.Connection, now: datetime) -> None:
    over = sa.and_(
        notifications.c.state != str(NotificationState.WAITING),
        notifications.c.ended_at < moment(now - _KEEP_ENDED),
    )
    connection.execute(notifications.delete().where(over))


def _put_notifications(connection: sa.Connection, new: Sequence[Notification]) -> None:
    ids = [one.id for one in new]
    found = connection.execute(sa.select(notifications.c.id).where(notifications.c.id.in_(ids))).scalars()
    known = set(found)
    for one in new:
        if one.id not in known:
            connection.execute(notifications.insert().values(**notification_row(one)))


def _tell(connection: sa.Connection, clock: Clock, silence: Silence, actor: str, what: str) -> None:
    detail = {"silence": silence.id, "monitor": silence.monitor, "until": silence.until}
    append(connection, clock.now(), silence.model, EntryKind.SILENCE, actor=actor, reason=what, detail=detail)


def _alert(body: str) -> Alert:
    return msgspec.json.decode(body, type=Alert)


def _silence_row(silence: Silence) -> dict[str, Any]:
    return {
        "id": silence.id,
        "model": silence.model,
        "monitor": silence.monitor,
        "created_at": moment(silence.created_at),
        "until": moment(silence.until),
        "by": silence.by,
        "reason": silence.reason,
    }


def _silence(row: sa.Row[Any]) -> Silence:
    return Silence(
        id=row.id,
        model=row.model,
        monitor=row.monitor,
        created_at=time_of(row.created_at),
        until=time_of(row.until),
        by=row.by,
        reason=row.reason,
    )
