"""What the compiler promises besides equality: vocabularies, thresholds, the same bytes, reasons."""

import warnings

import numpy as np
import polars as pl
import pytest
from lightgbm import LGBMClassifier, early_stopping
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    LogisticRegression,
    Ridge,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

from mainspring.data.estimator_frame import estimator_frame
from mainspring.domain.release import InputField, OutputSpec
from mainspring.domain.schema import Kind
from mainspring.domain.task import Task
from mainspring.errors import NotCompilable
from mainspring.release.compile.compiler import compile_estimator
from mainspring.release.runtimes.onnx import OnnxRuntime

from .conftest import FIELDS, Check, output, rows, target
from .pipelines import line, numbers, ordinal, scaled, texts, tree

BINARY, MULTICLASS, REGRESSION = Task.BINARY, Task.MULTICLASS, Task.REGRESSION


def test_every_split_of_a_numeric_field_is_tried(fit_and_compare: Check) -> None:
    compiled, parity = fit_and_compare(tree(numbers(StandardScaler())), BINARY)
    assert set(compiled.thresholds) == {"amount", "age", "at", "member"}
    assert parity.rows > 2_000
    assert all(
        np.isfinite(values).all() and (np.diff(values) > 0).all() for values in compiled.thresholds.values()
    )


def test_the_vocabulary_is_what_the_encoders_know(fit_and_compare: Check) -> None:
    compiled, _ = fit_and_compare(
        tree(
            make_column_transformer(
                (OneHotEncoder(handle_unknown="ignore", max_categories=2, sparse_output=False), ["job"]),
                (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["job", "city"]),
            )
        ),
        BINARY,
    )
    assert compiled.vocabularies["job"] == tuple(
        sorted({"clerk", "pilot", "cook", "baker", "Ärztin", "rare1", "rare2"})
    )
    assert compiled.vocabularies["city"] == ("Bonn", "Köln", "Ulm")
    assert compiled.fields[0].vocabulary == compiled.vocabularies["job"]
    assert compiled.fields[1].vocabulary is None


def test_the_same_estimator_gives_the_same_bytes() -> None:
    frame = rows()
    model = make_pipeline(ordinal(), HistGradientBoostingClassifier(max_iter=5))
    model.fit(estimator_frame(frame, FIELDS), target(frame, BINARY))
    first, second = (compile_estimator(model, FIELDS, output(BINARY)).model for _ in range(2))
    assert first == second


class Doubled(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return 2 * X


class StandardScalerOfMine(StandardScaler):
    def transform(self, X, copy=None):
        return super().transform(X) + 1


StandardScalerOfMine.__name__ = "StandardScaler"


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        (make_pipeline(numbers(SimpleImputer()), Doubled(), LogisticRegression()), "the transformer Doubled"),
        (make_pipeline(numbers(SimpleImputer()), StandardScalerOfMine(), LogisticRegression()), "StandardScaler"),
        (
            line(texts(OneHotEncoder()), StandardScaler()),
            r"handle_unknown='error'\) refuses .*; write OneHotEncoder",
        ),
        (
            make_pipeline(
                make_column_transformer((TfidfVectorizer(), "city"), ("drop", "job")), LogisticRegression()
            ),
            "TfidfVectorizer",
        ),
        (line(numbers(SimpleImputer(), FunctionTransformer(lambda x: x + 1))), "runs Python code"),
        (make_pipeline(scaled(), LGBMClassifier(n_estimators=3, linear_tree=True, verbose=-1)), "linear trees"),
        (make_pipeline(scaled(), DummyClassifier(strategy="stratified")), "at random"),
    ],
)
def test_what_does_not_compile_says_why(estimator: object, words: str) -> None:
    frame = rows().with_columns(city=rows()["city"].fill_null("Ulm"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(estimator_frame(frame, FIELDS), target(frame, BINARY))
        with pytest.raises(NotCompilable, match=words):
            compile_estimator(estimator, FIELDS, output(BINARY))


def test_a_text_that_nobody_encodes_does_not_compile() -> None:
    frame = rows()
    model = make_pipeline(make_column_transformer(("passthrough", ["age"])), SimpleImputer(), LogisticRegression())
    model.fit(estimator_frame(frame, FIELDS), target(frame, BINARY))
    assert compile_estimator(model, FIELDS, output(BINARY)).vocabularies == {"job": (), "city": ()}
    model.steps[0][1].transformers_ = [("passthrough", "passthrough", ["job"])]
    model.steps[0][1]._transformer_to_input_indices = {"passthrough": [0]}
    with pytest.raises(NotCompilable, match="'job' reaches an estimator as text"):
        compile_estimator(make_pipeline(model.steps[0][1], model.steps[2][1]), FIELDS, output(BINARY))


def test_an_estimator_of_another_task_does_not_compile() -> None:
    frame = rows()
    model = make_pipeline(scaled(), Ridge()).fit(estimator_frame(frame, FIELDS), target(frame, BINARY))
    with pytest.raises(NotCompilable, match="does not predict what a binary model needs"):
        compile_estimator(model, FIELDS, output(BINARY))


def test_an_estimator_of_other_columns_does_not_compile() -> None:
    frame = rows()
    model = make_pipeline(scaled(), Ridge()).fit(estimator_frame(frame, FIELDS), target(frame, REGRESSION))
    with pytest.raises(NotCompilable, match="fitted on other columns"):
        compile_estimator(model, FIELDS[::-1], output(REGRESSION))


def test_a_class_never_seen_gets_nothing() -> None:
    frame = rows()
    y = target(frame, BINARY) * 2  # the classes 0 and 2 of three
    model = make_pipeline(ordinal(), HistGradientBoostingClassifier(max_iter=5))
    model.fit(estimator_frame(frame, FIELDS), y)
    compiled = compile_estimator(model, FIELDS, output(MULTICLASS))
    found = OnnxRuntime(compiled.model, compiled.fields).predict_frame(frame)
    assert (found[:, 1] == 0).all()
    np.testing.assert_allclose(found[:, [0, 2]], model.predict_proba(estimator_frame(frame, FIELDS)), atol=1e-12)


def test_numbers_alone_without_a_pipeline() -> None:
    fields = [InputField("a", Kind.NUMBER), InputField("b", Kind.NUMBER)]
    frame = rows().select(a="amount", b="age")
    model = HistGradientBoostingRegressor(max_iter=5).fit(
        estimator_frame(frame, fields), target(rows(), REGRESSION)
    )
    assert compile_estimator(model, fields, OutputSpec(REGRESSION)).vocabularies == {}


def test_lightgbm_with_categories_of_its_own_and_early_stopping() -> None:
    fields = [InputField(name, Kind.NUMBER) for name in ("code", "amount", "age")]
    random = np.random.default_rng(3)
    count = 1_200
    code = random.integers(0, 40, count).astype(float)
    frame = pl.DataFrame(
        {
            "code": code,
            "amount": random.lognormal(1, 2, count),
            "age": random.integers(18, 90, count).astype(float),
        }
    ).with_columns(pl.when(pl.Series(random.random(count) < 0.1)).then(None).otherwise(pl.all()).name.keep())
    y = ((code % 7 < 3) ^ (random.random(count) < 0.1)).astype(np.int64)
    X = estimator_frame(frame, fields)
    model = LGBMClassifier(n_estimators=200, min_child_samples=5, cat_smooth=1, min_data_per_group=5, verbose=-1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(
            X[:900],
            y[:900],
            eval_set=[(X[900:], y[900:])],
            categorical_feature=[0],
            callbacks=[early_stopping(5, verbose=False)],
        )
    assert 0 < model.best_iteration_ < 200
    assert "num_cat=0" not in model.booster_.model_to_string().partition("Tree=1")[0]
    compiled = compile_estimator(model, fields, output(BINARY))
    # Values between, beyond and below the codes: LightGBM cuts off the fraction, and takes no negative one.
    strange = pl.DataFrame({"code": [3.7, -0.5, -1.0, 39.999, 40.0, 1e9, 1e300, None]}).with_columns(
        amount=pl.lit(2.0), age=pl.lit(40.0)
    )
    for rows_asked in (frame, strange.head(6)):
        wanted = model.predict_proba(estimator_frame(rows_asked, fields))
        found = OnnxRuntime(compiled.model, compiled.fields).predict_frame(rows_asked)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)
