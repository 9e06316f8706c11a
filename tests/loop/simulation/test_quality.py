"""What a change of champion did, and the metric along the stream."""

from datetime import UTC, datetime

import numpy as np
import pytest

from mainspring.domain.task import Task
from mainspring.loop.simulation.outcome import Course, Simulated, SimulatedChange
from mainspring.loop.simulation.quality import in_all, judged, over_time

T0 = datetime(2026, 3, 2, tzinfo=UTC)
CHANGE = SimulatedChange(500, T0, 1, 2)


def right_in(share: float, truth: np.ndarray) -> np.ndarray:
    right = np.random.default_rng(1).random(len(truth)) < share
    positive = np.where(right, truth, 1 - truth)
    return np.column_stack([1 - positive, positive]).astype(float)


def a_judged(before: float, after: float, rows: int = 2_000) -> SimulatedChange:
    truth = np.random.default_rng(0).integers(0, 2, rows).astype(float)
    answers = {1: right_in(before, truth), 2: right_in(after, truth)}
    return judged(CHANGE, lambda number, part: answers[number][part], truth, Task.BINARY)


def test_a_change_for_the_worse_is_harmful_and_one_for_the_better_is_not() -> None:
    worse, better = a_judged(0.9, 0.8), a_judged(0.8, 0.9)
    assert worse.was_harmful
    assert worse.gain == pytest.approx(-0.1, abs=0.03)
    assert worse.rows == 1_000
    assert not better.was_harmful
    assert better.low is not None
    assert better.low > 0


def test_with_few_rows_after_it_nothing_is_said() -> None:
    found = a_judged(0.9, 0.5, rows=600)
    assert (found.gain, found.rows, found.was_harmful) == (None, 100, False)


def test_of_a_regression_nearer_is_better() -> None:
    truth = np.random.default_rng(0).normal(size=2_000)
    answers = {1: truth[:, None] + 1.0, 2: truth[:, None] + 0.5}
    found = judged(CHANGE, lambda number, part: answers[number][part], truth, Task.REGRESSION)
    assert found.gain == pytest.approx(0.5)


def test_the_stretches_cover_the_stream_once() -> None:
    truth = np.random.default_rng(0).integers(0, 2, 999)
    course = Course("ours", right_in(0.75, truth), 0, 0.0)
    found = Simulated("m", "accuracy", Task.BINARY, ("no", "yes"), 1, 1_000, [T0] * 999, truth, (course,), (), ())
    points = over_time(found, course, 10)
    assert points[-1][0] == 1_999
    assert len(points) == 10
    edges = np.linspace(0, 999, 11).astype(int)
    mean = np.average([value for _, value in points], weights=np.diff(edges))
    assert mean == pytest.approx(in_all(found, course))
    assert len(over_time(found, course, 5_000)) == 999, "a stretch has a row at least"
