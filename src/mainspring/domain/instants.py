"""Times without a zone mean UTC, wherever one is given."""

from datetime import UTC, datetime


def zoned(moment: datetime) -> datetime:
    """The same instant with a zone: its own, else UTC.

    Examples:
        >>> zoned(datetime(2026, 3, 1, 12)).isoformat()
        '2026-03-01T12:00:00+00:00'
    """
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def in_utc(moment: datetime) -> datetime:
    """The same instant in UTC.

    Raises:
        OverflowError: it is in no year from 1 to 9999 there.

    Examples:
        >>> in_utc(datetime.fromisoformat("2026-03-01T12:00:00+02:00")).hour
        10
    """
    return zoned(moment).astimezone(UTC)
