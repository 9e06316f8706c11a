"""Lets the monitors look at the score jobs that ended since they last did: each at each job once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from mainspring.domain.measurement import Measurement
from mainspring.domain.monitor import Monitor, MonitorKind
from mainspring.monitoring.jobs.job import Job
from mainspring.monitoring.jobs.seen import job_rows_beside_truth
from mainspring.monitoring.jobs.tables import NUMBERS, SAMPLES_KEPT, jobs_of, jobs_table
from mainspring.monitoring.measurements import all_measured_until, write_measurements
from mainspring.monitoring.measuring import measured
from mainspring.monitoring.opening import Stores, open_job_context

MOST_AT_ONCE = 48
"""After a pause only so many of the newest jobs are looked at: older ones would tell what is over."""

_GIVEN_UP = SAMPLES_KEPT - timedelta(days=1)  # then the rows go, and labels that come later find none


def monitors_of_jobs(monitors: Sequence[Monitor]) -> list[Monitor]:
    """Those that look at score jobs in place of these."""
    found = (monitor.of_jobs for monitor in monitors)
    return [monitor for monitor in found if monitor is not None]


def evaluate_jobs(
    stores: Stores, model: str, monitors: Sequence[Monitor], *, label_delay: timedelta | None = None
) -> tuple[Measurement, ...]:
    """What the monitors say of the jobs that they have not looked at yet.

    A performance is measured once its labels are in: after the `label_delay`, else as soon as `min_label_share`
    of the rows that are kept have one; of a job that labels of a later one have overtaken, what there is by then.

    Args:
        monitors: as the model declares them.
        label_delay: as the model declares it.

    Raises:
        StoreError: another process has looked meanwhile.
    """
    tables, now = stores.tables, stores.clock.now()
    newest = tables.offset(jobs_table(model), NUMBERS)
    if not newest:
        return ()
    own = monitors_of_jobs(monitors)
    until = all_measured_until(tables, model, [monitor.name for monitor in own])
    waiting = [monitor for monitor in own if until[monitor.name] < newest]
    if not waiting:
        return ()
    oldest = max(min(until[monitor.name] for monitor in waiting), newest - MOST_AT_ONCE)
    jobs = jobs_of(tables, model, after=oldest)
    ticks: dict[str, tuple[int, int]] = {}
    found: list[Measurement] = []
    for monitor in waiting:
        due = [job for job in jobs if job.number > until[monitor.name]]
        if monitor.kind is MonitorKind.PERFORMANCE:
            due = _with_labels(stores, model, monitor, due, now, label_delay)
        for job in due:
            # What rests on the rows alone was so when the job ended; what rests on labels is known now.
            at = now if monitor.kind is MonitorKind.PERFORMANCE else job.ended
            found += measure_job(stores, model, job, [monitor], at=at, label_delay=label_delay)
        if due:
            ticks[monitor.name] = (until[monitor.name], due[-1].number)
    if ticks:
        write_measurements(tables, model, found, ticks=ticks)
    return tuple(found)


def measure_job(
    stores: Stores,
    model: str,
    job: Job,
    monitors: Sequence[Monitor],
    *,
    at: datetime,
    label_delay: timedelta | None = None,
) -> list[Measurement]:
    """What monitors of jobs say of a job; nothing is written."""
    context = open_job_context(stores, model, job, at, label_delay)
    if context is None:
        return []
    found: list[Measurement] = []
    for monitor in monitors:
        found += measured(context, monitor, job.window)
    # A look that failed says nothing of the job by itself.
    return [one if one.job else replace(one, job=job.name) for one in found]


def _with_labels(
    stores: Stores,
    model: str,
    monitor: Monitor,
    jobs: Sequence[Job],
    now: datetime,
    label_delay: timedelta | None,
) -> list[Job]:
    """Those up to the last one whose labels are in."""
    ready = 0
    for place, job in enumerate(jobs, start=1):
        due = now >= job.ended + (_GIVEN_UP if label_delay is None else min(label_delay, _GIVEN_UP))
        if due or (label_delay is None and _share(stores, model, job, now) >= monitor.min_label_share):
            ready = place
    return list(jobs[:ready])


def _share(stores: Stores, model: str, job: Job, now: datetime) -> float:
    """Of the rows that are kept, with a label."""
    rows = job_rows_beside_truth(stores.tables, model, job, job.window, as_of=now)
    return rows.get_column("label_at").count() / rows.height if rows.height else 0.0
