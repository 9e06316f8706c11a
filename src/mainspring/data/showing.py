"""Rows and values as a finding shows them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import polars as pl

HIDDEN = ("__part", "__row")  # what a snapshot's table holds besides the source's columns
SHOWN = 5  # examples a finding has at most


def row_numbers(frame: pl.DataFrame) -> pl.Series:
    """The rows' numbers as people count them, from 1: those of the snapshot where the frame carries them."""
    if "__row" in frame.columns:
        return frame.get_column("__row").cast(pl.Int64) + 1
    return pl.int_range(1, frame.height + 1, eager=True)


def nan_count(values: pl.Series) -> int:
    return int(values.is_nan().sum()) if values.dtype.is_float() else 0


def missing_count(values: pl.Series) -> int:
    """Rows without a value; NaN is none."""
    return values.null_count() + nan_count(values)


def plain_value(value: Any) -> Any:
    """A value as JSON can hold it: a time as ISO text, NaN and infinities as text.

    Examples:
        >>> plain_value(float("inf")), plain_value(3)
        ('inf', 3)
    """
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, int | float | str | bool | None) else str(value)


def listed(values: Iterable[Any], total: int | None = None) -> str:
    """The first few values in a row, e.g. `'a', 'b', … (7 in all)`.

    Examples:
        >>> listed(["a", "b"])
        "'a', 'b'"
    """
    shown = [repr(plain_value(value)) for value in values]
    total = len(shown) if total is None else total
    return ", ".join(shown[:SHOWN]) + (f", … ({total:,} in all)" if total > SHOWN else "")
