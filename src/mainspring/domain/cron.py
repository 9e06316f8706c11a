"""Moments that come again and again, as five cron fields say; always in UTC, so that none is skipped or doubled.

| field | values | |
| --- | --- | --- |
| minute | 0–59 | |
| hour | 0–23 | |
| day of the month | 1–31 | |
| month | 1–12, jan–dec | |
| day of the week | 0–7, sun–sat | 0 and 7 are Sunday |

Each is `*`, a value, a range `a-b`, one of these with a step `/n`, or a list of such with commas. Where neither of
the two fields of days begins with `*`, either is enough, as cron has always had it (POSIX, `crontab`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mainspring.errors import DeclarationError

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: place for place, name in enumerate(_MONTHS, 1)}),
    ("day of the week", 0, 7, {name: place for place, name in enumerate(_WEEKDAYS)}),
)
_PART = re.compile(r"(?:(?P<all>\*)|(?P<first>[a-z0-9]+)(?:-(?P<last>[a-z0-9]+))?)(?:/(?P<step>\d{1,4}))?")
_EXAMPLES = '"0 3 * * 1" (Mondays at 3:00 UTC) or "*/15 * * * *" (each quarter of an hour)'
_LONGEST = 41 * 366  # days between two Sundays that are a 29th of February, around 2100, which is no leap year
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Cron:
    """A schedule; made by `parse_cron`.

    Attributes:
        text: as it was written.
        weekdays: 0 is Sunday.
        either_day: a day counts where either of the two fields of days has it.
    """

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    def next(self, after: datetime) -> datetime:
        """The first moment after this one.

        Examples:
            >>> parse_cron("0 3 * * mon").next(datetime(2026, 3, 29, 12, tzinfo=UTC))
            datetime.datetime(2026, 3, 30, 3, 0, tzinfo=datetime.timezone.utc)
        """
        start = after.astimezone(UTC)
        for day in _days(start, _DAY):
            for moment in self._moments(day):
                if moment > start:
                    return moment
        raise AssertionError(f"{self.text!r} was parsed, so it comes")

    def last(self, until: datetime) -> datetime:
        """The last moment that is not after this one.

        Examples:
            >>> parse_cron("*/15 9-17 * * *").last(datetime(2026, 3, 29, 20, tzinfo=UTC))
            datetime.datetime(2026, 3, 29, 17, 45, tzinfo=datetime.timezone.utc)
        """
        end = until.astimezone(UTC)
        for day in _days(end, -_DAY):
            for moment in reversed(list(self._moments(day))):
                if moment <= end:
                    return moment
        raise AssertionError(f"{self.text!r} was parsed, so it came")

    def _moments(self, day: datetime) -> Iterator[datetime]:
        """Those of the day that begins at this time, in order."""
        if not self._has(day):
            return
        for hour in self.hours:
            for minute in self.minutes:
                yield day.replace(hour=hour, minute=minute)

    def _has(self, day: datetime) -> bool:
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return of_month or of_week if self.either_day else of_month and of_week


def parse_cron(text: str) -> Cron:
    """Read five cron fields.

    Raises:
        DeclarationError: it is none, or names a day that never comes.

    Examples:
        >>> parse_cron("0 3 * * 1").hours
        (3,)
        >>> parse_cron("0 3 30 2 *")
        Traceback (most recent call last):
        mainspring.errors.DeclarationError: the schedule '0 3 30 2 *' never comes: no month of it has such a day; \
mend the day or the month
    """
    fields = text.lower().split()
    if len(fields) != len(_FIELDS):
        count = f"{len(fields)} field{'' if len(fields) == 1 else 's'}"
        raise DeclarationError(
            f"the schedule {text!r} has {count}, not five (minute, hour, day, month, weekday)",
            cure=f"write e.g. {_EXAMPLES}",
        )
    minutes, hours, days, months, weekdays = (
        _values(field, *kind, schedule=text) for field, kind in zip(fields, _FIELDS, strict=True)
    )
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    found = Cron(
        text,
        tuple(sorted(minutes)),
        tuple(sorted(hours)),
        frozenset(days),
        frozenset(months),
        frozenset(day % 7 for day in weekdays),
        either,
    )
    if not either and not any(day <= _longest(month) for month in months for day in days):
        raise DeclarationError(
            f"the schedule {text!r} never comes: no month of it has such a day", cure="mend the day or the month"
        )
    return found


def _values(field: str, name: str, low: int, high: int, names: dict[str, int], *, schedule: str) -> set[int]:
    """The values that a field allows."""
    found: set[int] = set()
    for part in field.split(","):
        read = _PART.fullmatch(part)
        if read is None:
            raise _wrong(schedule, name, part, low, high)
        if read["all"]:
            first, last = low, high
        else:
            first = _value(read["first"], names)
            # `5/10` is `5-59/10`, as everybody's cron has it.
            last = _value(read["last"], names) if read["last"] else high if read["step"] else first
        step = int(read["step"] or 1)
        if not low <= first <= last <= high or step < 1:
            raise _wrong(schedule, name, part, low, high)
        found.update(range(first, last + 1, step))
    return found


def _value(text: str, names: dict[str, int]) -> int:
    """The number, or -1, which no field allows."""
    return int(text) if text.isdecimal() and len(text) <= 4 else names.get(text, -1)


def _wrong(schedule: str, name: str, part: str, low: int, high: int) -> DeclarationError:
    return DeclarationError(
        f"the schedule {schedule!r} makes no sense: {part!r} is no {name} ({low} to {high})",
        cure=f"write e.g. {_EXAMPLES}",
    )


def _longest(month: int) -> int:
    return {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}.get(month, 31)


def _days(start: datetime, step: timedelta) -> Iterator[datetime]:
    """Midnights, from that of this moment's day on, as far as the rarest of days may be."""
    day = start.replace(hour=0, minute=0, second=0, microsecond=0)
    for _ in range(_LONGEST):
        yield day
        day += step
