"""Score jobs and their monitors: a table is scored, what it was like is kept, and what that means is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.domain.model import Model
from mainspring.domain.monitor import MonitorKind
from mainspring.errors import WorkspaceBusy
from mainspring.loop.watching import Watch, monitoring_stores
from mainspring.project import SCHEMA_FILE, Project
from mainspring.workspace import Workspace

if TYPE_CHECKING:
    from mainspring.batch.scoring import ScoreResult
    from mainspring.domain.alert import Event
    from mainspring.domain.measurement import Measurement
    from mainspring.monitoring.jobs.job import Job
    from mainspring.release.opening import OpenRelease


@dataclass(frozen=True, slots=True)
class Scored:
    """A table that was scored, and the job as monitors see it."""

    result: ScoreResult
    job: Job


def score_release(
    workspace: Workspace,
    project: Project,
    release: OpenRelease,
    inputs: Sequence[str],
    output: str,
    *,
    root: Path,
    keep_columns: bool,
    threads: int,
    on_rows: Callable[[int], None] | None = None,
) -> Scored:
    """Score files (or a Delta table) by a release of the workspace, and keep for its monitors what they were like.

    Args:
        project: whose views are looked at where the rows lack features and say when they happened.
        inputs, output, root, keep_columns, threads, on_rows: as `batch.table.score_table` takes them.

    Raises:
        SourceNotFound, SourceFormatError, ValueParseError: the input is not what it should be.
        UsageError: the output's name tells no format, or a view is not there as the release takes it.
        StoreError: the online store does not answer; or the output is there, but the monitors' tables cannot be
            written; the same call goes on there.
    """
    from mainspring.batch.table import score_table
    from mainspring.monitoring.jobs.watcher import JobWatcher

    watcher = JobWatcher(workspace.tables, release.manifest, workspace.clock, name=Path(output.rstrip("/")).name)
    result = score_table(
        release.manifest,
        release.runtime_for_many_rows(),
        inputs,
        output,
        schema_file=release.folder / "source" / SCHEMA_FILE,
        root=root,
        keep_columns=keep_columns,
        threads=threads,
        environ=project.environ,
        stores=workspace.view_stores(project),
        watcher=watcher,
        on_rows=on_rows,
    )
    assert watcher.job is not None  # the job has ended
    return Scored(result, watcher.job)


@dataclass(frozen=True, slots=True)
class Findings:
    """What the monitors say of a job.

    Attributes:
        events: what people are told of alerts; nothing where another process watches the model, which tells them.
    """

    measurements: tuple[Measurement, ...]
    events: tuple[Event, ...]


def measure_scored(workspace: Workspace, model: Model, job: Job) -> Findings:
    """Let the model's monitors look at a job now: at its inputs and answers, since of labels there are none yet.

    It is kept for the report, and alerts are raised by it, unless another process watches the model: then that one
    does it at its next look.

    Raises:
        StoreError: a store cannot be read or written.
    """
    from mainspring.monitoring.jobs.evaluation import measure_job, monitors_of_jobs

    events: tuple[Event, ...] = ()
    try:
        with Watch(workspace, model) as watch:
            look = watch.look_at_jobs()
    except WorkspaceBusy:
        found = []
    else:
        events = look.events
        found = [one for one in look.measurements if (one.job, one.window) == (job.name, job.window)]
    if not found:
        monitors = [one for one in monitors_of_jobs(model.watched) if one.kind is not MonitorKind.PERFORMANCE]
        found = measure_job(monitoring_stores(workspace), model.name, job, monitors, at=job.ended)
    return Findings(tuple(found), events)
