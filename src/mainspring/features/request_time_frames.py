"""What the functions of `features.py` make of typed rows: in training, and wherever tables are scored."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import polars as pl

from mainspring.data.columns import HARMLESS, values_of
from mainspring.domain.schema import Kind
from mainspring.errors import DataError
from mainspring.features.request_time import Floats, RequestFunctions, column_array


def outputs_of_rows(rows: pl.DataFrame, functions: RequestFunctions) -> dict[str, Floats]:
    """What the functions give, by name, one number for each row.

    Raises:
        DataError: a column that they take is absent.
        FeatureError: a function raised, or gave something else.
    """
    columns = {}
    for field in functions.fields:
        if field.name not in rows.columns:
            raise DataError(
                f"there is no column {field.name!r}, which a function of features.py takes",
                cure=f"give the column; there are: {', '.join(rows.columns)}",
                where={"column": field.name},
            )
        columns[field.name] = _array(values_of(rows, field.name), field.kind)
    return functions.compute(columns)


def with_outputs(rows: pl.DataFrame, functions: RequestFunctions) -> pl.DataFrame:
    """The rows with what the functions give in columns at their end, missing where it is NaN.

    Raises:
        DataError, FeatureError: as `outputs_of_rows`.

    Examples:
        >>> from mainspring.domain.release import FunctionInput, InputField
        >>> square = FunctionInput("square", ("side",), ("area",))
        >>> code = b"def square(x): return {'area': x['side'] ** 2}"
        >>> functions = RequestFunctions(code, [square], [InputField("side", Kind.NUMBER)])
        >>> with_outputs(pl.DataFrame({"side": [3.0, None]}), functions).rows()
        [(3.0, 9.0), (None, None)]
    """
    made = outputs_of_rows(rows, functions)
    kept = [rows.get_column(name) for name in rows.columns if name not in made]
    outputs = [pl.Series(HARMLESS, values).fill_nan(None).alias(name) for name, values in made.items()]
    return pl.DataFrame([*kept, *outputs])


def _array(values: pl.Series, kind: Kind) -> npt.NDArray[Any]:
    if kind is Kind.TIME:
        # Divided by numpy as in the gateway: polars multiplies by the reciprocal, which is another float.
        whole = values.cast(pl.Datetime("us", "UTC")).dt.epoch("us").cast(pl.Float64)
        return whole.fill_null(float("nan")).to_numpy() / 1e6
    if kind.is_numeric:
        return values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return column_array(values.cast(pl.String).to_list(), kind)
