"""The two tables in which score jobs are kept: their sketches, and some of their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import polars as pl

from mainspring.domain.ports import Tables
from mainspring.monitoring.hours.sketch_rows import SKETCH_SCHEMA
from mainspring.monitoring.jobs.job import Job

NUMBERS = "jobs"  # the application whose place is the number of the newest job
KEPT = timedelta(days=400)  # a year, so that a yearly job has one before it
SAMPLES_KEPT = timedelta(days=35)  # for labels that come late

JOBS_SCHEMA: dict[str, Any] = {
    **SKETCH_SCHEMA,
    "job": pl.String(),  # its id
    "number": pl.Int64(),  # jobs of a model are counted in the order in which they ended
    "facts": pl.String(),  # JSON of the `Job`; in one row of each
}


def jobs_table(model: str) -> str:
    """The name of the table of the sketches of a model's score jobs."""
    return f"jobs/{model}"


def job_samples_table(model: str) -> str:
    """The name of the table of some rows of each of a model's score jobs."""
    return f"job_samples/{model}"


def newest_number(tables: Tables, model: str) -> int:
    """Of the jobs that ended so far; 0 where there are none."""
    return tables.offset(jobs_table(model), NUMBERS)


def jobs_of(tables: Tables, model: str, *, after: int = 0, since: datetime | None = None) -> list[Job]:
    """A model's jobs in the order in which they ended.

    Args:
        after: only those of a higher number.
        since: only those that began from the day of this time on.
    """
    table = jobs_table(model)
    if not tables.exists(table):
        return []
    rows: pl.LazyFrame = tables.scan(table).filter(pl.col("facts").is_not_null(), pl.col("number") > after)
    if since is not None:
        rows = rows.filter(pl.col("day") >= since.date())
    facts = rows.select("number", "facts").collect().sort("number").get_column("facts")
    return [msgspec.json.decode(one, type=Job) for one in facts]


def sketches_of(tables: Tables, model: str, jobs: Sequence[Job]) -> pl.DataFrame:
    """The rows of the table of sketches that are of these jobs."""
    table = jobs_table(model)
    if not jobs or not tables.exists(table):
        return pl.DataFrame(schema=JOBS_SCHEMA)
    return _of(tables.scan(table), jobs)


def samples_of(tables: Tables, model: str, jobs: Sequence[Job]) -> pl.DataFrame:
    """The rows that are kept of these jobs; of one whose rows are no longer kept, none."""
    table = job_samples_table(model)
    if not jobs or not tables.exists(table):
        return pl.DataFrame(schema=SAMPLE_SCHEMA)
    return _of(tables.scan(table), jobs).sort("job", "row")


def _of(rows: pl.LazyFrame, jobs: Sequence[Job]) -> pl.DataFrame:
    days = sorted({job.began.date() for job in jobs})
    ids = [job.id for job in jobs]
    return rows.filter(pl.col("day").is_in(days), pl.col("job").is_in(ids)).collect()


SAMPLE_SCHEMA: Mapping[str, Any] = {
    "day": pl.Date(),  # on which the job began; the partition
    "job": pl.String(),
    "row": pl.Int64(),  # its number in the job
    "id": pl.String(),  # job/row
    "at": pl.Datetime("us", "UTC"),  # when the job began
    "release": pl.Int32(),
    "role": pl.String(),
    "key": pl.String(),
    "prediction": pl.String(),
    "value": pl.Float64(),
    "outputs": pl.List(pl.Float64()),
}
"""Columns of the inputs follow, as in the prediction log."""
