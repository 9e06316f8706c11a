"""What the prediction log costs, and how quick a year of it is to read: `make benchmark-prediction-log`.

A year of day partitions, seven of one million rows, is written as the drainer writes it; then one day of it is
read as it is and as `predictions()` reads it, each time by a new process.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import thread_time
from typing import Any

import numpy as np
import pyarrow as pa

from harness import Report, medians, say
from mainspring.clock import SYSTEM_CLOCK
from mainspring.domain.prediction_log import PREDICTION_COLUMNS, predictions_table
from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind
from mainspring.serving.drain import Drain
from mainspring.serving.journal import Journal
from mainspring.serving.prediction_rows import arrow_schema
from mainspring.serving.spool import Spool
from mainspring.stores.tables_delta import DeltaTables
from mainspring.testing.releases import a_manifest

MODEL = "adclick"
_FIRST = date(2026, 1, 1)
_PART = 250_000  # rows of a commit
_INPUTS = 14
_READ = """
import sys, time
from datetime import datetime, timedelta, UTC
from mainspring.stores.tables_delta import DeltaTables
from mainspring.data.predictions import predictions
import polars as pl
tables = DeltaTables(sys.argv[1])
since = datetime.fromisoformat(sys.argv[3])
began = time.perf_counter()
rows = predictions(tables, sys.argv[2], since=since, until=since + timedelta(days=1))
found = rows.select(pl.len(), pl.col("value").mean(), pl.col("input_f0").mean()).collect()
joined = time.perf_counter() - began
began = time.perf_counter()
day = tables.scan(f"predictions/{sys.argv[2]}").filter(pl.col("day") == since.date())
plain = day.group_by("release", "prediction").agg(pl.len(), pl.col("value").mean(), pl.col("input_f0").mean())
plain = plain.collect()
print(found.item(0, 0), plain.get_column("len").sum(), joined, time.perf_counter() - began)
"""


def rows_of_day(day: date, count: int, seed: int) -> Iterator[pa.Table]:
    """Made-up answers of a day, in the order of their times."""
    random = np.random.default_rng(seed)
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1e6)
    at = np.sort(random.integers(0, 86_400_000_000, count)) + midnight
    for first in range(0, count, _PART):
        part = at[first : first + _PART]
        size = len(part)
        names = [f"{day:%Y%m%d}-{n:07d}" for n in range(first, first + size)]
        value = random.random(size)
        columns: dict[str, Any] = {
            "day": pa.array([day] * size, pa.date32()),
            "id": pa.array([f"{name}/0" for name in names]),
            "request_id": pa.array(names),
            "row": pa.array(np.zeros(size, np.int32)),
            "at": pa.array(part, pa.timestamp("us", tz="UTC")),
            "release": pa.array(np.where(random.random(size) < 0.1, 2, 1).astype(np.int32)),
            "role": pa.array(["champion"] * size),
            "arm": pa.nulls(size, pa.string()),
            "key": pa.array(names),
            "latency_us": pa.array(random.integers(100, 5000, size).astype(np.int32)),
            "prediction": pa.array(np.where(value >= 0.5, "yes", "no").tolist()),
            "value": pa.array(value),
            "outputs": pa.FixedSizeListArray.from_arrays(
                pa.array(np.stack([1 - value, value], 1).ravel()), 2
            ).cast(pa.list_(pa.float64())),
        }
        table = pa.table(columns).cast(arrow_schema(PREDICTION_COLUMNS))
        for place in range(_INPUTS):
            made = random.normal(size=size) if place % 2 == 0 else random.integers(0, 50, size).astype(float)
            table = table.append_column(f"input_f{place}", pa.array(made))
        yield table


def write_year(tables: DeltaTables, days: int, few: int, many: int) -> dict[str, float]:
    """Fill the log, and let it be kept as the drainer keeps it."""
    began = SYSTEM_CLOCK.monotonic()
    offset = 0
    large = large_days(days)
    name = predictions_table(MODEL)
    for number in range(days):
        day = _FIRST + timedelta(days=number)
        count = many if number in large else few
        for table in rows_of_day(day, count, number):
            tables.record(name, table, partition="day", offsets={"w": (offset, offset + 1)})
            offset += 1
        if count > _PART:
            tables.compact(name, day.isoformat())
        if number % 60 == 59:
            say(f"{number + 1} days of {days} written")
    tables.tidy(name)
    return {"write_seconds": round(SYSTEM_CLOCK.monotonic() - began, 1)}


def large_days(days: int) -> tuple[int, ...]:
    """Seven days, spread over the year, the last of them the newest."""
    return tuple(days - 1 - place * days // 7 for place in range(7))


def read_day(folder: Path, day: date) -> tuple[int, int, dict[str, float]]:
    since = datetime(day.year, day.month, day.day, tzinfo=UTC).isoformat()
    command = [sys.executable, "-c", _READ, str(folder), MODEL, since]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    joined_rows, rows, joined, plain = done.stdout.split()
    return int(joined_rows), int(rows), {"predictions_seconds": float(joined), "scan_seconds": float(plain)}


def hot_path(folder: Path) -> dict[str, float]:
    """Microseconds that the log adds to a request of one row; the least of several, since the machine is busy."""
    spool = Spool(folder / "gateway" / "1" / "spool", "w", limit=1 << 40)
    journal = Journal(spool, bytes(32))
    inputs = tuple(InputField(f"f{place}", Kind.NUMBER) for place in range(_INPUTS))
    manifest = a_manifest(model="hot", inputs=inputs)
    row = {field.name: 1.25 * place for place, field in enumerate(inputs)}
    body = json.dumps(row).encode()
    name = "0190a1b2-0000-7000-8000-000000000000"

    def log() -> None:
        journal.predicted(name, manifest, [row], [[0.2, 0.8]], 0.0005, body=body)

    runs, number = 7, 20_000
    seconds = min(timeit.repeat(log, number=number, repeat=runs, timer=thread_time)) / number
    spool.close()
    drain = Drain(
        folder / "gateway" / "1",
        DeltaTables(str(folder / "hot")),
        SYSTEM_CLOCK,
        commit_every=10,
        commit_rows=50_000,
    )
    drain.take()
    began = SYSTEM_CLOCK.monotonic()
    while not drain.idle or not drain.state.rows:
        drain.step(at_once=True)
    took = SYSTEM_CLOCK.monotonic() - began
    drain.close()
    return {"append_us": round(seconds * 1e6, 2), "drained_rows_per_second": round(runs * number / took)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--few", type=int, default=10_000, help="rows of an ordinary day")
    parser.add_argument("--many", type=int, default=1_000_000, help="rows of each of seven days")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    report = Report("prediction_log")
    with tempfile.TemporaryDirectory(prefix="log-") as place:
        folder = Path(place)
        say("the hot path and the drainer")
        report.figures |= hot_path(folder)
        tables = DeltaTables(str(folder / "tables"))
        say(f"writing {arguments.days} days")
        report.figures |= write_year(tables, arguments.days, arguments.few, arguments.many)
        sizes = tables.partitions(predictions_table(MODEL))
        report.figures["days"] = len(sizes)
        report.figures["files"] = sum(map(len, sizes.values()))
        report.figures["megabytes"] = round(sum(map(sum, sizes.values())) / 2**20, 1)
        large = large_days(arguments.days)
        seen = []
        for number in range(arguments.rounds):
            day = _FIRST + timedelta(days=large[number % len(large)])
            joined_rows, rows, seconds = read_day(folder / "tables", day)
            assert joined_rows == rows == arguments.many, (joined_rows, rows)
            seen.append(seconds)
        report.figures |= medians(seen)
        report.figures["rounds"] = seen
    report.check("prediction log: days of a year", report.figures["days"], arguments.days, "equals")
    report.check(
        "prediction log: seconds to read a day of a million rows", report.figures["scan_seconds"], 1.0, "at_most"
    )
    return 0 if report.write() else 1


if __name__ == "__main__":
    sys.exit(main())
