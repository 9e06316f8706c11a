"""`mainspring features check` tells how many answers agree, and exits with 3 where too few do."""

import json
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from mainspring.cli.main import call
from mainspring.clock import SYSTEM_CLOCK
from mainspring.domain.release import ReleaseRef
from mainspring.loop.lifecycle.model_rows import ModelRows
from mainspring.project import load_project
from mainspring.testing.production import store_answers
from mainspring.workspace import Workspace


def answer(folder: Path, wrong: int) -> None:
    """300 answers of the last hour; of so many the brightness is not that of history."""
    project = load_project(folder, {})
    with Workspace(project.settings) as workspace:
        with workspace.open_release(workspace.catalogue.find(ReleaseRef("posters", 1))) as release:
            manifest, runtime = release.manifest, release.runtime
            source = workspace.snapshots.read(manifest.snapshots[0]).collect().head(300)
            first = SYSTEM_CLOCK.now() - timedelta(hours=1)
            at = [first + timedelta(seconds=number) for number in range(source.height)]
            rows = ModelRows(workspace, project).with_view_features(
                source.with_columns(pl.Series("shown_at", at, pl.Datetime("us", "UTC")))
            )
            off = pl.int_range(pl.len()) < wrong
            rows = rows.with_columns(
                pl.when(off).then(pl.lit(-5.0)).otherwise("creative.brightness").alias("creative.brightness")
            )
            outputs = runtime.predict_frame(rows)
        store_answers(workspace.tables, manifest, rows, outputs, at, [f"q{n}" for n in range(rows.height)])


def test_a_check_tells_the_share_and_the_worst(
    released_posters: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(released_posters)
    assert call(["features", "check", "other", "--json"], {}) == 2
    assert "the project's model is 'posters', not 'other'" in capfd.readouterr().out
    answer(released_posters, wrong=60)
    assert call(["features", "check", "posters", "--json"], {}) == 3
    found = json.loads(capfd.readouterr().out)
    assert found["release"] == "posters@1"
    assert {one["view"]: (one["rows"], one["agreeing"]) for one in found["views"]} == {
        "creative": (300, 240),
        "visitor": (300, 300),
    }
    assert found["views"][0]["worst"][0]["answered"] == -5.0
    assert [one["state"] for one in found["measurements"]] == ["bad", "fine"]
    assert call(["features", "check"], {}) == 3
    said = capfd.readouterr().out
    assert "creative.brightness" in said
    assert "-5.0" in said
    assert call(["features", "check", "--rows", "1"], {}) == 0, "one answer says nothing"


def test_a_model_without_views_is_told_that_there_is_nothing(
    released_shop: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(released_shop)
    assert call(["features", "check"], {}) == 2
    assert "takes no features of views" in capfd.readouterr().err
