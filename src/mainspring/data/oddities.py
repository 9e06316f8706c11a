"""What is odd about some rows by themselves: nothing that the schema forbids, and seldom meant."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from mainspring.data.columns import values_of
from mainspring.data.showing import SHOWN, nan_count, plain_value
from mainspring.domain.finding import Finding
from mainspring.domain.schema import Column, Kind, Schema, Severity

_MANY_CATEGORIES = 10_000
_NATURAL_DUPLICATES = 0.05


def find_oddities(frame: pl.DataFrame, schema: Schema, numbers: pl.Series) -> Iterable[Finding]:
    """Look for them.

    Args:
        frame: one row or more [n].
        schema: the columns to look at.
        numbers: the rows' numbers [n], for the examples.
    """
    rows = frame.height
    if rows == 1:
        yield Finding(
            code="one-row",
            severity=Severity.WARNING,
            message="there is one row only",
            cure="give more rows: nothing can be learnt from one",
            rows=1,
        )
        return
    for column in schema:
        if column.name in frame.columns:
            yield from _odd_column(column, values_of(frame, column.name), numbers)
    yield from _duplicates(frame, numbers)


def _odd_column(column: Column, values: pl.Series, numbers: pl.Series) -> Iterable[Finding]:
    rows = values.len()
    if nan := nan_count(values):
        yield Finding(
            code="not-a-number",
            severity=column.severity,
            column=column.name,
            message=f"{nan:,} of {rows:,} rows hold NaN, which counts as missing",
            cure="leave these cells empty in the source",
            rows=nan,
            examples=tuple({"row": row} for row in numbers.filter(values.is_nan()).head(SHOWN)),
        )
        values = values.fill_nan(None)
    if values.null_count() == rows:
        yield Finding(
            code="all-missing",
            severity=Severity.WARNING,
            column=column.name,
            message=f"missing in all {rows:,} rows",
            cure="leave the column out of the features, or mend the source",
            rows=rows,
        )
        return
    distinct = values.drop_nulls().n_unique()
    if distinct == 1 and not values.null_count():
        value = plain_value(values[0])
        yield Finding(
            code="constant",
            severity=Severity.WARNING,
            column=column.name,
            message=f"the same value in all {rows:,} rows: {value!r}",
            cure="leave the column out of the features: nothing can be learnt from it",
            rows=rows,
        )
    if column.kind is Kind.CATEGORY and distinct > _MANY_CATEGORIES:
        yield Finding(
            code="many-categories",
            severity=Severity.WARNING,
            column=column.name,
            message=f"the category has {distinct:,} different values in {rows:,} rows (more than "
            f"{_MANY_CATEGORIES:,})",
            cure=f"set `kind` of {column.name!r} to text or id in schema.toml",
        )


def _duplicates(frame: pl.DataFrame, numbers: pl.Series) -> Iterable[Finding]:
    if not frame.width:
        return
    rows = frame.height
    hashes = frame.hash_rows()
    copies = rows - hashes.n_unique()
    if copies <= _NATURAL_DUPLICATES * rows or not is_rich(frame):
        return
    later = ~hashes.is_first_distinct()
    yield Finding(
        code="duplicate-rows",
        severity=Severity.WARNING,
        message=f"{copies:,} of {rows:,} rows ({copies / rows:.1%}) are whole copies of an earlier one "
        f"(more than {_NATURAL_DUPLICATES:.0%})",
        cure="drop the copies, or check whether a file was given twice",
        rows=copies,
        examples=tuple({"row": row} for row in numbers.filter(later).head(SHOWN)),
    )


def is_rich(frame: pl.DataFrame) -> bool:
    """Whether there are so many possible rows that copies of one hardly come by chance."""
    possible = 1.0
    for name in frame.columns:
        possible *= values_of(frame, name).n_unique()
        if possible > 10.0 * frame.height:
            return True
    return False
