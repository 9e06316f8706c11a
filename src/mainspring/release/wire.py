"""Typed rows of a table ↔ wire rows, as requests carry them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from mainspring.data.columns import values_of
from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind
from mainspring.release.encoding import Encoder

_TYPES: dict[Kind, Any] = {
    Kind.NUMBER: pl.Float64(),
    Kind.INTEGER: pl.Int64(),
    Kind.BOOLEAN: pl.Boolean(),
    Kind.TIME: pl.Datetime("us", "UTC"),
}


def to_wire(rows: pl.DataFrame, fields: Sequence[InputField]) -> list[dict[str, Any]]:
    """Typed rows as wire rows: JSON values, a time in ISO 8601 with its zone, `None` where missing.

    Examples:
        >>> from datetime import datetime, UTC
        >>> rows = pl.DataFrame({"at": [datetime(2026, 1, 31, 9, tzinfo=UTC), None]})
        >>> to_wire(rows, [InputField("at", Kind.TIME)])
        [{'at': '2026-01-31T09:00:00.000000+00:00'}, {'at': None}]
    """
    columns = {field.name: _plain(values_of(rows, field.name), field.kind) for field in fields}
    return pl.DataFrame(columns).to_dicts()


def from_wire(rows: Sequence[Mapping[str, Any]], fields: Sequence[InputField]) -> pl.DataFrame:
    """Wire rows as typed rows, validated and read as a gateway does.

    An estimator gets doubles, and so do these rows: an integer keeps 53 bits, a time its microseconds from 1902
    to 2106.

    Raises:
        InvalidInput: a row that no gateway would take.

    Examples:
        >>> from_wire([{"age": 31}, {"age": None}], [InputField("age", Kind.INTEGER)])["age"].to_list()
        [31, None]
    """
    columns = Encoder(fields).rows_to_columns(rows)
    return pl.DataFrame({field.name: _typed(field.kind, columns[field.name]) for field in fields})


def _plain(series: pl.Series, kind: Kind) -> pl.Series:
    if kind is Kind.TIME:
        return series.cast(pl.Datetime("us", "UTC")).dt.strftime("%Y-%m-%dT%H:%M:%S%.6f%:z")
    return series.cast(_TYPES.get(kind, pl.String()))


def _typed(kind: Kind, values: Sequence[Any]) -> pl.Series:
    if kind not in _TYPES:
        return pl.Series(values, dtype=pl.String)
    numbers = pl.Series(values, dtype=pl.Float64).fill_nan(None)
    if kind is Kind.TIME:
        return (numbers * 1e6).round().cast(pl.Int64).cast(_TYPES[Kind.TIME])
    if kind is Kind.BOOLEAN:
        return numbers == 1.0
    # The greatest doubles below 2⁶³ fit, 2⁶³ itself (what 2⁶³ - 1 rounds to) would not.
    return numbers.clip(upper_bound=float(2**63 - 1024)).cast(pl.Int64) if kind is Kind.INTEGER else numbers
