"""The slices of rows of the prediction log by a release's inputs; the same as those of the hourly sketches."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.domain.prediction_log import INPUT_PREFIX
from mainspring.domain.release import InputField
from mainspring.errors import DeclarationError
from mainspring.monitoring.hours.slices import slice_texts

MOST_SLICES = 50  # the largest


def row_slices(
    rows: pl.DataFrame, by: Sequence[str], fields: Sequence[InputField]
) -> list[tuple[dict[str, str], NDArray[np.int64]]]:
    """The largest slices, in ascending order, each with its rows' places.

    Args:
        rows: with the inputs in `input_<name>` columns.
        by: inputs.
        fields: of the release.

    Raises:
        DeclarationError: an input is not in the log.

    Examples:
        >>> from mainspring.domain.schema import Kind
        >>> rows = pl.DataFrame({"input_device": ["tv", "phone", "tv"]})
        >>> found = row_slices(rows, ["device"], [InputField("device", Kind.CATEGORY)])
        >>> [(name, places.tolist()) for name, places in found]
        [({'device': 'phone'}, [1]), ({'device': 'tv'}, [0, 2])]
    """
    named = {field.name: field for field in fields}
    for name in by:
        if name not in named or INPUT_PREFIX + name not in rows.columns:
            raise DeclarationError(
                f"{name!r}, by which it is sliced, is no input in the prediction log",
                cure="name an input of the model, and one that is logged",
                where={"column": name},
            )
    if not rows.height:
        return []
    columns = {name: (INPUT_PREFIX + name, named[name]) for name in sorted(by)}
    texts = slice_texts(rows, columns).alias("slice")
    groups = texts.to_frame().with_row_index("place").group_by("slice").agg("place")
    found = [
        (msgspec.json.decode(text, type=dict[str, str]), np.array(places, dtype=np.int64))
        for text, places in groups.iter_rows()
    ]
    largest = sorted(found, key=lambda one: (-one[1].size, *one[0].values()))[:MOST_SLICES]
    return sorted(largest, key=lambda one: tuple(one[0].values()))
