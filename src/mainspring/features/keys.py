"""The key values of an entity ↔ the bytes that name it in an online store.

Imports nothing but the standard library and msgspec: gateway workers use it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from mainspring.domain.ports_features import EntityKey
from mainspring.domain.release import InputField
from mainspring.domain.request_values import (
    GREATEST,
    RefusedValue,
    describe,
    read_boolean,
    read_integer,
    read_text,
    read_time,
    unless_missing,
)
from mainspring.domain.schema import Kind
from mainspring.errors import DataError, DeclarationError, InvalidInput

KeyValue = int | str | bool

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TYPES: Mapping[Kind, type] = {
    Kind.INTEGER: int,
    Kind.TEXT: str,
    Kind.ID: str,
    Kind.CATEGORY: str,
    Kind.BOOLEAN: bool,
    Kind.TIME: int,
}
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class EntityKeys:
    """Encodes the keys of one view.

    Equal values give equal bytes, whether they come from a request or from a typed column, and different ones
    different bytes: the MessagePack array of the values in the view's order, times as microseconds since the
    epoch.

    Args:
        fields: the view's keys in its order, and how their text is read, as in training.

    Raises:
        DeclarationError: a key of a kind that names nothing.

    Examples:
        >>> keys = EntityKeys([InputField("ad_id", Kind.INTEGER)])
        >>> keys.of_row({"ad_id": 17, "hour": 3}) == keys.of_columns([[17]])[0]
        True
        >>> keys.of_row({"ad_id": "17"})
        Traceback (most recent call last):
        mainspring.errors.InvalidInput: row 0: field 'ad_id' is the text '17', not a number; send a JSON number, \
without quotes
    """

    def __init__(self, fields: Sequence[InputField]) -> None:
        self.fields = tuple(fields)
        self.names = tuple(field.name for field in fields)
        self._readers = tuple((field.name, _reader(field)) for field in self.fields)

    def of_row(self, row: Mapping[str, object], number: int = 0) -> EntityKey | None:
        """The key that a row of a request names; `None` where a part of it is missing.

        Args:
            number: the row's place in the request, for the error.

        Raises:
            InvalidInput: a value of another type; it names the field.
        """
        values: list[KeyValue] = []
        name = ""
        try:
            for name, read in self._readers:
                value = read(row.get(name))
                if value is None:
                    return None
                values.append(value)
            return _encode(values)
        except RefusedValue as refused:
            problem, cure = refused.problem, refused.cure
        except UnicodeEncodeError:
            problem, cure = "is no text of Unicode", "send a text without lone surrogates"
        raise InvalidInput(
            f"row {number}: field {name!r} {problem}", cure=cure, where={"row": number, "field": name}
        )

    def of_columns(self, columns: Sequence[Sequence[object]]) -> list[EntityKey | None]:
        """The keys of typed rows; `None` for a row of which a part is missing.

        Args:
            columns: one for each key field, in order; times as microseconds since the epoch.

        Raises:
            DataError: values of another type than the key's kind has.
        """
        for field, column in zip(self.fields, columns, strict=True):
            others = set(map(type, column)) - {_TYPES[field.kind], type(None)}
            if others:
                wrong = next(value for value in column if type(value) in others)
                raise DataError(
                    f"the key {field.name!r} is {describe(wrong)}, where the view has the kind {field.kind}",
                    cure="give it one type everywhere: mend its kind in the schema file, or cast the column",
                    where={"column": field.name},
                )
        if not any(None in column for column in columns):
            return list(map(_encode, zip(*columns, strict=True)))
        return [None if None in row else _encode(row) for row in zip(*columns, strict=True)]

    def values_of(self, key: EntityKey) -> tuple[KeyValue, ...]:
        """The values that a key was made of, times as ISO 8601 text.

        Examples:
            >>> keys = EntityKeys([InputField("shop", Kind.CATEGORY), InputField("day", Kind.TIME)])
            >>> keys.values_of(keys.of_row({"shop": "a", "day": "2026-01-31"}))
            ('a', '2026-01-31T00:00:00.000000Z')
        """
        values: list[Any] = _decode(key)
        return tuple(
            iso_time(value) if field.kind is Kind.TIME else value
            for field, value in zip(self.fields, values, strict=True)
        )


def iso_time(microseconds: int) -> str:
    """A time as a request carries it.

    Examples:
        >>> iso_time(-1)
        '1969-12-31T23:59:59.999999Z'
    """
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _reader(field: InputField) -> Callable[[object], KeyValue | None]:
    if field.kind not in _TYPES:
        raise DeclarationError(
            f"the key {field.name!r} is of the kind {field.kind}, which names nothing",
            cure="use whole numbers, text or times as keys: mend the kind in the schema file, or cast the column",
        )
    return unless_missing(field, _of_kind(field))


def _of_kind(field: InputField) -> Callable[[object], KeyValue]:
    match field.kind:
        case Kind.INTEGER:
            return _integer
        case Kind.BOOLEAN:
            return lambda value: read_boolean(field, value)
        case Kind.TIME:
            return lambda value: read_time(field, value)
    return lambda value: read_text(field, value)


def _integer(value: object) -> int:
    return value if type(value) is int and -GREATEST <= value < GREATEST else read_integer(value)
