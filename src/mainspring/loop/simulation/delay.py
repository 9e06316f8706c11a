"""How long after an answer its truth is known: a time, or a number of later rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from mainspring.domain.durations import parse_duration
from mainspring.errors import DeclarationError, UsageError

_ROWS = re.compile(r"(\d+)\s*rows?")


@dataclass(frozen=True, slots=True)
class LabelDelay:
    """Exactly one of the two.

    Examples:
        >>> LabelDelay.parse("500 rows")
        LabelDelay(rows=500, time=None)
        >>> LabelDelay.parse("1d").time
        datetime.timedelta(days=1)
    """

    rows: int | None = None
    time: timedelta | None = None

    @classmethod
    def parse(cls, text: str) -> LabelDelay:
        """Raises `UsageError` where it is neither."""
        found = _ROWS.fullmatch(text.strip())
        if found:
            return cls(rows=int(found[1]))
        try:
            return cls(time=parse_duration(text.strip()))
        except DeclarationError as error:
            raise UsageError(
                f"{text!r} is no delay of labels", cure="give a time or a number of rows, e.g. 1d or `500 rows`"
            ) from error

    def __str__(self) -> str:
        return f"{self.rows:,} rows" if self.rows is not None else str(self.time)
