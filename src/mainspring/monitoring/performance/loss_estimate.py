"""The expected loss of a regression from its inputs and its answer: direct loss estimation (DLE).

A boosted model learns on the release's holdout rows how great the loss is where (NannyML's algorithm); the mean of
what it expects of the window's rows is the estimate. Its error has two parts, added as squares: the chance of so
many labels, by the spread of the losses around what was expected of them (which grows with it, as for errors of
one shape and many sizes), and the error of what was learnt, by how far a cross-fitted estimate of the holdout may
be off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from mainspring.domain.prediction_log import INPUT_PREFIX
from mainspring.domain.release import InputField, Manifest
from mainspring.domain.schema import Kind
from mainspring.errors import DeclarationError
from mainspring.monitoring.performance.labelled import Floats, Labelled, answers_of

METRICS = ("mae", "rmse")
_FOLDS = 5
_MOST_CATEGORIES = 250  # what a boosted model takes; rarer ones are as missing


def fit_loss(known: Labelled, metric: str, manifest: Manifest) -> Callable[[pl.DataFrame], tuple[float, float]]:
    """From rows of the log to the expected metric and its standard error.

    Args:
        known: the release's holdout rows.

    Raises:
        DeclarationError: the metric is no mean of losses, so nothing can be said of it row by row; or
            scikit-learn is not installed.
    """
    if metric not in METRICS:
        raise DeclarationError(
            f"{metric} of a regression cannot be estimated without labels",
            cure=f"use one of: {', '.join(METRICS)}",
        )
    model = _regressor()
    matrix = _Matrix(known.rows, manifest.inputs)
    X, errors = matrix(known.rows, known.outputs), np.abs(known.outputs[:, 0] - known.truth)
    losses = errors if metric == "mae" else np.square(errors)
    fold = np.arange(losses.size) % _FOLDS  # rows are in the order of time: parts that are alike
    expected = np.empty(losses.size)
    with _one_thread():
        for number in range(_FOLDS):
            kept = fold != number
            expected[~kept] = model(matrix.categorical).fit(X[kept], losses[kept]).predict(X[~kept])
        final = model(matrix.categorical).fit(X, losses)
    left = losses - expected
    off = float(np.hypot(left.mean(), left.std() / np.sqrt(left.size)))
    relative = float(np.sqrt(np.square(left).sum() / max(np.square(expected).sum(), np.finfo(float).tiny)))
    least = float(losses.min())

    def estimated(rows: pl.DataFrame) -> tuple[float, float]:
        whole, outputs = answers_of(rows, manifest.output)
        if not whole.height:
            return float("nan"), float("nan")
        with _one_thread():
            each = np.maximum(final.predict(matrix(whole, outputs)), least)
        mean = float(each.mean())
        error = float(np.hypot(relative * np.sqrt(np.square(each).mean() / whole.height), off))
        if metric == "mae":
            return mean, error
        root = float(np.sqrt(mean))
        return root, error / (2 * root) if root > 0 else 0.0  # the delta method

    return estimated


class _Matrix:
    """Rows of the log as numbers: categories by the codes of the rows that it was made from, and the answer."""

    def __init__(self, rows: pl.DataFrame, fields: Sequence[InputField]) -> None:
        self._fields = [field for field in fields if INPUT_PREFIX + field.name in rows.columns]
        self.categorical = [field.kind is Kind.CATEGORY for field in self._fields] + [False]
        self._codes: dict[str, dict[str, int]] = {}
        for field in self._fields:
            if field.kind is Kind.CATEGORY:
                texts = rows.get_column(INPUT_PREFIX + field.name).alias("value").cast(pl.String).drop_nulls()
                common = texts.value_counts(sort=True).get_column("value").head(_MOST_CATEGORIES)
                self._codes[field.name] = {text: code for code, text in enumerate(sorted(common.to_list()))}

    def __call__(self, rows: pl.DataFrame, outputs: Floats) -> Floats:
        """float64 [n, inputs + 1]; NaN is missing, a new category as well."""
        return np.column_stack([*(self._column(rows, field) for field in self._fields), outputs[:, 0]])

    def _column(self, rows: pl.DataFrame, field: InputField) -> Floats:
        name = INPUT_PREFIX + field.name
        if name not in rows.columns:
            return np.full(rows.height, np.nan)
        values = rows.get_column(name).alias("value")
        if field.kind is Kind.CATEGORY:
            codes = self._codes[field.name]
            if not codes:
                return np.full(rows.height, np.nan)
            values = values.cast(pl.String).replace_strict(codes, default=None, return_dtype=pl.Float64)
        elif field.kind is Kind.TIME:
            values = values.dt.epoch("us")
        return values.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _one_thread() -> Any:
    """The monitors run beside a gateway: threads that wait for each other would take its processors.

    threadpoolctl comes with scikit-learn.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def _regressor() -> Callable[[list[bool]], Any]:
    """Makes the model of the loss."""
    try:
        from sklearn.ensemble import HistGradientBoostingRegressor
    except ImportError as error:
        raise DeclarationError(
            "the loss of a regression is estimated with scikit-learn, which is not installed",
            cure="pip install 'mainspring[monitor]' where the monitors run",
        ) from error
    return lambda categorical: HistGradientBoostingRegressor(
        categorical_features=categorical, min_samples_leaf=50, max_iter=60, random_state=0
    )
