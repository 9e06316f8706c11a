"""A model that takes features of views is played as it would have been served: with those known at the time."""

from pathlib import Path

import numpy as np
import pytest

from mainspring.domain.budget import Budget
from mainspring.loop.simulation.delay import LabelDelay
from mainspring.loop.simulation.simulate import OURS, SimulationPlan, schedules_of, simulate
from mainspring.project import load_project

pytestmark = pytest.mark.timeout(600)


def test_a_stream_is_answered_with_features_of_views(released_posters: Path) -> None:
    before = {place: place.read_bytes() for place in released_posters.glob("**/*.toml")}
    plan = SimulationPlan(
        files=(str(released_posters / "rows.csv"),),
        start=800,
        delay=LabelDelay(rows=50),
        schedules=schedules_of([LabelDelay(rows=200)], 800),
        budget=Budget(trials=1),
        metric="log_loss",
    )
    found = simulate(load_project(released_posters, {}), plan)
    assert len(found.truth) == 400
    (ours,) = (course for course in found.courses if course.name == OURS)
    guess = np.bincount(found.truth) / 400
    right = ours.outputs[np.arange(400), found.truth]
    assert -np.log(right).mean() < -(guess * np.log(guess)).sum()
    assert {place: place.read_bytes() for place in released_posters.glob("**/*.toml")} == before
