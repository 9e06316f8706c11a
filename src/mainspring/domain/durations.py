"""Durations as people write them in `model.py` and on the command line."""

import re
from datetime import timedelta

from mainspring.errors import DeclarationError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")


def parse_duration(text: str) -> timedelta:
    """Read `90s`, `30m`, `1h30m`, `7d`, `2w`.

    Raises:
        DeclarationError: the text is no duration.

    Examples:
        >>> parse_duration("1h30m")
        datetime.timedelta(seconds=5400)
        >>> parse_duration("500ms").total_seconds()
        0.5
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise DeclarationError(
            f"{text!r} is not a duration", cure="write a number and a unit, e.g. 90s, 30m, 1h30m, 7d"
        )
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
