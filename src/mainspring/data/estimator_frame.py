"""The frame that an estimator is fitted on and asked with: the same in training and in the native runtime.

| kind | column of the frame | missing |
| --- | --- | --- |
| number, integer, boolean | float64 (true = 1.0) | NaN |
| time | float64, seconds since 1970-01-01 UTC | NaN |
| category, id, image | object, `str` | NaN (a float) |
| text | object, `str` | "" |

Never a pandas `category` or `string` column: an estimator that is fitted on one answers differently, or not at
all, when a single row comes in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mainspring.domain.instants import zoned
from mainspring.domain.release import InputField
from mainspring.domain.schema import Column, Kind
from mainspring.errors import DataError

if TYPE_CHECKING:  # the native runtime's process must not load polars
    import pandas as pd
    import polars as pl

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def estimator_frame(rows: pl.DataFrame, fields: Sequence[Column | InputField]) -> pd.DataFrame:
    """The rows as an estimator gets them: one column per field, in the order of the fields.

    Args:
        rows: typed rows, n of them; columns that no field names are left out.
        fields: the features.

    Returns:
        A pandas frame [n, len(fields)] with a range index.

    Raises:
        DataError: a field has no column in the rows.

    Examples:
        >>> import polars as pl
        >>> rows = pl.DataFrame({"age": [31, None], "job": ["cook", None]})
        >>> frame = estimator_frame(rows, [Column("job", Kind.CATEGORY), Column("age", Kind.INTEGER)])
        >>> frame["age"].tolist(), frame["job"].tolist()
        ([31.0, nan], ['cook', nan])
    """
    columns: dict[str, NDArray[Any]] = {}  # polars would take a name such as ^a$ for a pattern, hence the aliases
    for field in fields:
        if field.name not in rows.columns:
            raise _absent(field.name, rows.columns)
        columns[field.name] = _array_of_series(rows.get_column(field.name).alias("value"), field.kind)
    return _framed(columns, rows.height)


def estimator_frame_of_columns(
    columns: Mapping[str, Sequence[Any] | NDArray[Any]], fields: Sequence[Column | InputField]
) -> pd.DataFrame:
    """As `estimator_frame`, from plain columns; loads no polars.

    Args:
        columns: per field n values; missing is `None` or NaN. A time is a `datetime` (without zone: UTC), a
            `numpy.datetime64`, or a number of seconds since the epoch.
        fields: the features.

    Raises:
        DataError: a field has no column, or a value is not of its kind.

    Examples:
        >>> frame = estimator_frame_of_columns({"new": [True, None]}, [Column("new", Kind.BOOLEAN)])
        >>> frame["new"].tolist()
        [1.0, nan]
    """
    arrays: dict[str, NDArray[Any]] = {}
    for field in fields:
        if field.name not in columns:
            raise _absent(field.name, list(columns))
        arrays[field.name] = _array_of_values(columns[field.name], field.kind, field.name)
    return _framed(arrays, len(next(iter(arrays.values()))) if arrays else 0)


def _framed(columns: Mapping[str, NDArray[Any]], rows: int) -> pd.DataFrame:
    import pandas as pd

    # The dtype is stated, since pandas would make its own string dtype of an object column.
    series = {name: pd.Series(array, dtype=array.dtype, copy=False) for name, array in columns.items()}
    return pd.DataFrame(series, index=pd.RangeIndex(rows), copy=False)


def _array_of_series(series: pl.Series, kind: Kind) -> NDArray[Any]:
    import polars as pl

    if kind is Kind.TIME:
        if not isinstance(series.dtype, pl.Datetime):
            series = series.cast(pl.Datetime("us", "UTC"))
        # Whole microseconds, divided by NumPy: polars multiplies by 1e-6 instead, which is a last bit away from
        # what plain Python divides to in the gateway.
        seconds = series.dt.epoch("us").fill_null(0).to_numpy() / 1e6
        seconds[series.is_null().to_numpy()] = np.nan
        return seconds
    if kind.is_numeric:
        return series.cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64, copy=False)
    texts = series.cast(pl.String)
    if kind is Kind.TEXT:
        return _objects(texts.fill_null("").to_list())
    array = _objects(texts.to_list())
    array[texts.is_null().to_numpy()] = np.nan
    return array


def _array_of_values(values: Sequence[Any] | NDArray[Any], kind: Kind, name: str) -> NDArray[Any]:
    if kind is Kind.TIME:
        if isinstance(values, np.ndarray) and values.dtype.kind == "M":
            whole = values.astype("datetime64[us]")
            seconds = whole.astype(np.int64) / 1e6
            seconds[np.isnat(whole)] = np.nan
            return seconds
        return np.array([_seconds(value, name) for value in values], dtype=np.float64)
    if kind.is_numeric:
        if isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
            return values.astype(np.float64, copy=False)
        return np.array([_number(value, name) for value in values], dtype=np.float64)
    missing: Any = "" if kind is Kind.TEXT else np.nan
    return _objects([missing if _is_missing(value) else _text(value, name) for value in values])


def _objects(values: Sequence[Any]) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _number(value: Any, name: str) -> float:
    if value is None:
        return float("nan")
    if isinstance(value, int | float | np.number | np.bool_):
        return float(value)
    raise _wrong(value, name, "a number")


def _seconds(value: Any, name: str) -> float:
    if value is None:
        return float("nan")
    if isinstance(value, np.datetime64):
        whole = value.astype("datetime64[us]")
        return float("nan") if np.isnat(whole) else int(whole.astype(np.int64)) / 1e6
    if isinstance(value, datetime):
        return ((zoned(value) - _EPOCH) // _MICROSECOND) / 1e6
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        return float(value)
    raise _wrong(value, name, "a time")


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return str(value)
    raise _wrong(value, name, "a text")


def _wrong(value: Any, name: str, wanted: str) -> DataError:
    return DataError(
        f"the column {name!r} has the value {value!r}, which is not {wanted}",
        cure=f"give {wanted}, or nothing where it is missing",
        where={"column": name},
    )


def _absent(name: str, there: Sequence[str]) -> DataError:
    return DataError(
        f"there is no column {name!r}",
        cure=f"give the column; there are: {', '.join(there)}",
        where={"column": name},
    )
