"""What each answer cost, row by row, so that two releases can be compared on the same rows."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.domain.release import OutputSpec
from mainspring.domain.rollout import Rollout
from mainspring.domain.task import Task
from mainspring.release.labels import predicted_classes

Floats = NDArray[np.float64]

LEAST_CHANCE = 0.01
"""Below this chance of what came true a log loss grows no more, or a few answers would outweigh all others."""
MOST = {"brier": 1.0, "error": 1.0, "log_loss": -math.log(LEAST_CHANCE)}
"""The metrics of which no row can have a greater loss, so that no two releases can differ by more on it."""


def metric_of(plan: Rollout, task: Task) -> str:
    """By what the challenger is proved, where the plan leaves it open.

    Examples:
        >>> metric_of(Rollout(), Task.REGRESSION), metric_of(Rollout(), Task.BINARY)
        ('squared_error', 'brier')
    """
    return plan.metric or ("squared_error" if task is Task.REGRESSION else "brier")


def truth_of(rows: pl.DataFrame, output: OutputSpec) -> NDArray[np.float64]:
    """What came true of each row [n]: the value, or the number of the class; NaN where that is not known.

    A class that the release does not have is known, and none of its answers was right: -1.
    """
    if not output.classes:
        values = rows.get_column("label_value").cast(pl.Float64).fill_null(float("nan")).to_numpy()
        return np.where(np.isfinite(values), values, np.nan)
    numbers = {name: float(number) for number, name in enumerate(output.classes)}
    said = rows.get_column("label")
    found = said.replace_strict(numbers, default=-1.0, return_dtype=pl.Float64).to_numpy()
    return np.where(said.is_null().to_numpy(), np.nan, found)


def losses(metric: str, outputs: Floats, truth: Floats, output: OutputSpec) -> Floats:
    """The loss of each row [n]; NaN where the truth is not known or the answer is no number.

    | metric | loss |
    | --- | --- |
    | `log_loss` | −ln of the chance given to what came true, at least `LEAST_CHANCE` |
    | `brier` | half of the squared distance between the chances and what came true |
    | `error` | 1 where another class was predicted, else 0 |
    | `squared_error`, `absolute_error` | of the value |

    Args:
        outputs: [n, k].
        truth: as `truth_of` gives it for this release.

    Examples:
        >>> spec = OutputSpec(Task.BINARY, ("no", "yes"), positive="yes")
        >>> losses("brier", np.array([[0.8, 0.2], [0.8, 0.2]]), np.array([0.0, 1.0]), spec).round(6).tolist()
        [0.04, 0.64]
    """
    known = np.isfinite(truth) & np.isfinite(outputs).all(axis=1)
    found = np.full(len(truth), np.nan)
    if not known.any():
        return found
    if metric == "error":
        found[known] = predicted_classes(outputs[known], output) != truth[known]
    else:
        found[known] = (_CLASSES | _NUMBERS)[metric](outputs[known], truth[known])
    # A little over, of chances in single precision; or no chances at all.
    return np.minimum(found, MOST[metric]) if metric in MOST else found


def outputs_of(rows: pl.DataFrame, column: str, width: int) -> Floats:
    """Logged outputs [n, width]; NaN throughout where a row has another number of them, or none."""
    found = np.full((rows.height, width), np.nan)
    whole = (rows.get_column(column).list.len() == width).fill_null(value=False)
    if whole.any():
        flat = rows.get_column(column).filter(whole).explode().cast(pl.Float64).fill_null(float("nan"))
        found[whole.to_numpy()] = flat.to_numpy().reshape(-1, width)
    return found


def logged_outputs(rows: pl.DataFrame, column: str, output: OutputSpec) -> Floats:
    """The outputs [n, k] in a column of the log."""
    return outputs_of(rows, column, len(output.classes) or 1)


def answers(outputs: Floats, output: OutputSpec) -> NDArray[np.object_] | Floats:
    """The predicted class of each row, or the value [n]; of an answer that is no number, none."""
    if not output.classes:
        return outputs[:, 0]
    names = np.array(output.classes, dtype=object)[predicted_classes(np.nan_to_num(outputs), output)]
    names[~np.isfinite(outputs).all(axis=1)] = None
    return names


def _log_loss(outputs: Floats, truth: Floats) -> Floats:
    return np.asarray(-np.log(np.clip(_chance(outputs, truth), LEAST_CHANCE, 1.0)))


def _brier(outputs: Floats, truth: Floats) -> Floats:
    right = _chance(outputs, truth)
    return np.asarray(((outputs**2).sum(axis=1) - right**2 + (1 - right) ** 2) / 2)


def _chance(outputs: Floats, truth: Floats) -> Floats:
    """That the release gave to what came true; 0 for a class that it does not know."""
    places = truth.astype(np.int64)
    return np.where(places >= 0, outputs[np.arange(len(places)), places], 0.0)


def _squared(outputs: Floats, truth: Floats) -> Floats:
    return np.asarray((outputs[:, 0] - truth) ** 2)


def _absolute(outputs: Floats, truth: Floats) -> Floats:
    return np.asarray(np.abs(outputs[:, 0] - truth))


_CLASSES = {"log_loss": _log_loss, "brier": _brier}
_NUMBERS = {"squared_error": _squared, "absolute_error": _absolute}
