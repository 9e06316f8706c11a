"""One value of a request → one value of the model, by the rules under which training read its text.

Imports nothing but the standard library: gateway workers use it.
"""

import math
from collections.abc import Callable

from mainspring.domain.release import InputField
from mainspring.domain.request_values import (
    BLANKS,
    RefusedValue,
    read_boolean,
    read_integer,
    read_number,
    read_text,
    read_time,
)
from mainspring.domain.schema import Kind

NUMERIC_KINDS = frozenset({Kind.NUMBER, Kind.INTEGER, Kind.BOOLEAN, Kind.TIME})

Number = Callable[[object], float]
Text = Callable[[object], str | None]


def number_reader(field: InputField) -> Number:
    """The function that turns a JSON value into the float64 of a numeric or time field; missing gives NaN.

    The function raises `RefusedValue`.

    Examples:
        >>> number_reader(InputField("age", Kind.INTEGER))(3.0)
        3.0
        >>> number_reader(InputField("member", Kind.BOOLEAN, true=("yes",), false=("no",)))("yes")
        1.0
        >>> number_reader(InputField("at", Kind.TIME))("1970-01-01T00:01:00+00:00")
        60.0
    """
    read = {
        Kind.NUMBER: _number,
        Kind.INTEGER: _integer,
        Kind.BOOLEAN: _boolean,
        Kind.TIME: _seconds,
    }[field.kind]
    missing = frozenset(field.missing)

    def convert(value: object) -> float:
        if isinstance(value, str):
            value = value.strip(BLANKS) if field.strip else value
            if value in missing:
                value = None
        if value is None:
            refuse_missing(field)
            return math.nan
        return read(field, value)

    return convert


def text_reader(field: InputField) -> Text:
    """The function that turns a JSON value into the text of a category, id, image or text field; missing is None.

    The function raises `RefusedValue`.

    Examples:
        >>> text_reader(InputField("job", Kind.CATEGORY, strip=True, missing=("?",)))(" Sales ")
        'Sales'
    """
    missing = frozenset(field.missing)

    def convert(value: object) -> str | None:
        if isinstance(value, str):
            value = value.strip(BLANKS) if field.strip else value
            if value not in missing:
                return value
            value = None
        if value is None:
            refuse_missing(field)
            return None
        return read_text(field, value)

    return convert


def refuse_missing(field: InputField) -> None:
    if field.required:
        raise RefusedValue("is missing, but training never saw it missing", "send its value")


def _number(_field: InputField, value: object) -> float:
    return read_number(value)


def _integer(_field: InputField, value: object) -> float:
    return float(read_integer(value))


def _boolean(field: InputField, value: object) -> float:
    return 1.0 if read_boolean(field, value) else 0.0


def _seconds(field: InputField, value: object) -> float:
    return read_time(field, value) / 1e6
