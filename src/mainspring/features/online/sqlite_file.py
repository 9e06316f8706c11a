"""The SQLite file of the online features: made whole, opened as often as needed, made anew when it was deleted."""

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TypeVar

from mainspring.errors import DiskFull, StoreError

_FORMAT = 1
_SCHEMA = f"""
CREATE TABLE views (
    view TEXT PRIMARY KEY, place TEXT NOT NULL UNIQUE, fence INTEGER NOT NULL, epoch TEXT NOT NULL, mark BLOB
);
PRAGMA user_version = {_FORMAT};
"""
_PAGE = 8_192  # bytes: the vectors of some seventy entities, which one look at the file brings in
_CACHE = 16_384  # KiB of pages that each connection keeps
_STATEMENTS = 256
_UNSEEN = 0.001  # seconds in which readers may miss that the file is another one
_BIGGEST_LOG = 67_108_864  # bytes that the write-ahead log keeps once it has been written back

_Identity = tuple[int, int]
_Question = TypeVar("_Question")
_Answer = TypeVar("_Answer")


class SqliteFile:
    """Connections to one file; each is used by one thread at a time.

    Somebody may delete the file while it is open, and another process make a new one: SQLite would go on with the
    old one, which nobody else sees. So each use asks whether the file is still the same, reads once a millisecond.

    Args:
        timeout: seconds to wait for another writer.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        self.path = path
        self._name = str(path)
        self._timeout = timeout
        self._seen: _Identity = (0, 0)
        self._look_again = 0.0
        self._idle: list[tuple[_Identity, sqlite3.Connection]] = []

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection of one's own; errors of SQLite become ours, and a connection that made one is closed."""
        identity, connection = self._take()
        try:
            yield connection
        except BaseException as error:
            self._give_up(connection, error)
        self._idle.append((identity, connection))

    def read(self, ask: Callable[[sqlite3.Connection, _Question], _Answer], question: _Question) -> _Answer:
        """As `connection`, in a fifth of its time, which is felt where one entity is read."""
        identity, connection = self._take(look=time.monotonic() >= self._look_again)
        try:
            answer = ask(connection, question)
        except BaseException as error:
            self._give_up(connection, error)
        self._idle.append((identity, connection))
        return answer

    @contextmanager
    def writing(self, *, durably: bool = False) -> Iterator[sqlite3.Connection]:
        """One transaction; no other writer is at work meanwhile.

        Args:
            durably: it, and all before it, outlive a power cut once this has ended.
        """
        with self.connection() as connection:
            if durably:
                connection.execute("PRAGMA synchronous=FULL")
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
            if durably:
                connection.execute("PRAGMA synchronous=NORMAL")

    def _give_up(self, connection: sqlite3.Connection, error: BaseException) -> NoReturn:
        connection.close()
        if isinstance(error, sqlite3.Error):
            raise self._named(error) from error
        raise error

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[1].close()

    def _take(self, *, look: bool = True) -> tuple[_Identity, sqlite3.Connection]:
        """A connection to the file as it is, or as it was when somebody looked last."""
        try:
            identity = self._identity() if look else self._seen
        except FileNotFoundError:
            identity = self._make()
        except OSError as error:
            raise self._unreachable(error) from error
        while True:
            try:
                kept, connection = self._idle.pop()
            except IndexError:
                # Opened unseen, an empty file would be made in the place of one that is gone.
                return (identity, self._open()) if look else self._take()
            if kept == identity:
                return kept, connection
            connection.close()

    def _identity(self) -> _Identity:
        found = os.stat(self._name)  # noqa: PTH116 a Path's own takes twice as long
        self._seen = found.st_dev, found.st_ino
        self._look_again = time.monotonic() + _UNSEEN
        return self._seen

    def _make(self) -> _Identity:
        """Make the file whole under another name, so that nobody ever opens half of it."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.with_name(f"{self.path.name}.lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not self.path.exists():
                    # What a deleted file left behind would be taken for the new one's.
                    for end in ("-wal", "-shm", ".new", ".new-wal", ".new-shm"):
                        self.path.with_name(self.path.name + end).unlink(missing_ok=True)
                    fresh = self.path.with_name(f"{self.path.name}.new")
                    connection = sqlite3.connect(fresh, isolation_level=None)
                    try:
                        connection.execute(f"PRAGMA page_size={_PAGE}")
                        connection.execute("PRAGMA journal_mode=WAL")
                        connection.executescript(_SCHEMA)
                    finally:
                        connection.close()
                    fresh.chmod(0o600)
                    fresh.replace(self.path)
            return self._identity()
        except sqlite3.Error as error:
            raise self._named(error) from error
        except OSError as error:
            raise self._unreachable(error) from error

    def _open(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                self.path,
                timeout=self._timeout,
                isolation_level=None,  # transactions begin where we say so
                check_same_thread=False,  # one thread at a time, but not always the same
                cached_statements=_STATEMENTS,
            )
        except sqlite3.Error as error:
            raise self._named(error) from error
        try:
            for pragma in (
                f"cache_size=-{_CACHE}",
                "synchronous=NORMAL",
                f"journal_size_limit={_BIGGEST_LOG}",
            ):
                connection.execute(f"PRAGMA {pragma}")
            ((version,),) = connection.execute("PRAGMA user_version")
        except sqlite3.Error as error:
            connection.close()
            raise self._named(error) from error
        if version != _FORMAT:
            connection.close()
            raise StoreError(
                f"{self.path} is no file of online features (format {version} in place of {_FORMAT})",
                cure="name another file in features.url, or move that one away",
                where={"file": str(self.path)},
            )
        return connection

    def _unreachable(self, error: OSError) -> StoreError:
        return StoreError(
            f"the online features in {self.path} cannot be opened: {error.strerror}",
            cure="see that its folder is there and may be written",
            where={"file": str(self.path)},
        )

    def _named(self, error: sqlite3.Error) -> StoreError:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        where = {"file": str(self.path)}
        if code == sqlite3.SQLITE_FULL:
            return DiskFull(
                f"the disk is full while writing the online features in {self.path}",
                cure="free some space and start again; what was written before stands",
                where=where,
            )
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            cure = f"end the process that has held it for over {self._timeout:g} s"
        elif code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            cure = "delete the file; then `mainspring features materialize --full` fills a new one"
        else:
            cure = "see that the file and its folder are there and may be written"
        return StoreError(f"the online features in {self.path} gave up: {error}", cure=cure, where=where)
