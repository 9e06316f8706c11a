"""A compiled model answers only where it was shown to be equal; and it is said why not."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from mainspring.domain.release import OutputSpec, RuntimeKind
from mainspring.domain.task import Task
from mainspring.errors import CandidateError, NotCompilable
from mainspring.release.compilation import Decision, decide_runtime
from mainspring.release.compile import compiler
from mainspring.release.golden import FEWEST
from mainspring.release.inputs import input_fields
from mainspring.release.original import outputs_of
from mainspring.testing.sealed import COLUMNS, a_seal_order, neighbours, some_rows

HOLDOUT = some_rows(150, seed=1)
FIELDS = input_fields(COLUMNS, HOLDOUT)
OUTPUT = OutputSpec(Task.BINARY, ("no", "yes"), "yes")


@pytest.fixture(scope="module")
def estimator() -> Any:
    return a_seal_order().estimator


def decide(estimator: Any) -> Decision:
    def answers(X: pd.DataFrame) -> NDArray[np.float64]:
        return outputs_of(estimator, X, Task.BINARY, OUTPUT.classes)

    return decide_runtime(estimator, answers, FIELDS, OUTPUT, HOLDOUT)


def replaced(monkeypatch: pytest.MonkeyPatch, converter: Callable[..., Any]) -> None:
    monkeypatch.setattr(compiler, "compile_estimator", converter)


def test_an_equal_model_is_taken(estimator: Any) -> None:
    decision = decide(estimator)
    assert decision.runtime.kind is RuntimeKind.ONNX
    assert decision.runtime.reason.startswith("compiled: ")
    assert (decision.runtime.max_difference or 0.0) <= decision.runtime.tolerance == 1e-9
    assert decision.fields[3].vocabulary == ("desktop", "phone", "tablet")


def test_a_converter_that_lies_is_caught(estimator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    honest, other = compiler.compile_estimator, a_seal_order(rows=300).estimator
    replaced(monkeypatch, lambda _, *rest: honest(other, *rest))
    decision = decide(estimator)
    assert (decision.runtime.kind, decision.model) == (RuntimeKind.NATIVE, None)
    assert decision.runtime.reason.startswith("the compiled model differs from the original by ")
    assert decision.fields == FIELDS


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotCompilable("KNeighborsClassifier has no compiled form"), "not compiled: KNeighborsClassifier has no"),
        (ZeroDivisionError("oops"), "not compiled: the converter failed .ZeroDivisionError: oops"),
    ],
)
def test_a_converter_that_cannot_costs_no_release(
    estimator: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def failing(*_: Any) -> Any:
        raise error

    replaced(monkeypatch, failing)
    decision = decide(estimator)
    assert decision.runtime.kind is RuntimeKind.NATIVE
    assert decision.runtime.reason.startswith(reason.replace(".Zero", "(Zero"))
    assert len(decision.golden.rows) >= FEWEST


def test_neighbours_have_no_compiled_form() -> None:
    order = a_seal_order(make=neighbours)
    assert decide(order.estimator).runtime.kind is RuntimeKind.NATIVE


def test_an_original_that_refuses_a_real_row(estimator: Any) -> None:
    class Refusing:
        classes_ = (0, 1)

        def predict_proba(self, X: pd.DataFrame) -> Any:
            raise ValueError("Input X contains NaN")

    with pytest.raises(
        CandidateError, match="Refusing raised ValueError when asked to predict: Input X contains NaN"
    ):
        decide(Refusing())
