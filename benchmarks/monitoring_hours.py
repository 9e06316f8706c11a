"""What it takes to add an hour to a week that is sketched already, and to read the week."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mainspring.domain.measurement import Window
from mainspring.domain.prediction_log import INPUT_PREFIX, predictions_table
from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind
from mainspring.monitoring.hours.update import update_hours
from mainspring.monitoring.hours.window_profile import window_profile
from mainspring.stores.tables_delta import DeltaTables
from mainspring.testing.releases import a_manifest

MODEL = "adclick"
_MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_WEEK = 24 * 7
_COLUMNS = 50


def inputs() -> tuple[InputField, ...]:
    """40 numbers and 10 categories."""
    values = tuple(f"value {code}" for code in range(20))
    return tuple(
        InputField(f"f{place}", Kind.CATEGORY, vocabulary=values)
        if place % 5 == 0
        else InputField(f"f{place}", Kind.NUMBER, minimum=-10.0, maximum=10.0)
        for place in range(_COLUMNS)
    )


def rows_of_hour(hour: datetime, count: int, seed: int) -> pl.DataFrame:
    """Made-up answers of an hour."""
    random = np.random.default_rng(seed)
    value = random.random(count)
    names = pl.Series([f"value {code}" for code in range(20)])
    base = int(hour.timestamp() * 1e6)
    at = pl.Series(np.sort(random.integers(0, 3_600_000_000, count)) + base).cast(pl.Datetime("us", "UTC"))
    ids = [f"{hour:%d%H}-{n:07d}/0" for n in range(count)]
    columns: dict[str, Any] = {
        "day": at.cast(pl.Date),
        "id": ids,
        "request_id": [name.partition("/")[0] for name in ids],
        "row": pl.zeros(count, pl.Int32, eager=True),
        "at": at,
        "release": pl.zeros(count, pl.Int32, eager=True) + 7,
        "role": ["champion"] * count,
        "arm": pl.Series([None] * count, dtype=pl.String),
        "key": pl.Series([None] * count, dtype=pl.String),
        "latency_us": pl.Series(random.integers(100, 5000, count)).cast(pl.Int32),
        "prediction": np.where(value >= 0.4, "yes", "no"),
        "value": value,
        "outputs": pl.Series(np.stack([1 - value, value], 1)).arr.to_list(),
    }
    for field in inputs():
        made = names.gather(random.integers(0, 20, count)) if field.vocabulary else random.normal(size=count)
        columns[INPUT_PREFIX + field.name] = made
    return pl.DataFrame(columns)


def added_hour(folder: Path, rows_per_hour: int) -> dict[str, float]:
    """Seconds to sketch the week, to add an hour, to read the week; all in this process."""
    tables = DeltaTables(str(folder / f"tables-{rows_per_hour}"))
    manifests = {7: a_manifest(model=MODEL, inputs=inputs())}

    def hour(number: int) -> datetime:
        return _MONDAY + number * _HOUR

    def log(numbers: range) -> Iterator[datetime]:
        for number in numbers:
            frame = rows_of_hour(hour(number), rows_per_hour, number)
            offsets = {"log": (number, number + 1)}
            tables.record(predictions_table(MODEL), frame, partition="day", offsets=offsets)
            yield hour(number) + _HOUR

    began = time.perf_counter()
    spent = 0.0
    for now in log(range(_WEEK)):
        before = time.perf_counter()
        update_hours(tables, MODEL, manifests, now=now)
        spent += time.perf_counter() - before
    written = time.perf_counter() - began - spent
    (now,) = log(range(_WEEK, _WEEK + 1))
    began = time.perf_counter()
    taken = update_hours(tables, MODEL, manifests, now=now)
    adding = time.perf_counter() - began
    if taken != rows_per_hour:
        raise ValueError(f"{taken} rows were taken in and not {rows_per_hour}")
    began = time.perf_counter()
    found = window_profile(tables, MODEL, Window(_MONDAY + _HOUR, now))
    reading = time.perf_counter() - began
    if found.rows != _WEEK * rows_per_hour:
        raise ValueError(f"the week has {found.rows} rows")
    return {
        "rows of the log": float((_WEEK + 1) * rows_per_hour),
        "seconds to write the log": round(written, 2),
        "seconds to sketch the week, hour by hour": round(spent, 3),
        "seconds to add an hour": round(adding, 4),
        "seconds to read the week": round(reading, 4),
    }
