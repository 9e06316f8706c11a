"""The one use case of rows that are pushed to feature views: they are validated, and acknowledged when they are in
the spool.

A worker reads no table and no project: what a row holds is what the served releases say of their views.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from mainspring.clock import Clock
from mainspring.domain.instants import moment_of
from mainspring.domain.release import InputField, ViewInput
from mainspring.domain.request_values import (
    RefusedValue,
    describe,
    read_boolean,
    read_integer,
    read_number,
    read_text,
    read_time,
    unless_missing,
)
from mainspring.domain.schema import Kind
from mainspring.errors import InvalidInput, UnknownView
from mainspring.features.push import LONGEST_ID, ids_by_content
from mainspring.serving.dataplane import Dataplane
from mainspring.serving.feedback import Spooling
from mainspring.serving.push_promises import keeping
from mainspring.serving.push_record import PushRecord, encode_push

_AT_ONCE = 100  # rows between two looks at what else the worker has to do

Value = int | float | bool | str | None
_Read = Callable[[object], Value]


@dataclass(frozen=True, slots=True)
class _Reader:
    """What a row for one view holds."""

    view: ViewInput
    names: tuple[str, ...]
    reads: tuple[_Read, ...]

    @classmethod
    def of(cls, view: ViewInput) -> "_Reader":
        promised = {one.name: one for one in view.promises}
        reads = tuple(
            keeping(field, promised[field.name], _reader(field)) if field.name in promised else _reader(field)
            for field in view.rows
        )
        return cls(view, tuple(field.name for field in view.rows), reads)

    def row(self, document: Any, number: int) -> tuple[Value, ...]:
        """Raises `InvalidInput`."""
        if not isinstance(document, Mapping):
            raise InvalidInput(
                f"row {number} is no JSON object",
                cure=f"send an object with {_listed(self.names)}",
                where={"row": number},
            )
        for name in document:
            if name not in self.names:
                near = get_close_matches(str(name)[:100], self.names, 1)
                raise InvalidInput(
                    f"row {number}: the source of the view {self.view.pushed_to!r} has no {str(name)[:60]!r}",
                    cure=f"did you mean {near[0]!r}?" if near else f"its columns are {_listed(self.names)}",
                    where={"row": number, "field": str(name)[:100]},
                )
        return tuple(self._value(document, number, *pair) for pair in zip(self.names, self.reads, strict=True))

    def _value(self, document: Mapping[str, Any], number: int, name: str, read: _Read) -> Value:
        try:
            return read(document.get(name))
        except RefusedValue as refused:
            raise InvalidInput(
                f"row {number}: field {name!r} {refused.problem}",
                cure=refused.cure,
                where={"row": number, "field": name},
            ) from None


class PushIntake:
    """Takes rows for every view of the releases that the gateway serves.

    Args:
        plane: knows the releases, and how many rows a request may have.
        spool: where the rows go; nothing is acknowledged that is not in it.
    """

    def __init__(self, plane: Dataplane, spool: Spooling, *, clock: Clock) -> None:
        self._plane = plane
        self._spool = spool
        self._clock = clock

    async def accept(self, view: str, rows: Sequence[Any], ids: Sequence[Any] | None) -> list[str]:
        """Keep the rows, all or none.

        Args:
            ids: of the rows; made of what they say where not given, so that the same rows sent again count once.

        Returns:
            Their ids.

        Raises:
            UnknownView: no release that is served takes features of it.
            InvalidInput: a row or an id makes no sense; row and field are named.
            RequestTooLarge: too many rows.
            Unavailable: the spool cannot keep them.
        """
        reader = _Reader.of(self._declared(view))
        self._plane.check_count(len(rows))
        found = []
        for number, document in enumerate(rows):
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)  # predictions go first
            found.append(reader.row(document, number))
        columns = tuple((field.name, field.kind) for field in reader.view.rows)
        named = _checked(ids, len(found)) if ids is not None else ids_by_content(_as_read(found, columns))
        record = PushRecord(view, self._clock.now(), columns, reader.view.created, tuple(named), tuple(found))
        durable = self._spool.append(encode_push(record), must_keep=True)
        if durable is not None:
            await durable
        return named

    def _declared(self, name: str) -> ViewInput:
        known = [view for held in self._plane.pool.routed for view in held.manifest.views]
        views = {view.pushed_to: view for view in known if view.rows}
        if name in views:
            return views[name]
        for view in known:
            if view.view == name:
                raise InvalidInput(
                    f"the view {name!r} is made of another view, and takes no rows of its own",
                    cure=f"push them to {view.pushed_to!r}" if view.root else "push them to that one",
                )
        near = get_close_matches(name[:80], sorted(views), 1)
        raise UnknownView(
            f"no release that is served here takes features of a view {name[:80]!r}",
            cure=f"did you mean {near[0]!r}?" if near else "push with `mainspring features push` in the project",
            where={"view": name[:80]},
        )


def _checked(ids: Sequence[Any], rows: int) -> list[str]:
    if len(ids) != rows:
        raise InvalidInput(
            f"there are {len(ids):,} ids of {rows:,} rows", cure="send one id for each row, or none at all"
        )
    for row, given in enumerate(ids):
        if not isinstance(given, str) or not 0 < len(given) <= LONGEST_ID:
            raise InvalidInput(
                f"the id of row {row} is {describe(given)}",
                cure=f"send a text of 1 to {LONGEST_ID} characters",
                where={"row": row, "field": "ids"},
            )
    return list(ids)


def _as_read(rows: Sequence[tuple[Value, ...]], columns: Sequence[tuple[str, Kind]]) -> list[tuple[object, ...]]:
    """The rows as a table has them: times are `datetime`."""
    times = frozenset(place for place, (_, kind) in enumerate(columns) if kind is Kind.TIME)
    return [
        tuple(
            moment_of(value) if place in times and isinstance(value, int) else value
            for place, value in enumerate(row)
        )
        for row in rows
    ]


def _reader(field: InputField) -> _Read:
    read = unless_missing(field, _of_kind(field))
    if not field.required:
        return read

    def needed(value: object) -> Value:
        found = read(value)
        if found is None:
            raise RefusedValue("is missing, and nothing can be found without it", "send it, or leave the row out")
        return found

    return needed


def _of_kind(field: InputField) -> _Read:
    match field.kind:
        case Kind.NUMBER:
            return read_number
        case Kind.INTEGER:
            return read_integer
        case Kind.BOOLEAN:
            return lambda value: read_boolean(field, value)
        case Kind.TIME:
            return lambda value: read_time(field, value)
    return lambda value: _text(field, value)


def _text(field: InputField, value: object) -> str:
    text = read_text(field, value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RefusedValue("is no text of Unicode", "send a text without lone surrogates") from None
    return text


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:20])
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown
