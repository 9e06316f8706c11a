"""Whether a probability of 70 % comes true in 70 of 100 rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.domain.task import Task
from mainspring.training.metrics import CALIBRATION_BINS, Floats, calibration_bins


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """A tenth of the rows by predicted probability.

    Attributes:
        low, high: the least and the greatest probability in it.
        predicted: their mean.
        observed: the share of its rows in which it came true.
    """

    low: float
    high: float
    predicted: float
    observed: float
    rows: int


def calibration_table(
    outputs: Floats, y: NDArray[Any], *, task: Task, positive: int | None = None
) -> tuple[CalibrationBin, ...]:
    """Predicted against observed; empty for a regression.

    Of a binary task for the positive class, of a multiclass one for the predicted class.
    """
    if not task.is_classification or not np.isfinite(outputs).all():
        return ()
    if positive is not None:
        score, truth = outputs[:, positive], y == positive
    else:
        top = outputs.argmax(axis=1)
        score, truth = outputs[np.arange(len(y)), top], top == y
    bins = calibration_bins(score)
    found = []
    for number in range(CALIBRATION_BINS):
        rows = bins == number
        if rows.any():
            inside = score[rows]
            found.append(
                CalibrationBin(
                    low=float(inside.min()),
                    high=float(inside.max()),
                    predicted=float(inside.mean()),
                    observed=float(truth[rows].mean()),
                    rows=int(rows.sum()),
                )
            )
    return tuple(found)
