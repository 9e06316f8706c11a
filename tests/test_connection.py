"""`mainspring.connect`, as a notebook uses it."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import mainspring
from mainspring.data.labels import DTYPES
from mainspring.domain.prediction_log import PREDICTION_COLUMNS
from mainspring.errors import InvalidInput, ProjectError, SourceFormatError, UnknownRelease, UsageError
from mainspring.stores.tables_delta import DeltaTables

ROWS = pl.DataFrame(
    {
        "id": ["c1", "c2", "c3"],
        "age": [30, None, 70],
        "spend": [10.0, 40.0, 99.5],
        "city": ["Ulm", "Paris", "Bonn"],
        "note": ["a", "b", "c"],
    }
)


@pytest.fixture
def project(released_shop: Path) -> Path:
    return released_shop


def test_frames_in_frames_out_of_the_same_library(project):
    with mainspring.connect(project) as shop:
        found = shop.predict(ROWS)
        assert found.columns == ["id", "prediction", "probability_no", "probability_yes"]
        assert found.get_column("id").to_list() == ["c1", "c2", "c3"]
        chance = found.get_column("probability_yes").to_numpy()
        assert np.all((chance > 0) & (chance < 1))
        assert chance[0] < chance[2]
        frame = ROWS.to_pandas().set_index(pd.Index([7, 5, 3]))
        answers = shop.predict(frame, "shop@1")
        assert isinstance(answers, pd.DataFrame)
        assert answers.index.tolist() == [7, 5, 3]
        np.testing.assert_array_equal(answers["probability_yes"].to_numpy(), chance)
        as_text = ROWS.with_columns(pl.col("age", "spend").cast(pl.String))
        np.testing.assert_array_equal(shop.predict(as_text).get_column("probability_yes").to_numpy(), chance)
        assert shop.predict(ROWS.head(0)).columns == found.columns


def test_a_frame_that_does_not_fit_is_named(project):
    with mainspring.connect(project / ".mainspring") as shop:
        with pytest.raises(SourceFormatError, match="no column 'city'; rename 'City'"):
            shop.predict(ROWS.rename({"city": "City"}))
        with pytest.raises(InvalidInput) as caught:
            shop.predict(ROWS.with_columns(age=pl.Series(["30", "old", "3"])))
        assert caught.value.where == {"row": 1, "field": "age"}
        with pytest.raises(InvalidInput, match="row 2: the field 'city' is missing"):
            shop.predict(ROWS.with_columns(city=pl.Series(["Ulm", "Ulm", None])))
        with pytest.raises(UnknownRelease):
            shop.predict(ROWS, "shop@9")
        with pytest.raises(UsageError):
            shop.predict(ROWS, "../x")


def test_releases_and_predictions_are_frames(project):
    with mainspring.connect(project) as shop:
        releases = shop.releases()
        assert releases.select("release", "model", "number", "aliases").rows() == [
            ("shop@1", "shop", 1, ["champion"])
        ]
        assert releases.get_column("metric_roc_auc").item() > 0.6
        assert shop.predictions().height == 0
        at = datetime(2026, 3, 1, 12, tzinfo=UTC)
        row = {
            "day": at.date(),
            "id": "r1/0",
            "request_id": "r1",
            "row": 0,
            "at": at,
            "release": 1,
            "role": "champion",
            "key": "c1",
            "latency_us": 1,
            "prediction": "yes",
            "value": 0.7,
            "outputs": [0.3, 0.7],
        }
        schema = {name: DTYPES[kind] for name, kind in PREDICTION_COLUMNS.items()}
        tables = DeltaTables(str(project / ".mainspring" / "tables"))
        tables.record("predictions/shop", pl.DataFrame([row], schema=schema), partition="day", offsets={})
        assert shop.predictions("shop", since=at, as_of=at).get_column("id").to_list() == ["r1/0"]
        assert shop.predictions(until=at).height == shop.predictions(role="shadow").height == 0


@pytest.mark.parametrize(
    ("verb", "arguments", "named", "kind", "message"),
    [
        ("predictions", ("shpo",), {}, UnknownRelease, "no model 'shpo'; did you mean 'shop'"),
        ("predictions", ("other",), {}, UnknownRelease, "no model 'other'; there is shop"),
        ("predictions", ("shop@1",), {}, UsageError, "release=…"),
        ("predictions", ("../x",), {}, UsageError, "names no release"),
        ("predictions", (3,), {}, UsageError, "the model is of type int"),
        ("predictions", (), {"release": 9}, UnknownRelease, "no release shop@9; there is shop@1"),
        ("predictions", (), {"release": "1"}, UsageError, "release is the text '1', not a number"),
        ("predictions", (), {"role": "canry"}, UsageError, "did you mean 'canary'"),
        ("predictions", (), {"role": 7}, UsageError, "give one of champion, canary"),
        ("predictions", (), {"since": "yesterday"}, UsageError, "since is the text 'yesterday', not a datetime"),
        ("releases", ("shopp",), {}, UnknownRelease, "did you mean 'shop'"),
        ("predict", ("shop", ROWS), {}, UsageError, r"give the frame first: predict\(frame, 'shop'\)"),
        ("predict", (ROWS.rows(named=True),), {}, UsageError, r"polars.DataFrame\(rows\)"),
        ("predict", (ROWS.row(0, named=True), "shop"), {}, UsageError, r"polars.DataFrame\(\[row\]\)"),
        ("predict", (ROWS.lazy(),), {}, UsageError, "collect"),
        ("predict", (None,), {}, UsageError, "of type NoneType"),
        ("predict", (ROWS, ROWS), {}, UsageError, "the model is of type DataFrame"),
    ],
)
def test_wrong_arguments_are_named(project, verb, arguments, named, kind, message):
    with mainspring.connect(project) as shop, pytest.raises(kind, match=message):
        getattr(shop, verb)(*arguments, **named)


def test_no_project_is_said(tmp_path):
    with pytest.raises(ProjectError, match=r"no project in .*; give its folder: mainspring.connect\(FOLDER\)"):
        mainspring.connect(tmp_path)


def test_a_project_without_a_release_is_said(shop):
    with mainspring.connect(shop) as found:
        assert found.releases().height == 0
        with pytest.raises(UnknownRelease, match="no release yet"):
            found.predictions()
