"""Columns by their names alone.

Polars reads a name that begins with `^` and ends with `$` as a pattern: in `select`, `drop` and `pl.col`, and even
of a series by itself, whose methods it runs as such expressions. Columns have the names that users gave them; so
no expression is made of one, and no method of a series that bears one is called.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

HARMLESS = "value"
"""A name that means nothing."""


def values_of(frame: pl.DataFrame, name: str) -> pl.Series:
    """A column's values under a harmless name.

    Examples:
        >>> values_of(pl.DataFrame({"^a$": [2, None]}), "^a$").drop_nulls().to_list()
        [2]
    """
    return frame.get_column(name).alias(HARMLESS)


def columns_of(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """These columns, in this order.

    Examples:
        >>> columns_of(pl.DataFrame({"ab": [1], "^a.*$": [2]}), ["^a.*$"]).columns
        ['^a.*$']
    """
    return pl.DataFrame([frame.get_column(name) for name in names])
