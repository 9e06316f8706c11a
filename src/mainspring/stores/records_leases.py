"""Leases in the records database: the right to be the only one."""

from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

from mainspring.clock import Clock
from mainspring.errors import WorkspaceBusy
from mainspring.stores.processes import ProcessIdentity
from mainspring.stores.records_engine import Engine
from mainspring.stores.records_schema import leases


class SqlLease:
    """A lease that was taken; see `ports.Lease` for the law."""

    def __init__(self, engine: Engine, clock: Clock, name: str, owner: str, ttl: float) -> None:
        self._engine = engine
        self._clock = clock
        self.name = name
        self._ttl = ttl
        with engine.writing() as connection:
            self.token = _take(connection, name, owner, now(connection, clock), ttl)

    def renew(self) -> None:
        with self._engine.writing(fenced=False) as connection:
            moment = now(connection, self._clock)
            renewed = connection.execute(
                leases.update().where(*self._mine()).values(expires_at=moment + _microseconds(self._ttl))
            )
            if not renewed.rowcount:
                check_held(connection, self.name, self.token)

    def release(self) -> None:
        with self._engine.writing(fenced=False) as connection:
            connection.execute(leases.update().where(*self._mine()).values(owner=None))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _mine(self) -> tuple[sa.ColumnElement[bool], ...]:
        return leases.c.name == self.name, leases.c.token == self.token, leases.c.owner.is_not(None)


def now(connection: sa.Connection, clock: Clock) -> int:
    """Microseconds since 1970. A server's own clock decides where several hosts meet, so that none runs ahead."""
    if connection.dialect.name == "postgresql":
        return int(
            connection.execute(
                sa.select(sa.cast(sa.extract("epoch", sa.func.clock_timestamp()) * 1_000_000, sa.BigInteger))
            ).scalar_one()
        )
    return _microseconds(clock.now().timestamp())


def check_held(connection: sa.Connection, name: str, token: int) -> None:
    """Raises `WorkspaceBusy` unless the lease of this token is the newest of its name, and was not given back."""
    row = connection.execute(sa.select(leases).where(leases.c.name == name)).one_or_none()
    if row is None or row.token != token or row.owner is None:
        holder = f": {row.owner} has it now" if row is not None and row.owner is not None else ""
        raise WorkspaceBusy(
            f"the lease {name!r} was lost{holder}; nothing was written",
            cure="start again",
            where={"lease": name, "token": token},
        )


def holder(connection: sa.Connection, name: str, moment: int) -> str | None:
    """Who holds the lease of this name, if anybody does."""
    row = connection.execute(sa.select(leases).where(leases.c.name == name)).one_or_none()
    return str(row.owner) if row is not None and _is_live(row, moment) else None


def _take(connection: sa.Connection, name: str, owner: str, moment: int, ttl: float) -> int:
    row = connection.execute(sa.select(leases).where(leases.c.name == name)).one_or_none()
    if row is not None and _is_live(row, moment):
        raise WorkspaceBusy(
            f"{name!r} is being done by {row.owner} (process {row.pid} on {row.host.split()[0]})",
            cure="wait until it has ended, or stop that process",
            where={"lease": name, "owner": row.owner, "pid": row.pid},
        )
    mine = ProcessIdentity.mine()
    values = {
        "token": 1 if row is None else row.token + 1,
        "owner": owner,
        "host": mine.host,
        "pid": mine.pid,
        "process_start": mine.start,
        "expires_at": moment + _microseconds(ttl),
    }
    if row is None:
        connection.execute(leases.insert().values(name=name, **values))
    else:
        connection.execute(leases.update().where(leases.c.name == name).values(**values))
    return int(values["token"])


def _is_live(row: Any, moment: int) -> bool:
    if row.owner is None or row.expires_at <= moment:
        return False
    return not ProcessIdentity(row.host, row.pid, row.process_start).is_gone()


def _microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)
