"""The history in the records database: appending to the chain, reading it, checking it."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from mainspring.clock import Clock
from mainspring.domain.history import Break, Entry, EntryKind, Head, Production, chained, first_break
from mainspring.domain.ids import canonical_json
from mainspring.domain.routing import Traffic
from mainspring.errors import StoreError, UsageError
from mainspring.stores.records_engine import Engine
from mainspring.stores.records_outbox import as_json
from mainspring.stores.records_rows import moment, time_of
from mainspring.stores.records_schema import history, history_head

_WORDS = re.compile(r"[a-z][a-z ]{0,39}")
_ROUTE = (EntryKind.CHAMPION, EntryKind.CHALLENGER, EntryKind.TRAFFIC)
_OWN = frozenset({*_ROUTE, EntryKind.KEY, EntryKind.SILENCE})  # what nothing but the change itself may tell
_AT_ONCE = 1_000
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class SqlHistory:
    """The part of `ports.Records` that concerns the history; mixed into `SqlRecords`."""

    _engine: Engine
    _clock: Clock

    def record_event(
        self,
        model: str,
        kind: str,
        *,
        actor: str,
        reason: str,
        detail: Mapping[str, Any] | None = None,
        once: str | None = None,
    ) -> Entry:
        if not _WORDS.fullmatch(kind) or kind in _OWN:
            raise UsageError(
                f"{kind!r} is no kind of an event",
                cure=f"use a word or two in lower case, and none of: {', '.join(sorted(_OWN))}",
            )
        with self._engine.writing() as connection:
            if once is not None:
                of_cause = sa.select(history).where(
                    history.c.model == model, history.c.kind == kind, history.c.once == _storable(once)
                )
                known = connection.execute(of_cause).one_or_none()
                if known is not None:
                    return _entry(known)
            at = self._clock.now()
            return append(connection, at, model, kind, actor=actor, reason=reason, detail=detail or {}, once=once)

    def history(
        self,
        model: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
    ) -> Sequence[Entry]:
        query = sa.select(history).order_by(history.c.id.desc()).limit(limit)
        if model is not None:
            query = query.where(history.c.model == model)
        if since is not None:
            query = query.where(history.c.at >= moment(since))
        if until is not None:
            query = query.where(history.c.at < moment(until))
        with self._engine.reading() as connection:
            return [_entry(row) for row in connection.execute(query)]

    def history_head(self) -> Head:
        with self._engine.reading() as connection:
            return _head(connection)

    def verify_history(self, noted: str | None = None) -> Break | None:
        with self._engine.reading() as connection:
            head = _head(connection)
            with _all(connection) as rows:
                return first_break(map(_entry, rows), head, noted)

    def route_at(self, model: str, moment: datetime) -> Production | None:
        with self._engine.reading() as connection:
            rows = [_newest(connection, model, kind, moment) for kind in _ROUTE]
        entries = {row.kind: _entry(row) for row in rows if row is not None}
        if not entries:
            return None
        champion, challenger, traffic = (
            _told(entries[kind], "after") if kind in entries else None for kind in _ROUTE
        )
        return Production(
            model=model,
            champion=champion,
            challenger=challenger,
            traffic=Traffic() if traffic is None else msgspec.convert(traffic, Traffic),
            entry=max(entries.values(), key=lambda entry: entry.id),
        )

    def audit(self, model: str | None = None, limit: int = 100) -> Sequence[Mapping[str, Any]]:
        query = sa.select(history).where(history.c.kind.in_([*_ROUTE, EntryKind.KEY]))
        if model is not None:
            query = query.where(history.c.model == model)
        query = query.order_by(history.c.id.desc()).limit(limit)
        with self._engine.reading() as connection:
            return [_change(_entry(row)) for row in connection.execute(query)]


def append(
    connection: sa.Connection,
    at: datetime,
    model: str,
    kind: str,
    *,
    actor: str,
    reason: str,
    detail: Mapping[str, Any],
    once: str | None = None,
) -> Entry:
    """Write the next entry, inside the caller's writing transaction (of which there is one at a time)."""
    entry = chained(
        _head(connection),
        at=at,
        model=_storable(model),
        kind=kind,
        actor=_storable(actor),
        reason=_storable(reason),
        detail=_plain(detail),
        once=None if once is None else _storable(once),
    )
    connection.execute(
        history.insert().values(
            id=entry.id,
            at=moment(entry.at),
            model=entry.model,
            kind=entry.kind,
            actor=entry.actor,
            reason=entry.reason,
            detail=canonical_json(entry.detail).decode(),
            once=entry.once,
            previous=entry.previous,
            digest=entry.digest,
        )
    )
    connection.execute(history_head.update().values(entries=entry.id, digest=entry.digest))
    return entry


def _head(connection: sa.Connection) -> Head:
    row = connection.execute(sa.select(history_head)).one()
    return Head(row.entries, row.digest)


def _all(connection: sa.Connection) -> sa.CursorResult[Any]:
    """Every row, the oldest first, a few at a time: a history may be longer than the memory."""
    query = sa.select(history).order_by(history.c.id)
    return connection.execute(query, execution_options={"yield_per": _AT_ONCE})


def _newest(connection: sa.Connection, model: str, kind: str, until: datetime) -> sa.Row[Any] | None:
    """The model's newest entry of the kind among all that had been written by that time."""
    # Clocks are set back now and then, so the order of writing decides what came after what, and not the times.
    written = sa.select(sa.func.max(history.c.id)).where(history.c.at <= moment(until)).scalar_subquery()
    query = sa.select(history).where(history.c.model == model, history.c.kind == kind, history.c.id <= written)
    return connection.execute(query.order_by(history.c.id.desc()).limit(1)).one_or_none()


def _entry(row: sa.Row[Any]) -> Entry:
    """The row as an entry; one that was altered in the database may hold anything, and is to be shown and told."""
    return Entry(
        id=row.id,
        at=_time(row.at),
        model=str(row.model),
        kind=str(row.kind),
        actor=str(row.actor),
        reason=str(row.reason),
        detail=_detail(row.detail),
        once=None if row.once is None else str(row.once),
        previous=str(row.previous),
        digest=str(row.digest),
    )


def _time(value: object) -> datetime:
    try:
        return time_of(value) if isinstance(value, int) else _NO_TIME
    except OverflowError:
        return _NO_TIME


def _detail(text: object) -> Mapping[str, Any]:
    """What was written; anything else, even the same value in other blanks, as what it is."""
    try:
        found = msgspec.json.decode(str(text))
        if canonical_json(found).decode() == text:
            return dict(found)
    except (msgspec.DecodeError, TypeError, ValueError):
        pass
    return {"altered": str(text)}


def _told(entry: Entry, name: str) -> Any:
    if name not in entry.detail:
        raise StoreError(
            f"entry {entry.id} of the history was altered in the database",
            cure="see what else was: `mainspring history --verify`",
            where={"entry": entry.id},
        )
    return entry.detail[name]


def _change(entry: Entry) -> dict[str, Any]:
    """The entry in the words of `ports.Records.audit`."""
    is_key, is_traffic = entry.kind == EntryKind.KEY, entry.kind == EntryKind.TRAFFIC
    values = {} if is_key else {name: _told(entry, name) for name in ("before", "after")}
    numbers = {"before": None, "after": None} if is_key or is_traffic else values
    return {
        "at": entry.at,
        "model": entry.model,
        "alias": f"key {_told(entry, 'key')}" if is_key else entry.kind,
        **numbers,
        "actor": entry.actor,
        "reason": entry.reason,
        "generation": _told(entry, "generation"),
        "detail": values if is_traffic else None,
    }


def _plain(detail: Mapping[str, Any]) -> Any:
    """The detail in what JSON has, as it will be read back."""
    return msgspec.json.decode(as_json(detail))


def _storable(text: str) -> str:
    """The text without what no database keeps; a command line may have bytes that are no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
