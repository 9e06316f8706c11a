"""The table of measurements: every monitor's figures over time, each written once."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import polars as pl

from mainspring.data.past_days import merge_past_days
from mainspring.domain.measurement import Measurement, State, Window
from mainspring.domain.ports import Tables
from mainspring.errors import MainspringError

_LOG = logging.getLogger("mainspring.monitoring")
_MOMENT = pl.Datetime("us", "UTC")
_SCHEMA: dict[str, Any] = {
    "day": pl.Date(),  # of `at`, UTC; the partition
    "at": _MOMENT,
    "monitor": pl.String(),
    "kind": pl.String(),
    "subject": pl.String(),
    "window_start": _MOMENT,
    "window_end": _MOMENT,
    "state": pl.String(),
    "release": pl.Int32(),
    "slice": pl.String(),  # JSON
    "value": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "reference": pl.Float64(),
    "bar": pl.Float64(),
    "rows": pl.Int64(),
    "method": pl.String(),
    "p_value": pl.Float64(),
    "estimated": pl.Boolean(),
    "note": pl.String(),
    "example": pl.String(),  # JSON
    "job": pl.String(),
}
_NUMBERS = ("value", "low", "high", "reference", "bar", "p_value")


def measurements_table(model: str) -> str:
    """The name of the table of a model's measurements."""
    return f"measurements/{model}"


def write_measurements(
    tables: Tables, model: str, measurements: Sequence[Measurement], *, ticks: Mapping[str, tuple[int, int]]
) -> None:
    """Add what was measured.

    Args:
        ticks: by monitor the time (seconds since the epoch) up to which it had been measured, and up to which it
            is now; written with the rows, all or nothing, so that no time is measured twice.

    Raises:
        StoreError: another process has measured meanwhile.
    """
    frame = pl.DataFrame([_row(one) for one in measurements], schema=_SCHEMA)
    tables.record(measurements_table(model), frame, partition="day", offsets=ticks)


def merge_measurements(tables: Tables, model: str, now: datetime) -> None:
    """Make one file of each day that is over, of which each look has written one.

    What fails is told, and done at another look: it costs no measurement.
    """
    table = measurements_table(model)
    try:
        if merge_past_days(tables, table, now.date()):
            tables.tidy(table)
    except MainspringError as error:
        _LOG.error("the table %s was not merged: %s", table, error)


def all_measured_until(tables: Tables, model: str, monitors: Sequence[str]) -> Mapping[str, int]:
    """By monitor the time, in seconds since the epoch, up to which it has been measured; 0 for never.

    Of a monitor of score jobs it is the number of the last job.
    """
    return tables.offsets(measurements_table(model), monitors)


def read_measurements(
    tables: Tables, model: str, *, since: datetime, until: datetime, monitor: str | None = None
) -> list[Measurement]:
    """What was measured in this time, in the order of the measuring.

    Args:
        since, until: of `at`; `since` not included, `until` included.
    """
    rows = _measured_in(tables, model, since, until)
    if monitor is not None:
        rows = rows.filter(pl.col("monitor") == monitor)
    return _measurements(rows)


def newest_measurements(tables: Tables, model: str, *, since: datetime, until: datetime) -> list[Measurement]:
    """What each monitor's newest look in this time measured; the bounds are those of `read_measurements`."""
    rows = _measured_in(tables, model, since, until)
    return _measurements(rows.filter(pl.col("at") == pl.col("at").max().over("monitor")))


def _measured_in(tables: Tables, model: str, since: datetime, until: datetime) -> pl.LazyFrame:
    table = measurements_table(model)
    if not tables.exists(table):
        return pl.LazyFrame(schema=_SCHEMA)
    rows: pl.LazyFrame = tables.scan(table)
    rows = rows.filter(pl.col("day") >= since.date(), pl.col("day") <= until.date())
    return rows.filter(pl.col("at") > since, pl.col("at") <= until)


def _measurements(rows: pl.LazyFrame) -> list[Measurement]:
    found = rows.sort("at", "monitor", "subject", "slice", "release").collect()
    return [_measurement(row) for row in found.iter_rows(named=True)]


def _row(one: Measurement) -> dict[str, Any]:
    return {
        "day": one.at.date(),
        "at": one.at,
        "monitor": one.monitor,
        "kind": str(one.kind),
        "subject": one.subject,
        "window_start": one.window.start,
        "window_end": one.window.end,
        "state": str(one.state),
        "release": one.release,
        "slice": _json(dict(sorted(one.slice.items()))),
        **{name: _finite(getattr(one, name)) for name in _NUMBERS},
        "rows": one.rows,
        "method": one.method,
        "estimated": one.estimated,
        "note": one.note,
        "example": _json(one.example),
        "job": one.job,
    }


def _measurement(row: Mapping[str, Any]) -> Measurement:
    plain = {name: row[name] for name in _SCHEMA if name not in ("day", "window_start", "window_end", "job")}
    return Measurement(
        **plain
        | {
            "window": Window(row["window_start"], row["window_end"]),
            "state": State(row["state"]),
            "slice": msgspec.json.decode(row["slice"]),
            "example": msgspec.json.decode(row["example"]),
            "job": row.get("job") or "",  # tables of earlier versions have no such column
        }
    )


def _json(value: Mapping[str, Any]) -> str:
    return msgspec.json.encode(value).decode()


def _finite(value: float | None) -> float | None:
    """JSON and most readers of tables know no NaN: what is none is not there."""
    return None if value is None or not abs(value) < float("inf") else float(value)
