"""The schema's promises, checked by pandera.

The columns go in under names of our own making: pandera hands names on to polars, which reads one that begins
with `^` and ends with `$` as a pattern.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from mainspring.data.columns import values_of
from mainspring.data.promises import promises
from mainspring.domain.durations import parse_duration
from mainspring.domain.schema import Column, Kind, Schema

DTYPES: dict[Kind, pl.DataType | type[pl.DataType]] = {
    Kind.NUMBER: pl.Float64,
    Kind.INTEGER: pl.Int64,
    Kind.BOOLEAN: pl.Boolean,
    Kind.CATEGORY: pl.String,
    Kind.TEXT: pl.String,
    Kind.ID: pl.String,
    Kind.IMAGE: pl.String,
    Kind.TIME: pl.Datetime("us", "UTC"),
}

_BUILT_IN = {"not_nullable": "missing-not-allowed"}  # pandera's names → ours


@dataclass(frozen=True, slots=True)
class Broken:
    """One broken promise.

    Attributes:
        code: which.
        rows: which rows break it, Boolean [n]; `None` where none can be told.
        detail: pandera's own words.
    """

    column: Column
    code: str
    rows: pl.Series | None
    detail: str


def broken_promises(frame: pl.DataFrame, schema: Schema, now: datetime) -> list[Broken]:
    """Check the columns that are both in the frame and in the schema, all promises of all of them.

    NaN counts as missing here.

    Raises:
        DataError: a bound of the schema cannot be read.
    """
    import pandera.polars as pa
    from pandera.config import ValidationDepth, config_context
    from pandera.errors import SchemaErrors

    columns = {f"c{place}": column for place, column in enumerate(schema) if column.name in frame.columns}
    plain = pl.DataFrame({name: _plain(values_of(frame, column.name)) for name, column in columns.items()})
    checked = pa.DataFrameSchema(
        {
            name: _pandera_column(name, column, plain.schema[name], now, schema.file)
            for name, column in columns.items()
        }
    )
    # Neither pandera's environment variables nor its settings may turn a check off.
    with config_context(validation_enabled=True, validation_depth=ValidationDepth.SCHEMA_AND_DATA):
        try:
            checked.validate(plain, lazy=True)
        except SchemaErrors as found:
            return [_broken(columns[error.schema.name], error) for error in found.schema_errors]
    return []


def _plain(series: pl.Series) -> pl.Series:
    if isinstance(series.dtype, pl.Categorical | pl.Enum):
        return series.cast(pl.String)
    return series.fill_nan(None) if series.dtype.is_float() else series


def _pandera_column(name: str, column: Column, dtype: pl.DataType, now: datetime, file: str) -> Any:
    import pandera.polars as pa

    wanted = DTYPES[column.kind]
    if dtype != wanted:  # a check of values would fail for this reason alone, and hide it
        return pa.Column(wanted, nullable=True)
    checks = [_of_rows(code, holds) for code, holds in promises(column, pl.col(name), file)]
    if column.unique:
        checks.append(_of_rows("not-unique", pl.col(name).is_null() | ~pl.col(name).is_duplicated()))
    # What holds of the column as a whole is also said row by row (the missing ones, the newest ones), since
    # pandera cannot report checks of both shapes together.
    value = pl.col(name)
    if column.max_missing_share is not None:
        allowed = value.null_count() <= column.max_missing_share * pl.len()
        checks.append(_of_rows("missing-share", value.is_not_null() | allowed))
    if column.freshness is not None and column.kind is Kind.TIME:
        oldest = now - parse_duration(column.freshness)
        checks.append(_of_rows("stale", (value < value.max()) | (value >= oldest)))
    return pa.Column(wanted, checks=checks, nullable=column.nullable)


def _of_rows(code: str, holds: pl.Expr) -> Any:
    import pandera.polars as pa

    return pa.Check(lambda data: data.lazyframe.select(holds), name=code)


def _broken(column: Column, error: Any) -> Broken:
    name = error.check if isinstance(error.check, str) else getattr(error.check, "name", str(error.check))
    reason = error.reason_code.name if error.reason_code is not None else ""
    if reason == "WRONG_DATATYPE":
        return Broken(column, "wrong-type", None, str(error))
    if reason not in ("DATAFRAME_CHECK", "SERIES_CONTAINS_NULLS"):
        return Broken(column, "check-failed", None, str(error))
    code = _BUILT_IN.get(name, name)
    return Broken(column, code, ~error.check_output.to_series(), str(error))
