"""Answers and labels as a gateway's drainer would have stored them, for tests that need months of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.data.labels import DTYPES, label_frame
from mainspring.domain.feedback import message
from mainspring.domain.ports import Tables
from mainspring.domain.prediction_log import (
    INPUT_PREFIX,
    PREDICTION_COLUMNS,
    Role,
    labels_table,
    predictions_table,
)
from mainspring.domain.release import Manifest
from mainspring.release.labels import predicted_classes

_SCHEMA: dict[str, Any] = {name: DTYPES[kind] for name, kind in PREDICTION_COLUMNS.items()}


def store_answers(
    tables: Tables,
    manifest: Manifest,
    rows: pl.DataFrame,
    outputs: NDArray[np.float64],
    at: Sequence[datetime],
    ids: Sequence[str],
    *,
    role: Role = Role.CHAMPION,
) -> None:
    """Store what the release answered.

    Args:
        rows: typed, with the release's inputs, and with the keys of its views where these are to be logged.
        outputs: `[n, k]`.
        at, ids: of each row; a request for each.
    """
    spec = manifest.output
    decided: list[str | None] = [None] * len(rows)
    value = outputs[:, 0]
    if spec.classes:
        places = predicted_classes(outputs, spec)
        decided = [spec.classes[place] for place in places]
        shown = spec.classes.index(spec.positive) if spec.positive is not None else places
        value = outputs[np.arange(len(outputs)), shown]
    frame = pl.DataFrame(
        {
            "day": [moment.date() for moment in at],
            "id": [f"{name}/0" for name in ids],
            "request_id": list(ids),
            "row": [0] * len(rows),
            "at": list(at),
            "release": [manifest.number] * len(rows),
            "role": [str(role)] * len(rows),
            "arm": [None] * len(rows),
            "key": list(ids),
            "latency_us": [250] * len(rows),
            "prediction": decided,
            "value": value,
            "outputs": outputs.tolist(),
        },
        schema=_SCHEMA,
    )
    logged = [field.name for field in manifest.logged if field.name in rows.columns]
    inputs = [rows.get_column(name).alias(INPUT_PREFIX + name) for name in logged]
    tables.record(predictions_table(manifest.model), frame.with_columns(inputs), partition="day", offsets={})


def store_labels(
    tables: Tables, manifest: Manifest, ids: Sequence[str], truth: Sequence[str | float], at: datetime
) -> None:
    """Store what came true of these answers, all received at one time."""
    said = [
        message(
            prediction_id=f"{name}/0",
            key=None,
            name="label",
            label=one if isinstance(one, str) else None,
            value=None if isinstance(one, str) else float(one),
            happened_at=None,
            feedback_id=None,
        )
        for name, one in zip(ids, truth, strict=True)
    ]
    tables.record(labels_table(manifest.model), label_frame(said, at), partition="day", offsets={})
