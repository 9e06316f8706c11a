"""How models of many makes are asked: always with the answers that their makers get."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from sklearn.svm import LinearSVC

from mainspring.data.estimator_frame import estimator_frame
from mainspring.domain.schema import Kind
from mainspring.domain.task import Task
from mainspring.errors import MainspringError, ReleaseError, UsageError
from mainspring.release.adoption.adopted import AdoptedModel
from mainspring.release.adoption.from_estimator import of_estimator
from mainspring.release.adoption.original import Original, Wants
from mainspring.release.adoption.reading import Reading, answer_of, label_text
from mainspring.release.adoption.sample import Sample, SampleOrder, read_sample
from mainspring.release.adoption.settling import Said, Settled, settle

N = 300


def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, N).astype(float),
            "flag": rng.random(N) < 0.5,
            "kind": rng.choice(["a", "b", "?", None], N),  # type: ignore[arg-type]
            "zip": rng.choice(["x00501", "x10001"], N),
            "cust_id": rng.permutation(N) + 1000,
            "member": rng.choice(["yes", "no"], N),
            "when": pd.date_range("2026-01-01", periods=N, freq="h"),
            "visits": rng.integers(0, 5, N),
        }
    )
    frame.loc[::9, "age"] = np.nan
    frame["three"] = rng.integers(1, 4, N)
    frame["old"] = (frame["age"].fillna(40) + rng.normal(0, 10, N)) > 45
    frame["bought"] = frame["old"].astype(int)
    frame["value"] = frame["visits"] * 2.5 + rng.normal(0, 1, N)
    return frame


TABLE = table()


@pytest.fixture(scope="module", params=["csv", "parquet"])
def rows(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("rows") / f"rows.{request.param}"
    if request.param == "csv":
        TABLE.to_csv(place, index=False)
    else:
        TABLE.to_parquet(place)
    return place


def settled(model: Any, rows: Path, said: Said | None = None, **order: Any) -> tuple[Sample, Settled]:
    original = of_estimator(model, "the tests", "0")
    sample = read_sample(SampleOrder((str(rows),), Path(), **order), original.wants, {})
    return sample, settle(original, sample, said or Said())


def answers(model: Any, found: tuple[Sample, Settled]) -> Any:
    sample, how = found
    return AdoptedModel(model, how.asking).outputs(estimator_frame(sample.rows, sample.columns))


def test_categories_of_pandas(rows: Path) -> None:
    frame = TABLE[["age", "kind", "visits"]].astype({"kind": "category"})
    model = LGBMClassifier(n_estimators=5, verbose=-1).fit(frame, TABLE["three"])
    found = settled(model, rows)
    assert found[1].asking.dress == {"age": "as it is", "kind": "category", "visits": "int64"}
    assert found[1].output.classes == ("1", "2", "3")
    assert np.array_equal(answers(model, found), model.predict_proba(frame))


def test_words_stay_words_and_numbers_numbers(rows: Path) -> None:
    """`yes` is no truth value to an encoder, `?` is not missing, and an id that is a feature is a number."""
    names = ["flag", "kind", "zip", "member", "cust_id"]
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), names[:4]), remainder="passthrough", sparse_threshold=0
    )
    model = make_pipeline(encode, HistGradientBoostingClassifier(max_iter=5)).fit(TABLE[names], TABLE["old"])
    found = settled(model, rows, target="old")
    kinds = {column.name: column.kind for column in found[0].columns}
    assert (kinds["flag"], kinds["member"], kinds["cust_id"]) == (Kind.BOOLEAN, Kind.CATEGORY, Kind.INTEGER)
    assert (found[1].output.classes, found[1].output.positive) == (("false", "true"), "true")
    assert any("'?'" in note for note in found[0].notes)
    assert np.array_equal(answers(model, found), model.predict_proba(TABLE[names]))


def test_times_are_times(rows: Path) -> None:
    def hours(X: Any) -> Any:
        return np.column_stack([X["when"].dt.hour, X["visits"]])

    names = ["when", "visits"]
    model = make_pipeline(FunctionTransformer(hours), Ridge()).fit(TABLE[names], TABLE["value"])
    found = settled(model, rows)
    assert found[1].asking.dress["when"] == "datetime64[ns]"
    assert answers(model, found)[:, 0] == pytest.approx(model.predict(TABLE[names]), abs=1e-12)


def test_an_array_has_no_names_and_needs_them_told(rows: Path) -> None:
    model = LGBMRegressor(n_estimators=5, verbose=-1).fit(TABLE[["age", "visits"]].to_numpy(), TABLE["value"])
    with pytest.raises(MainspringError, match="takes 2 columns, and here are 12"):
        settled(model, rows)
    found = settled(model, rows, features=("age", "visits"))
    assert found[1].asking.matrix == "float64"
    assert np.array_equal(answers(model, found)[:, 0], model.predict(TABLE[["age", "visits"]].to_numpy()))
    # The model takes a missing number, so requests may lack one, though the sample never did.
    assert [one.required for one in found[1].fields] == [False, False]


def test_a_model_that_refuses_what_is_missing_makes_the_field_required(rows: Path) -> None:
    model = Ridge().fit(TABLE[["visits", "cust_id"]], TABLE["value"])
    assert [one.required for one in settled(model, rows)[1].fields] == [True, True]


def test_one_probability_is_of_the_second_class(rows: Path) -> None:
    names = ["age", "visits"]
    booster = LGBMClassifier(n_estimators=5, verbose=-1).fit(TABLE[names], TABLE["bought"]).booster_
    found = settled(booster, rows, target="bought")
    assert (found[1].asking.reading, found[1].output.classes) == (Reading.POSITIVE, ("0", "1"))
    assert np.array_equal(answers(booster, found)[:, 1], booster.predict(TABLE[names]))
    with pytest.raises(UsageError, match="nothing says of which class"):
        settled(booster, rows, Said(task=Task.BINARY))
    # Without a word of classes it is a number, which it may well be.
    assert settled(booster, rows)[1].output.task is Task.REGRESSION
    named = settled(booster, rows, Said(classes=("no", "yes")))
    assert named[1].output.positive == "yes"


def test_labels_alone_and_a_moved_threshold(rows: Path) -> None:
    names = ["age", "visits"]
    machine = make_pipeline(SimpleImputer(), LinearSVC()).fit(TABLE[names], TABLE["old"])
    found = settled(machine, rows)
    assert found[1].asking.reading is Reading.LABELS
    assert any("labels without probabilities" in note for note in found[1].notes)
    assert answers(machine, found).argmax(axis=1).tolist() == machine.predict(TABLE[names]).astype(int).tolist()
    moved = FixedThresholdClassifier(make_pipeline(SimpleImputer(), LogisticRegression()), threshold=0.2)
    moved.fit(TABLE[names], TABLE["bought"])
    sample, how = settled(moved, rows)
    assert how.output.threshold == 0.2
    decided = how.output.decide_all(answers(moved, (sample, how)).tolist())
    assert decided == [label_text(label) for label in moved.predict(TABLE[names])]


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (Said(), UsageError, "2 numbers a row, and nothing says of which classes"),
        (Said(task=Task.REGRESSION), ReleaseError, "2 numbers a row, and a regression is one"),
        (Said(classes=("a", "b")), ReleaseError, "are no probabilities"),
    ],
)
def test_two_numbers_a_row_that_are_no_probabilities(
    rows: Path, said: Said, kind: type[Exception], words: str
) -> None:
    model = RandomForestRegressor(2).fit(TABLE[["visits", "cust_id"]], TABLE[["value", "three"]])
    with pytest.raises(kind, match=words):
        settled(model, rows, said)


def test_json_lines_are_read_alike(tmp_path: Path) -> None:
    TABLE.to_json(tmp_path / "rows.jsonl", orient="records", lines=True, date_format="iso")
    TABLE.to_parquet(tmp_path / "rows.parquet")
    lines, typed = (
        read_sample(SampleOrder((str(tmp_path / name),), Path()), Wants(), {})
        for name in ("rows.jsonl", "rows.parquet")
    )
    names = ["age", "flag", "kind", "zip", "member", "when", "visits"]
    assert lines.rows.select(names).equals(typed.rows.select(names))


class _Function:
    def __init__(self, answer: Any) -> None:
        self.predict = answer


@pytest.mark.parametrize(
    ("answer", "said", "reading", "classes"),
    [
        (lambda X: pd.DataFrame({"yes": X["visits"] / 4, "no": 1 - X["visits"] / 4}), Said(), "probabilities", 2),
        (lambda X: {"price": X["visits"].tolist()}, Said(), "value", 0),
        (lambda X: ["up" if v > 2 else "down" for v in X["visits"]], Said(), "labels", 2),
        (lambda X: X["visits"].to_numpy()[:, None, None], Said(task=Task.REGRESSION), "value", 0),
        (lambda X: (X["visits"] > 2).tolist(), Said(), "labels", 2),
    ],
)
def test_functions_answer_in_many_forms(rows: Path, answer: Any, said: Said, reading: str, classes: int) -> None:
    original = Original("function", "a function", "0", _Function(answer), Wants(("visits",)), lambda _: {})
    sample = read_sample(SampleOrder((str(rows),), Path()), original.wants, {})
    how = settle(original, sample, said)
    assert (how.asking.reading, len(how.output.classes)) == (reading, classes)


@pytest.mark.parametrize("raw", [3.0, [1.0], [[1.0], [2.0, 3.0]], np.zeros((2, 2, 2)), None, np.zeros((2, 0))])
def test_answers_that_are_none_a_row(raw: Any) -> None:
    with pytest.raises(MainspringError, match="the model answers"):
        answer_of(raw, 2)
