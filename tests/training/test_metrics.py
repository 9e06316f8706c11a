import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.domain.task import METRICS, Task
from mainspring.training.metrics import measure, measure_all, metric_names, metric_statistic


def draw(task: Task, n: int, seed: int, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    if task is Task.REGRESSION:
        y = random.normal(5, 2, n)
        return (y + random.normal(0, 1, n)).reshape(-1, 1).round(1 if ties else 9), y
    k = 2 if task is Task.BINARY else 4
    y = np.concatenate([np.arange(k), random.integers(0, k, n - k)])
    scores = random.normal(size=(n, k)) + 1.5 * np.eye(k)[y]
    outputs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    if ties:
        outputs = outputs.round(1) + 0.01
        outputs /= outputs.sum(axis=1, keepdims=True)
    return outputs, y


def expected(name: str, task: Task, outputs: np.ndarray, y: np.ndarray, weights: np.ndarray) -> float:
    w = {"sample_weight": weights}
    if task is Task.REGRESSION:
        values = outputs[:, 0]
        return {
            "rmse": lambda: reference.root_mean_squared_error(y, values, **w),
            "mae": lambda: reference.mean_absolute_error(y, values, **w),
            "r2": lambda: reference.r2_score(y, values, **w),
            "median_absolute_error": lambda: np.median(np.repeat(np.abs(values - y), weights.astype(int))),
        }[name]()
    if task is Task.BINARY:
        share = outputs[:, 1]
        label = (share >= 0.5).astype(int)
        return {
            "roc_auc": lambda: reference.roc_auc_score(y, share, **w),
            "average_precision": lambda: reference.average_precision_score(y, share, **w),
            "log_loss": lambda: reference.log_loss(y, outputs, labels=[0, 1], **w),
            "brier": lambda: reference.brier_score_loss(y, share, **w),
            "accuracy": lambda: reference.accuracy_score(y, label, **w),
            "balanced_accuracy": lambda: reference.balanced_accuracy_score(y, label, **w),
            "f1": lambda: reference.f1_score(y, label, **w),
        }[name]()
    label = outputs.argmax(axis=1)
    return {
        "roc_auc": lambda: reference.roc_auc_score(y, outputs, multi_class="ovr", **w),
        "log_loss": lambda: reference.log_loss(y, outputs, labels=[0, 1, 2, 3], **w),
        "brier": lambda: (weights @ ((outputs - np.eye(4)[y]) ** 2).sum(axis=1)) / weights.sum(),
        "accuracy": lambda: reference.accuracy_score(y, label, **w),
        "balanced_accuracy": lambda: reference.balanced_accuracy_score(y, label, **w),
        "f1": lambda: reference.f1_score(y, label, average="macro", **w),
    }[name]()


CASES = [
    (name, task)
    for name, metric in METRICS.items()
    for task in sorted(metric.tasks)
    if name != "calibration_error"
]


@pytest.mark.parametrize(("name", "task"), CASES)
@settings(max_examples=15, deadline=None)
@given(n=st.integers(12, 80), seed=st.integers(0, 10_000), ties=st.booleans())
def test_equals_scikit_learn(name: str, task: Task, n: int, seed: int, ties: bool) -> None:
    outputs, y = draw(task, n, seed, ties)
    positive = 1 if task is Task.BINARY else None
    statistic = metric_statistic(name, outputs, y, task=task, positive=positive)
    assert statistic(np.ones(n)) == pytest.approx(expected(name, task, outputs, y, np.ones(n)), abs=1e-9)
    # A resample: each row drawn so many times, but of each class one at least, as scikit-learn needs.
    weights = np.random.default_rng(seed).poisson(1, n).astype(float)
    weights[:4] += 1
    assert statistic(weights) == pytest.approx(expected(name, task, outputs, y, weights), abs=1e-9)


@pytest.mark.parametrize("name", metric_names(Task.BINARY))
def test_a_weight_is_a_number_of_copies(name: str) -> None:
    outputs, y = draw(Task.BINARY, 50, 3, ties=True)
    weights = np.random.default_rng(1).poisson(1, 50).astype(float)
    if name == "calibration_error":
        return  # its bins are those of all rows
    copies = np.repeat(np.arange(50), weights.astype(int))
    statistic = metric_statistic(name, outputs, y, task=Task.BINARY, positive=0)
    again = measure(name, outputs[copies], y[copies], task=Task.BINARY, positive=0)
    assert statistic(weights) == pytest.approx(again, abs=1e-12)


def test_calibration_error_of_a_calibrated_and_of_a_wrong_score() -> None:
    random = np.random.default_rng(0)
    share = random.random(20_000)
    y = (random.random(20_000) < share).astype(int)
    for answer, low, high in ((share, 0.0, 0.015), (np.clip(share + 0.2, 0, 1), 0.15, 0.2)):
        error = measure("calibration_error", np.c_[1 - answer, answer], y, task=Task.BINARY, positive=1)
        assert low <= error <= high


def test_one_class_only_is_undefined_not_wrong() -> None:
    outputs = np.array([[0.5, 0.5], [0.2, 0.8]])
    found = measure_all(outputs, np.array([1, 1]), task=Task.BINARY, positive=1)
    assert np.isnan(found["roc_auc"])
    assert found["accuracy"] == 1.0


@pytest.mark.parametrize("task", list(Task))
def test_answers_that_are_no_numbers_have_no_metric(task: Task) -> None:
    outputs, y = draw(task, 20, 0, ties=False)
    outputs[3, 0] = np.nan
    positive = 1 if task is Task.BINARY else None
    assert all(np.isnan(value) for value in measure_all(outputs, y, task=task, positive=positive).values())


def test_no_rows_have_no_metric() -> None:
    assert np.isnan(measure("rmse", np.empty((0, 1)), np.empty(0), task=Task.REGRESSION))


def test_certain_and_wrong_is_a_finite_loss() -> None:
    assert 30 < measure("log_loss", np.array([[1.0, 0.0]]), np.array([1]), task=Task.BINARY, positive=1) < 40
