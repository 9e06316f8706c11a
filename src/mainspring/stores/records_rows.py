"""The words of the domain as rows of the records database, and back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from mainspring.domain.release import ReleaseRecord, RuntimeKind
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


def run_of(row: sa.Row[Any]) -> Run:
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


def snapshot_of(row: sa.Row[Any]) -> Snapshot:
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


def release_of(row: sa.Row[Any], aliases: tuple[str, ...]) -> ReleaseRecord:
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


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
