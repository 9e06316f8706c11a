"""`profile.json`: what inputs, predictions and target looked like in training; the monitors' reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.data.profiling import add_rows, profile_of
from mainspring.domain.release import InputField, OutputSpec
from mainspring.domain.schema import Column, Kind
from mainspring.release.labels import predicted_classes
from mainspring.stats.profile import Profile

PROFILE = "profile.json"

PREDICTION = "prediction"
_CHUNK = 50_000
_MOST_ROWS = 200_000  # beyond it the sketches change no more than their own error


def reference_profile(
    predict: Callable[[pl.DataFrame], NDArray[np.float64]],
    rows: pl.DataFrame,
    fields: Sequence[InputField],
    target: Column | None,
    output: OutputSpec,
) -> bytes:
    """The profiles as JSON: `{"rows": …, "inputs": …, "prediction": …, "target": …}`.

    `prediction` profiles the column `prediction` (the label, or the value of a regression) and, for a classifier,
    the probability of each class as `probability:<class>`.

    Args:
        predict: the release's outputs [n, k] of typed rows.
        rows: the training rows; of more than 200,000, evenly spread ones.
        target: in the rows, if the truth is.
    """
    if rows.height > _MOST_ROWS:
        rows = rows[np.linspace(0, rows.height - 1, _MOST_ROWS).round().astype(np.int64)]
    prediction = Profile(prediction_kinds(output))
    for start in range(0, rows.height, _CHUNK):
        add_rows(prediction, prediction_rows(predict(rows.slice(start, _CHUNK)), output))
    return msgspec.json.encode(
        {
            "rows": rows.height,
            "inputs": profile_of(rows, fields).to_dict(),
            "prediction": prediction.to_dict(),
            "target": profile_of(rows, [] if target is None else [target]).to_dict(),
        }
    )


def prediction_kinds(output: OutputSpec) -> dict[str, Kind]:
    """The columns of the profile of a release's answers."""
    if not output.classes:
        return {PREDICTION: Kind.NUMBER}
    return {PREDICTION: Kind.CATEGORY} | {f"probability:{name}": Kind.NUMBER for name in output.classes}


def prediction_rows(outputs: NDArray[np.float64], output: OutputSpec) -> pl.DataFrame:
    """The values of these columns from a release's outputs [n, k]."""
    if not output.classes:
        return pl.DataFrame({PREDICTION: outputs[:, 0]})
    labels = np.array(output.classes, dtype=object)[predicted_classes(outputs, output)]
    probabilities = {f"probability:{name}": outputs[:, place] for place, name in enumerate(output.classes)}
    return pl.DataFrame({PREDICTION: pl.Series(labels.tolist(), dtype=pl.String), **probabilities})
