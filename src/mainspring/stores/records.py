"""The records database: numbers, routes, runs, snapshots, views, keys, leases, alerts, rollouts, the history."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

import msgspec
import sqlalchemy as sa

from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.domain.release import Alias, ReleaseRecord, ReleaseRef
from mainspring.domain.routing import Routes, Traffic
from mainspring.domain.run import Run
from mainspring.domain.snapshot import Snapshot
from mainspring.errors import StoreError, UnknownRelease, UnknownSnapshot, WorkspaceBusy
from mainspring.stores.records_alerts import SqlAlerts
from mainspring.stores.records_engine import Engine
from mainspring.stores.records_features import SqlFeatures
from mainspring.stores.records_history import SqlHistory, append
from mainspring.stores.records_keys import SqlKeys
from mainspring.stores.records_leases import SqlLease, holder, now
from mainspring.stores.records_loop import SqlLoop
from mainspring.stores.records_migrations import upgrade
from mainspring.stores.records_outbox import SqlOutbox
from mainspring.stores.records_rows import (
    moment,
    numbers_by_alias,
    release_of,
    release_row,
    routes_of,
    run_of,
    run_row,
    snapshot_of,
    snapshot_row,
)
from mainspring.stores.records_runs import tell_run
from mainspring.stores.records_schema import (
    aliases,
    generation,
    numbers,
    releases,
    runs,
    snapshots,
    traffic,
    workers,
)
from mainspring.stores.records_traffic import check_traffic, traffic_of, write_traffic

_SHORTEST_PREFIX = 6


class SqlRecords(SqlKeys, SqlAlerts, SqlOutbox, SqlHistory, SqlLoop, SqlFeatures):
    """`ports.Records` on SQLite or PostgreSQL.

    Args:
        url: a SQLAlchemy URL, e.g. `sqlite:////var/lib/mainspring/records.db`. The database is created, or
            brought to the present schema, at once.

    Raises:
        SettingsError: the URL is not usable.
        StoreError: the database cannot be opened, or was written by a newer Mainspring.

    Examples:
        >>> records = SqlRecords("sqlite://")
        >>> records.reserve_number("adclick", run_id="a"), records.reserve_number("adclick", run_id="b")
        (1, 2)
        >>> records.reserve_number("adclick", run_id="a")
        1
        >>> records.close()
    """

    def __init__(self, url: str, clock: Clock = SYSTEM_CLOCK) -> None:
        self._engine = Engine(url)
        self._clock = clock
        try:
            with self._engine.writing() as connection:
                upgrade(connection)
        except BaseException:
            self._engine.close()
            raise

    # Runs

    def begin_run(self, run: Run) -> Run:
        with self._engine.writing() as connection:
            row = connection.execute(sa.select(runs).where(runs.c.id == run.id)).one_or_none()
            if row is not None:
                return run_of(row)
            began = moment(run.started_at)
            is_ahead = sa.and_(runs.c.model == run.model, runs.c.started_at > began)
            connection.execute(runs.update().where(is_ahead).values(started_at=began - 1))
            connection.execute(runs.insert().values(**run_row(run)))
            tell_run(connection, self._clock.now(), run)
            return run

    def update_run(self, run: Run) -> None:
        with self._engine.writing() as connection:
            before = connection.execute(sa.select(runs.c.state).where(runs.c.id == run.id)).scalar_one_or_none()
            if before is None:
                raise StoreError(f"there is no run {run.id}", cure="begin it first", where={"run": run.id})
            connection.execute(runs.update().where(runs.c.id == run.id).values(**run_row(run)))
            if before != run.state:
                tell_run(connection, self._clock.now(), run)

    def run(self, run_id: str) -> Run | None:
        with self._engine.reading() as connection:
            row = connection.execute(sa.select(runs).where(runs.c.id == run_id)).one_or_none()
            return None if row is None else run_of(row)

    def runs(self, model: str | None = None, limit: int = 100) -> Sequence[Run]:
        query = sa.select(runs).order_by(runs.c.started_at.desc(), runs.c.id.desc()).limit(limit)
        if model is not None:
            query = query.where(runs.c.model == model)
        with self._engine.reading() as connection:
            return [run_of(row) for row in connection.execute(query)]

    # Snapshots

    def put_snapshot(self, snapshot: Snapshot) -> None:
        with self._engine.writing() as connection:
            # The id is the content: whoever stored it first has told all there is to tell.
            known = connection.execute(sa.select(snapshots.c.id).where(snapshots.c.id == snapshot.id)).first()
            if known is None:
                connection.execute(snapshots.insert().values(**snapshot_row(snapshot)))

    def snapshot(self, snapshot_id: str) -> Snapshot | None:
        with self._engine.reading() as connection:
            row = connection.execute(sa.select(snapshots).where(snapshots.c.id == snapshot_id)).one_or_none()
            if row is not None:
                return snapshot_of(row)
            if len(snapshot_id) < _SHORTEST_PREFIX:
                return None
            prefix = sa.func.substr(snapshots.c.id, 1, len(snapshot_id))
            found = connection.execute(sa.select(snapshots).where(prefix == snapshot_id).limit(2)).all()
        if len(found) > 1:
            raise UnknownSnapshot(
                f"more than one snapshot begins with {snapshot_id!r}",
                cure="give more of its id",
                where={"snapshot": snapshot_id},
            )
        return snapshot_of(found[0]) if found else None

    def snapshots(
        self, source: str | None = None, as_of: datetime | None = None, limit: int = 100
    ) -> Sequence[Snapshot]:
        query = sa.select(snapshots).order_by(
            snapshots.c.created_at.desc(), snapshots.c.version.desc(), snapshots.c.id.desc()
        )
        if source is not None:
            query = query.where(snapshots.c.source == source)
        if as_of is not None:
            query = query.where(snapshots.c.created_at <= moment(as_of))
        with self._engine.reading() as connection:
            return [snapshot_of(row) for row in connection.execute(query.limit(limit))]

    # Releases

    def reserve_number(self, model: str, run_id: str) -> int:
        with self._engine.writing() as connection:
            mine = connection.execute(
                sa.select(numbers.c.number).where(numbers.c.model == model, numbers.c.run_id == run_id)
            ).scalar_one_or_none()
            if mine is not None:
                return int(mine)
            # A release that came from elsewhere has a number that was never reserved here.
            last = max(
                connection.execute(
                    sa.select(sa.func.coalesce(sa.func.max(table.c.number), 0)).where(table.c.model == model)
                ).scalar_one()
                for table in (numbers, releases)
            )
            connection.execute(numbers.insert().values(model=model, number=last + 1, run_id=run_id))
            return int(last) + 1

    def put_release(self, record: ReleaseRecord) -> None:
        with self._engine.writing() as connection:
            known = connection.execute(
                sa.select(releases.c.digest).where(
                    releases.c.model == record.model, releases.c.number == record.number
                )
            ).scalar_one_or_none()
            if known is None:
                connection.execute(releases.insert().values(**release_row(record)))
            elif known != record.digest:
                raise StoreError(
                    f"there is another release {record.ref} already",
                    cure="reserve a number of its own for this one",
                    where={"release": str(record.ref)},
                )

    def find_release(self, reference: ReleaseRef) -> ReleaseRecord | None:
        query = sa.select(releases).where(releases.c.model == reference.model)
        if reference.number is not None:
            query = query.where(releases.c.number == reference.number)
        elif reference.alias == "latest":
            query = query.order_by(releases.c.number.desc()).limit(1)
        else:
            query = query.join(
                aliases, sa.and_(aliases.c.model == releases.c.model, aliases.c.number == releases.c.number)
            ).where(aliases.c.alias == str(reference.alias))
        with self._engine.reading() as connection:
            row = connection.execute(query).one_or_none()
            return None if row is None else release_of(row, _aliases(connection).get((row.model, row.number), ()))

    def releases(self, model: str | None = None) -> Sequence[ReleaseRecord]:
        query = sa.select(releases).order_by(
            releases.c.created_at.desc(), releases.c.model, releases.c.number.desc()
        )
        if model is not None:
            query = query.where(releases.c.model == model)
        with self._engine.reading() as connection:
            named = _aliases(connection)
            return [release_of(row, named.get((row.model, row.number), ())) for row in connection.execute(query)]

    # Routes

    def set_alias(self, model: str, alias: Alias, number: int | None, *, actor: str, reason: str) -> int:
        with self._engine.writing() as connection:
            before = {row.alias: row.number for row in connection.execute(_aliases_of(model))}
            if number is not None and not _has_release(connection, model, number):
                raise _unknown(model, number)
            changes: dict[str, int | None] = {str(alias): number}
            if alias is Alias.CHAMPION and number is not None and before.get(Alias.CHALLENGER) == number:
                changes[str(Alias.CHALLENGER)] = None  # it has been proved
            changes = {name: after for name, after in changes.items() if before.get(name) != after}
            if not changes:
                return _generation(connection)
            connection.execute(generation.update().values(value=generation.c.value + 1))
            present = _generation(connection)
            told: dict[str, Any] = {"at": self._clock.now(), "model": model, "actor": actor, "reason": reason}
            for name, after in changes.items():
                _point(connection, model, name, after)
                detail = {"before": before.get(name), "after": after, "generation": present}
                append(connection, kind=name, detail=detail, **told)
            if str(Alias.CHAMPION) in changes:
                rules = traffic_of(connection, model)
                left = Traffic() if number is None else rules.under(number)
                if left != rules:
                    write_traffic(connection, told, present, rules, left)
            return present

    def set_traffic(
        self, model: str, traffic: Traffic, *, actor: str, reason: str, instead_of: Traffic | None = None
    ) -> int:
        with self._engine.writing() as connection:
            before = traffic_of(connection, model)
            if instead_of is not None and before != instead_of:
                raise WorkspaceBusy(
                    f"the traffic of {model} was changed meanwhile",
                    cure=f"look at it, and try again: mainspring traffic {model}",
                    where={"model": model},
                )
            if traffic == before:
                return _generation(connection)
            named = {row.alias: row.number for row in connection.execute(_aliases_of(model))}
            check_traffic(traffic, model, named.get(Alias.CHAMPION))
            for number in traffic.numbers:
                if not _has_release(connection, model, number):
                    raise _unknown(model, number)
            connection.execute(generation.update().values(value=generation.c.value + 1))
            present = _generation(connection)
            told = {"at": self._clock.now(), "model": model, "actor": actor, "reason": reason}
            write_traffic(connection, told, present, before, traffic)
            return present

    def routes(self) -> Routes:
        with self._engine.reading() as connection:
            named = numbers_by_alias(connection.execute(sa.select(aliases).order_by(aliases.c.model)))
            sealed = sa.select(releases).where(releases.c.model.in_(list(named))).order_by(releases.c.number)
            rules = connection.execute(sa.select(traffic))
            return routes_of(_generation(connection), named, connection.execute(sealed), rules)

    # Gateway workers

    def heartbeat(
        self,
        worker: str,
        gateway: str,
        generation: int,
        *,
        ttl: float,
        behind: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        with self._engine.writing() as connection:
            present = now(connection, self._clock)
            connection.execute(
                workers.delete().where(sa.or_(workers.c.worker == worker, workers.c.expires_at <= present))
            )
            connection.execute(
                workers.insert().values(
                    worker=worker,
                    gateway=gateway,
                    generation=generation,
                    expires_at=present + round(ttl * 1_000_000),
                    behind=msgspec.json.encode(dict(behind)).decode() if behind else None,
                )
            )

    def workers(self, model: str | None = None) -> Mapping[str, int]:
        with self._engine.reading() as connection:
            alive = sa.select(workers).where(workers.c.expires_at > now(connection, self._clock))
            found = {}
            for row in connection.execute(alive.order_by(workers.c.worker)):
                behind: dict[str, int] = {} if row.behind is None else msgspec.json.decode(row.behind)
                by_model = min([row.generation, *behind.values()]) if model is None else behind.get(model)
                found[row.worker] = row.generation if by_model is None else by_model
            return found

    def forget_worker(self, worker: str) -> None:
        with self._engine.writing() as connection:
            connection.execute(workers.delete().where(workers.c.worker == worker))

    # Leases

    def lease_holder(self, name: str) -> str | None:
        with self._engine.reading() as connection:
            return holder(connection, name, now(connection, self._clock))

    def lease(self, name: str, owner: str, *, ttl: float) -> SqlLease:
        return SqlLease(self._engine, self._clock, name, owner, ttl)

    def close(self) -> None:
        self._engine.close()


def _aliases_of(model: str) -> sa.Select[Any]:
    return sa.select(aliases).where(aliases.c.model == model)


def _aliases(connection: sa.Connection) -> dict[tuple[str, int], tuple[str, ...]]:
    named: dict[tuple[str, int], tuple[str, ...]] = {}
    for row in connection.execute(sa.select(aliases).order_by(aliases.c.alias)):
        named[row.model, row.number] = (*named.get((row.model, row.number), ()), row.alias)
    return named


def _has_release(connection: sa.Connection, model: str, number: int) -> bool:
    query = sa.select(releases.c.number).where(releases.c.model == model, releases.c.number == number)
    return connection.execute(query).first() is not None


def _unknown(model: str, number: int) -> UnknownRelease:
    return UnknownRelease(
        f"there is no release {model}@{number}",
        cure="see `mainspring releases`",
        where={"release": f"{model}@{number}"},
    )


def _generation(connection: sa.Connection) -> int:
    return int(connection.execute(sa.select(generation.c.value)).scalar_one())


def _point(connection: sa.Connection, model: str, alias: str, number: int | None) -> None:
    connection.execute(aliases.delete().where(aliases.c.model == model, aliases.c.alias == alias))
    if number is not None:
        connection.execute(aliases.insert().values(model=model, alias=alias, number=number))
