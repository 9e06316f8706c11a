"""What an estimator answers wrongly is said in words."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mainspring.domain.task import Task
from mainspring.errors import CandidateError
from mainspring.release.original import outputs_of

X = pd.DataFrame({"a": [1.0, 2.0, 3.0]})


class Fixed:
    def __init__(self, answer: Any, classes: Any = None, *, shares: bool = True) -> None:
        self.answer = answer
        if classes is not None:
            self.classes_ = classes
        if shares:
            self.predict_proba = self.predict

    def predict(self, X: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_probabilities_in_the_order_of_the_classes() -> None:
    found = outputs_of(Fixed([[0.1, 0.9]] * 3, [2, 0]), X, Task.MULTICLASS, ["a", "b", "c"])
    assert found.tolist() == [[0.9, 0.0, 0.1]] * 3


def test_labels_become_one_hot() -> None:
    found = outputs_of(Fixed(np.array([1, 0, 1]), shares=False), X, Task.BINARY, ["no", "yes"])
    assert found.tolist() == [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize("answer", [[1, 2, 3], np.array([[1.0], [2.0], [3.0]], dtype=np.float32)])
def test_values_become_a_column_of_doubles(answer: Any) -> None:
    found = outputs_of(Fixed(answer), X, Task.REGRESSION, [])
    assert found.dtype == np.float64
    assert found.tolist() == [[1.0], [2.0], [3.0]]


@pytest.mark.parametrize(
    ("estimator", "task", "words"),
    [
        (Fixed([[0.5, 0.5]] * 2), Task.BINARY, "shape"),
        (Fixed([0.5] * 3), Task.BINARY, "shape"),
        (Fixed([[0.5, 0.25, 0.25]] * 3, [0, 1]), Task.BINARY, "shape"),
        (Fixed([[0.5, 0.5]] * 3, ["no", "yes"]), Task.BINARY, "Fixed"),
        (Fixed([[0.5, 0.5]] * 3, [0, 5]), Task.BINARY, "0 to 1"),
        (Fixed([0, 1, 7], shares=False), Task.BINARY, "0 to 1"),
        (Fixed([[0.5, np.nan]] * 3), Task.BINARY, "predicted nan for row 0"),
        (Fixed([1.0, np.inf, 0.0]), Task.REGRESSION, "predicted inf for row 1"),
        (Fixed([1.0, 2.0]), Task.REGRESSION, "shape"),
        (Fixed(["a", "b", "c"]), Task.REGRESSION, "ValueError"),
        (Fixed(KeyError("age")), Task.REGRESSION, "raised KeyError when asked to predict: 'age'"),
        (object(), Task.REGRESSION, "AttributeError"),
    ],
)
def test_wrong_answers(estimator: Any, task: Task, words: str) -> None:
    with pytest.raises(CandidateError, match=re.escape(words)) as caught:
        outputs_of(estimator, X, task, ["no", "yes"] if task is Task.BINARY else [])
    assert caught.value.cure
