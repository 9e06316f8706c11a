"""The predictor that knows only the target's distribution in the training part: the least to beat."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.domain.task import Task

_BY_MEDIAN = ("mae", "median_absolute_error")


def naive_outputs(y_training: NDArray[Any], rows: int, *, task: Task, k: int, metric: str) -> NDArray[np.float64]:
    """The same answer for each row [rows, k or 1]: the shares of the classes, the mean, or the median.

    Args:
        metric: errors by their size are least around the median, squared ones around the mean.

    Examples:
        >>> naive_outputs(np.array([0, 1, 1, 1]), 1, task=Task.BINARY, k=2, metric="log_loss").tolist()
        [[0.25, 0.75]]
    """
    if task.is_classification:
        answer = np.bincount(y_training, minlength=k) / len(y_training)
    else:
        answer = np.array([np.median(y_training) if metric in _BY_MEDIAN else np.mean(y_training)])
    return np.tile(answer.astype(np.float64), (rows, 1))


def describe_naive(task: Task) -> str:
    """What the naive predictor answers, in words."""
    if task.is_classification:
        return "the shares of the classes in the training rows"
    return "the mean of the training rows (their median for absolute errors)"
