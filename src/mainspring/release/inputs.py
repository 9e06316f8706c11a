"""The input contract of a release, from the schema and the rows that the model saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from mainspring.data.columns import HARMLESS, values_of
from mainspring.domain.release import InputField
from mainspring.domain.schema import Column, Kind

_CATEGORIES_SHOWN = 100


def input_fields(columns: Sequence[Column], seen: pl.DataFrame) -> tuple[InputField, ...]:
    """What requests must look like.

    A field is required where not one of the rows seen lacked it. Values are named only where they are
    categories and not personal: a text or an id may be a person's.

    Args:
        columns: the features' columns of the schema, in order.
        seen: typed rows, those of training and holdout.

    Examples:
        >>> fields = input_fields([Column("age", Kind.INTEGER)], pl.DataFrame({"age": [31, 17]}))
        >>> fields[0].required, fields[0].minimum, fields[0].maximum
        (True, 17.0, 31.0)
    """
    return tuple(_field(column, values_of(seen, column.name)) for column in columns)


def reading_field(column: Column, *, required: bool = False) -> InputField:
    """How a column's values are read, with nothing said of which there are.

    Examples:
        >>> reading_field(Column("age", Kind.INTEGER, missing=("?",))).missing
        ('?',)
    """
    return InputField(
        name=column.name,
        kind=column.kind,
        required=required,
        missing=column.missing,
        strip=column.strip,
        time_format=column.time_format,
        true=column.true,
        false=column.false,
        personal=column.personal,
        numerals=column.numerals,
    )


def _field(column: Column, values: pl.Series) -> InputField:
    low, high = _range(column.kind, values)
    return replace(
        reading_field(column, required=values.null_count() == 0),
        minimum=low,
        maximum=high,
        categories=_categories(values) if column.kind is Kind.CATEGORY and column.personal is None else None,
    )


def _range(kind: Kind, values: pl.Series) -> tuple[float | None, float | None]:
    """Of a time in seconds since the epoch."""
    if kind is Kind.TIME:
        values = values.cast(pl.Datetime("us", "UTC")).dt.epoch("us") / 1e6
    elif kind not in (Kind.NUMBER, Kind.INTEGER):
        return None, None
    finite = values.cast(pl.Float64).drop_nulls()
    finite = finite.filter(finite.is_finite())
    if finite.is_empty():
        return None, None
    return float(finite.to_numpy().min()), float(finite.to_numpy().max())


def _categories(values: pl.Series) -> tuple[str, ...]:
    counts = values.drop_nulls().cast(pl.String).value_counts(sort=True)
    return tuple(sorted(counts.get_column(HARMLESS).head(_CATEGORIES_SHOWN).to_list()))
