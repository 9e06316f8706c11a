"""What a model predicts, and the metrics by which each kind is judged."""

from dataclasses import dataclass
from enum import StrEnum

from mainspring.errors import DeclarationError


class Task(StrEnum):
    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"

    @property
    def is_classification(self) -> bool:
        return self is not Task.REGRESSION


@dataclass(frozen=True, slots=True)
class Metric:
    """A measure of a prediction's quality.

    Attributes:
        greater_is_better: the direction.
        tasks: the tasks for which it is defined.
        mean_of_rows: whether it is a mean of one value per row (so that paired row-wise tests apply).
    """

    name: str
    greater_is_better: bool
    tasks: frozenset[Task]
    mean_of_rows: bool

    def gain(self, value: float, reference: float) -> float:
        """How much better `value` is than `reference`; negative when it is worse.

        Examples:
            >>> METRICS["rmse"].gain(3.0, 5.0)
            2.0
        """
        return value - reference if self.greater_is_better else reference - value


_CLASSES = frozenset({Task.BINARY, Task.MULTICLASS})
_NUMBERS = frozenset({Task.REGRESSION})

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("roc_auc", True, _CLASSES, False),  # multiclass: one against rest, macro mean
        Metric("average_precision", True, frozenset({Task.BINARY}), False),
        Metric("log_loss", False, _CLASSES, True),
        Metric("brier", False, _CLASSES, True),
        Metric("accuracy", True, _CLASSES, True),
        Metric("balanced_accuracy", True, _CLASSES, False),
        Metric("f1", True, _CLASSES, False),  # multiclass: macro mean
        Metric("calibration_error", False, _CLASSES, False),  # expected calibration error, 10 equal-mass bins
        Metric("rmse", False, _NUMBERS, False),
        Metric("mae", False, _NUMBERS, True),
        Metric("r2", True, _NUMBERS, False),
        Metric("median_absolute_error", False, _NUMBERS, False),
    )
}

PRIMARY_METRIC = {Task.BINARY: "roc_auc", Task.MULTICLASS: "log_loss", Task.REGRESSION: "rmse"}

PROPER_SCORES = {Task.BINARY: "brier", Task.MULTICLASS: "brier", Task.REGRESSION: "rmse"}
"""By which models are compared whatever they are tuned by: best for who tells the chances as they are."""


def metric_named(name: str, task: Task | None = None) -> Metric:
    """Look a metric up.

    Raises:
        DeclarationError: no such metric, or not one of this task.
    """
    metric = METRICS.get(name)
    if metric is None or (task is not None and task not in metric.tasks):
        known = ", ".join(m.name for m in METRICS.values() if task is None or task in m.tasks)
        kind = f"a {task} metric" if task else "a metric"
        raise DeclarationError(f"{name!r} is not {kind}", cure=f"use one of: {known}")
    return metric
