"""How far a view has come: the mark that stands in the online store beside its vectors.

What the store holds and what is known of it come and go together: of a store that was flushed nothing is known,
and the next materialisation fills it wholly. A gateway worker reads marks too, so nothing heavy is imported here.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from mainspring.domain.instants import microseconds
from mainspring.errors import StoreError


class Rows(msgspec.Struct, frozen=True, array_like=True):
    """The rows that a materialisation goes by.

    Attributes:
        snapshot: of the source.
        pushed: how many of the rows that were pushed; -1 where it is not known.
        pictures: in which state the pictures were that they name, see `features.rows.Taken`.
    """

    snapshot: str
    pushed: int = -1
    pictures: str = ""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far a view has come. Times are microseconds since 1970, UTC.

    Attributes:
        until: what was known by then is in the store; `None` while it is filled for the first time.
        newest_event: of all rows that count by then.
        keys: how many entities have a vector.
        rows: those that were gone by; `None` as `until`.
        begun: the rows of materialisations since, that came to no end: entities of theirs may be in the store.
    """

    until: int | None = None
    newest_event: int | None = None
    keys: int = 0
    rows: Rows | None = None
    begun: tuple[Rows, ...] = ()


def encode_mark(mark: Mark) -> bytes:
    """What is given to `OnlineStore.mark`."""
    return msgspec.json.encode(mark)


def decode_mark(stored: bytes | None) -> Mark | None:
    """What `OnlineStore.marked` gave; `None` where the store knows nothing of the view.

    Raises:
        StoreError: it is no mark.
    """
    if stored is None:
        return None
    try:
        return msgspec.json.decode(stored, type=Mark)
    except msgspec.MsgspecError as error:
        raise StoreError(
            f"what the online store says of a view is not readable: {error}",
            cure="fill the view anew: mainspring features materialize --full",
        ) from error


def age(mark: Mark | None, now: datetime) -> float | None:
    """Seconds since the view was brought up to date; `None` where it never was.

    Examples:
        >>> now = datetime.fromisoformat("2026-03-01T12:01:00Z")
        >>> age(Mark(until=microseconds(now.replace(minute=0))), now), age(Mark(), now)
        (60.0, None)
    """
    return None if mark is None else _since(mark.until, now)


def event_age(mark: Mark | None, now: datetime) -> float | None:
    """Seconds since the newest thing happened that the view knows of."""
    return None if mark is None else _since(mark.newest_event, now)


def _since(moment: int | None, now: datetime) -> float | None:
    return None if moment is None else max(0, microseconds(now) - moment) / 1e6
