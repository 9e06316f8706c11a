"""What the schema promises of each value of a column, as expressions: true where a row keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import polars as pl

from mainspring.domain.instants import zoned
from mainspring.domain.numerals import PLAIN
from mainspring.domain.schema import Column, Kind
from mainspring.errors import DataError

NUMERAL = "not-a-numeral"
_TEXTS = (Kind.CATEGORY, Kind.TEXT, Kind.ID)


def promises(column: Column, value: pl.Expr, file: str) -> Iterator[tuple[str, pl.Expr]]:
    """The name of each promise that is broken where its expression is false; where it is missing, nothing is said.

    Args:
        value: the column's values, of its kind's type. That one may be missing is another matter (`nullable`).
        file: of the schema.

    Raises:
        DataError: a bound is no value of the column's kind.
    """
    minimum, maximum = bound_of(column, "minimum", file), bound_of(column, "maximum", file)
    if minimum is not None:
        yield "below-minimum", value >= minimum
    if maximum is not None:
        yield "above-maximum", value <= maximum
    if column.categories is not None and column.kind is Kind.CATEGORY:
        known = pl.Series(column.categories, dtype=pl.String)
        yield "unknown-category", pl.when(value.is_not_null()).then(value.is_in(known.implode()))
    if column.kind is Kind.NUMBER:
        yield "not-finite", value.is_finite()
    if column.numerals and column.kind in _TEXTS:
        yield NUMERAL, value.str.contains(PLAIN)


def bound_of(column: Column, which: str, file: str) -> float | datetime | None:
    """The column's `minimum` or `maximum` in the type of its values.

    Raises:
        DataError: the bound is no value of the column's kind.
    """
    bound = getattr(column, which)
    if bound is None or column.kind not in (Kind.NUMBER, Kind.INTEGER, Kind.TIME):
        return None
    try:
        if column.kind is not Kind.TIME:
            return float(bound)
        return zoned(datetime.fromisoformat(str(bound)))
    except ValueError as error:
        wanted = "an ISO 8601 time" if column.kind is Kind.TIME else "a number"
        raise DataError(
            f"the column {column.name!r} has the {which} {bound!r}, which is not {wanted}",
            cure=f"write {wanted} as `{which}` of {column.name!r} in {file}",
            where={"file": file, "column": column.name},
        ) from error
