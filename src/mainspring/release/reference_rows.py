"""`reference.parquet`: rows that the release never learnt from, with its answers and, where known, the truth.

A profile says how each column is distributed, and no more. What monitors need row by row is kept here: how scores
and truth go together (performance without labels), how loss depends on the inputs, what all inputs look like at
once. See `docs/decisions/0009-reference-rows.md`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from mainspring.data.target import class_name
from mainspring.domain.prediction_log import INPUT_PREFIX
from mainspring.domain.release import InputField, Manifest
from mainspring.domain.schema import Kind
from mainspring.errors import TamperedRelease
from mainspring.release.files import read_verified

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

REFERENCE_ROWS = "reference.parquet"

OUTPUTS = "outputs"  # as in the prediction log
LABEL, LABEL_VALUE = "label", "label_value"  # as in the join of predictions and labels
MOST_ROWS = 20_000

_KEPT = (Kind.NUMBER, Kind.INTEGER, Kind.BOOLEAN, Kind.CATEGORY, Kind.TIME)


def encode_reference_rows(
    rows: pl.DataFrame, fields: Sequence[InputField], outputs: NDArray[float64], truth: pl.Series | None
) -> bytes:
    """The file's bytes: the same for the same rows.

    The columns are called as in the prediction log joined with its labels: `input_<name>` of the inputs that are
    numbers, booleans, categories or times and no person's, `outputs`, `label` and `label_value`.

    Args:
        rows: n typed rows, at most `MOST_ROWS` (see `spread_places`).
        outputs: [n, k] of the release.
        truth: [n] classes by name, or values; `None` where nobody knows.
    """
    count = rows.height
    known = truth if truth is not None else pl.Series([None] * count, dtype=pl.String)
    frame = pl.DataFrame(
        {
            **{
                INPUT_PREFIX + one.name: rows.get_column(one.name).alias("value") for one in fields if is_kept(one)
            },
            OUTPUTS: pl.Series(outputs.tolist(), dtype=pl.List(pl.Float64)),
            LABEL: known if known.dtype == pl.String else pl.Series([None] * count, dtype=pl.String),
            LABEL_VALUE: known.cast(pl.Float64)
            if known.dtype.is_numeric()
            else pl.Series([None] * count, dtype=pl.Float64),
        }
    )
    file = io.BytesIO()
    frame.write_parquet(file, compression="zstd")
    return file.getvalue()


def read_reference_rows(folder: Path, manifest: Manifest) -> pl.DataFrame | None:
    """The rows of a release; `None` of one that was sealed before releases had any.

    Raises:
        TamperedRelease: the file is not the one that was sealed.
    """
    if REFERENCE_ROWS not in manifest.files:
        return None
    content = read_verified(folder, manifest, REFERENCE_ROWS)
    try:
        return pl.read_parquet(io.BytesIO(content))
    except pl.exceptions.PolarsError as error:  # sealed so: whoever holds the key did it
        raise TamperedRelease(
            f"the file {REFERENCE_ROWS!r} of {manifest.ref} is no table: {error}",
            cure="seal the model anew",
            where={"release": str(manifest.ref), "file": REFERENCE_ROWS},
        ) from error


def is_kept(field: InputField) -> bool:
    """Whether an input's values are kept: those of a person, free texts, ids and the paths of pictures are not.

    Examples:
        >>> is_kept(InputField("age", Kind.INTEGER)), is_kept(InputField("name", Kind.TEXT))
        (True, False)
    """
    return field.personal is None and field.kind in _KEPT


def spread_places(rows: int, most: int = MOST_ROWS) -> NDArray[np.int64]:
    """The places of at most so many rows, evenly spread.

    Examples:
        >>> spread_places(3).tolist(), spread_places(100, 3).tolist()
        ([0, 1, 2], [0, 50, 99])
    """
    if rows <= most:
        return np.arange(rows)
    return np.linspace(0, rows - 1, most).round().astype(np.int64)


def truth_of(target: pl.Series, *, is_classification: bool) -> pl.Series:
    """The truth of rows from their target: the classes by name, or the values.

    Examples:
        >>> truth_of(pl.Series([True, None, False]), is_classification=True).to_list()
        ['true', None, 'false']
    """
    if not is_classification:
        return target.cast(pl.Float64).alias("truth")
    values = target.alias("truth")
    names = {value: class_name(value) for value in values.drop_nulls().unique().to_list()}
    if not names:
        return pl.Series("truth", [None] * values.len(), dtype=pl.String)
    return values.replace_strict(names, default=None, return_dtype=pl.String)


def known_truth(known: NDArray[np.int64], truth: NDArray[Any], rows: int, classes: Sequence[str]) -> pl.Series:
    """The truth of rows of which some have none.

    Args:
        known: the places of those that have one.
        truth: of these the class numbers, or the values.
    """
    values: list[Any] = [None] * rows
    for place, value in zip(known.tolist(), truth.tolist(), strict=True):
        values[place] = classes[value] if classes else value
    return pl.Series("truth", values, dtype=pl.String if classes else pl.Float64)
