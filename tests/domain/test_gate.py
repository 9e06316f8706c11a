"""A gate passes only when its whole interval is on the right side of the bar."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.gate import Gate, SliceEstimate
from mainspring.domain.task import Task
from mainspring.domain.verdict import Estimate, Outcome
from mainspring.errors import DeclarationError


def measured(low: float, high: float, rows: int = 1000, **slice_: str) -> SliceEstimate:
    return SliceEstimate(slice_, Estimate((low + high) / 2, low, high, rows))


def outcome(gate: Gate, *slices: SliceEstimate, task: Task = Task.BINARY) -> Outcome:
    return gate.judge(slices, task).outcome


def test_a_bar_from_below_passes_fails_or_leaves_in_doubt() -> None:
    gate = Gate("roc_auc", at_least=0.7)
    assert outcome(gate, measured(0.71, 0.75)) is Outcome.PASS
    assert outcome(gate, measured(0.70, 0.75)) is Outcome.PASS
    assert outcome(gate, measured(0.69, 0.75)) is Outcome.INCONCLUSIVE
    assert outcome(gate, measured(0.60, 0.69)) is Outcome.FAIL


def test_a_bar_from_above_turns_the_sides_round() -> None:
    gate = Gate("rmse", at_most=10.0)
    assert outcome(gate, measured(8, 10), task=Task.REGRESSION) is Outcome.PASS
    assert outcome(gate, measured(9, 11), task=Task.REGRESSION) is Outcome.INCONCLUSIVE
    assert outcome(gate, measured(10.5, 11), task=Task.REGRESSION) is Outcome.FAIL


def test_better_than_needs_more_than_nothing() -> None:
    gate = Gate("log_loss", better_than="naive")
    assert outcome(gate, measured(0.001, 0.1)) is Outcome.PASS
    assert outcome(gate, measured(0.0, 0.1)) is Outcome.INCONCLUSIVE
    assert outcome(gate, measured(0.0, 0.0)) is Outcome.FAIL


def test_no_worse_than_allows_its_margin() -> None:
    gate = Gate("log_loss", no_worse_than="champion", margin=0.01)
    assert outcome(gate, measured(0.0, 0.0)) is Outcome.PASS
    assert outcome(gate, measured(-0.01, 0.02)) is Outcome.PASS
    assert outcome(gate, measured(-0.02, 0.02)) is Outcome.INCONCLUSIVE
    assert outcome(gate, measured(-0.05, -0.02)) is Outcome.FAIL


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_could_not_be_measured_never_passes(value: float | None) -> None:
    estimate = SliceEstimate({}, Estimate(value, value, value, 1000))
    assert outcome(Gate("roc_auc", at_least=0.5), estimate) is Outcome.INCONCLUSIVE


def test_nothing_measured_never_passes() -> None:
    assert outcome(Gate("roc_auc", at_least=0.5)) is Outcome.INCONCLUSIVE


def test_one_bad_slice_fails_the_gate_and_is_named() -> None:
    gate = Gate("roc_auc", at_least=0.6, by="device")
    verdict = gate.judge((measured(0.7, 0.8, device="phone"), measured(0.4, 0.5, device="tablet")), Task.BINARY)
    assert verdict.outcome is Outcome.FAIL
    assert "device=tablet" in verdict.reason
    assert verdict.evidence[1].shortfall == pytest.approx(0.15)


def test_small_slices_are_listed_but_not_judged() -> None:
    gate = Gate("roc_auc", at_least=0.6, by="device", min_rows=100)
    verdict = gate.judge((measured(0.7, 0.8, device="phone"), measured(0.1, 0.2, 20, device="tv")), Task.BINARY)
    assert verdict.outcome is Outcome.PASS
    assert len(verdict.evidence) == 2
    assert "1 slices too small" in verdict.reason


def test_only_small_slices_prove_nothing() -> None:
    gate = Gate("roc_auc", at_least=0.6, by="device", min_rows=100)
    assert outcome(gate, measured(0.9, 0.95, 20, device="tv")) is Outcome.INCONCLUSIVE


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_pass_and_fail_rest_on_the_whole_interval(a: float, b: float, bar: float) -> None:
    low, high = sorted((a, b))
    found = outcome(Gate("roc_auc", at_least=bar), measured(low, high))
    assert (found is Outcome.PASS) == (low >= bar)
    assert (found is Outcome.FAIL) == (high < bar)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"metric": "auc", "at_least": 0.5}, "not a metric"),
        ({"metric": "roc_auc"}, "exactly one bar"),
        ({"metric": "roc_auc", "at_least": 0.5, "at_most": 0.6}, "exactly one bar"),
        ({"metric": "roc_auc", "at_most": 0.5}, "more is better"),
        ({"metric": "rmse", "at_least": 0.5}, "less is better"),
        ({"metric": "rmse", "better_than": "luck"}, "compares with 'luck'"),
        ({"metric": "rmse", "no_worse_than": "champion", "margin": -1}, "margin"),
    ],
)
def test_a_gate_that_makes_no_sense_says_so(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(DeclarationError, match=words):
        Gate(**arguments)  # type: ignore[arg-type]


def test_a_metric_of_another_task_is_refused() -> None:
    with pytest.raises(DeclarationError, match="regression metric"):
        Gate("roc_auc", at_least=0.5).judge((), Task.REGRESSION)
