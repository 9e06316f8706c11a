"""One value of a request → one value of the model, by the rules under which training read its text.

Imports nothing but the standard library: gateway workers use it.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind

# What counts as a blank when the schema says `strip`: Unicode White_Space, the set that the readers of training
# data use. `str.strip()` would drop the control characters 0x1c to 0x1f too.
BLANKS = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"

NUMERIC_KINDS = frozenset({Kind.NUMBER, Kind.INTEGER, Kind.BOOLEAN, Kind.TIME})

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PER_UNIT = {"epoch_s": 1_000_000, "epoch_ms": 1_000}  # microseconds in one unit
_GREATEST = 2**63  # an integer kind is a signed 64-bit integer

Number = Callable[[object], float]
Text = Callable[[object], str | None]


class RefusedValue(Exception):  # caught by the encoder, which adds the row
    """A value that the field does not take.

    Args:
        problem: continues "the field 'age' of row 0 …".
        cure: what to send instead.
    """

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.cure = cure


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
        Kind.NUMBER: _read_number,
        Kind.INTEGER: _read_integer,
        Kind.BOOLEAN: _read_boolean,
        Kind.TIME: _read_time,
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
        raise RefusedValue(f"is {describe(value)}, not a text", f"send the {field.kind} as a JSON string")

    return convert


def refuse_missing(field: InputField) -> None:
    if field.required:
        raise RefusedValue("is missing, but training never saw it missing", "send its value")


def describe(value: object) -> str:
    """What a JSON value is, in words, without echoing more than a few characters of it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "the boolean true" if value else "the boolean false"
    if isinstance(value, int):
        text = str(value) if abs(value) < 10**24 else "of more than 24 digits"
        return f"the number {text}"
    if isinstance(value, float):
        return f"the number {value!r}"
    if isinstance(value, str):
        return f"the text {value if len(value) <= 40 else value[:40] + '…'!r}"
    if isinstance(value, list | tuple):
        return "an array"
    return "an object"


def _read_number(_field: InputField, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            raise RefusedValue(f"is {describe(value)}, too great", "send a 64-bit number") from None
        if math.isfinite(number):
            return number
        raise RefusedValue("is not finite", "send a finite number, or null where it is unknown")
    raise RefusedValue(f"is {describe(value)}, not a number", "send a JSON number, without quotes")


def _read_integer(field: InputField, value: object) -> float:
    number = _read_number(field, value)
    if number != math.floor(number):
        raise RefusedValue(f"is {describe(value)}, not a whole number", "send a whole number")
    assert isinstance(value, int | float)  # _read_number made sure
    if not -_GREATEST <= value < _GREATEST:
        raise RefusedValue(f"is {describe(value)}, beyond 64 bits", "send an integer of at most 64 bits")
    return number


def _read_boolean(field: InputField, value: object) -> float:
    if isinstance(value, bool):
        return 1.0 if value else 0.0
    # 0 and 1 are read as numbers by every JSON client, so they count as the spellings "0" and "1".
    spelling = str(value) if isinstance(value, int) and abs(value) < 10**24 else value
    if isinstance(spelling, str):
        if spelling in field.true:
            return 1.0
        if spelling in field.false:
            return 0.0
    others = ", ".join(repr(text) for text in (*field.true, *field.false)[:8])
    raise RefusedValue(
        f"is {describe(value)}, not a boolean",
        f"send true or false{f' (or one of {others})' if others else ''}",
    )


def _read_time(field: InputField, value: object) -> float:
    per_unit = _PER_UNIT.get(field.time_format or "")
    if isinstance(value, str):
        return _microseconds(field, value) / 1e6
    if per_unit is not None and isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise RefusedValue("is not finite", "send a finite number, or null where it is unknown")
        microseconds = value * per_unit if isinstance(value, int) else round(value * per_unit)
        if not -_GREATEST <= microseconds < _GREATEST:
            raise RefusedValue(f"is {describe(value)}, beyond every calendar", "send a time that exists")
        return microseconds / 1e6
    example = "a number of seconds or milliseconds" if per_unit else "an ISO 8601 text, e.g. 2026-01-31T09:00:00Z"
    raise RefusedValue(f"is {describe(value)}, not a time", f"send {example}")


def _microseconds(field: InputField, text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = _in_declared_format(field, text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND


def _in_declared_format(field: InputField, text: str) -> datetime:
    form = field.time_format
    if form is not None and "%" in form:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            pass
    raise RefusedValue(f"is {describe(text)}, not a time", "send an ISO 8601 text, e.g. 2026-01-31T09:00:00Z")
