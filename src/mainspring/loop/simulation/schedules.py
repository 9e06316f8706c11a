"""What a simulation is compared with: no training at all, and plain trainings by a schedule.

A schedule here is what a line of cron would do: the first release's candidate with its parameters, fitted anew on
all labelled rows of its window, and taken at once. So it costs as little as it can, and nothing checks it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mainspring.errors import UsageError
from mainspring.loop.simulation.clock import processor_seconds
from mainspring.loop.simulation.delay import LabelDelay
from mainspring.loop.simulation.outcome import Course

if TYPE_CHECKING:
    from mainspring.domain.release import TrainingRecord
    from mainspring.loop.simulation.stream import Stream
    from mainspring.project import Project
    from mainspring.training.dataset import TrainingData

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Args:
    every: rows, or a time.
    window: so many of the newest labelled rows are learnt from; all where not given.
    """

    every: LabelDelay
    window: int | None = None

    def __str__(self) -> str:
        return f"every {self.every}, " + (f"the last {self.window:,} rows" if self.window else "all rows")

    def moments(self, stream: Stream) -> list[int]:
        """The rows before which it trains."""
        rows = range(stream.start + 1, len(stream.at))
        if self.every.rows is not None:
            return [row for row in rows if (row - stream.start) % self.every.rows == 0]
        assert self.every.time is not None, "a delay is one of the two"
        begin = stream.begins_at
        steps = [(stream.at[row] - begin) // self.every.time for row in (stream.start, *rows)]
        return [row for row, before, step in zip(rows, steps, steps[1:], strict=False) if step > before]


def parse_schedule(text: str) -> LabelDelay:
    """Read `2500 rows` or `7d`.

    Raises:
        UsageError: it is neither, or nothing.
    """
    found = LabelDelay.parse(text)
    if not found.rows and not found.time:
        raise UsageError(f"a schedule of every {text!r} never ends", cure="give e.g. `2500 rows` or 7d")
    return found


def follow_schedule(
    schedule: Schedule,
    stream: Stream,
    delay: LabelDelay,
    *,
    project: Project,
    record: TrainingRecord,
    data: TrainingData,
    never: Floats,
) -> Course:
    """The answers of a schedule's estimators.

    Args:
        record: of the first release.
        data: of all rows of the stream.
        never: the first release's own answers, [m, k], which hold until the first training.
    """
    from mainspring.data.estimator_outputs import outputs_of

    outputs = never.copy()
    known_at = stream.known_at(delay)
    moments = schedule.moments(stream)
    trainings, seconds = 0, 0.0
    for row, until in pairwise([*moments, len(stream.at)]):
        labelled = _labelled(known_at, stream, row)
        first = 0 if schedule.window is None else max(0, labelled - schedule.window)
        if len(np.unique(data.y[first:labelled])) < min(2, len(data.classes)):
            continue  # nothing can be learnt from one class: what there is goes on
        used = processor_seconds()
        estimator = _fitted(project, record, data, first, labelled)
        seconds += processor_seconds() - used
        trainings += 1
        answered = outputs_of(estimator, data.X.iloc[row:until], data.task, data.classes)
        outputs[row - stream.start : until - stream.start] = answered
    return Course(str(schedule), outputs, trainings, seconds)


def _labelled(known_at: list[datetime | None], stream: Stream, row: int) -> int:
    """How many rows have a truth when this one comes; those before the stream's start always had one."""
    count, now = row, stream.at[row]
    while count > stream.start:
        at = known_at[count - 1]
        if at is not None and at <= now:
            break
        count -= 1
    return count


def _fitted(project: Project, record: TrainingRecord, data: TrainingData, first: int, last: int) -> Any:
    from mainspring.training.scoring import estimator_from
    from mainspring.training.seeding import seed_everything
    from mainspring.training.settling import settle
    from mainspring.training.trial import ReplayTrial

    candidate = project.model.candidates[record.candidate]
    seed = record.seeds["trial"]
    seed_everything(seed)
    estimator = estimator_from(candidate, ReplayTrial(record.params, record.trial), record.candidate)
    settle(estimator, seed=seed, threads=record.threads)
    X = data.X.iloc[first:last].reset_index(drop=True)
    fitted = estimator.fit(X, data.y[first:last])
    return estimator if fitted is None else fitted
