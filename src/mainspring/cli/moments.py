"""Moments as people write them on the command line."""

from datetime import datetime

from mainspring.domain.durations import parse_duration
from mainspring.domain.instants import in_utc
from mainspring.errors import DeclarationError, UsageError


def read_moment(text: str, option: str, now: datetime) -> datetime:
    """A day, a time (UTC where it names no zone), or how long ago it was.

    Raises:
        UsageError: it is none of these.

    Examples:
        >>> from datetime import UTC
        >>> noon = datetime(2026, 3, 29, 12, tzinfo=UTC)
        >>> read_moment("2h", "--since", noon).isoformat()
        '2026-03-29T10:00:00+00:00'
        >>> read_moment("2026-03-01", "--since", noon).isoformat()
        '2026-03-01T00:00:00+00:00'
        >>> read_moment("2026-03-01 14:30+02:00", "--since", noon).isoformat()
        '2026-03-01T12:30:00+00:00'
        >>> read_moment("Monday", "--since", noon)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mainspring.errors.UsageError: --since 'Monday' is no moment; ...
    """
    try:
        return now - parse_duration(text)
    except DeclarationError:
        pass
    except OverflowError as error:
        raise UsageError(f"{option} {text} is beyond all calendars", cure="give e.g. 7d") from error
    try:
        return in_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{option} {text!r} is no moment",
            cure='write 2026-03-01, "2026-03-01 14:30" (UTC), or 2h for 2 hours ago',
        ) from error
