import numpy as np
import pandas as pd
import pytest

from mainspring.data.estimator_outputs import outputs_of
from mainspring.domain.task import Task
from mainspring.errors import CandidateError

X = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
ABC = ("a", "b", "c")


class Answers:
    """An estimator with fixed answers."""

    def __init__(self, predict: object = None, proba: object = None, classes: object = None) -> None:
        self.answer = predict
        if proba is not None:
            self.predict_proba = lambda X: np.array(proba)
        if classes is not None:
            self.classes_ = np.array(classes)

    def predict(self, X: pd.DataFrame) -> object:
        return self.answer


@pytest.mark.parametrize("answer", [[1, 2, 3], [[1], [2], [3]], np.array([1.0, 2.0, 3.0], dtype=np.float32)])
def test_a_regression_is_one_column(answer: object) -> None:
    outputs = outputs_of(Answers(answer), X, Task.REGRESSION, ())
    assert outputs.tolist() == [[1.0], [2.0], [3.0]]
    assert outputs.dtype == np.float64


def test_a_class_never_seen_has_probability_zero() -> None:
    estimator = Answers(proba=[[0.25, 0.75]] * 3, classes=[0, 2])
    assert outputs_of(estimator, X, Task.MULTICLASS, ABC).tolist() == [[0.25, 0.0, 0.75]] * 3


def test_classes_in_another_order_are_put_in_order() -> None:
    estimator = Answers(proba=[[0.2, 0.5, 0.3]] * 3, classes=[2, 0, 1])
    assert outputs_of(estimator, X, Task.MULTICLASS, ABC).tolist() == [[0.5, 0.3, 0.2]] * 3


def test_labels_alone_are_one_hot() -> None:
    assert outputs_of(Answers([2, 0, 1]), X, Task.MULTICLASS, ABC).tolist() == np.eye(3)[[2, 0, 1]].tolist()


@pytest.mark.parametrize(
    ("estimator", "task"),
    [
        (Answers([1.0, 2.0]), Task.REGRESSION),
        (Answers([0, 1]), Task.MULTICLASS),
        (Answers([0, 1, 7]), Task.MULTICLASS),
        (Answers(proba=[[0.5, 0.5]] * 3), Task.MULTICLASS),
        (Answers(proba=[0.5, 0.5, 0.5]), Task.MULTICLASS),
        (Answers(proba=[[0.5, 0.5]] * 3, classes=[0, 9]), Task.MULTICLASS),
        (Answers(proba=[[0.2, 0.5, 0.3]] * 2, classes=[0, 1, 2]), Task.MULTICLASS),
    ],
)
def test_other_shapes_and_classes_are_refused(estimator: Answers, task: Task) -> None:
    with pytest.raises(CandidateError):
        outputs_of(estimator, X, task, ABC if task is Task.MULTICLASS else ())
