"""Ids among the features: a model learns them by heart, and knows nothing of the next one."""

from __future__ import annotations

import re
from collections.abc import Iterable

import polars as pl

from mainspring.data.columns import values_of
from mainspring.domain.finding import Finding
from mainspring.domain.schema import Column, Kind, Schema, Severity

_FEWEST_ROWS = 50
_UNIQUE_TEXT = 0.95
_UNIQUE_NUMBER = 0.999
_ONE_WAY = 0.999  # share of steps from row to row in the same direction
_DENSE = 1.5  # a whole number from a range no wider than this times the rows
_LONGEST_ID = 64
_NAMES = re.compile(r"(^|_)(id|key|uuid|guid|index|number|no|nr)$|[a-z]I[dD]$", re.ASCII)


def ids_among_features(rows: pl.DataFrame, features: Schema, key: str | None) -> Iterable[Finding]:
    """Look at the features whose value is different in nearly every row."""
    for column in features:
        reason = (
            "it is the key of the rows"
            if column.name == key
            else _reason(column, values_of(rows, column.name).drop_nulls())
        )
        if reason:
            yield Finding(
                code="id-as-feature",
                severity=Severity.WARNING,
                column=column.name,
                message=f"it looks like an id: {reason}",
                cure=f"exclude {column.name!r} in model.py, or set its kind in schema.toml",
            )


def _reason(column: Column, values: pl.Series) -> str | None:
    if values.len() < _FEWEST_ROWS:
        return None
    share = values.n_unique() / values.len()
    if column.kind in (Kind.ID, Kind.CATEGORY, Kind.TEXT) and share >= _UNIQUE_TEXT:
        if column.kind is Kind.TEXT and not _are_words_of_one(values):
            return None
        return f"{share:.1%} of the values are different texts (bar {_UNIQUE_TEXT:.0%})"
    if column.kind in (Kind.INTEGER, Kind.NUMBER) and share >= _UNIQUE_NUMBER and _are_whole(values):
        number = f"{share:.1%} of the values are different whole numbers (bar {_UNIQUE_NUMBER:.1%})"
        steps = values.cast(pl.Float64).diff().drop_nulls()
        up = float((steps > 0).mean() or 0)  # type: ignore[arg-type]
        down = float((steps < 0).mean() or 0)  # type: ignore[arg-type]
        if max(up, down) >= _ONE_WAY:
            return f"{number}, which {'rise' if up > down else 'fall'} from row to row"
        if float(values.max() - values.min()) < _DENSE * values.len():  # type: ignore[arg-type, operator]
            return f"{number}, nearly without a gap"
        if _NAMES.search(column.name):
            return f"{number}, and so says its name"
    return None


def _are_words_of_one(values: pl.Series) -> bool:
    """Whether the texts are single short words, as ids are and what people write is not."""
    short = (values.str.len_chars() <= _LONGEST_ID) & ~values.str.contains(r"\s")
    return float(short.mean() or 0) >= _UNIQUE_TEXT  # type: ignore[arg-type]


def _are_whole(values: pl.Series) -> bool:
    if not values.dtype.is_float():
        return True
    return bool((values.is_finite() & (values == values.round())).all())
