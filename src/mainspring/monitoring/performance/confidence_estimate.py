"""The expected metric of a classifier from its own probabilities: confidence-based estimation (CBPE)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from mainspring.domain.release import Manifest
from mainspring.errors import DeclarationError
from mainspring.monitoring.performance.labelled import Floats, Labelled, answers_of, predicted_of
from mainspring.stats.estimated_performance import expected_metric
from mainspring.stats.isotonic import fit_isotonic


def fit_confidence(
    known: Labelled, metric: str, manifest: Manifest
) -> Callable[[pl.DataFrame], tuple[float, float]]:
    """From rows of the log to the expected metric and its standard error.

    The probabilities are calibrated first, class by class against the rest, by isotonic regressions on the rows
    whose truth is known.

    Args:
        known: the release's holdout rows.

    Raises:
        DeclarationError: the metric has no such estimate.
    """
    output = manifest.output
    # Of two classes the second is the positive one to `expected_metric`.
    order = [0, 1] if known.positive is None else [1 - known.positive, known.positive]
    order = order if len(output.classes) == 2 else list(range(len(output.classes)))
    place = {number: where for where, number in enumerate(order)}
    curves = [fit_isotonic(known.outputs[:, number], known.truth == number) for number in order]

    def calibrated(outputs: Floats) -> Floats:
        if len(order) == 2:
            positive = curves[1](outputs[:, order[1]])
            return np.column_stack([1 - positive, positive])
        return np.column_stack([curve(outputs[:, number]) for curve, number in zip(curves, order, strict=True)])

    def expected(rows: pl.DataFrame) -> tuple[float, float]:
        _, outputs = answers_of(rows, output)
        predicted = np.array([place[number] for number in predicted_of(outputs, output).tolist()], dtype=np.int64)
        return expected_metric(metric, calibrated(outputs), scores=outputs[:, order], predicted=predicted)

    try:
        expected(known.rows.head(2))
    except ValueError as error:
        raise DeclarationError(str(error), cure="estimate one of these") from error
    return expected
