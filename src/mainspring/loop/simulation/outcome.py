"""What a simulation found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.domain.task import Task

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SimulatedTraining:
    """A training that a trigger started.

    Attributes:
        row: so many rows of the stream had been answered.
        kind, reason: of the trigger.
        since: from when on the rows were different, where that was known.
        state: how the run ended.
        release: that it brought, if it did.
        window: of the training rows, that was taken.
        rows: learnt from.
        seconds: of the machine's time.
        problem: why there is no release, in words.
    """

    row: int
    at: datetime
    kind: str
    reason: str
    since: datetime | None
    state: str
    seconds: float
    release: int | None = None
    window: str = ""
    rows: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SimulatedChange:
    """A change of the champion.

    Attributes:
        row: the first row that the new one answered.
        gain, low, high: by how much the new one was more often right than the old one (of a regression: nearer) on
            the same rows that followed, with the 95 % interval of the paired difference (see
            `stats.serial`: such rows hang together); `None` with too few.
        rows: that this rests on.
    """

    row: int
    at: datetime
    before: int
    after: int
    rows: int = 0
    gain: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def was_harmful(self) -> bool:
        """Whether the new one was surely worse."""
        return self.high is not None and self.high < 0


@dataclass(frozen=True, slots=True)
class Course:
    """One way to keep a model, and how it went.

    Attributes:
        outputs: float64 [m, k], the answers that were heard, from the stream's `start` on.
        trainings: after the first one.
        seconds: of the machine's time, for them.
    """

    name: str
    outputs: Floats
    trainings: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a simulation found of m answered rows.

    Attributes:
        metric: by which the courses are compared.
        at: [m], when each row came.
        truth: [m], class numbers or values.
        courses: the policies themselves first, then what they are compared with.
        alerts: in the order of their firing: the monitor and when.
        seconds: of the machine's time, for everything that the loop did.
        held: why a training was held at the end, if one was.
    """

    model: str
    metric: str
    task: Task
    classes: tuple[str, ...]
    positive: int | None
    start: int
    at: Sequence[datetime]
    truth: NDArray[Any]
    courses: tuple[Course, ...]
    trainings: tuple[SimulatedTraining, ...]
    changes: tuple[SimulatedChange, ...]
    alerts: tuple[tuple[str, datetime], ...] = ()
    seconds: float = 0.0
    held: str = ""
