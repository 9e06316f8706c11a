"""The words of the domain as rows of the records database, and back.

A row is whatever has the columns as attributes: SQLAlchemy's, or one that was read without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from mainspring.domain.access import ApiKey, Role
from mainspring.domain.release import Alias, ReleaseRecord, RuntimeKind
from mainspring.domain.routing import Route, Routes, Traffic
from mainspring.domain.run import Run, RunState, Stage
from mainspring.domain.snapshot import Snapshot, SourcePart
from mainspring.domain.verdict import Estimate

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def moment(time: datetime) -> int:
    """Microseconds since 1970, exactly (a float of seconds would round)."""
    return (time - _EPOCH) // _MICROSECOND


def time_of(value: int) -> datetime:
    return _EPOCH + value * _MICROSECOND


def run_row(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "model": run.model,
        "state": str(run.state),
        "stage": str(run.stage),
        "budget": _json(run.budget),
        "started_at": moment(run.started_at),
        "ended_at": None if run.ended_at is None else moment(run.ended_at),
        "snapshot": run.snapshot,
        "release": run.release,
        "tracking_id": run.tracking_id,
        "detail": _json(run.detail),
    }


def run_of(row: Any) -> Run:
    return Run(
        id=row.id,
        model=row.model,
        state=RunState(row.state),
        stage=Stage(row.stage),
        budget=msgspec.json.decode(row.budget),
        started_at=time_of(row.started_at),
        ended_at=None if row.ended_at is None else time_of(row.ended_at),
        snapshot=row.snapshot,
        release=row.release,
        tracking_id=row.tracking_id,
        detail=msgspec.json.decode(row.detail),
    )


def snapshot_row(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "id": snapshot.id,
        "source": snapshot.source,
        "table_place": snapshot.table,
        "version": snapshot.version,
        "row_count": snapshot.rows,
        "parts": _json(snapshot.parts),
        "columns": _json(snapshot.columns),
        "created_at": moment(snapshot.created_at),
        "parent": snapshot.parent,
    }


def snapshot_of(row: Any) -> Snapshot:
    return Snapshot(
        id=row.id,
        source=row.source,
        table=row.table_place,
        version=row.version,
        rows=row.row_count,
        parts=msgspec.json.decode(row.parts, type=tuple[SourcePart, ...]),
        columns=msgspec.json.decode(row.columns, type=tuple[tuple[str, str], ...]),
        created_at=time_of(row.created_at),
        parent=row.parent,
    )


def release_row(record: ReleaseRecord) -> dict[str, Any]:
    return {
        "model": record.model,
        "number": record.number,
        "run_id": record.run_id,
        "digest": record.digest,
        "place": record.place,
        "created_at": moment(record.created_at),
        "runtime": str(record.runtime),
        "metrics": _json(record.metrics),
    }


def release_of(row: Any, aliases: tuple[str, ...]) -> ReleaseRecord:
    return ReleaseRecord(
        model=row.model,
        number=row.number,
        run_id=row.run_id,
        digest=row.digest,
        place=row.place,
        created_at=time_of(row.created_at),
        runtime=RuntimeKind(row.runtime),
        metrics=msgspec.json.decode(row.metrics, type=dict[str, Estimate]),
        aliases=aliases,
    )


def key_of(row: Any) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        digest=row.digest,
        roles=msgspec.json.decode(row.roles, type=tuple[Role, ...]),
        created_at=time_of(row.created_at),
        expires_at=None if row.expires_at is None else time_of(row.expires_at),
        revoked_at=None if row.revoked_at is None else time_of(row.revoked_at),
    )


def rules_of(rules: str) -> Traffic:
    return msgspec.json.decode(rules, type=Traffic)


def numbers_by_alias(aliases: Iterable[Any]) -> dict[str, dict[str, int]]:
    """By model, in the order of the rows."""
    named: dict[str, dict[str, int]] = {}
    for row in aliases:
        named.setdefault(row.model, {})[row.alias] = row.number
    return named


def routes_of(
    generation: int, named: Mapping[str, Mapping[str, int]], releases: Iterable[Any], traffic: Iterable[Any]
) -> Routes:
    """The routes of every model that has a champion.

    Args:
        named: as `numbers_by_alias` gives them.
        releases: at least those of these models.
        traffic: the rules of every model that has some.
    """
    routed = [model for model, numbers in named.items() if Alias.CHAMPION in numbers]
    digests: dict[str, dict[int, str]] = {model: {} for model in routed}
    places: dict[str, dict[int, str]] = {model: {} for model in routed}
    for row in releases:
        if row.model in digests:
            digests[row.model][row.number] = row.digest
            places[row.model][row.number] = row.place
    rules = {row.model: rules_of(row.rules) for row in traffic}
    return Routes(
        generation,
        tuple(
            Route(
                model,
                champion=named[model][Alias.CHAMPION],
                challenger=named[model].get(Alias.CHALLENGER),
                digests=digests[model],
                places=places[model],
                traffic=rules.get(model, Traffic()),
            )
            for model in routed
        ),
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
