"""A model that takes features of views is played as it would have been served: with those known at the time."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mainspring.connection_features import Features
from mainspring.domain.budget import Budget
from mainspring.loop.simulation.delay import LabelDelay
from mainspring.loop.simulation.scratch import Scratch, scratch_project
from mainspring.loop.simulation.simulate import OURS, SimulationPlan, schedules_of, simulate
from mainspring.loop.simulation.stream import read_stream
from mainspring.project import Project, load_project
from mainspring.testing.posters import START
from mainspring.testing.viewed import NOON, make_viewed, spending_rows
from mainspring.workspace import Workspace

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


def test_rows_that_were_pushed_are_known_from_their_created_time_on(
    released_posters: Path, tmp_path: Path
) -> None:
    known = START + timedelta(days=10)
    pushed = pl.DataFrame(
        {
            "ad_id": range(42),
            "drawn_at": [known - timedelta(days=1)] * 42,
            "known_at": [known] * 42,
            "ink": [128] * 42,
        }
    )
    project = load_project(released_posters, {})
    with Workspace(project.settings) as workspace:
        Features(workspace, project).push("creative", pushed)
    rows = streamed(project, tmp_path / "scratch")
    early, unknown = pl.col("shown_at") < known, pl.col("ad_id") >= 40
    # Of an ad that nobody had drawn before, it is the only row.
    assert set(rows.filter(unknown, early).get_column("creative.brightness")) == {0.5}
    assert set(rows.filter(unknown, ~early).get_column("creative.brightness")) == {0.0}


def test_pictures_that_were_pushed_are_found_from_anywhere(tmp_path: Path) -> None:
    folder = make_viewed(tmp_path / "shop", [])
    (folder / "spending.csv").write_text("user,at,amount,receipt\n1,2026-03-01,2.5,1.png\n")
    with (folder / "schemas" / "spending.toml").open("a") as file:
        file.write('\n[columns.receipt]\nkind = "image"\nmissing = [""]\n')
    project = load_project(folder, {})
    rows = spending_rows([(2, NOON, 1.0), (3, NOON, 2.0)])
    with Workspace(project.settings) as workspace:
        receipts = pl.Series("receipt", ["2.png", None], dtype=pl.String)
        Features(workspace, project).push("spending", rows.with_columns(receipts))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with Workspace(scratch_project(project, Scratch.of(project, scratch)).settings) as workspace:
        copied = workspace.tables.scan("pushed/spending").sort("__number").collect()
    assert copied.drop("receipt").select(rows.columns).equals(rows)
    assert copied.get_column("receipt").to_list() == [str(folder / "2.png"), None]


def streamed(project: Project, folder: Path) -> pl.DataFrame:
    """The rows of the stream as a simulation sees them."""
    folder.mkdir()
    reader = scratch_project(project, Scratch.of(project, folder))
    with Workspace(reader.settings) as workspace:
        files = [str(project.root / "rows.csv")]
        return read_stream(workspace, reader, files, start=1, rows_an_hour=None).rows
