"""What the original estimator answers, in the one form that every runtime gives; whatever it raises is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mainspring.data import estimator_outputs
from mainspring.domain.task import Task
from mainspring.errors import CandidateError

if TYPE_CHECKING:
    import pandas as pd


def outputs_of(estimator: Any, X: pd.DataFrame, task: Task, classes: Sequence[str]) -> npt.NDArray[np.float64]:
    """The outputs of a fitted estimator, float64 `[rows, k]`, all finite.

    Args:
        estimator: fitted on the estimator's frame, for a classification on class numbers `0 … len(classes) - 1`.
        X: the estimator's frame.
        task, classes: as `estimator_outputs.outputs_of` takes them.

    Raises:
        CandidateError: the estimator raised, or its answer has another shape, is no number or not finite.

    Examples:
        >>> class Half:
        ...     classes_ = [0, 1]
        ...     def predict_proba(self, X):
        ...         return [[0.5, 0.5]] * len(X)
        >>> outputs_of(Half(), [[1.0]], Task.BINARY, ["no", "yes"])
        array([[0.5, 0.5]])
    """
    name = type(estimator).__name__
    try:
        answer = estimator_outputs.outputs_of(estimator, X, task, tuple(classes))
    except CandidateError:
        raise
    except Exception as error:  # the user's code may raise anything
        raise CandidateError(
            f"{name} raised {type(error).__name__} when asked to predict: {str(error)[:500]}",
            cure="make it take every row of the data, missing and new values included",
        ) from error
    wrong = ~np.isfinite(answer)
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        raise CandidateError(
            f"{name} predicted {answer[wrong][0]} for row {row}",
            cure="impute missing values and keep large ones in range",
            where={"row": row},
        )
    return answer
