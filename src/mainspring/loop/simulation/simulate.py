"""Simulates a project's loop over a recorded stream: the same code, a workspace of its own, a played clock."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mainspring.domain.release import ReleaseRef
from mainspring.errors import DeclarationError, UsageError
from mainspring.loop.simulation.clock import SimulatedClock, processor_seconds
from mainspring.loop.simulation.delay import LabelDelay
from mainspring.loop.simulation.gateway import SimulatedGateway
from mainspring.loop.simulation.outcome import Course, Simulated
from mainspring.loop.simulation.policies import Log, Policies
from mainspring.loop.simulation.quality import judged
from mainspring.loop.simulation.schedules import Schedule, follow_schedule
from mainspring.loop.simulation.scratch import Scratch, scratch_project
from mainspring.loop.simulation.stream import Stream, read_stream
from mainspring.workspace import Workspace

if TYPE_CHECKING:
    from mainspring.domain.budget import Budget
    from mainspring.project import Project
    from mainspring.training.dataset import TrainingData

OURS, NEVER = "the policies", "never trained again"
_EVERY = 100  # rows between two turns, on the average, at most
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationPlan:
    """What is to be simulated.

    Attributes:
        files: the stream: paths or globs.
        start: so many of its first rows are what the first release learns from.
        delay: of the labels.
        rows_an_hour: how fast the rows come; by the source's times where not given.
        schedules: what it is compared with, beside no training at all.
        budget: of the trainings; the settings' where not given.
        metric: by which it is compared; the model's own where not given.
    """

    files: tuple[str, ...]
    start: int
    delay: LabelDelay
    rows_an_hour: float | None = None
    schedules: tuple[Schedule, ...] = ()
    budget: Budget | None = None
    metric: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """How far a simulation has come.

    Attributes:
        rows: of the stream that were answered, of `of`.
        log: what has happened so far.
    """

    rows: int
    of: int
    log: Log


def simulate(
    project: Project,
    plan: SimulationPlan,
    *,
    told: Callable[[Turn], object] = lambda _: None,
    folder: Path | None = None,
) -> Simulated:
    """Play the stream: answers, labels, monitors, triggers, trainings and rollouts, as they would have been.

    Nothing of the project is touched: code and schema are copied, and everything is kept in a folder of its own.
    A training takes no time of the stream's; what it costs the machine is measured.

    Args:
        told: after each turn of the loop.
        folder: an empty one, which keeps what was played; one that is removed at the end where not given.

    Raises:
        UsageError: the project has no schema yet, the stream is too short, or there is no such metric.
        DataError: the stream cannot be read.
        MainspringError: there is no first release; why.
    """
    if not project.schema_path.exists():
        raise UsageError(
            f"{project.schema_path.name} is not there yet, and says how the stream is to be read",
            cure="mainspring init --data … --target …, or mainspring run once",
        )
    metric = _metric(project, plan.metric)
    with ExitStack() as opened:
        if folder is None:
            folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="mainspring-simulation-")))
        reader = scratch_project(project, Scratch.of(project, _made(folder / "reading")))
        with Workspace(reader.settings) as reading:
            stream = read_stream(
                reading, reader, list(plan.files), start=plan.start, rows_an_hour=plan.rows_an_hour
            )
        scratch = Scratch.of(project, _made(folder / "project"))
        copy = scratch_project(project, scratch, stream.rows[: stream.start])
        return _played(scratch, copy, stream, plan, metric, told)


def _played(
    scratch: Scratch,
    project: Project,
    stream: Stream,
    plan: SimulationPlan,
    metric: str,
    told: Callable[[Turn], object],
) -> Simulated:
    model = project.model
    clock = SimulatedClock(stream.begins_at - _HOUR)
    with Workspace(project.settings, clock) as workspace:
        budget = plan.budget or project.settings.budget
        policies = Policies(scratch, project, workspace, clock, budget=budget)
        policies.first_release()
        first = workspace.catalogue.find(ReleaseRef(model.name, alias="champion"))
        data = _as_training_sees_it(workspace, project, stream)
        began = processor_seconds()
        with SimulatedGateway(workspace, model.name, data.classes) as gateway:
            heard = policies.follow(
                stream,
                gateway,
                plan.delay,
                _pause(stream),
                model.target,
                lambda row, log: told(Turn(row - stream.start, len(stream.at) - stream.start, log)),
            )
            seconds = processor_seconds() - began
            never = gateway.outputs(first.number, stream.rows[stream.start :])
            changes = [
                judged(one, lambda number, rows: gateway.outputs(number, stream.rows[rows]), data.y, data.task)
                for one in policies.log.changes
            ]
        record = workspace.catalogue.manifest(first).training
        assert record is not None, "the first release was trained"
        beside = [
            follow_schedule(one, stream, plan.delay, project=project, record=record, data=data, never=never)
            for one in plan.schedules
        ]
    log = policies.log
    spent = sum(one.seconds for one in log.trainings)
    return Simulated(
        model=model.name,
        metric=metric,
        task=data.task,
        classes=data.classes,
        positive=data.positive,
        start=stream.start,
        at=stream.at[stream.start :],
        truth=data.y[stream.start :],
        courses=(
            Course(OURS, heard.outputs, len(log.trainings), spent),
            Course(NEVER, never, 0, 0.0),
            *beside,
        ),
        trainings=tuple(log.trainings),
        changes=tuple(changes),
        alerts=tuple(log.alerts),
        seconds=seconds,
        held=log.held,
    )


def _metric(project: Project, asked: str | None) -> str:
    from mainspring.data.schema_file import read_schema
    from mainspring.domain.task import metric_named
    from mainspring.loop.lifecycle.resolution import resolve

    resolved = resolve(project.model, read_schema(project.schema_path))
    try:
        return metric_named(asked or resolved.metric, resolved.task).name
    except DeclarationError as error:
        raise UsageError(error.message, cure=error.cure) from error


def _as_training_sees_it(workspace: Workspace, project: Project, stream: Stream) -> TrainingData:
    """All rows of the stream, for plain trainings and for their truth."""
    from mainspring.loop.lifecycle.model_rows import ModelRows
    from mainspring.loop.lifecycle.resolution import training_data

    made = ModelRows(workspace, project)
    return training_data(made.with_computed(stream.rows), project.model, made.resolved, made.schema)


def _pause(stream: Stream) -> timedelta:
    """Whole hours between two turns: one, or as many as bring a hundred rows or less on the average."""
    length = stream.at[-1] - stream.begins_at
    rows = len(stream.at) - stream.start
    hours = length / _HOUR / max(rows / _EVERY, 1.0)
    return max(1, int(np.floor(hours))) * _HOUR


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def schedules_of(every: Sequence[LabelDelay], start: int) -> tuple[Schedule, ...]:
    """Each with a growing window, and with a sliding one of as many rows as the first release had."""
    return tuple(Schedule(one, window) for one in every for window in (None, start))
