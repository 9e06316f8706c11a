"""The profile of typed rows."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from mainspring.domain.release import InputField
from mainspring.domain.schema import Column, Kind
from mainspring.stats.profile import ColumnProfile, Profile


def profile_of(rows: pl.DataFrame, fields: Sequence[Column | InputField], *, seed: int = 0) -> Profile:
    """Sketch these columns of the rows; more rows are added with `add_rows`.

    Examples:
        >>> profile = profile_of(pl.DataFrame({"job": ["cook", None, "cook"]}), [Column("job", Kind.CATEGORY)])
        >>> profile.columns["job"].frequencies.counts, profile.columns["job"].missing
        ({'cook': 2}, 1)
    """
    profile = Profile({field.name: field.kind for field in fields}, seed)
    add_rows(profile, rows)
    return profile


def add_rows(profile: Profile, rows: pl.DataFrame) -> None:
    """Take the rows' values of the profile's columns in."""
    for name, column in profile.columns.items():
        _add_series(column, rows.get_column(name).alias("value"))  # a name such as ^a$ would be a pattern


def _add_series(column: ColumnProfile, series: pl.Series) -> None:
    if column.kind is Kind.TIME:
        seconds = series.dt.epoch("us").fill_null(0).to_numpy() / 1e6
        seconds[series.is_null().to_numpy()] = float("nan")
        column.add_numbers(seconds)
    elif column.kind in (Kind.NUMBER, Kind.INTEGER):
        column.add_numbers(series.cast(pl.Float64).fill_null(float("nan")).to_numpy())
    else:
        counts = series.drop_nulls().cast(pl.String).value_counts(name="rows")
        texts = counts.get_column("value").to_list()
        column.add_counts(dict(zip(texts, counts.get_column("rows").to_list(), strict=True)), series.null_count())
