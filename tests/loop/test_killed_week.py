"""A week with and without kill -9: the same triggers, digests and promotions, and nothing twice."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from mainspring.project import load_project
from mainspring.workspace import Workspace

from .week.play import Played, first_release, play
from .week.processes import WeekClock
from .week.story import Story, assert_once, story
from .week.strikes import Strike, planned
from .week.world import HOUR, START, World, make_project


def played(project: Path, world: World, strikes: dict[int, list[Strike]]) -> tuple[Story, Played]:
    clock = WeekClock(project.with_suffix(".clock"), START)
    found = play(project, world, strikes, clock)
    with Workspace(load_project(project, {}).settings) as workspace:
        assert_once(workspace, found)
        return story(workspace), found


def the_same_happens(folder: Path, world: World, kills: int, seed: int) -> tuple[Story, Played]:
    """Play the week twice, and compare all that was decided, learnt, made and answered."""
    calm = make_project(folder / "calm" / "shop")
    first_release(calm, WeekClock(folder / "clock", START + (world.first - 6) * HOUR))
    struck = Path(shutil.copytree(calm.parent, folder / "struck")) / "shop"
    expected, undisturbed = played(calm, world, {})
    assert undisturbed.kills == []
    found, disturbed = played(struck, world, planned(world, kills, seed))
    assert len(disturbed.kills) == kills
    for field in dataclasses.fields(Story):
        assert getattr(found, field.name) == getattr(expected, field.name), field.name
    assert disturbed.labels == undisturbed.labels
    return found, disturbed


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_killed_at_random_in_a_morning_the_same_happens_and_nothing_twice(tmp_path: Path) -> None:
    found, _ = the_same_happens(tmp_path, World(first=5, hours=6, turns=6), kills=6, seed=10)
    assert [kind for _, kind, _ in found.triggers] == ["schedule", "drift"]
    assert found.rollouts[0] == (2, "promoted")


@pytest.mark.soak
@pytest.mark.timeout(3 * 3_600)
def test_killed_a_hundred_times_in_a_week_the_same_happens_and_nothing_twice(tmp_path: Path) -> None:
    found, disturbed = the_same_happens(tmp_path, World(first=0, hours=7 * 24, turns=60), kills=100, seed=1)
    assert {kind for _, kind, _ in found.triggers} > {"schedule"}
    assert len(found.champions) > 3
    assert {roles for _, roles, _ in disturbed.kills} == {("gateway",), ("controller",), ("gateway", "controller")}
    for doing in ("training", "proving", "the customers come"):
        assert any(doing in what for _, _, what in disturbed.kills), doing
