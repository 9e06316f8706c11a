"""Times among the features that lie after the row's own time: they cannot be known yet."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from mainspring.data.columns import values_of
from mainspring.data.showing import SHOWN, plain_value, row_numbers
from mainspring.domain.finding import Finding
from mainspring.domain.schema import Kind, Schema, Severity

_FEWEST_ROWS = 20
_BAR = 0.5


def features_from_later(rows: pl.DataFrame, features: Schema, time: str | None) -> Iterable[Finding]:
    """Compare every time among the features with the row's own time, where both are there."""
    if time is None or time not in rows.columns or not rows.schema[time].is_temporal():
        return
    own = values_of(rows, time)
    for column in features:
        if column.kind is not Kind.TIME or column.name == time or not rows.schema[column.name].is_temporal():
            continue
        other = values_of(rows, column.name)
        both = int((own.is_not_null() & other.is_not_null()).sum())
        is_later = (other > own).fill_null(value=False)
        later = int(is_later.sum())
        if both < _FEWEST_ROWS or later <= _BAR * both:
            continue
        cases = pl.DataFrame({"row": row_numbers(rows), "value": other}).filter(is_later).head(SHOWN)
        yield Finding(
            code="known-later",
            severity=Severity.WARNING,
            column=column.name,
            rows=later,
            message=f"it is later than the row's own time {time!r} in {later / both:.1%} of the {both:,} rows "
            f"that have both (bar {_BAR:.0%})",
            cure=f"if {column.name!r} is not known when a prediction is asked for, exclude it in model.py",
            examples=tuple({"row": row, "value": plain_value(value)} for row, value in cases.iter_rows()),
        )
