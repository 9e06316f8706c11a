"""Connections to the records database: SQLite or PostgreSQL behind the same two kinds of transaction."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from mainspring.errors import DiskFull, MainspringError, SettingsError, StoreError

_WRITES = "mainspring_writes"
_BUSY_SECONDS = 30
_WRITER_LOCK = 0x6D61696E  # the number of our advisory lock in PostgreSQL: "main" in ASCII

Fence = Callable[[sa.Connection], None]
"""What raises, inside a transaction, where nothing may be written."""


class Engine:
    """One database. Writers come one at a time on either backend; readers see a single moment and never wait.

    Args:
        url: a SQLAlchemy URL, e.g. `sqlite:///records.db` or `postgresql+psycopg://db/mainspring`.

    Raises:
        SettingsError: the URL is no URL, or names a database that is not supported or whose driver is absent.
    """

    def __init__(self, url: str) -> None:
        try:
            place = sa.make_url(url)
        except sa.exc.ArgumentError as error:
            raise SettingsError(
                "the URL of the records database cannot be read",
                cure="write e.g. sqlite:///records.db or postgresql+psycopg://USER@HOST/NAME",
            ) from error
        self.place = place.render_as_string(hide_password=True)
        backend = place.get_backend_name()
        if backend not in ("sqlite", "postgresql"):
            raise SettingsError(
                f"the records database {self.place} is of an unknown kind", cure="use sqlite or postgresql"
            )
        self.is_postgres = backend == "postgresql"
        options: dict[str, Any] = (
            {"isolation_level": "REPEATABLE READ", "pool_pre_ping": True}
            if self.is_postgres
            else {"connect_args": {"timeout": _BUSY_SECONDS}}
        )
        try:
            self._engine = sa.create_engine(place, **options)
        except (ImportError, sa.exc.NoSuchModuleError) as error:
            raise SettingsError(
                f"the driver of the records database {self.place} is not installed ({error})",
                cure="pip install 'mainspring[postgres]'",
            ) from error
        if not self.is_postgres:
            sa.event.listen(self._engine, "connect", _prepare_sqlite)
            sa.event.listen(self._engine, "begin", _begin_sqlite)
        self._fences: list[Fence] = []

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """One transaction that only reads."""
        with self._named_errors(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self, *, fenced: bool = True) -> Iterator[sa.Connection]:
        """One transaction that may write; no other writer is at work meanwhile.

        Args:
            fenced: whether the fences that stand may refuse it.
        """
        with self._named_errors(), self._engine.connect() as connection:
            if self.is_postgres:
                # Read committed, so that what the writer before us committed is seen once the lock is ours.
                connection = connection.execution_options(isolation_level="READ COMMITTED")
                with connection.begin():
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITER_LOCK)))
                    self._pass_fences(connection, fenced)
                    yield connection
            else:
                connection = connection.execution_options(**{_WRITES: True})
                with connection.begin():
                    self._pass_fences(connection, fenced)
                    yield connection

    @contextmanager
    def fenced(self, fence: Fence) -> Iterator[None]:
        """While it is open, each writing transaction of every thread asks the fence first."""
        self._fences.append(fence)
        try:
            yield
        finally:
            self._fences.remove(fence)

    def _pass_fences(self, connection: sa.Connection, fenced: bool) -> None:
        for fence in [*self._fences] if fenced else ():
            fence(connection)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise self._named(error) from error

    def _named(self, error: sa.exc.DBAPIError) -> MainspringError:
        reason = str(error.orig)
        if "is full" in reason or "No space left" in reason:
            return DiskFull(
                "the disk is full while writing the records database",
                cure="free some space and start again; nothing was left half-written",
                where={"place": "records"},
            )
        if "database is locked" in reason:
            cure = f"end the process that has held it for over {_BUSY_SECONDS} s"
        elif self.is_postgres:
            cure = "see that the server runs and lets this user in"
        else:
            cure = "see that its folder is there and may be written, and that it is a Mainspring database"
        return StoreError(
            f"the records database {self.place} gave up: {reason.strip()}", cure=cure, where={"place": "records"}
        )


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say so, not where the driver thinks
    # The busy timeout is set by the driver before this, so that turning WAL on waits for another first opener.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: sa.Connection) -> None:
    # A writer takes the lock at once: one that upgrades later would fail instead of waiting.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
