"""Online features in a SQLite file: the default, shared by all processes of one machine.

Each view is a table, in which an integer made of the key is the place of a row: SQLite finds integers about twice
as fast as bytes. A short key is its own place; a longer one's is a digest of 63 bits, so the key stands beside it.
"""

import hashlib
import sqlite3
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

from mainspring.domain.ids import uuid7
from mainspring.domain.ports_features import EntityKey, Vector, ViewId
from mainspring.errors import StoreError
from mainspring.features.online.fencing import emptied, overtaken
from mainspring.features.online.sqlite_file import SqliteFile

# So many vectors in one transaction: other writers wait no longer than for these.
_BATCH = 10_000
# So many are put in order before they are written: each page of the file is then written for many of them at once.
_ORDERED = 50_000
_TOGETHER = 50  # in one statement, which takes a third off the time of as many
# So many keys in one statement, of which SQLite takes 32,766 values.
_MOST_KEYS = 4_096
_MOST_VIEWS = 64
_OWN_PLACE = 7  # bytes of a key that is its own place

_T = TypeVar("_T")


class SqliteStore:
    """Keeps the law of `OnlineStore` in one file, with a write-ahead log: readers never wait for writers.

    Args:
        timeout: seconds that a writer waits for another one.
    """

    def __init__(self, path: Path, *, timeout: float) -> None:
        self._file = SqliteFile(path, timeout)
        self._epochs: dict[ViewId, str] = {}

    def read(self, asked: Sequence[tuple[ViewId, Sequence[EntityKey]]]) -> list[list[Vector | None]]:
        return self._file.read(_read_what_is_there, asked)

    def write(self, view: ViewId, vectors: Iterable[tuple[EntityKey, Vector]], *, fence: int) -> int:
        written = 0
        remaining = iter(vectors)
        while (columns := _in_order(islice(remaining, _ORDERED)))[0]:
            for begin in range(0, len(columns[0]), _BATCH):
                batch = [column[begin : begin + _BATCH] for column in columns]
                with self._writing(view, fence) as connection:
                    _put(connection, view, batch)
                written += len(batch[0])
        return written

    def remove(self, view: ViewId, keys: Iterable[EntityKey], *, fence: int) -> None:
        statement = f"DELETE FROM {_table(view)} WHERE place = ? AND key = ?"  # noqa: S608
        for batch in _batches(keys, _BATCH):
            with self._writing(view, fence) as connection:
                connection.executemany(statement, ((_place(key), key) for key in batch))

    def drop(self, view: ViewId) -> None:
        with self._file.writing() as connection:
            connection.execute("DELETE FROM views WHERE view = ?", (view,))
            connection.execute(f"DROP TABLE IF EXISTS {_table(view)}")
        self._epochs.pop(view, None)

    def count(self, view: ViewId) -> int:
        with self._file.connection() as connection:
            if connection.execute("SELECT 1 FROM views WHERE view = ?", (view,)).fetchone() is None:
                return 0
            ((found,),) = connection.execute(f"SELECT count(*) FROM {_table(view)}")  # noqa: S608
        return int(found)

    def mark(self, view: ViewId, mark: bytes, *, fence: int) -> None:
        with self._writing(view, fence, durably=True) as connection:
            connection.execute("UPDATE views SET mark = ? WHERE view = ?", (mark, view))

    def marked(self, view: ViewId) -> bytes | None:
        with self._file.connection() as connection:
            row = connection.execute("SELECT epoch, mark FROM views WHERE view = ?", (view,)).fetchone()
        if row is None:
            self._epochs.pop(view, None)
            return None
        self._epochs[view] = row[0]
        mark: bytes | None = row[1]
        return mark

    def close(self) -> None:
        self._file.close()

    @contextmanager
    def _writing(self, view: ViewId, fence: int, *, durably: bool = False) -> Iterator[sqlite3.Connection]:
        """A transaction in which the view is there, is ours to write, and is the one that we know."""
        with self._file.writing(durably=durably) as connection:
            epoch = _admit(connection, view, fence, self._epochs.get(view))
            yield connection
        self._epochs[view] = epoch


_Columns = Sequence[list[Any]]
"""Places, keys and vectors side by side: that many tuples would have Python look for cycles among them."""


def _in_order(vectors: Iterable[tuple[EntityKey, Vector]]) -> _Columns:
    keys, values = [], []
    for key, vector in vectors:
        keys.append(bytearray(key))  # for which, unlike bytes, the driver does not look for an adapter each time
        values.append(bytearray(vector))
    places = _places(keys)
    columns: list[list[Any]] = [places, keys, values]
    if sorted(places) == places:  # as they mostly come
        return columns
    order = sorted(range(len(places)), key=places.__getitem__)  # of equals the later one comes last, and stays
    return [[column[number] for number in order] for column in columns]


def _put(connection: sqlite3.Connection, view: ViewId, columns: _Columns) -> None:
    """Write rows; raises `StoreError` where a place is another key's."""
    count = len(columns[0])
    whole = count - count % _TOGETHER
    together = (_values(columns, begin, begin + _TOGETHER) for begin in range(0, whole, _TOGETHER))
    put = connection.executemany(_insert(view, _TOGETHER), together).rowcount
    put += connection.executemany(
        _insert(view, 1), (_values(columns, n, n + 1) for n in range(whole, count))
    ).rowcount
    if put != count:
        raise StoreError(
            f"two keys of the view {view} have one digest of 63 bits, so the second cannot be kept",
            cure="name a Redis server in features.url",
            where={"view": view},
        )


def _values(columns: _Columns, begin: int, end: int) -> tuple[Any, ...]:
    return tuple(chain.from_iterable(zip(*(column[begin:end] for column in columns), strict=True)))


@cache
def _insert(view: ViewId, rows: int) -> str:
    return (
        f"INSERT INTO {_table(view)} VALUES {', '.join(['(?, ?, ?)'] * rows)}"  # noqa: S608
        " ON CONFLICT DO UPDATE SET vector = excluded.vector WHERE key = excluded.key"
    )


def _read_what_is_there(
    connection: sqlite3.Connection, asked: Sequence[tuple[ViewId, Sequence[EntityKey]]]
) -> list[list[Vector | None]]:
    try:
        return _read(connection, asked)
    except sqlite3.OperationalError as error:
        if not str(error).startswith("no such table"):
            raise
    # Some of the views have no table yet.
    connection.execute("BEGIN")  # one moment for the list of views and for the reading
    there = {view for (view,) in connection.execute("SELECT view FROM views")}
    known = iter(_read(connection, [(view, keys) for view, keys in asked if view in there]))
    found: list[list[Vector | None]] = [
        next(known) if view in there else [None] * len(keys) for view, keys in asked
    ]
    connection.execute("COMMIT")
    return found


def _read(
    connection: sqlite3.Connection, asked: Sequence[tuple[ViewId, Sequence[EntityKey]]]
) -> list[list[Vector | None]]:
    if not asked:
        return []
    views, keys = zip(*asked, strict=True)
    if len(views) <= _MOST_VIEWS and {*map(len, keys)} == {1}:
        return _one_of_each(connection, views, keys)
    found: list[list[Vector | None]] = []
    before: Sequence[EntityKey] = ()
    places: list[int] = []
    for view, wanted in asked:
        if wanted != before:  # the views of a request mostly share their keys
            places, before = _places(wanted), wanted
        found.append(_many(connection, view, wanted, places))
    return found


def _one_of_each(
    connection: sqlite3.Connection, views: tuple[ViewId, ...], keys: tuple[Sequence[EntityKey], ...]
) -> list[list[Vector | None]]:
    """One statement for all views: beginning and ending to read costs as much as finding a vector."""
    if keys.count(keys[0]) == len(keys):
        distinct, numbers = list(keys[0]), None
    else:
        distinct = [*dict.fromkeys(key for (key,) in keys)]
        numbers = tuple([distinct.index(key) for (key,) in keys])
    places = _places(distinct)
    is_own = min(places) > 0
    (vectors,) = connection.execute(_each(views, numbers, is_own), places if is_own else [*places, *distinct])
    return [[vector] for vector in vectors]


@cache
def _each(views: tuple[ViewId, ...], numbers: tuple[int, ...] | None, is_own: bool) -> str:
    """One row with a vector of each view.

    Args:
        numbers: of the keys, for each view; where not given all have the only one.
        is_own: whether each key is its own place; else the keys follow the places.
    """
    columns = []
    for view, number in zip(views, numbers or (0,) * len(views), strict=True):
        key = "" if is_own else f" AND key = ?{1 + max(numbers or (0,)) + 1 + number}"
        columns.append(f"(SELECT vector FROM {_table(view)} WHERE place = ?{1 + number}{key})")  # noqa: S608
    return f"SELECT {', '.join(columns)}"


def _many(
    connection: sqlite3.Connection, view: ViewId, keys: Sequence[EntityKey], places: list[int]
) -> list[Vector | None]:
    found: dict[EntityKey, Vector] = {}
    for begin in range(0, len(places), _MOST_KEYS):
        piece = places[begin : begin + _MOST_KEYS]
        width = 1 << (len(piece) - 1).bit_length()  # few widths, so that the statements are prepared once
        found.update(connection.execute(_among(view, width), piece + piece[:1] * (width - len(piece))))
    return [found.get(key) for key in keys]


@cache
def _among(view: ViewId, width: int) -> str:
    return f"SELECT key, vector FROM {_table(view)} WHERE place IN ({', '.join('?' * width)})"  # noqa: S608


@cache
def _table(view: ViewId) -> str:
    """A name without anything that a view's name might hold; of two views with one, the second is refused."""
    return f"v{hashlib.blake2b(view.encode(), digest_size=12).hexdigest()}"


def _place(key: bytes | bytearray) -> int:
    if len(key) <= _OWN_PLACE:
        return int.from_bytes(b"\x01" + key)
    return -1 - (int.from_bytes(hashlib.blake2b(key, digest_size=8).digest()) >> 1)


def _places(keys: Sequence[bytes | bytearray]) -> list[int]:
    if len(keys) < _TOGETHER or max(map(len, keys)) > _OWN_PLACE:
        return [_place(key) for key in keys]
    padded = b"".join([(b"\x01" + key).rjust(8, b"\0") for key in keys])
    return list(struct.unpack(f">{len(keys)}Q", padded))  # in a fourth of the time


def _admit(connection: sqlite3.Connection, view: ViewId, fence: int, known: str | None) -> str:
    """The view's epoch, which tells it from one of the same name that was there before."""
    row = connection.execute("SELECT fence, epoch FROM views WHERE view = ?", (view,)).fetchone()
    seen, epoch = row or (fence, known or uuid7())
    if fence < seen:
        raise overtaken(view)
    if known is not None and (row is None or epoch != known):
        raise emptied(view)
    if row is None:
        connection.execute(
            "INSERT INTO views (view, place, fence, epoch) VALUES (?, ?, ?, ?)", (view, _table(view), fence, epoch)
        )
        connection.execute(
            f"CREATE TABLE {_table(view)} (place INTEGER PRIMARY KEY, key BLOB NOT NULL, vector BLOB NOT NULL)"
        )
    elif fence > seen:
        connection.execute("UPDATE views SET fence = ? WHERE view = ?", (fence, view))
    return str(epoch)


def _batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
