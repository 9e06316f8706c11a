"""Values as JSON and as text that no terminal can be tricked by."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from pathlib import PurePath
from typing import Any

from mainspring.domain.saying import counted as counted
from mainspring.domain.saying import number as number
from mainspring.domain.saying import shown


def to_json(value: Any) -> Any:
    """The value in what JSON has: dataclasses become objects, times ISO 8601 text, NaN and infinity null.

    Examples:
        >>> to_json({"a": (1, float("nan")), "b": timedelta(minutes=1)})
        {'a': [1, None], 'b': 60.0}
    """
    if value is None or (isinstance(value, (bool, str)) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return to_json(value.value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((to_json(item) for item in value), key=str)
    if isinstance(value, PurePath):
        return str(value)
    if hasattr(value, "tolist"):  # NumPy's numbers and arrays
        return to_json(value.tolist())
    return str(value)


def printable(text: str) -> str:
    r"""The text with control characters shown, not obeyed; line ends stay.

    Examples:
        >>> printable("a\x1b[31mb")
        'a\\x1b[31mb'
    """
    return "\n".join(shown(line) for line in text.split("\n"))


def one_line(text: str, width: int = 80) -> str:
    """The text on one line of at most `width` characters.

    Examples:
        >>> one_line("first\\nsecond", 9)
        'first\\\\ns…'
    """
    flat = shown(text)
    return flat if len(flat) <= width else flat[: width - 1] + "…"


def when(moment: datetime | None) -> str:
    """A time to the second, in UTC.

    Examples:
        >>> from datetime import UTC
        >>> when(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
        '2026-01-02 03:04:05Z'
    """
    return "–" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}Z"


def percent(part: int, whole: int) -> str:
    """A part of a whole in percent; 100.0 % is all of it, and 0.0 % nothing.

    Examples:
        >>> percent(1, 3), percent(2007, 2008), percent(1, 9000), percent(8, 8)
        ('33.3%', '>99.9%', '<0.1%', '100.0%')
    """
    text = f"{part / whole:.1%}" if whole else "–"
    if text == "100.0%" and part < whole:
        return ">99.9%"
    return "<0.1%" if text == "0.0%" and part else text
