"""The metrics of `domain.task`, each as a statistic of weights per row.

A resample of the rows is a weight per row (how often the row was drawn), so whatever needs sorting is sorted
once, and a thousand resamples cost a thousand sums. With all weights 1 each equals scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.domain.task import METRICS, Task

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], float]

CALIBRATION_BINS = 10
_EPSILON = float(np.finfo(np.float64).eps)


def metric_names(task: Task) -> tuple[str, ...]:
    """All metrics of a task, in their order."""
    return tuple(name for name, metric in METRICS.items() if task in metric.tasks)


def metric_statistic(
    name: str, outputs: Floats, y: NDArray[Any], *, task: Task, positive: int | None = None, threshold: float = 0.5
) -> Statistic:
    """The metric as a function of weights, float64 [n]; NaN where it is undefined.

    Args:
        outputs: [n, k] probabilities, or [n, 1] values.
        y: [n] class numbers, or values.
        positive: of a binary task the number of the class that counts as positive.
        threshold: of a binary task the probability from which the positive class is predicted.

    Examples:
        >>> outputs = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]])
        >>> statistic = metric_statistic("roc_auc", outputs, np.array([0, 1, 1]), task=Task.BINARY, positive=1)
        >>> statistic(np.ones(3)), statistic(np.array([1.0, 2.0, 0.0]))
        (1.0, 1.0)
    """
    if not np.isfinite(outputs).all() or not len(y):
        return _undefined
    if task is Task.REGRESSION:
        return _NUMBERS[name](outputs[:, 0], y.astype(np.float64))
    if task is Task.BINARY:
        assert positive is not None
        share, truth = outputs[:, positive], y == positive
        if name in _BINARY:
            return _BINARY[name](share, truth)
        predicted = np.where(share >= threshold, positive, 1 - positive)
        if name == "f1":
            return _f1_of_class(predicted == positive, truth)
    else:
        predicted = outputs.argmax(axis=1)
    return _CLASSES[name](outputs, y, predicted)


def measure(
    name: str, outputs: Floats, y: NDArray[Any], *, task: Task, positive: int | None = None, threshold: float = 0.5
) -> float:
    """The metric over all rows, each counted once."""
    statistic = metric_statistic(name, outputs, y, task=task, positive=positive, threshold=threshold)
    return statistic(np.ones(len(y)))


def measure_all(
    outputs: Floats, y: NDArray[Any], *, task: Task, positive: int | None = None, threshold: float = 0.5
) -> dict[str, float]:
    """Every metric of the task over all rows."""
    return {
        name: measure(name, outputs, y, task=task, positive=positive, threshold=threshold)
        for name in metric_names(task)
    }


def _undefined(weights: Floats) -> float:  # noqa: ARG001 - a statistic like the others
    return float("nan")


def _dot(first: Floats, second: Floats) -> float:
    """By NumPy's own pairwise sum: more exact than BLAS, and no pool of threads that spins for a short sum."""
    return float(np.sum(first * second))


def _mean(values: Floats) -> Statistic:
    def statistic(weights: Floats) -> float:
        total = weights.sum()
        return _dot(weights, values) / float(total) if total else float("nan")

    return statistic


def _divided(upper: float, lower: float) -> float:
    return upper / lower if lower else float("nan")


def squared_errors(outputs: Floats, y: NDArray[Any]) -> Floats:
    """Of each row [n]: summed over the classes, or of the value.

    Args:
        outputs: [n, k] probabilities, or [n, 1] values.
        y: [n] class numbers, or values.

    Examples:
        >>> squared_errors(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([1, 1])).tolist()
        [0.5, 0.0]
        >>> squared_errors(np.array([[3.0], [4.0]]), np.array([1.0, 4.0])).tolist()
        [4.0, 0.0]
    """
    if outputs.shape[1] == 1:
        of_value: Floats = np.square(outputs[:, 0] - y)
        return of_value
    truth = np.zeros_like(outputs)
    truth[np.arange(len(y)), y] = 1.0
    of_classes: Floats = np.square(outputs - truth).sum(axis=1)
    return of_classes


class _Ranked:
    """Rows in falling order of a score, those of the same score as one step."""

    def __init__(self, score: Floats, truth: NDArray[np.bool_]) -> None:
        self.order = np.argsort(-score, kind="stable")
        ordered = score[self.order]
        self.steps = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
        self.truth = truth[self.order].astype(np.float64)

    def counts(self, weights: Floats) -> tuple[Floats, Floats]:
        """Positives and all rows at or above each step's score."""
        drawn = weights[self.order]
        return np.cumsum(drawn * self.truth)[self.steps], np.cumsum(drawn)[self.steps]


def _roc_auc(score: Floats, truth: NDArray[np.bool_]) -> Statistic:
    ranked = _Ranked(score, truth)

    def statistic(weights: Floats) -> float:
        positives, rows = ranked.counts(weights)
        negatives = rows - positives
        # Trapezoids: a tie counts half.
        area = negatives[0] * positives[0] / 2 + _dot(np.diff(negatives), positives[1:] + positives[:-1]) / 2
        return _divided(float(area), float(positives[-1] * negatives[-1]))

    return statistic


def _average_precision(score: Floats, truth: NDArray[np.bool_]) -> Statistic:
    ranked = _Ranked(score, truth)

    def statistic(weights: Floats) -> float:
        positives, rows = ranked.counts(weights)
        precision = positives / np.maximum(rows, _EPSILON)
        return _divided(_dot(np.diff(positives, prepend=0.0), precision), float(positives[-1]))

    return statistic


def _brier_binary(score: Floats, truth: NDArray[np.bool_]) -> Statistic:
    return _mean((score - truth) ** 2)


def _calibration(score: Floats, truth: NDArray[np.bool_]) -> Statistic:
    """Expected calibration error: the mean over bins of |mean score − share of true rows|, by rows."""
    bins = calibration_bins(score)
    error = score - truth

    def statistic(weights: Floats) -> float:
        total = weights.sum()
        sums = np.bincount(bins, weights=weights * error, minlength=CALIBRATION_BINS)
        return float(np.abs(sums).sum() / total) if total else float("nan")

    return statistic


def calibration_bins(score: Floats) -> NDArray[np.int64]:
    """Ten bins of equal numbers of rows by score; rows of one score are in one bin.

    Examples:
        >>> calibration_bins(np.array([0.1, 0.9, 0.1])).tolist()
        [0, 6, 0]
    """
    ordered = np.sort(score)
    return np.searchsorted(ordered, score, side="left") * CALIBRATION_BINS // max(1, len(score))


def _log_loss(outputs: Floats, y: NDArray[Any], predicted: NDArray[Any]) -> Statistic:  # noqa: ARG001
    total = outputs.sum(axis=1)
    share = outputs[np.arange(len(y)), y] / np.where(total > 0, total, 1.0)
    return _mean(-np.log(np.clip(share, _EPSILON, 1.0)))


def _brier(outputs: Floats, y: NDArray[Any], predicted: NDArray[Any]) -> Statistic:  # noqa: ARG001
    return _mean(squared_errors(outputs, y))


def _accuracy(outputs: Floats, y: NDArray[Any], predicted: NDArray[Any]) -> Statistic:  # noqa: ARG001
    return _mean((predicted == y).astype(np.float64))


def _balanced_accuracy(outputs: Floats, y: NDArray[Any], predicted: NDArray[Any]) -> Statistic:
    k, hit = outputs.shape[1], (predicted == y).astype(np.float64)

    def statistic(weights: Floats) -> float:
        rows = np.bincount(y, weights=weights, minlength=k)
        hits = np.bincount(y, weights=weights * hit, minlength=k)
        there = rows > 0
        return float((hits[there] / rows[there]).mean()) if there.any() else float("nan")

    return statistic


def _f1_of_class(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Statistic:
    both, claims = (predicted & truth).astype(np.float64), predicted.astype(np.float64) + truth

    def statistic(weights: Floats) -> float:
        claimed = _dot(weights, claims)
        return 2 * _dot(weights, both) / claimed if claimed else 0.0

    return statistic


def _macro_f1(outputs: Floats, y: NDArray[Any], predicted: NDArray[Any]) -> Statistic:
    k, hit = outputs.shape[1], (predicted == y).astype(np.float64)

    def statistic(weights: Floats) -> float:
        claims = np.bincount(y, weights=weights, minlength=k) + np.bincount(
            predicted, weights=weights, minlength=k
        )
        hits = np.bincount(y, weights=weights * hit, minlength=k)
        there = claims > 0
        return float((2 * hits[there] / claims[there]).mean()) if there.any() else float("nan")

    return statistic


def _roc_auc_one_against_rest(outputs: Floats, y: NDArray[Any], predicted: NDArray[Any]) -> Statistic:  # noqa: ARG001
    each = [_roc_auc(outputs[:, number], y == number) for number in range(outputs.shape[1])]

    def statistic(weights: Floats) -> float:
        found = np.array([one(weights) for one in each])
        defined = found[~np.isnan(found)]  # a class that no drawn row has cannot be told from the rest
        return float(defined.mean()) if defined.size else float("nan")

    return statistic


def _calibration_of_top(outputs: Floats, y: NDArray[Any], predicted: NDArray[Any]) -> Statistic:
    return _calibration(outputs[np.arange(len(y)), predicted], predicted == y)


def _rmse(values: Floats, y: Floats) -> Statistic:
    mean = _mean((values - y) ** 2)
    return lambda weights: float(np.sqrt(mean(weights)))


def _mae(values: Floats, y: Floats) -> Statistic:
    return _mean(np.abs(values - y))


def _r2(values: Floats, y: Floats) -> Statistic:
    squares = (values - y) ** 2
    centred = y - y.mean()  # the mean of the drawn rows is near it: little is lost by cancellation

    def statistic(weights: Floats) -> float:
        total = float(weights.sum())
        if not total:
            return float("nan")
        spread = _dot(weights, centred**2) - _dot(weights, centred) ** 2 / total
        return 1.0 - _dot(weights, squares) / spread if spread > 0 else float("nan")

    return statistic


def _median_absolute_error(values: Floats, y: Floats) -> Statistic:
    errors = np.abs(values - y)
    order = np.argsort(errors, kind="stable")
    ordered = errors[order]

    def statistic(weights: Floats) -> float:
        drawn = np.cumsum(weights[order])
        if not drawn[-1]:
            return float("nan")
        # The middle one of the drawn rows, or the mean of the middle two.
        middle = [np.searchsorted(drawn, half, "right") for half in ((drawn[-1] - 1) // 2, drawn[-1] // 2)]
        return float(ordered[middle].mean())

    return statistic


_NUMBERS: dict[str, Callable[[Floats, Floats], Statistic]] = {
    "rmse": _rmse,
    "mae": _mae,
    "r2": _r2,
    "median_absolute_error": _median_absolute_error,
}
_BINARY: dict[str, Callable[[Floats, NDArray[np.bool_]], Statistic]] = {
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "brier": _brier_binary,
    "calibration_error": _calibration,
}
_CLASSES: dict[str, Callable[[Floats, NDArray[Any], NDArray[Any]], Statistic]] = {
    "roc_auc": _roc_auc_one_against_rest,
    "log_loss": _log_loss,
    "brier": _brier,
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _macro_f1,
    "calibration_error": _calibration_of_top,
}
