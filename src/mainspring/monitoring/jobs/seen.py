"""The rows of score jobs as monitors look at them: profiles, samples, slices, and the truth about them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import polars as pl

from mainspring.data.predictions import beside_truth
from mainspring.domain.input_columns import input_columns
from mainspring.domain.measurement import Window
from mainspring.domain.monitor import named_window
from mainspring.domain.ports import Tables
from mainspring.domain.release import Manifest
from mainspring.monitoring.hours.slices import slice_text, slice_texts
from mainspring.monitoring.hours.window_profile import WindowProfile, profile_of_sketches
from mainspring.monitoring.jobs.job import Job
from mainspring.monitoring.jobs.recording import sketches_of_rows
from mainspring.monitoring.jobs.tables import job_samples_table, jobs_of, samples_of, sketches_of

_DAY = timedelta(days=1)
SEASONS = 4  # weeks


def job_profile(
    tables: Tables,
    manifest: Manifest,
    job: Job,
    window: Window,
    slice: Mapping[str, str],  # noqa: A002
) -> WindowProfile:
    """What the rows of a job were like, or those of the jobs that began in another window.

    Args:
        slice: of the rows with these values; known of the sampled rows alone.
    """
    model, jobs = manifest.model, _jobs(tables, manifest.model, job, window)
    if not slice:
        return profile_of_sketches(sketches_of(tables, model, jobs), window)
    found = []
    for one in jobs:
        rows = samples_of(tables, model, [one])
        texts = _slices(tables, manifest, rows, slice)
        if texts is not None:
            part = rows.filter(texts == slice_text(slice))
            logged = _as_of_log(tables, manifest, part)
            found.append(sketches_of_rows(manifest, one, logged, count=part.height))
    return profile_of_sketches(pl.concat(found) if found else sketches_of(tables, model, []), window)


def job_sample(tables: Tables, model: str, job: Job, window: Window) -> pl.DataFrame:
    """The rows that are kept of a job, or of those of another window; inputs as the table names them."""
    return samples_of(tables, model, _jobs(tables, model, job, window)).drop("day", "job", "row")


def job_slices(
    tables: Tables, manifest: Manifest, job: Job, window: Window, by: Collection[str]
) -> list[tuple[dict[str, str], int]]:
    """The slices that the sampled rows have, with these rows, the greatest first."""
    rows = samples_of(tables, manifest.model, _jobs(tables, manifest.model, job, window))
    texts = _slices(tables, manifest, rows, by)
    if texts is None:
        return []
    counts = texts.alias("slice").value_counts(name="rows").sort("rows", "slice", descending=[True, False])
    return [(msgspec.json.decode(text), rows) for text, rows in counts.iter_rows()]


def job_rows_beside_truth(
    tables: Tables, model: str, job: Job, window: Window, *, as_of: datetime
) -> pl.DataFrame:
    """The sampled rows beside the labels that came for their keys, as `data.predictions` gives them."""
    rows = job_sample(tables, model, job, window)
    return beside_truth(tables, model, rows.lazy(), as_of=as_of).collect()


def windows_of_jobs(tables: Tables, model: str, job: Job, reference: str) -> tuple[list[Window], str]:
    """The past windows that a monitor's reference means of a job, and what they are in words.

    Raises:
        DeclarationError: the named time is none.
    """
    if reference == "previous":
        before = [one for one in jobs_of(tables, model) if one.number < job.number]
        return [one.window for one in before[-1:]], "the job before"
    if reference == "season":
        today = job.began.replace(hour=0, minute=0, second=0, microsecond=0)
        days = [today - week * 7 * _DAY for week in range(1, SEASONS + 1)]
        return [Window(day, day + _DAY) for day in days], "the jobs of the same weekday of the four weeks before"
    return [named_window(reference)], f"the jobs of {reference}"


def _jobs(tables: Tables, model: str, job: Job, window: Window) -> list[Job]:
    if window == job.window:
        return [job]
    known = jobs_of(tables, model, since=window.start)
    same = [one for one in known if one.window == window]
    return same or [one for one in known if one.began in window and one.id != job.id]


def _slices(tables: Tables, manifest: Manifest, rows: pl.DataFrame, by: Collection[str]) -> pl.Series | None:
    """The slice of each row; `None` where there are no rows or not all of these inputs are kept."""
    fields = {field.name: field for field in manifest.inputs if field.personal is None}
    if rows.is_empty() or not fields.keys() >= set(by):
        return None
    places = input_columns(tables.columns(job_samples_table(manifest.model)), manifest.inputs)
    return slice_texts(rows, {name: (places[name][0], fields[name]) for name in sorted(by)})


def _as_of_log(tables: Tables, manifest: Manifest, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with their inputs where they stand in a log that has this release's alone."""
    there = input_columns(tables.columns(job_samples_table(manifest.model)), manifest.inputs)
    alone = input_columns({}, manifest.inputs)
    kept: Sequence[str] = [name for name, (column, _) in there.items() if column in rows.columns]
    own = [column for column in rows.columns if column in _OWN]
    return pl.DataFrame(
        [
            *(rows.get_column(column) for column in own),
            *(rows.get_column(there[name][0]).alias(alone[name][0]) for name in kept),
        ]
    )


_OWN = ("at", "release", "role", "prediction", "value", "outputs")
