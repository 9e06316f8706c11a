"""Rows with keys in place of features are answered as whole rows: as of then where they say when, else of now."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import mainspring
from mainspring.batch.frame import score_frame
from mainspring.batch.table import score_table
from mainspring.cli.main import call
from mainspring.connection_features import Features
from mainspring.domain.release import Manifest, ReleaseRef
from mainspring.errors import DataError, InvalidInput, SourceFormatError, UsageError
from mainspring.features.sealed_layout import layout_of
from mainspring.loop.lifecycle.model_rows import ModelRows
from mainspring.project import load_project, open_project
from mainspring.testing.posters import START
from mainspring.workspace import Workspace

FEATURES = ["creative.brightness", "visitor.count_7d", "visitor.mean_pages_7d"]
ANSWERS = ["prediction", "probability_no", "probability_yes"]


@pytest.fixture
def posters(released_posters: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(released_posters)
    return released_posters


@pytest.fixture
def workspace(posters: Path) -> Iterator[Workspace]:
    with Workspace(open_project(posters, {}).settings) as opened:
        yield opened


def score(
    workspace: Workspace,
    inputs: str,
    *,
    batch_rows: int = 500,
    on_rows: Callable[[int], None] | None = None,
    resumed: bool = False,
) -> pl.DataFrame:
    """By the champion; `resumed` says whether an earlier attempt has done a part of it."""
    project = open_project(Path(), {})
    with workspace.open_release(workspace.catalogue.find(ReleaseRef.parse("posters"))) as release:
        scored = score_table(
            release.manifest,
            release.runtime,
            [inputs],
            "out.parquet",
            schema_file=release.folder / "source" / "schema.toml",
            root=Path(),
            keep_columns=False,
            threads=2,
            environ={},
            stores=workspace.view_stores(project),
            batch_rows=batch_rows,
            on_rows=on_rows,
        )
    assert (scored.resumed_rows > 0) is resumed
    return pl.read_parquet("out.parquet")


def manifest_of(workspace: Workspace) -> Manifest:
    return workspace.catalogue.manifest(workspace.catalogue.find(ReleaseRef.parse("posters")))


def whole_rows(workspace: Workspace) -> pl.DataFrame:
    """The rows that the release was made of, with their features."""
    manifest = manifest_of(workspace)
    assert manifest.training is not None
    made = ModelRows(workspace, load_project(Path(), {}), manifest.training.views)
    return made.read(manifest.snapshots).drop("__row", "hour_sin", "hour_cos")


def texts() -> pl.DataFrame:
    return pl.read_csv("rows.csv", infer_schema=False)


def known_now(workspace: Workspace, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with what the online store tells of them."""
    features = Features(workspace, load_project(Path(), {}))
    ads = features.get("creative", rows.select(pl.col("ad_id").cast(pl.Int64)))
    visitors = features.get("visitor", rows.select("visitor"))
    return rows.with_columns(
        ads.get_column("brightness").alias(FEATURES[0]),
        visitors.get_column("count_7d").alias(FEATURES[1]),
        visitors.get_column("mean_pages_7d").alias(FEATURES[2]),
    )


def test_rows_that_say_when_they_were_are_answered_by_what_was_known_then(workspace: Workspace) -> None:
    whole = whole_rows(workspace)
    whole.write_parquet("whole.parquet")
    expected = score(workspace, "whole.parquet")
    assert expected.get_column("probability_yes").n_unique() > 500
    assert_frame_equal(score(workspace, "rows.csv"), expected, check_exact=True)
    with mainspring.connect() as project:
        assert_frame_equal(project.predict(texts()).select(ANSWERS), expected.select(ANSWERS), check_exact=True)
        typed = whole.drop(FEATURES)
        assert_frame_equal(project.predict(typed).select(ANSWERS), expected.select(ANSWERS), check_exact=True)
        answers = project.predict(typed.to_pandas())
    assert answers["probability_yes"].tolist() == expected.get_column("probability_yes").to_list()


def test_rows_without_a_time_are_answered_by_what_is_known_now(workspace: Workspace) -> None:
    rows = texts().drop("shown_at")
    unknown = pl.DataFrame({"ad_id": [None, "7", "999"], "visitor": [None, "nobody", "v001"]})
    rows = pl.concat([rows, rows.head(3).drop("ad_id", "visitor").hstack(unknown)], how="diagonal")
    rows.write_csv("now.csv")
    known_now(workspace, rows).write_parquet("whole.parquet")
    expected = score(workspace, "whole.parquet")
    assert_frame_equal(score(workspace, "now.csv"), expected, check_exact=True)
    assert score(workspace, "rows.csv").head(1_200).equals(expected.head(1_200)) is False, "then is not now"
    with mainspring.connect() as project:
        assert_frame_equal(project.predict(rows).select(ANSWERS), expected.select(ANSWERS), check_exact=True)
        assert project.predict(rows.head(0)).height == 0
    rows.write_ndjson("now.jsonl")
    assert_frame_equal(score(workspace, "now.jsonl").select(ANSWERS), expected.select(ANSWERS), check_exact=True)


@pytest.mark.parametrize("name", ["own.csv", "own.jsonl", "own.parquet"])
def test_what_the_rows_say_themselves_holds(workspace: Workspace, name: str) -> None:
    whole = known_now(workspace, texts().drop("shown_at")).with_columns(
        pl.lit(0.125).alias(FEATURES[0]),
        pl.when(pl.int_range(pl.len()) % 2 == 0).then(2.0).alias(FEATURES[2]),
    )
    whole.write_parquet("whole.parquet")
    own = whole.drop(FEATURES[1])
    write: Any = {"csv": own.write_csv, "jsonl": own.write_ndjson, "parquet": own.write_parquet}
    write[name.partition(".")[2]](name)
    expected = score(workspace, "whole.parquet").select(ANSWERS)
    assert_frame_equal(score(workspace, name).select(ANSWERS), expected, check_exact=True)


def test_rows_that_were_pushed_count_in_both(workspace: Workspace, posters: Path) -> None:
    later = START.replace(month=4)
    asked = pl.DataFrame({"id": ["a"], "ad_id": [999], "visitor": ["v001"], "hour": [3], "device": ["tv"]})
    then = asked.with_columns(pl.lit(later).alias("shown_at"))
    before = then.with_columns(pl.lit(START).alias("shown_at"))
    pushed = pl.DataFrame({"ad_id": [999], "drawn_at": [START], "known_at": [later], "ink": [128]})
    with mainspring.connect() as project:
        unknown = [project.predict(one).row(0) for one in (asked, then, before)]
        project.features.push("creative", pushed)
        known = [project.predict(one).row(0) for one in (asked, then, before)]
        dark = project.predict(asked.with_columns(pl.lit(0.0).alias("creative.brightness"))).row(0)
    assert known[0] == dark != unknown[0]
    assert known[1] != unknown[1]
    assert known[2] == unknown[2], "it was not known by then"


@pytest.mark.parametrize("timed", [True, False])
def test_rows_with_neither_feature_nor_key_are_named(workspace: Workspace, timed: bool) -> None:
    rows = texts().drop("ad_id", *([] if timed else ["shown_at"]))
    rows.write_csv("less.csv")
    with mainspring.connect() as project:
        for who, ask in (
            ("less.csv", lambda: score(workspace, "less.csv")),
            ("frame", lambda: project.predict(rows)),
        ):
            with pytest.raises(
                SourceFormatError, match=r"'creative\.brightness' of the view 'creative'"
            ) as raised:
                ask()
            assert who in raised.value.message
            assert "without 'ad_id'" in raised.value.message
            assert (
                raised.value.cure
                == "add the key ('ad_id'), by which features are found, or the features themselves"
            )
            assert raised.value.where == {"column": "ad_id", "view": "creative"}
    rows.with_columns(pl.lit(0.5).alias("creative.brightness")).write_csv("own.csv")
    assert score(workspace, "own.csv").height == 1_200


def test_a_key_of_another_type_is_named(workspace: Workspace) -> None:
    rows = texts().drop("shown_at").with_columns(pl.lit("poster 7").alias("ad_id"))
    rows.write_csv("odd.csv")
    with pytest.raises(DataError, match="ad_id"):
        score(workspace, "odd.csv")
    with mainspring.connect() as project, pytest.raises(InvalidInput) as raised:
        project.predict(rows)
    assert raised.value.where == {"row": 0, "field": "ad_id"}


def test_what_training_never_saw_missing_is_named(workspace: Workspace) -> None:
    rows = texts().drop("shown_at").with_columns(pl.Series("ad_id", ["3"] * 1_199 + ["999"]))
    with workspace.open_release(workspace.catalogue.find(ReleaseRef.parse("posters"))) as release:
        creative, visitor = release.manifest.views
        manifest = replace(release.manifest, views=(replace(creative, defaults={}), visitor))
        assert layout_of(manifest.views[0]).features[0].default is None
        stores = workspace.view_stores(open_project(Path(), {}))
        with pytest.raises(InvalidInput, match=r"has no 'creative\.brightness' of this entity") as raised:
            score_frame(rows, manifest, release.runtime, schema_file=Path(), stores=stores)
    assert raised.value.where == {"row": 1_199, "field": "creative.brightness"}
    assert "declare a default: FeatureView('creative', defaults=…)" in raised.value.cure


def test_a_view_that_is_another_one_by_now_is_answered_by_what_is_known_now_alone(
    workspace: Workspace, posters: Path
) -> None:
    model = posters / "model.py"
    model.write_text(model.read_text().replace("/ 128", "/ 256"))
    with pytest.raises(UsageError, match="'creative' of posters@1 was defined otherwise") as raised:
        score(workspace, "rows.csv")
    assert "leave out 'shown_at'" in raised.value.cure
    texts().drop("shown_at").write_csv("now.csv")
    assert score(workspace, "now.csv").height == 1_200
    text = (
        model.read_text().replace("/ 256", "/ 128").replace('"visitor", source=visits', '"guest", source=visits')
    )
    model.write_text(text)
    with pytest.raises(UsageError, match=r"model\.py declares no view 'visitor'"):
        score(workspace, "rows.csv")


def test_a_view_that_the_store_does_not_have_is_no_default(workspace: Workspace) -> None:
    workspace.online.drop(manifest_of(workspace).views[1].id)
    texts().drop("shown_at").write_csv("now.csv")
    with pytest.raises(UsageError, match="'visitor' is not in the online store as posters@1 takes it") as raised:
        score(workspace, "now.csv")
    assert "mainspring features materialize visitor" in raised.value.cure
    assert score(workspace, "rows.csv").height == 1_200, "history needs no store"


class Stopped(Exception):
    """In the middle of a job."""


def stop(rows: int) -> None:
    raise Stopped


@pytest.mark.parametrize("more", [False, True])
def test_a_job_that_was_stopped_goes_on_unless_its_views_have_other_rows(workspace: Workspace, more: bool) -> None:
    with pytest.raises(Stopped):
        score(workspace, "rows.csv", batch_rows=100, on_rows=stop)
    if more:
        with Path("visits.csv").open("a") as file:
            file.write("v000,2026-03-02T00:00:00Z,8\n")
    score(workspace, "rows.csv", batch_rows=100, resumed=not more)
    resumed = pl.read_parquet("out.parquet")
    assert_frame_equal(resumed, score(workspace, "rows.csv", batch_rows=1_200), check_exact=True)


def test_the_verbs_answer_rows_with_keys(workspace: Workspace, capfd: pytest.CaptureFixture[str]) -> None:
    texts().drop("shown_at").write_csv("now.csv")
    expected = score(workspace, "now.csv").get_column("probability_yes")
    assert call(["score", "posters", "--input", "now.csv", "--output", "by_verb.csv", "--keep-columns"], {}) == 0
    found = pl.read_csv("by_verb.csv", infer_schema=False)
    assert found.columns == ["id", *ANSWERS, "ad_id", "visitor", "hour", "device", "bought"]
    assert found.get_column("probability_yes").cast(pl.Float64).to_list() == expected.to_list()
    capfd.readouterr()
    device, hour, ad, visitor = texts().select("device", "hour", "ad_id", "visitor").row(0)
    row = {"device": device, "hour": int(hour), "ad_id": int(ad), "visitor": visitor}
    assert call(["predict", "posters", "--row", json.dumps(row), "--json"], {}) == 0
    (answer,) = json.loads(capfd.readouterr().out)["predictions"]
    assert answer["probabilities"]["yes"] == pytest.approx(expected[0], abs=1e-12)
    row.pop("ad_id")
    assert call(["predict", "posters", "--row", json.dumps(row)], {}) == 1
    said = capfd.readouterr().err
    assert "'creative.brightness' of the view 'creative' cannot be found without 'ad_id'" in said
