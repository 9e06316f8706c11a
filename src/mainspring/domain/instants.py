"""Instants: times without a zone mean UTC, wherever one is given; as numbers they are microseconds since 1970."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


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


def microseconds(moment: datetime) -> int:
    """Since 1970, UTC; exactly, where a float would be off by some.

    Examples:
        >>> microseconds(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
        1000000
    """
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(since_1970: int) -> datetime:
    """The time of so many microseconds since 1970.

    Examples:
        >>> moment_of(-1)
        datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=datetime.timezone.utc)
    """
    return _EPOCH + since_1970 * _MICROSECOND
