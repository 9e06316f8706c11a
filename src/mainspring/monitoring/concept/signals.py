"""What a detector of changes is fed of an answer whose truth is known."""

from __future__ import annotations

import numpy as np

from mainspring.domain.task import Task
from mainspring.monitoring.performance.labelled import Floats, Labelled, predicted_of


def signals(known: Labelled, method: str) -> Floats:
    """What the detector is fed, float64 [n].

    | | of a regression | of a binary model | of more classes |
    | --- | --- | --- | --- |
    | `residual` | truth less value | 1 or 0 less the positive class's probability, and the excess | 1 if right, else 0, less the answer's probability |
    | others | the absolute error | 1 if wrong, else 0 | the same |

    The excess, a second column [n, 2], is the squared residual less what the model itself expects of it: with the
    truth y and the probability p, (y - p)² - p(1 - p). A taste that turns round may leave the mean residual as it
    was, while the model is surely wrong where it was surely right. Like the residual it has the mean 0 while the
    model is calibrated, whatever inputs come, so that it does not take a drift of the inputs for one of the concept.
    """  # noqa: E501  a table
    if known.output.task is Task.REGRESSION:
        residuals: Floats = known.truth - known.outputs[:, 0]
        return residuals if method == "residual" else np.asarray(np.abs(residuals), dtype=np.float64)
    predicted = predicted_of(known.outputs, known.output)
    if method != "residual":
        return np.asarray(predicted != known.truth, dtype=np.float64)
    if known.positive is not None:
        chance = known.outputs[:, known.positive]
        residual: Floats = np.asarray(known.truth == known.positive, dtype=np.float64) - chance
        return np.column_stack([residual, np.square(residual) - chance * (1 - chance)])
    sure: Floats = known.outputs[np.arange(predicted.size), predicted]
    right: Floats = np.asarray(predicted == known.truth, dtype=np.float64)
    return right - sure
