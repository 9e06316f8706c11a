"""Writes what is kept of a score job into its tables: once, whatever is killed when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.clock import Clock
from mainspring.data.past_days import merge_past_days
from mainspring.domain.input_columns import input_columns
from mainspring.domain.ports import Tables
from mainspring.domain.release import Manifest, OutputSpec
from mainspring.domain.schema import Kind
from mainspring.errors import StoreError, WorkspaceBusy
from mainspring.monitoring.hours.sketch_rows import LATENCY, LOG, Sketch, SketchKey, sketch_frame
from mainspring.monitoring.hours.sketches import WHOLE, HourSketches
from mainspring.monitoring.jobs.job import BATCH, Job
from mainspring.monitoring.jobs.sampling import chosen, halvings
from mainspring.monitoring.jobs.tables import (
    JOBS_SCHEMA,
    KEPT,
    NUMBERS,
    SAMPLE_SCHEMA,
    SAMPLES_KEPT,
    job_samples_table,
    jobs_of,
    jobs_table,
)
from mainspring.monitoring.windows import hour_of
from mainspring.release.labels import predicted_classes

ROW, KEY, OUTPUTS = "row", "key", "outputs"
"""Columns of the rows that are kept while a job is under way; inputs are named by their number."""

SAMPLED = 10_000
"""Rows of a job, at most, that are kept as they are: for slices, labels and what looks at whole rows."""

_ATTEMPTS = 20  # at a commit that others were faster than
_TIDIED = 16  # jobs after which the tables are tidied
_MANY = 4  # files of a day that is over which are merged into one


def record_job(
    tables: Tables, manifest: Manifest, job: Job, rows: pl.DataFrame, clock: Clock, *, again: bool = True
) -> Job:
    """Keep the sketches of a job's rows and a sample of these; the job as it was recorded, now or before.

    Args:
        job: its number and its end are found out here.
        rows: of which the sketches are, with the columns `ROW`, `KEY`, `OUTPUTS` and those of the inputs.
        again: that it may have been recorded before; to look for it takes as long as to write it.

    Raises:
        StoreError: a table cannot be written.
        WorkspaceBusy: others kept writing at the same time.
    """
    model = manifest.model
    log = _as_logged(manifest, job, rows)
    sample = _sampled(log, job)
    if sample.height:
        table = job_samples_table(model)
        _once(tables, table, job, lambda _: _named(tables, manifest, table, sample), again=again)
    sketches = sketches_of_rows(manifest, job, log, count=job.rows)
    recorded = job

    def numbered(number: int) -> pl.DataFrame:
        nonlocal recorded
        recorded = job.numbered(number, max(clock.now(), job.began))
        return _frame(sketches, recorded)

    is_new = _once(tables, jobs_table(model), job, numbered, again=again)
    if is_new:
        if recorded.number % _TIDIED == 0:
            _tidy(tables, model, clock.now())
        return recorded
    (found,) = (one for one in jobs_of(tables, model, since=job.began) if one.id == job.id)
    return found


def sketches_of_rows(manifest: Manifest, job: Job, log: pl.DataFrame, *, count: int) -> pl.DataFrame:
    """The sketches of rows of a job as rows of the table of hourly sketches, and that it had so many rows."""
    sketches = HourSketches(
        {job.release: manifest},
        dict(input_columns({}, manifest.inputs).values()),
        generation=0,
        now=job.began,
    )
    if log.height:
        sketches.add(log.with_columns(pl.lit(None, pl.Int32).alias("latency_us")))
    counted = Sketch.of_an_hour(Kind.NUMBER, job.began)
    counted.profile.rows = counted.profile.missing = count  # nobody waited for one of them
    key = SketchKey(hour_of(job.began), 1, 0, job.release, BATCH, WHOLE, LOG, LATENCY)
    return sketch_frame([(key, counted), *(one for one in sketches.items() if one[0].part != LOG)])


def _frame(sketches: pl.DataFrame, job: Job) -> pl.DataFrame:
    facts = [job.facts()] + [None] * (sketches.height - 1)
    return sketches.with_columns(
        pl.lit(job.id).alias("job"),
        pl.lit(job.number, pl.Int64).alias("number"),
        pl.Series("facts", facts, dtype=pl.String),
    ).select(*JOBS_SCHEMA)


def _as_logged(manifest: Manifest, job: Job, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows in the columns of the prediction log."""
    if rows.is_empty():
        return pl.DataFrame(schema=SAMPLE_SCHEMA)
    decided, value = _decided(rows.get_column(OUTPUTS).to_numpy(), manifest.output)
    places = input_columns({}, manifest.inputs)
    fields = [field for field in manifest.inputs if field.personal is None]
    return rows.select(
        pl.lit(job.began.date()).alias("day"),
        pl.lit(job.id).alias("job"),
        pl.col(ROW),
        pl.format("{}/{}", pl.lit(job.id), pl.col(ROW)).alias("id"),
        pl.lit(job.began).dt.cast_time_unit("us").alias("at"),
        pl.lit(job.release, pl.Int32).alias("release"),
        pl.lit(BATCH).alias("role"),
        pl.col(KEY),
        decided,
        value,
        pl.col(OUTPUTS).arr.to_list(),
        *(pl.col(str(number)).alias(places[field.name][0]) for number, field in enumerate(fields)),
    )


def _decided(outputs: NDArray[np.float64], spec: OutputSpec) -> tuple[pl.Series, pl.Series]:
    """The prediction and the value, as the prediction log has them."""
    if not spec.classes:
        nothing = pl.repeat(None, len(outputs), dtype=pl.String, eager=True)
        return nothing.alias("prediction"), pl.Series("value", outputs[:, 0])
    places = predicted_classes(outputs, spec)
    shown = spec.classes.index(spec.positive) if spec.positive is not None else places
    labels = pl.Series("prediction", spec.classes).gather(places)
    return labels, pl.Series("value", outputs[np.arange(len(outputs)), shown])


def _sampled(log: pl.DataFrame, job: Job) -> pl.DataFrame:
    halved = halvings(job.rows, SAMPLED)
    return log.filter(chosen(log.get_column(ROW).to_numpy(), halved)) if halved else log


def _named(tables: Tables, manifest: Manifest, table: str, sample: pl.DataFrame) -> pl.DataFrame:
    """The sample with its inputs under the names that the table has for them."""
    present = tables.columns(table) if tables.exists(table) else {}
    plain, there = input_columns({}, manifest.inputs), input_columns(present, manifest.inputs)
    names = {plain[name][0]: there[name][0] for name in plain if plain[name][0] in sample.columns}
    return sample.rename({before: after for before, after in names.items() if before != after})


def _once(tables: Tables, table: str, job: Job, rows: Callable[[int], pl.DataFrame], *, again: bool) -> bool:
    """Add a job's rows to a table, unless it has them; whether it had not.

    Args:
        rows: given the number that the job has in this table.
    """
    for _ in range(_ATTEMPTS):
        before = tables.offset(table, NUMBERS)
        # Looked at after the offset was read: who adds the job in between moves the offset, and is noticed.
        if again and before and _has(tables, table, job):
            return False
        try:
            offsets = {NUMBERS: (before, before + 1)}
            tables.record(table, rows(before + 1), partition="day", offsets=offsets)
        except StoreError:
            if tables.offset(table, NUMBERS) == before:
                raise
            again = True
            continue
        return True
    raise WorkspaceBusy(f"the table {table} is being written by others", cure="try again", where={"table": table})


def _has(tables: Tables, table: str, job: Job) -> bool:
    rows: pl.LazyFrame = tables.scan(table)
    same = rows.filter(pl.col("day") == job.began.date(), pl.col("job") == job.id)
    return not same.select("job").head(1).collect().is_empty()


def _tidy(tables: Tables, model: str, now: datetime) -> None:
    """Drop what is too old, and merge the files of days that are over."""
    for table, kept in ((jobs_table(model), KEPT), (job_samples_table(model), SAMPLES_KEPT)):
        if not tables.exists(table):
            continue
        changed = tables.drop(table, before=(now - kept).date().isoformat())
        changed += merge_past_days(tables, table, now.date(), at_least=_MANY)
        if changed:
            tables.tidy(table)
