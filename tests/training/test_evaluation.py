from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from mainspring.domain.gate import Gate
from mainspring.domain.task import Task
from mainspring.domain.verdict import Outcome
from mainspring.errors import DataError, DeclarationError
from mainspring.training.evaluation import Evaluation, evaluate
from mainspring.training.gates import judge_gates
from mainspring.training.metrics import measure
from mainspring.training.slicing import MISSING


def answers(data: Any, strength: float, seed: int = 0) -> np.ndarray:
    """Probabilities that know the truth as well as `strength` says."""
    random = np.random.default_rng(seed)
    logit = strength * (data.holdout_target * 2 - 1) + random.normal(0, 1, len(data.holdout_target))
    share = 1 / (1 + np.exp(-logit))
    return np.c_[1 - share, share]


@pytest.fixture(scope="module")
def rows(clicks: Any) -> pl.DataFrame:
    return clicks.rows(3000, seed=5)


def test_metrics_lie_within_their_intervals_and_repeat(clicks: Any, rows: pl.DataFrame) -> None:
    model = clicks.model(slices=["device", ("device", "visits")])
    data = clicks.data(model, rows)
    found = evaluate(answers(data, 1.0), data, model)
    assert found == evaluate(answers(data, 1.0), data, model)
    for estimate in found.metrics.values():
        assert estimate.low <= estimate.value <= estimate.high or estimate is found.metrics["calibration_error"]
        assert estimate.rows == data.holdout.sum()
    assert found.metrics["roc_auc"].value == measure(
        "roc_auc", answers(data, 1.0), data.holdout_target, task=Task.BINARY, positive=data.positive
    )
    assert found.naive["roc_auc"] == 0.5
    assert found.naive_gains["roc_auc"].value == pytest.approx(found.metrics["roc_auc"].value - 0.5)
    assert sum(one.rows for one in found.calibration) == found.rows
    again = msgspec.json.decode(msgspec.json.encode(found), type=Evaluation)
    assert again == found


def test_slices_cover_the_holdout_and_small_ones_are_not_measured(clicks: Any, rows: pl.DataFrame) -> None:
    rows = rows.with_columns(
        pl.when(pl.int_range(rows.height) % 100 == 0).then(None).otherwise(pl.col("device")).alias("device")
    )
    model = clicks.model(slices=["device", ("device", "visits")])
    data = clicks.data(model, rows)
    found = evaluate(answers(data, 1.0), data, model)
    single = [one for one in found.slices if set(one.slice) == {"device"}]
    assert sum(one.rows for one in single) == found.rows
    assert {one.slice["device"] for one in single} == {"phone", "tv", "desk", MISSING}
    assert next(one for one in single if one.slice["device"] == MISSING).metrics == {}
    assert any(set(one.slice) == {"device", "visits"} for one in found.slices)
    phone = next(one for one in single if one.slice["device"] == "phone")
    inside = data.holdout_slices["device"] == "phone"
    assert phone.metrics["accuracy"].value == measure(
        "accuracy",
        answers(data, 1.0)[inside],
        data.holdout_target[inside],
        task=Task.BINARY,
        positive=data.positive,
    )


@pytest.mark.parametrize(
    ("gate", "strength", "outcome"),
    [
        (Gate("roc_auc", at_least=0.7), 1.0, Outcome.PASS),
        (Gate("roc_auc", at_least=0.99), 1.0, Outcome.FAIL),
        (Gate("log_loss", at_most=0.1), 1.0, Outcome.FAIL),
        (Gate("roc_auc", better_than="naive"), 1.0, Outcome.PASS),
        (Gate("roc_auc", better_than="naive"), 0.0, Outcome.INCONCLUSIVE),
        (Gate("log_loss", better_than="naive"), 0.0, Outcome.FAIL),
        (Gate("roc_auc", at_least=0.7, by="device"), 1.0, Outcome.PASS),
        (Gate("roc_auc", no_worse_than="champion", margin=0.01), 1.0, Outcome.PASS),
        (Gate("roc_auc", better_than="champion"), 1.0, Outcome.PASS),
    ],
)
def test_gates_without_a_champion(
    clicks: Any, rows: pl.DataFrame, gate: Gate, strength: float, outcome: Outcome
) -> None:
    model = clicks.model(gates=[gate])
    data = clicks.data(model, rows)
    found = evaluate(answers(data, strength), data, model)
    (verdict,) = judge_gates(found, model.gates, Task.BINARY)
    assert verdict.outcome is outcome, verdict
    if gate.reference == "champion":
        assert verdict.reason == "there is no champion yet"


@pytest.mark.parametrize(
    ("mine", "theirs", "better", "no_worse"),
    [
        (1.0, 0.4, Outcome.PASS, Outcome.PASS),
        (0.4, 1.0, Outcome.FAIL, Outcome.FAIL),
        (1.0, 1.0, Outcome.FAIL, Outcome.PASS),  # the very same answers: never better, never worse
    ],
)
def test_gates_against_a_champion(
    clicks: Any, rows: pl.DataFrame, mine: float, theirs: float, better: Outcome, no_worse: Outcome
) -> None:
    model = clicks.model(
        gates=[Gate("roc_auc", better_than="champion"), Gate("log_loss", no_worse_than="champion", margin=0.01)]
    )
    data = clicks.data(model, rows)
    found = evaluate(answers(data, mine), data, model, champion_outputs=answers(data, theirs))
    verdicts = judge_gates(found, model.gates, Task.BINARY)
    assert [verdict.outcome for verdict in verdicts] == [better, no_worse]
    assert found.champion_gains["roc_auc"].value == pytest.approx(
        found.metrics["roc_auc"].value - found.champion["roc_auc"].value
    )


def test_pairing_tells_close_models_apart(clicks: Any, rows: pl.DataFrame) -> None:
    model = clicks.model()
    data = clicks.data(model, rows)
    mine = answers(data, 1.0)
    theirs = mine * 0.97 + 0.015  # the same order, a little less sure
    found = evaluate(mine, data, model, champion_outputs=theirs)
    gain, own = found.champion_gains["log_loss"], found.metrics["log_loss"]
    assert gain.high - gain.low < (own.high - own.low) / 5
    assert found.champion_gains["roc_auc"].value == pytest.approx(0, abs=1e-12)


def test_only_rows_that_the_champion_never_saw_are_compared(clicks: Any, rows: pl.DataFrame) -> None:
    model = clicks.model(gates=[Gate("roc_auc", no_worse_than="champion", margin=0.01)])
    data = clicks.data(model, rows)
    unseen = np.arange(len(data.holdout_target)) % 3 == 0
    theirs = answers(data, 0.0)
    theirs[~unseen] = answers(data, 9.0)[~unseen]  # it knows by heart what it has learnt from
    fair = evaluate(answers(data, 1.0), data, model, champion_outputs=theirs, unseen_by_champion=unseen)
    assert fair.rows_compared == unseen.sum() == fair.champion["roc_auc"].rows
    assert judge_gates(fair, model.gates, Task.BINARY)[0].outcome is Outcome.PASS
    none = evaluate(
        answers(data, 1.0), data, model, champion_outputs=theirs, unseen_by_champion=np.zeros(len(theirs), bool)
    )
    (verdict,) = judge_gates(none, model.gates, Task.BINARY)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "learnt from every row" in verdict.reason


def test_a_bad_slice_fails_the_gate_and_is_named(clicks: Any, rows: pl.DataFrame) -> None:
    model = clicks.model(gates=[Gate("roc_auc", at_least=0.7, by="device"), Gate("roc_auc", at_least=0.7)])
    data = clicks.data(model, rows)
    outputs = answers(data, 2.0)
    tv = data.holdout_slices["device"] == "tv"
    outputs[tv] = answers(data, 0.0)[tv]
    by_device, _ = judge_gates(evaluate(outputs, data, model), model.gates, Task.BINARY)
    assert by_device.outcome is Outcome.FAIL
    assert "device=tv" in by_device.reason


def test_slices_too_small_are_listed_not_judged(clicks: Any, rows: pl.DataFrame) -> None:
    model = clicks.model(gates=[Gate("roc_auc", at_least=0.6, by="visits", min_rows=100)])
    data = clicks.data(model, rows)
    found = evaluate(answers(data, 2.0), data, model)
    (verdict,) = judge_gates(found, model.gates, Task.BINARY)
    assert verdict.outcome is Outcome.PASS
    assert "too small to judge" in verdict.reason


def test_answers_that_are_no_numbers_are_inconclusive(clicks: Any, rows: pl.DataFrame) -> None:
    model = clicks.model(gates=[Gate("roc_auc", at_least=0.6)])
    data = clicks.data(model, rows)
    outputs = answers(data, 1.0)
    outputs[0, 0] = np.nan
    (verdict,) = judge_gates(evaluate(outputs, data, model), model.gates, Task.BINARY)
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_answers_of_another_shape_are_refused(clicks: Any) -> None:
    data = clicks.data()
    with pytest.raises(DataError, match="the champion's answers"):
        evaluate(answers(data, 1.0), data, clicks.model(), champion_outputs=np.zeros((3, 2)))
    with pytest.raises(DataError, match="the estimator's answers"):
        evaluate(np.zeros((3, 2)), data, clicks.model())


def test_a_gate_of_another_task_is_refused(clicks: Any) -> None:
    model = clicks.model(gates=[Gate("rmse", at_most=3.0)])
    data = clicks.data(model)
    with pytest.raises(DeclarationError, match="'rmse'"):
        evaluate(answers(data, 1.0), data, model)


def test_a_regression_is_judged_too(clicks: Any, rows: pl.DataFrame) -> None:
    model = clicks.model(
        target="spent",
        gates=[Gate("rmse", at_most=20.0), Gate("mae", better_than="naive"), Gate("r2", at_least=0.9)],
        slices=["device"],
    )
    data = clicks.data(model, rows, task=Task.REGRESSION)
    outputs = data.holdout_target.reshape(-1, 1) + np.random.default_rng(0).normal(0, 5, (data.holdout.sum(), 1))
    found = evaluate(outputs, data, model)
    assert [v.outcome for v in judge_gates(found, model.gates, Task.REGRESSION)] == [Outcome.PASS] * 3
    assert found.calibration == ()
    assert found.naive["r2"] == pytest.approx(0, abs=0.01)
