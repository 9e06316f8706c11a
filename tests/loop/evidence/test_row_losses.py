"""The loss of a row is what the metric of the whole is the mean of."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.release import OutputSpec
from mainspring.domain.task import Task
from mainspring.loop.evidence.row_losses import LEAST_CHANCE, MOST, answers, losses, outputs_of, truth_of
from mainspring.training.metrics import measure

BINARY = OutputSpec(Task.BINARY, ("no", "yes"), positive="yes", threshold=0.4)
THREE = OutputSpec(Task.MULTICLASS, ("bronze", "gold", "silver"))
VALUE = OutputSpec(Task.REGRESSION)


def some(spec: OutputSpec, rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    if not spec.classes:
        return random.normal(size=(rows, 1)), random.normal(size=rows)
    return random.dirichlet(np.ones(len(spec.classes)), rows), random.integers(len(spec.classes), size=rows)


@pytest.mark.parametrize("spec", [BINARY, THREE])
def test_their_means_are_the_metrics_of_training(spec: OutputSpec) -> None:
    outputs, truth = some(spec)
    positive = 1 if spec.positive else None

    def mean(metric: str) -> float:
        return float(losses(metric, outputs, truth.astype(float), spec).mean())

    def measured(metric: str) -> float:
        return measure(metric, outputs, truth, task=spec.task, positive=positive, threshold=spec.threshold)

    chance = outputs[np.arange(len(truth)), truth]
    assert mean("log_loss") == pytest.approx(-np.log(np.maximum(chance, LEAST_CHANCE)).mean())
    assert mean("log_loss") < measured("log_loss")
    assert mean("error") == pytest.approx(1 - measured("accuracy"))
    assert mean("brier") == pytest.approx(measured("brier") / (1 if spec is BINARY else 2))


def test_of_numbers_too() -> None:
    outputs, truth = some(VALUE)
    assert losses("squared_error", outputs, truth, VALUE).mean() == pytest.approx(
        measure("rmse", outputs, truth, task=Task.REGRESSION) ** 2
    )
    assert losses("absolute_error", outputs, truth, VALUE).mean() == pytest.approx(
        measure("mae", outputs, truth, task=Task.REGRESSION)
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.sampled_from(sorted(MOST)))
def test_what_is_said_to_be_bounded_is(shares: list[float], metric: str) -> None:
    share = np.array(shares)
    outputs = np.column_stack([1 - share, share])
    for truth in (-1.0, 0.0, 1.0):
        found = losses(metric, outputs, np.full(share.size, truth), BINARY)
        assert ((found >= 0) & (found <= MOST[metric])).all()


def test_what_are_no_chances_costs_the_most() -> None:
    assert losses("brier", np.array([[9.0, -8.0], [0.0, 1.0 + 1e-7]]), np.array([1.0, 0.0]), BINARY).tolist() == [
        1,
        1,
    ]


def test_an_answer_of_no_chance_costs_no_more_than_the_least() -> None:
    outputs = np.array([[1.0, 0.0], [1.0 - 1e-9, 1e-9]])
    assert losses("log_loss", outputs, np.ones(2), BINARY).tolist() == [-np.log(LEAST_CHANCE)] * 2


def test_a_class_that_the_release_does_not_know_is_an_error_and_what_is_not_known_is_none() -> None:
    rows = pl.DataFrame({"label": ["yes", "maybe", None], "label_value": [None, None, None]})
    truth = truth_of(rows, BINARY)
    np.testing.assert_array_equal(truth, [1.0, -1.0, np.nan])
    outputs = np.array([[0.1, 0.9]] * 3)
    np.testing.assert_array_equal(losses("error", outputs, truth, BINARY), [0.0, 1.0, np.nan])
    assert losses("log_loss", outputs, truth, BINARY)[1] == pytest.approx(-np.log(LEAST_CHANCE))
    numbers = pl.DataFrame({"label": [None] * 3, "label_value": [1.5, None, float("inf")]})
    np.testing.assert_array_equal(truth_of(numbers, VALUE), [1.5, np.nan, np.nan])


def test_logged_outputs_that_make_no_sense_are_no_answers() -> None:
    rows = pl.DataFrame(
        {"outputs": [[0.2, 0.8], [0.5], None, [0.1, None], [float("nan"), 1.0]]},
        schema={"outputs": pl.List(pl.Float64)},
    )
    outputs = outputs_of(rows, "outputs", 2)
    assert np.isfinite(outputs).all(axis=1).tolist() == [True, False, False, False, False]
    assert answers(outputs, BINARY).tolist() == ["yes", None, None, None, None]
    assert np.isnan(losses("brier", outputs, np.ones(5), BINARY)[1:]).all()
    assert outputs_of(rows.clear(), "outputs", 2).shape == (0, 2)
