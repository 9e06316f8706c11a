"""A model that takes features of views: joined as of each row's time, sealed, made again, learnt from."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mainspring.connection_features import Features
from mainspring.data.schema_file import format_schema
from mainspring.domain.budget import Budget
from mainspring.domain.release import Manifest, ReleaseRef
from mainspring.domain.run import RunState
from mainspring.domain.schema import Kind, Severity
from mainspring.loop.lifecycle.labelled import take_labelled
from mainspring.loop.lifecycle.labelled_answers import Shape
from mainspring.loop.lifecycle.model_rows import ModelRows
from mainspring.loop.lifecycle.workflow import RunOutcome, run
from mainspring.loop.releases.comparison import compare
from mainspring.loop.releases.reproduction import reproduce
from mainspring.project import Project, load_project, open_project
from mainspring.testing.posters import START, make_posters
from mainspring.testing.production import store_answers, store_labels
from mainspring.workspace import Workspace

POSTERS = ReleaseRef("posters", 1)


@contextmanager
def opened(folder: Path) -> Iterator[tuple[Project, Workspace]]:
    project = load_project(folder, {})
    with Workspace(project.settings) as workspace:
        yield project, workspace


def manifest_of(folder: Path) -> Manifest:
    with opened(folder) as (_, workspace):
        return workspace.catalogue.manifest(workspace.catalogue.find(POSTERS))


def model_rows(folder: Path) -> pl.DataFrame:
    """The rows that the first release was made of."""
    manifest = manifest_of(folder)
    assert manifest.training is not None
    with opened(folder) as (project, workspace):
        return ModelRows(workspace, project, manifest.training.views).read(manifest.snapshots)


def failing(folder: Path) -> RunOutcome:
    outcome = run(load_project(folder, {}), budget=Budget(trials=1))
    assert outcome.run.state is RunState.FAILED
    assert outcome.error is not None
    return outcome


def test_the_release_says_what_it_takes_and_from_where(released_posters: Path) -> None:
    manifest = manifest_of(released_posters)
    assert [field.name for field in manifest.inputs] == [
        "device", "creative.brightness", "visitor.count_7d", "visitor.mean_pages_7d", "hour",
    ]  # fmt: skip
    assert manifest.carried == ("hour",)
    assert [field.name for field in manifest.model_fields][-2:] == ["hour_sin", "hour_cos"]
    creative, visitor = manifest.views
    assert (creative.features, creative.kinds) == (
        {"brightness": "creative.brightness"},
        (("brightness", Kind.NUMBER),),
    )
    assert creative.defaults == {"brightness": 0.5}
    assert [(key.name, key.kind) for key in creative.keys] == [("ad_id", Kind.INTEGER)]
    assert [window.name for window in visitor.windows] == ["count_7d", "mean_pages_7d"]
    assert (creative.time, creative.created, visitor.time) == ("drawn_at", "known_at", "at")
    assert {field.name for field in visitor.rows if field.required} == {"visitor", "at"}
    assert {"source/schemas/creative.toml", "source/schemas/visitor.toml", "features.py"} <= set(manifest.files)
    with opened(released_posters) as (_, workspace):
        known = {snapshot.id for snapshot in workspace.records.snapshots()}
    assert manifest.training is not None
    taken = {name: one["snapshot"] for name, one in manifest.training.views.items()}
    assert set(taken) == {"creative", "visitor"}
    assert known == {*manifest.snapshots, *taken.values()}


def test_each_row_has_the_features_that_were_known_at_its_time(released_posters: Path) -> None:
    rows = model_rows(released_posters)
    text = {"drawn_at": pl.String, "known_at": pl.String, "at": pl.String}
    ads = pl.read_csv(released_posters / "ads.csv", schema_overrides=text).rows()
    visits = pl.read_csv(released_posters / "visits.csv", schema_overrides=text).rows()
    drawn = [(ad, datetime.fromisoformat(at), datetime.fromisoformat(known), ink) for ad, at, known, ink in ads]
    seen = [(who, datetime.fromisoformat(at)) for who, at, _ in visits]
    for row in rows.head(150).iter_rows(named=True):
        at = row["shown_at"]
        inks = [ink for ad, moment, known, ink in drawn if ad == row["ad_id"] and moment <= at and known <= at]
        assert row["creative.brightness"] == (1 - inks[-1] / 128 if inks else 0.5)
        # The window's far end is the hour that the 7 days begin in.
        began = (at - timedelta(days=7)).replace(minute=0, second=0, microsecond=0)
        assert row["visitor.count_7d"] == sum(
            who == row["visitor"] and began < moment <= at for who, moment in seen
        )
        angle = row["hour"] / 24 * 2 * np.pi
        assert (row["hour_sin"], row["hour_cos"]) == (np.sin(angle), np.cos(angle))


def test_a_release_is_reproduced_from_its_own_rows_of_views(released_posters: Path) -> None:
    for name in ("model.py", "features.py"):
        (released_posters / name).write_text("raise SystemExit('not this one')\n")
    for name in ("rows.csv", "ads.csv", "visits.csv"):
        (released_posters / name).write_text("nothing\n")
    with Workspace(open_project(released_posters, {}).settings) as workspace:
        report = reproduce(workspace, POSTERS, {})
    assert report.holds, report.differences
    assert report.golden_equal == report.golden_rows >= 200
    assert report.holdout_rows > 100


def test_a_row_of_a_view_that_comes_later_is_not_seen_by_rows_before_it(released_posters: Path) -> None:
    before = model_rows(released_posters)
    late = START + timedelta(days=10)
    with (released_posters / "ads.csv").open("a") as file:
        file.writelines(f"{ad},2026-01-01T00:00:00Z,{late:%Y-%m-%dT%H:%M:%SZ},0\n" for ad in range(42))
    with opened(released_posters) as (project, workspace):
        snapshot = manifest_of(released_posters).snapshots[0]
        after = ModelRows(workspace, project).read([snapshot])
    early = pl.col("shown_at") < late
    assert before.filter(early).equals(after.filter(early))
    # Of an ad that nobody had drawn before, it is the only row.
    unknown = pl.col("ad_id") >= 40
    assert set(after.filter(~early, unknown).get_column("creative.brightness")) == {1.0}


def test_labelled_answers_keep_the_features_that_they_were_answered_with(released_posters: Path) -> None:
    rows = model_rows(released_posters).head(300).with_columns(pl.lit(0.123).alias("creative.brightness"))
    with opened(released_posters) as (project, workspace):
        with workspace.open_release(workspace.catalogue.find(POSTERS)) as release:
            manifest, outputs = release.manifest, release.runtime.predict_frame(rows)
        ids = [f"q{number}" for number in range(rows.height)]
        store_answers(workspace.tables, manifest, rows, outputs, rows.get_column("shown_at").to_list(), ids)
        store_labels(workspace.tables, manifest, ids, rows.get_column("bought").cast(pl.String).to_list(), START)
        made = ModelRows(workspace, project)
        labelled = take_labelled(workspace, "posters", Shape(made.logged_schema, made.resolved)).snapshot
        assert labelled is not None
        found = made.read([manifest.snapshots[0], labelled.id])
    taught = found.filter(pl.col("__answered_at").is_not_null())
    assert taught.height == rows.height
    assert set(taught.get_column("creative.brightness")) == {0.123}
    assert taught.get_column("hour_sin").null_count() == 0
    assert found.filter(pl.col("__answered_at").is_null()).get_column("creative.brightness").n_unique() > 20


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("model.py", 'source=ads, key="ad_id"', 'source=ads, key="poster"', "poster"),
        ("model.py", '["ink"] / 128', '["inc"] / 128', "brightness"),
        ("model.py", 'visitor["mean_pages_7d"]', '"mean_pages_7d"', "mean_pages_7d"),
        ("model.py", 'inputs=["hour"]', 'inputs=["hours"]', "did you mean 'hour'"),
        ("model.py", 'outputs=["hour_sin", ', 'outputs=["visitor", ', "has the name of a column"),
        ("features.py", "np.cos(angle)", "np.cos(angle)[:3]", "on_the_clock"),
    ],
)
def test_a_wrong_declaration_ends_the_run_by_naming_what_is_wrong(
    tmp_path: Path, file: str, old: str, new: str, words: str
) -> None:
    folder = make_posters(tmp_path / "posters", rows=200)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    assert words in str(failing(folder).error)


def test_what_a_view_s_schema_promises_ends_the_run_or_is_told(tmp_path: Path) -> None:
    folder = make_posters(tmp_path / "posters", rows=200)
    with opened(folder) as (project, workspace):
        schema = workspace.offline(project).schema(project.views["visitor"])
    place = folder / "schemas" / "visitor.toml"
    pages = replace(schema["pages"], minimum=None, maximum=1, severity=Severity.WARNING)
    text = format_schema(schema.with_column(pages), {})
    place.write_text(text)
    outcome = run(load_project(folder, {}), budget=Budget(trials=1))
    assert outcome.error is None
    assert outcome.report is not None
    (told,) = (one for one in outcome.report.warnings if one.column == "visitor.pages")
    assert told.place.startswith(", first visits.csv row ")
    place.write_text(text.replace("maximum = 1\n", 'maximum = 1\nseverity = "error"\n'))
    error = str(failing(folder).error)
    assert "the view 'visitor', column 'pages': " in error
    assert "of 'pages' in schemas/visitor.toml" in error


def test_a_challenger_without_the_champions_features_is_still_compared_with_it(released_posters: Path) -> None:
    place = released_posters / "model.py"
    text = place.read_text()
    for old, new in [
        ('"device", creative["brightness"], ', '"device", '),
        ('"creative.brightness", "visitor', '"visitor'),
        ('[Gate("roc_auc", better_than="naive")]', '[Gate("roc_auc", no_worse_than="champion", margin=0.5)]'),
    ]:
        assert old in text
        text = text.replace(old, new)
    place.write_text(text)
    outcome = run(load_project(released_posters, {}), budget=Budget(trials=1))
    assert outcome.manifest is not None, outcome.error
    assert [view.view for view in outcome.manifest.views] == ["visitor"]
    assert outcome.manifest.parent == "posters@1"
    with opened(released_posters) as (_, workspace):
        found = compare(workspace, POSTERS, outcome.manifest.ref, {})
    assert found.note == ""
    assert found.rows > 100
    assert found.gains["roc_auc"].value < 0


def test_what_it_asks_for_by_key_is_in_the_online_store_when_it_goes_live(released_posters: Path) -> None:
    with opened(released_posters) as (project, workspace):
        features = Features(workspace, project)
        creative = features.get("creative", [{"ad_id": 3}, {"ad_id": 4}])
        visitor = features.get("visitor", {"visitor": "v001"})
    assert creative["outcome"].to_list() == ["found", "found"]
    assert visitor["outcome"].to_list() == ["found"]
