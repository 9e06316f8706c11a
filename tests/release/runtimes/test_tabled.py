"""A model cut at its trees answers as the whole graph does, to the last bit."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mainspring.domain.release import InputField, OutputSpec
from mainspring.domain.schema import Kind
from mainspring.domain.task import Task
from mainspring.release.compile.compiler import compile_estimator
from mainspring.release.runtimes.onnx import OnnxRuntime
from mainspring.release.runtimes.tabled import MANY, TabledRuntime, for_many_rows

WORDS = ("a", "b", "c", "d")
FIELDS = (
    *(InputField(name, Kind.NUMBER) for name in ("x", "y", "z")),
    InputField("word", Kind.CATEGORY),
    InputField("other", Kind.CATEGORY),
)


def frame(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    numbers = {name: np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows).round(2)) for name in "xyz"}
    words = {name: rng.choice([*WORDS, np.nan], rows).astype(object) for name in ("word", "other")}
    return pd.DataFrame({**numbers, **{n: [np.nan if w == "nan" else w for w in v] for n, v in words.items()}})


def matrix(rows: int, seed: int, vocabularies: dict[str, tuple[str, ...]]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    numbers = np.where(rng.random((rows, 3)) < 0.1, np.nan, rng.normal(size=(rows, 3)).round(2))
    codes = [rng.integers(0, len(vocabularies[name]) + 2, rows) for name in ("word", "other")]
    return np.column_stack([numbers, *codes]).astype(float)


def pipeline(last: Any) -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    numbers = (
        "passthrough" if "Boosting" in type(last).__name__ or "LGBM" in type(last).__name__ else SimpleImputer()
    )
    encoder = make_column_transformer((codes, ["word", "other"]), (numbers, ["x", "y", "z"]))
    return make_pipeline(encoder, last)


def estimators() -> dict[str, tuple[Any, Task]]:
    from lightgbm import LGBMClassifier, LGBMRegressor
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
        RandomForestClassifier,
        VotingClassifier,
    )
    from sklearn.linear_model import LogisticRegression

    small = {"min_samples_leaf": 5, "random_state": 0}
    return {
        "codes as categories": (
            HistGradientBoostingClassifier(max_iter=20, categorical_features=[0, 1], random_state=0),
            Task.BINARY,
        ),
        "three classes": (LGBMClassifier(n_estimators=12, verbose=-1), Task.MULTICLASS),
        "a regression": (HistGradientBoostingRegressor(max_iter=20, max_leaf_nodes=60, **small), Task.REGRESSION),
        "another": (LGBMRegressor(n_estimators=20, num_leaves=12, verbose=-1), Task.REGRESSION),
        "a forest": (RandomForestClassifier(10, max_leaf_nodes=30, random_state=0), Task.BINARY),
        "two that vote": (
            VotingClassifier(
                [
                    ("forest", RandomForestClassifier(5, max_leaf_nodes=20, random_state=0)),
                    ("linear", LogisticRegression()),
                ],
                voting="soft",
            ),
            Task.BINARY,
        ),
    }


def compiled(name: str) -> tuple[OnnxRuntime, bytes, tuple[InputField, ...], dict[str, tuple[str, ...]]]:
    last, task = estimators()[name]
    X = frame(1500, 0)
    score = X["x"].fillna(0) + (X["word"] == "a") * 2 + X["y"].fillna(1) * X["z"].fillna(0)
    y = score if task is Task.REGRESSION else np.digitize(score, [0.5] if task is Task.BINARY else [0.0, 1.0])
    classes = {Task.BINARY: ("no", "yes"), Task.MULTICLASS: ("a", "b", "c")}.get(task, ())
    fitted = pipeline(last).fit(X, y)
    found = compile_estimator(fitted, FIELDS, OutputSpec(task, classes, "yes" if task is Task.BINARY else None))
    return OnnxRuntime(found.model, found.fields), found.model, found.fields, found.vocabularies


@pytest.mark.parametrize("name", list(estimators()))
def test_many_rows_get_the_answers_of_the_whole_graph(name: str) -> None:
    whole, model, fields, vocabularies = compiled(name)
    rows = matrix(5_000, 1, vocabularies)
    many = TabledRuntime(whole, model, fields)
    assert np.array_equal(many.predict_matrix(rows), whole.predict_matrix(rows))
    assert np.array_equal(many.predict_matrix(rows[: MANY - 1]), whole.predict_matrix(rows[: MANY - 1]))


def test_a_model_without_trees_runs_as_it_is() -> None:
    from sklearn.linear_model import LinearRegression

    X = frame(50, 0)[["x"]].fillna(0)
    found = compile_estimator(LinearRegression().fit(X, X["x"]), FIELDS[:1], OutputSpec(Task.REGRESSION))
    whole = OnnxRuntime(found.model, found.fields)
    assert for_many_rows(whole, found.model, found.fields) is whole


def test_codes_that_are_encoded_again_are_looked_up_once() -> None:
    import onnx

    _, model, _, _ = compiled("codes as categories")
    kinds = [node.op_type for node in onnx.load_model_from_string(model).graph.node]
    before = kinds[: kinds.index("TreeEnsemble")]
    assert before.count("Gather") <= 3, before
    assert "Equal" not in before
