"""A compiled model that lies is caught, whatever it lies about."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl
import pytest
from lightgbm import LGBMClassifier
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from mainspring.data.estimator_frame import estimator_frame
from mainspring.domain.release import InputField, OutputSpec
from mainspring.domain.schema import Kind
from mainspring.domain.task import Task
from mainspring.release.compile import encoders, hist_gradient_boosting, linear, registry
from mainspring.release.compile.compiler import Compiled, compile_estimator
from mainspring.release.compile.trees import Trees
from mainspring.release.original import outputs_of
from mainspring.release.parity import compare

FIELDS = (
    InputField("job", Kind.CATEGORY),
    InputField("amount", Kind.NUMBER),
    InputField("age", Kind.INTEGER),
)
OUTPUT = OutputSpec(Task.BINARY, ("no", "yes"))


def rows(count: int = 3_000) -> pl.DataFrame:
    random = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "job": random.choice(["clerk", "pilot", "cook"], count),
            "amount": random.lognormal(2, 2, count),
            "age": random.integers(18, 90, count),
        }
    )
    return frame.with_columns(
        pl.when(pl.Series(random.random(count) < 0.1)).then(None).otherwise(pl.col(name)).alias(name)
        for name in frame.columns
    )


def target(frame: pl.DataFrame) -> npt.NDArray[np.int64]:
    random = np.random.default_rng(1)
    score = np.log1p(frame["amount"].fill_null(9.0).to_numpy()) + frame["age"].fill_null(40).to_numpy() / 20
    score += (frame["job"].fill_null("") == "pilot").to_numpy() * 2.0
    return (score + random.normal(0, 0.5, frame.height) > np.median(score)).astype(np.int64)


def encoded(model: Any, **settings: Any) -> Any:
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, **settings)
    return make_pipeline(make_column_transformer((encoder, ["job"]), remainder="passthrough"), model)


Made = tuple[Any, Compiled, Callable[[pd.DataFrame], npt.NDArray[np.float64]], pl.DataFrame]


def make(model: Any) -> Made:
    frame = rows()
    model.fit(estimator_frame(frame.head(2_000), FIELDS), target(frame)[:2_000])
    compiled = compile_estimator(model, FIELDS, OUTPUT)
    return model, compiled, lambda X: outputs_of(model, X, OUTPUT.task, OUTPUT.classes), frame.tail(1_000)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def test_an_honest_converter_holds() -> None:
    _, compiled, original, holdout = make(encoded(HistGradientBoostingClassifier(max_iter=20)))
    parity = compare(original, compiled, holdout)
    assert parity.holds
    assert parity.max_difference < 1e-12
    assert parity.rows >= 5_000
    assert parity.reason == f"compiled: {parity.rows:,} rows agree within 1e-09"


def shift_one_threshold(trees: Trees, random: np.random.Generator) -> None:
    """One threshold of one node of one tree, by one step of the last place."""
    while True:
        part = trees._parts[random.integers(len(trees._parts))]
        node = random.integers(len(part["threshold"]))
        left, right = int(part["left"][node]), int(part["right"][node])
        if part["feature"][node] != 0 and left != right:  # the job's codes have nothing between them
            break
    towards = np.inf if random.random() < 0.5 else -np.inf
    part["threshold"][node] = np.nextafter(part["threshold"][node], towards)


def flip_ties(trees: Trees, random: np.random.Generator) -> None:
    """As if the split were `<` instead of `≤`, everywhere."""
    for part in trees._parts:
        part["threshold"][:] = np.nextafter(part["threshold"], -np.inf)


def send_missing_the_other_way(trees: Trees, random: np.random.Generator) -> None:
    for part in trees._parts:
        part["missing_left"][:] = ~part["missing_left"]


def round_leaves(trees: Trees, random: np.random.Generator) -> None:
    for part in trees._parts:
        part["value"][:] = part["value"].astype(np.float32)


def swap_one_leaf(trees: Trees, random: np.random.Generator) -> None:
    values = trees._parts[random.integers(len(trees._parts))]["value"]
    values[:2] = values[1::-1]


def lie(monkeypatch: pytest.MonkeyPatch, change: Callable[..., None], random: np.random.Generator) -> None:
    """Plant a converter of HistGradientBoosting that changes what the honest one made."""
    honest = hist_gradient_boosting.tree_sums

    def lying(compilation: Any, table: Any, trees: Trees, **settings: Any) -> str:
        if compilation.vocabularies:  # the second pass, which is kept
            change(trees, random)
        return honest(compilation, table, trees, **settings)

    monkeypatch.setattr(hist_gradient_boosting, "tree_sums", lying)


@pytest.mark.parametrize("change", [flip_ties, send_missing_the_other_way, round_leaves, swap_one_leaf])
def test_a_lying_converter_of_trees_is_caught(
    monkeypatch: pytest.MonkeyPatch, change: Callable[..., None]
) -> None:
    lie(monkeypatch, change, np.random.default_rng(0))
    _, compiled, original, holdout = make(encoded(HistGradientBoostingClassifier(max_iter=20)))
    parity = compare(original, compiled, holdout)
    assert not parity.holds
    assert parity.worst is not None
    assert set(parity.worst) == {"job", "amount", "age"}
    assert "differs from the original by" in parity.reason


@pytest.mark.parametrize("seed", range(6))
def test_one_threshold_off_by_one_last_place_is_caught(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Of 600 splits one is off by the least that there is: no real row shows it, a planted one does."""
    lie(monkeypatch, shift_one_threshold, np.random.default_rng(seed))
    # Only a field of fractions can stand between two neighbouring doubles.
    model = make_pipeline(
        make_column_transformer(
            (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["job"]),
            ("passthrough", ["amount"]),
        ),
        HistGradientBoostingClassifier(max_iter=20),
    )
    _, compiled, original, holdout = make(model)
    parity = compare(original, compiled, holdout)
    assert not parity.holds
    assert "beside a split of 'amount'" in parity.reason


def test_a_registered_liar_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A converter from outside that forgets the intercept."""

    def forgetful(compilation: Any, model: Any, table: Any) -> Any:
        scores = compilation.graph.op(
            "MatMul", compilation.matrix(table), compilation.graph.constant(model.coef_.T), width=1
        )
        return registry.Prediction(linear.binary_probabilities(compilation, scores), tuple(model.classes_))

    monkeypatch.setitem(registry._predictors, "sklearn.LogisticRegression", forgetful)
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["job"])), LogisticRegression()
    )
    _, compiled, original, holdout = make(model)
    assert not compare(original, compiled, holdout).holds


def test_a_liar_about_unseen_values_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = encoders.evaluate

    def lying(estimator: Any, table: Any, outputs: Any) -> Any:
        answers = honest(estimator, table, outputs)
        for answer in answers:
            answer[-2] = answer[max(len(answer) - 3, 0)]  # the unknown value answers like a pilot
        return answers

    monkeypatch.setattr(encoders, "evaluate", lying)
    _, compiled, original, holdout = make(encoded(HistGradientBoostingClassifier(max_iter=20)))
    parity = compare(original, compiled, holdout)
    assert not parity.holds
    assert "'job' at a value never seen" in parity.reason


def test_a_liar_about_missing_texts_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    _, compiled, original, holdout = make(encoded(LGBMClassifier(n_estimators=20, verbose=-1)))
    assert compare(original, compiled, holdout).holds
    swapped = (replace(compiled.fields[0], vocabulary=tuple(reversed(compiled.fields[0].vocabulary))), *FIELDS[1:])
    assert not compare(original, replace(compiled, fields=swapped), holdout).holds


def test_it_never_raises() -> None:
    _, compiled, original, holdout = make(encoded(HistGradientBoostingClassifier(max_iter=3)))

    def broken(X: pd.DataFrame) -> npt.NDArray[np.float64]:
        raise RuntimeError("the original is broken")

    def narrow(X: pd.DataFrame) -> npt.NDArray[np.float64]:
        return original(X)[:, :1]

    assert "the original is broken" in compare(broken, compiled, holdout).reason
    assert "shape" in compare(narrow, compiled, holdout).reason
    assert "does not load" in compare(original, replace(compiled, model=b"no model"), holdout).reason
    assert "no rows" in compare(original, compiled, holdout.head(0)).reason
    assert "age" in compare(original, compiled, holdout.drop("age")).reason
    for parity in (compare(broken, compiled, holdout), compare(original, compiled, holdout.head(0))):
        assert not parity.holds


def test_an_answer_that_is_no_number_does_not_hold() -> None:
    _, compiled, original, holdout = make(encoded(HistGradientBoostingClassifier(max_iter=3)))

    def with_nan(X: pd.DataFrame) -> npt.NDArray[np.float64]:
        outputs = original(X).copy()
        outputs[0, 0] = np.nan
        return outputs

    parity = compare(with_nan, compiled, holdout)
    assert not parity.holds
    assert parity.max_difference == float("inf")


def test_made_up_rows_that_the_original_refuses_are_counted_not_compared() -> None:
    _, compiled, original, holdout = make(encoded(HistGradientBoostingClassifier(max_iter=3)))

    def careful(X: pd.DataFrame) -> npt.NDArray[np.float64]:
        if (X["amount"].abs() > 1e30).any():
            raise ValueError("too great")
        return original(X)

    parity = compare(careful, compiled, holdout)
    assert parity.holds
    assert parity.refused > 0


def test_few_rows_are_mixed_to_five_thousand() -> None:
    _, compiled, original, holdout = make(encoded(HistGradientBoostingClassifier(max_iter=3)))
    assert compare(original, compiled, holdout.head(7)).rows >= 5_000
