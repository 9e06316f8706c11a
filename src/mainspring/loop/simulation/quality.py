"""How good answers were, over time and in all, and whether a change of champion did good."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mainspring.domain.task import Task
from mainspring.stats.serial import serial_interval
from mainspring.training.metrics import measure

if TYPE_CHECKING:
    from collections.abc import Callable

    from mainspring.loop.simulation.outcome import Course, Floats, Simulated, SimulatedChange

_JUDGED = 1_000
"""So many rows after a change of champion tell whether it did good."""
_FEWEST = 200


def in_all(found: Simulated, course: Course) -> float:
    """The simulation's metric over all rows that were answered."""
    return _measured(found, course.outputs, slice(None))


def over_time(found: Simulated, course: Course, points: int) -> list[tuple[int, float]]:
    """The metric over as many stretches of equal length: the row of the stream that ends each, and the value."""
    edges = np.linspace(0, len(found.truth), points + 1).astype(int)
    pairs = [(first, last) for first, last in pairwise(edges) if last > first]
    return [
        (found.start + int(last), _measured(found, course.outputs, slice(first, last))) for first, last in pairs
    ]


def judged(
    change: SimulatedChange, outputs: Callable[[int, slice], Floats], truth: NDArray[np.float64], task: Task
) -> SimulatedChange:
    """The change with the paired difference of the two champions on the rows that followed it.

    Args:
        outputs: what a release answers to these rows of the stream.
        truth: of all rows of the stream.
    """
    rows = slice(change.row, min(change.row + _JUDGED, len(truth)))
    count = rows.stop - rows.start
    if count < _FEWEST:
        return replace(change, rows=max(0, count))
    old, new = (_losses(outputs(number, rows), truth[rows], task) for number in (change.before, change.after))
    gains = old - new
    low, high = serial_interval(gains)
    return replace(change, rows=count, gain=float(gains.mean()), low=low, high=high)


def _losses(outputs: Floats, truth: NDArray[np.float64], task: Task) -> Floats:
    """Of each row 1 where the answer was wrong; of a regression the absolute error."""
    if task is Task.REGRESSION:
        return np.abs(outputs[:, 0] - truth)
    return np.asarray(outputs.argmax(axis=1) != truth, dtype=np.float64)


def _measured(found: Simulated, outputs: Floats, rows: slice) -> float:
    return measure(found.metric, outputs[rows], found.truth[rows], task=found.task, positive=found.positive)
