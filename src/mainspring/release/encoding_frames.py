"""Typed rows of a snapshot → the matrix that a compiled model takes: as `encoding`, but vectorised."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from mainspring.data.columns import values_of
from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind
from mainspring.errors import DataError
from mainspring.features.request_time_frames import outputs_of_rows
from mainspring.release.computed import Computed
from mainspring.release.encoding import missing_code, unknown_code
from mainspring.release.encoding_cells import NUMERIC_KINDS


def frame_to_matrix(
    frame: pl.DataFrame, inputs: Sequence[InputField], order: Literal["C", "F"] = "C"
) -> npt.NDArray[np.float64]:
    """The rows in the compiled layout, float64 `[rows, len(inputs)]`.

    Args:
        frame: typed rows; columns that no input names are ignored.
        inputs: the release's fields, in the model's order.
        order: in memory: row by row, or column by column, which is quicker where columns are read.

    Raises:
        DataError: a field has no column.

    Examples:
        >>> job = InputField("job", Kind.CATEGORY, vocabulary=("clerk", "pilot"))
        >>> frame_to_matrix(pl.DataFrame({"job": ["pilot", "baker", None]}), [job]).tolist()
        [[1.0], [2.0], [3.0]]
    """
    matrix = np.empty((frame.height, len(inputs)), order=order)
    for place, field in enumerate(inputs):
        values = _named(frame, field.name)
        if field.kind in NUMERIC_KINDS:
            matrix[:, place] = _numbers(values, field)
        else:
            matrix[:, place] = _codes(values.cast(pl.String), field)
    return matrix


def model_matrix(
    frame: pl.DataFrame,
    inputs: Sequence[InputField],
    computed: Computed | None,
    order: Literal["C", "F"] = "C",
) -> npt.NDArray[np.float64]:
    """As `frame_to_matrix`, with what functions make of the rows where there are any.

    Raises:
        DataError: a field has no column.
        FeatureError: a function failed.
    """
    if computed is None:
        return frame_to_matrix(frame, inputs, order)
    taken = frame_to_matrix(frame, inputs[: computed.taken], order)
    return computed.joined(taken, outputs_of_rows(frame, computed.functions), order)


def model_columns(
    frame: pl.DataFrame, inputs: Sequence[InputField], computed: Computed | None
) -> dict[str, bytes | list[str | None]]:
    """As `frame_to_columns`, with what functions make of the rows where there are any.

    Raises:
        DataError: a field has no column.
        FeatureError: a function failed.
    """
    if computed is None:
        return frame_to_columns(frame, inputs)
    made = outputs_of_rows(frame, computed.functions)
    return frame_to_columns(frame, inputs[: computed.taken]) | {
        name: values.tobytes() for name, values in made.items()
    }


def frame_to_columns(frame: pl.DataFrame, inputs: Sequence[InputField]) -> dict[str, bytes | list[str | None]]:
    """The rows by column, as they go to the process of a native runtime: float64 bytes, or texts.

    Raises:
        DataError: a field has no column.
    """
    return {
        field.name: np.ascontiguousarray(_numbers(_named(frame, field.name), field)).tobytes()
        if field.kind in NUMERIC_KINDS
        else _named(frame, field.name).cast(pl.String).to_list()
        for field in inputs
    }


def _named(frame: pl.DataFrame, name: str) -> pl.Series:
    if name not in frame.columns:
        raise DataError(
            f"there is no column {name!r}",
            cure=f"give the column; there are: {', '.join(frame.columns)}",
            where={"column": name},
        )
    return values_of(frame, name)


def _numbers(values: pl.Series, field: InputField) -> npt.NDArray[np.float64]:
    if field.kind is Kind.TIME:
        if not isinstance(values.dtype, pl.Datetime):
            values = values.cast(pl.Datetime("us", "UTC"))
        # Divided by numpy as in the gateway: polars multiplies by the reciprocal, which is another float.
        return _floats(values.dt.epoch("us").cast(pl.Float64)) / 1e6
    return _floats(values.cast(pl.Float64))


def _codes(texts: pl.Series, field: InputField) -> npt.NDArray[np.float64]:
    # Casting to an enumeration is a hash look-up per row; what it does not know becomes null.
    known = texts.cast(pl.Enum(list(field.vocabulary or ())), strict=False)
    codes = known.to_physical().cast(pl.Float64)
    if not codes.null_count():
        return codes.to_numpy()
    filled = codes.fill_null(unknown_code(field)).to_numpy().copy()
    filled[texts.is_null().to_numpy()] = missing_code(field)
    return filled


def _floats(values: pl.Series) -> npt.NDArray[np.float64]:
    return values.fill_null(float("nan")).to_numpy()
