"""What any estimator answers, as one array: the outputs by which it is judged, sealed and replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mainspring.domain.task import Task
from mainspring.errors import CandidateError

if TYPE_CHECKING:
    import pandas as pd


def outputs_of(estimator: Any, X: pd.DataFrame, task: Task, classes: tuple[str, ...]) -> NDArray[np.float64]:
    """The estimator's answers.

    A class that the estimator never saw gets probability 0. A classifier without `predict_proba` answers
    one-hot by its `predict`.

    Args:
        estimator: fitted, on class numbers 0…k-1 as targets where the task is a classification.
        X: n rows.
        classes: the k labels in order; empty for a regression.

    Returns:
        float64 [n, k]: a probability per class, or [n, 1]: the value.

    Raises:
        CandidateError: the answers are of another shape, or name classes that there are not.
    """
    if task is Task.REGRESSION:
        values = np.asarray(estimator.predict(X), dtype=np.float64)
        if values.size != len(X):
            raise _wrong_shape("predict", values.shape, f"[{len(X)}]")
        return values.reshape(len(X), 1)
    if not callable(getattr(estimator, "predict_proba", None)):
        return _one_hot(np.asarray(estimator.predict(X)).reshape(-1), len(X), len(classes))
    found = np.asarray(estimator.predict_proba(X), dtype=np.float64)
    known = _known_classes(estimator, len(classes))
    if found.ndim != 2 or found.shape != (len(X), len(known)):
        raise _wrong_shape("predict_proba", found.shape, f"[{len(X)}, {len(classes)}]")
    outputs = np.zeros((len(X), len(classes)))
    outputs[:, known] = found
    return outputs


def _known_classes(estimator: Any, k: int) -> NDArray[np.int64]:
    names = getattr(estimator, "classes_", None)
    if names is None:
        return np.arange(k)
    known = np.asarray(names).astype(np.float64)
    if known.ndim != 1 or not np.isin(known, np.arange(k)).all():
        raise CandidateError(
            f"the estimator knows the classes {np.asarray(names).tolist()[:5]}, not 0 to {k - 1}",
            cure="let it learn the target as it is given",
        )
    return known.astype(np.int64)


def _one_hot(labels: NDArray[Any], n: int, k: int) -> NDArray[np.float64]:
    if labels.size != n:
        raise _wrong_shape("predict", labels.shape, f"[{n}]")
    codes = labels.astype(np.float64)
    if not np.isin(codes, np.arange(k)).all():
        raise CandidateError(
            f"the estimator predicts classes other than 0 to {k - 1}",
            cure="let it learn the target as it is given",
        )
    outputs = np.zeros((n, k))
    outputs[np.arange(n), codes.astype(np.int64)] = 1.0
    return outputs


def _wrong_shape(method: str, shape: tuple[int, ...], wanted: str) -> CandidateError:
    return CandidateError(
        f"{method} answered an array of shape {list(shape)}, not {wanted}",
        cure=f"let {method} answer one row per row that it is asked",
    )
