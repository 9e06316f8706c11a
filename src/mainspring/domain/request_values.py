"""How one value of a request is read, by the rules under which training read its text."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from mainspring.domain.instants import zoned
from mainspring.domain.numerals import GREATEST_EXACT, is_misspelt
from mainspring.domain.release import InputField

# What counts as a blank when the schema says `strip`: Unicode White_Space, the set that the readers of training
# data use. `str.strip()` would drop the control characters 0x1c to 0x1f too.
BLANKS = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
GREATEST = 2**63  # an integer kind is a signed 64-bit integer

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DIGITS = 24  # of whole numbers that are no texts
_PER_UNIT = {"epoch_s": 1_000_000, "epoch_ms": 1_000}  # microseconds in one unit


class RefusedValue(Exception):  # caught by who knows the row
    """A value that the field does not take.

    Args:
        problem: continues "the field 'age' of row 0 …".
        cure: what to send instead.
    """

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.cure = cure


def unless_missing(field: InputField, read: Callable[[object], T]) -> Callable[[object], T | None]:
    """The function that reads what is there, and gives `None` for each spelling of a missing value.

    Examples:
        >>> from mainspring.domain.schema import Kind
        >>> read = unless_missing(InputField("age", Kind.INTEGER, missing=("?",), strip=True), read_integer)
        >>> read(31), read(" ? "), read(None)
        (31, None, None)
    """
    missing = frozenset(field.missing)

    def convert(value: object) -> T | None:
        if isinstance(value, str):
            value = value.strip(BLANKS) if field.strip else value
            if value in missing:
                return None
        return None if value is None else read(value)

    return convert


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


def read_number(value: object) -> float:
    """Raises `RefusedValue` for what is no finite number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            raise RefusedValue(f"is {describe(value)}, too great", "send a 64-bit number") from None
        if math.isfinite(number):
            return number
        raise RefusedValue("is not finite", "send a finite number, or null where it is unknown")
    raise RefusedValue(f"is {describe(value)}, not a number", "send a JSON number, without quotes")


def read_integer(value: object) -> int:
    """Exactly, also beyond what a float holds.

    Raises:
        RefusedValue: no whole number, or beyond 64 bits.

    Examples:
        >>> read_integer(3.0), read_integer(2**53 + 1)
        (3, 9007199254740993)
    """
    number = read_number(value)
    if number != math.floor(number):
        raise RefusedValue(f"is {describe(value)}, not a whole number", "send a whole number")
    assert isinstance(value, int | float)  # read_number made sure
    if not -GREATEST <= value < GREATEST:
        raise RefusedValue(f"is {describe(value)}, beyond 64 bits", "send an integer of at most 64 bits")
    return int(value)


def read_text(field: InputField, value: object) -> str:
    """A text; where the field's texts are numerals a whole number is one, too.

    Raises:
        RefusedValue: something else, or a number that is written otherwise than its field has it.

    Examples:
        >>> from mainspring.domain.schema import Kind
        >>> read_text(InputField("ad_id", Kind.ID, numerals=True), 17)
        '17'
    """
    if field.numerals and not isinstance(value, str):
        return str(_exact(value))
    if not isinstance(value, str):
        raise RefusedValue(f"is {describe(value)}, not a text", f"send the {field.kind} as a JSON string")
    if field.numerals and is_misspelt(value):
        plain = value.strip().partition(".")[0]
        cure = f"send {int(plain)}" if len(plain) <= _DIGITS else "send its digits without zeros before them"
        raise RefusedValue(f"is {describe(value)}, and these are written in plain digits", cure)
    return value


def _exact(value: object) -> int:
    """A whole number of any size, where it is the one that was sent: a float may be a rounded one."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**_DIGITS:
        return value
    number = read_integer(value)
    if abs(number) >= GREATEST_EXACT:
        raise RefusedValue(f"is {describe(value)}, of which digits may be lost", "send it as a JSON string")
    return number


def read_boolean(field: InputField, value: object) -> bool:
    """Raises `RefusedValue` for what is neither a boolean nor one of its spellings."""
    if isinstance(value, bool):
        return value
    # 0 and 1 are read as numbers by every JSON client, so they count as the spellings "0" and "1".
    spelling = str(value) if isinstance(value, int) and abs(value) < 10**24 else value
    if isinstance(spelling, str):
        if spelling in field.true:
            return True
        if spelling in field.false:
            return False
    others = ", ".join(repr(text) for text in (*field.true, *field.false)[:8])
    raise RefusedValue(
        f"is {describe(value)}, not a boolean",
        f"send true or false{f' (or one of {others})' if others else ''}",
    )


def read_time(field: InputField, value: object) -> int:
    """Microseconds since the epoch, UTC.

    Raises:
        RefusedValue: no time, or not in the field's format.
    """
    per_unit = _PER_UNIT.get(field.time_format or "")
    if isinstance(value, str):
        return _of_text(field, value)
    if per_unit is not None and isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise RefusedValue("is not finite", "send a finite number, or null where it is unknown")
        microseconds = value * per_unit if isinstance(value, int) else round(value * per_unit)
        if not -GREATEST <= microseconds < GREATEST:
            raise RefusedValue(f"is {describe(value)}, beyond every calendar", "send a time that exists")
        return microseconds
    example = "a number of seconds or milliseconds" if per_unit else "an ISO 8601 text, e.g. 2026-01-31T09:00:00Z"
    raise RefusedValue(f"is {describe(value)}, not a time", f"send {example}")


def _of_text(field: InputField, text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = _in_declared_format(field, text)
    return (zoned(moment) - _EPOCH) // _MICROSECOND


def _in_declared_format(field: InputField, text: str) -> datetime:
    form = field.time_format
    if form is not None and "%" in form:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            pass
    raise RefusedValue(f"is {describe(text)}, not a time", "send an ISO 8601 text, e.g. 2026-01-31T09:00:00Z")
