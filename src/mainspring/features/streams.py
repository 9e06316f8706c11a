"""Rows that come by a Redis stream: read by a consumer group, stored exactly once, then acknowledged.

An entry is acknowledged only once its row is in the table, so one that a killed consumer had read is given to the
next consumer; its id is the row's, so it counts once however often it is read. An entry that makes no sense is put
beside the stream with what is wrong, and holds up no other.

An entry's fields are the columns of the view's source as texts; or it has the one field `json` with an object of
them. A field `__message` gives the row an id of the sender's own, by which it counts once however often it is
sent.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from mainspring.domain.feature_stream import FeatureStream
from mainspring.domain.ports import Tables
from mainspring.errors import DataError, SettingsError, StoreError, UsageError
from mainspring.features.push import MESSAGE, Pushed, Target, checked_ids, push_frame, record_rows, typed_rows

if TYPE_CHECKING:
    import polars as pl

_LOG = logging.getLogger("mainspring.controller")
AT_ONCE = 1_000  # entries
_KEPT = 10_000  # refused entries
_JSON = "json"

Entries = Sequence[tuple[bytes, Mapping[bytes, bytes]]]


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of reading once.

    Attributes:
        entries: how many were read.
        refused: those of them that made no sense.
    """

    entries: int
    pushed: Pushed
    refused: int


class StreamReader:
    """Reads one stream as one consumer.

    Args:
        stream: which.
        consumer: a name that no other live process has.
        timeout: seconds that one answer of Redis may take.

    Raises:
        SettingsError: the package `redis` is not installed, or the URL is none of Redis.
    """

    def __init__(self, stream: FeatureStream, consumer: str, *, timeout: float = 5.0) -> None:
        try:
            import redis
        except ImportError as error:
            raise SettingsError(
                f"the stream {stream.name!r} needs the package redis", cure="pip install 'mainspring[redis]'"
            ) from error
        self.stream = stream
        self._errors = redis.RedisError
        self._refusal = redis.ResponseError
        self._consumer = consumer
        try:
            self._redis = redis.Redis.from_url(
                stream.url, socket_timeout=timeout, socket_connect_timeout=timeout, protocol=2
            )
        except ValueError as error:
            raise SettingsError(
                f"the URL of the stream {stream.name!r} is none of Redis", cure="write e.g. redis://host:6379/0"
            ) from error

    def take(self, target: Target, tables: Tables, now: datetime) -> Taken:
        """Store what is new, and what consumers that are dead had read and not stored.

        Raises:
            StoreError: Redis or the table does not answer; what was read comes again.
        """
        try:
            entries = [*self._left_over(), *self._new()]
            rows, refused = self._rows(entries, target)
            pushed = Pushed(0, 0)
            if rows is not None:
                pushed = record_rows(tables, target.view, push_frame(*rows, now, created=target.created))
            # Only now: whoever is killed before this line reads them again.
            self._put_aside(refused)
            if entries:
                self._redis.xack(self.stream.name, self.stream.group, *(place for place, _ in entries))
            return Taken(len(entries), pushed, len(refused))
        except self._errors as error:
            raise StoreError(
                f"the stream {self.stream.name!r} cannot be read: {error}",
                cure="check that Redis runs at the stream's URL; what was not stored comes again",
                where={"stream": self.stream.name},
            ) from error

    def close(self) -> None:
        self._redis.close()

    def _new(self) -> Entries:
        for _ in range(2):
            try:
                found: Any = self._redis.xreadgroup(
                    self.stream.group, self._consumer, {self.stream.name: ">"}, count=AT_ONCE
                )
            except self._refusal as error:
                if not str(error).startswith("NOGROUP"):
                    raise
                self._make_group()
                continue
            return found[0][1] if found else []
        return []

    def _left_over(self) -> Entries:
        """What this consumer or a dead one read and did not acknowledge."""
        try:
            found: Any = self._redis.xautoclaim(
                self.stream.name, self.stream.group, self._consumer, self.stream.dead_after, "0-0", count=AT_ONCE
            )
        except self._refusal as error:
            if not str(error).startswith("NOGROUP"):
                raise
            return []
        # Those that were deleted meanwhile are gone: nobody can store them.
        return [entry for entry in found[1] if entry[1]]

    def _make_group(self) -> None:
        """From the beginning of the stream, also where Redis has lost it: what was stored counts once."""
        try:
            self._redis.xgroup_create(self.stream.name, self.stream.group, id="0", mkstream=True)
        except self._refusal as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def _rows(
        self, entries: Entries, target: Target
    ) -> tuple[tuple[pl.DataFrame, list[str]] | None, list[tuple[bytes, str]]]:
        """The rows with their ids, and the entries that make no sense with the reason."""
        good: list[tuple[str, dict[str, Any]]] = []
        refused = []
        for place, fields in entries:
            try:
                good.append(_read(self.stream.name, place, fields))
            except UsageError as error:
                refused.append((place, str(error)))
        try:
            return (_typed(good, target) if good else None), refused
        except DataError:  # one of them; find out which
            kept = []
            for one in good:
                try:
                    kept.append((one, _typed([one], target)))
                except DataError as error:
                    refused.append((one[0].rpartition("/")[2].encode(), str(error)))
            return (_typed([one for one, _ in kept], target) if kept else None), refused

    def _put_aside(self, refused: Sequence[tuple[bytes, str]]) -> None:
        if not refused:
            return
        _LOG.error("%d entries of the stream %s make no sense: %s", len(refused), self.stream.name, refused[0][1])
        for place, why in refused:
            entry: dict[Any, Any] = {"entry": place, "why": why}
            self._redis.xadd(f"{self.stream.name}:refused", entry, maxlen=_KEPT, approximate=True)


def _read(stream: str, place: bytes, fields: Mapping[bytes, bytes]) -> tuple[str, dict[str, Any]]:
    """An entry's id and columns, as texts."""
    try:
        row: dict[str, Any] = {name.decode(): text.decode() for name, text in fields.items()}
        given = row.pop(MESSAGE, None)
        if set(row) == {_JSON}:
            row = {name: _text(value) for name, value in msgspec.json.decode(row[_JSON], type=dict).items()}
            given = row.pop(MESSAGE, given)
    except (UnicodeDecodeError, msgspec.MsgspecError) as error:
        raise UsageError(
            f"it is no row: {error}", cure="send the columns as fields, or as one JSON object"
        ) from error
    if given is not None:
        return checked_ids([given], 1)[0], row
    return f"{stream}/{place.decode()}", row


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def _typed(rows: Sequence[tuple[str, dict[str, Any]]], target: Target) -> tuple[pl.DataFrame, list[str]]:
    import polars as pl

    names = dict.fromkeys(name for _, row in rows for name in row)
    frame = pl.DataFrame(
        {name: pl.Series([row.get(name) or None for _, row in rows], dtype=pl.String) for name in names}
    )
    return typed_rows(frame, target.schema, target.needed, target.view, texts=True), [given for given, _ in rows]
