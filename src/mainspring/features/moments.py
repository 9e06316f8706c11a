"""Times of frames as moments: microseconds since the epoch, UTC."""

from __future__ import annotations

import polars as pl

from mainspring.data.columns import HARMLESS
from mainspring.errors import DataError
from mainspring.features.definition import did_you_mean

TIME = pl.Datetime("us", "UTC")


def as_times(values: pl.Series) -> pl.Series | None:
    """Dates and times of any unit and zone as UTC microseconds; `None` for other values.

    A time without a zone is UTC. Of nanoseconds the begun microsecond counts: a row of that microsecond is not
    later.

    Examples:
        >>> as_times(pl.Series([-1]).cast(pl.Datetime("ns"))).dt.epoch("us").to_list()
        [-1]
    """
    if values.dtype == pl.Date:
        return values.cast(TIME)
    if not isinstance(values.dtype, pl.Datetime):
        return None
    whole = values.to_physical()
    if values.dtype.time_unit == "ns":
        whole = whole // 1_000
    elif values.dtype.time_unit == "ms":
        whole = whole * 1_000
    return whole.cast(TIME)


def moments_of(events: pl.DataFrame, name: str) -> pl.Series:
    """The moment of each event as a number; missing where its time is.

    Raises:
        DataError: there is no such column, or it holds no times.
    """
    if name not in events.columns:
        raise DataError(
            f"the rows have no column {name!r} that says as of when their features are wanted",
            cure=did_you_mean(name, events.columns),
            where={"column": name},
        )
    values = events.get_column(name).alias(HARMLESS)
    found = as_times(values) if values.dtype != pl.Null else values.cast(TIME)
    if found is None:
        raise DataError(
            f"the column {name!r} holds {values.dtype}, not times",
            cure='give it as times, e.g. frame.with_columns(pl.col("shown_at").str.to_datetime(time_zone="UTC"))',
            where={"column": name},
        )
    return found.to_physical()
