"""A few rows of every hour, of old days of every day, drawn by the hash of their ids: for what no sketch can tell.

Of each hour, release and role the rows with the smallest hashes are kept (a "bottom-k" sample, Cohen and Kaplan
2007). That is a uniform sample, it does not depend on the order or the number of the readings, two samples are
merged by doing the same again, and a row that comes twice is the same row.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from mainspring.domain.prediction_log import INPUT_PREFIX
from mainspring.monitoring.hours.ages import hour_or_day
from mainspring.stats.distinct import hash_texts

MOST = 100  # rows kept of each hour, release and role
HASH = "sample_hash"
OWN = ("day", "id", "at", "release", "role", "prediction", "value", "outputs")
"""The log's columns that are kept, besides those of the inputs."""

_GROUP = ("hour", "release", "role")


def samples_table(model: str) -> str:
    """The name of the table of rows that were drawn from a model's prediction log."""
    return f"samples/{model}"


def drawn(rows: pl.DataFrame, by_day_before: date = date.min) -> pl.DataFrame:
    """Of rows of the prediction log those that are kept, with their `hour` and their `sample_hash`.

    Args:
        by_day_before: of days before this one as many are kept as of an hour of the others.

    Examples:
        >>> from datetime import UTC, date, datetime
        >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
        >>> own = {"day": noon.date(), "at": noon, "release": 1, "role": "champion", "prediction": "yes"}
        >>> log = pl.DataFrame([own | {"id": f"{n}/0", "value": 0.5, "outputs": [0.5, 0.5]} for n in range(1000)])
        >>> drawn(log).height
        100
    """
    inputs = [name for name in rows.columns if INPUT_PREFIX in name]
    hashes = pl.Series(HASH, hash_texts(rows.get_column("id").to_list()).view("int64"), dtype=pl.Int64)
    return smallest(by_hour_or_day(rows.select(*OWN, *inputs).with_columns(hashes), by_day_before))


def by_hour_or_day(rows: pl.DataFrame, by_day_before: date) -> pl.DataFrame:
    """Rows with the `hour` that they are kept for."""
    return rows.with_columns(hour_or_day(by_day_before).alias("hour"))


def smallest(rows: pl.DataFrame) -> pl.DataFrame:
    """Of rows that were drawn, each once, those that are still among the smallest of their `hour`."""
    once = rows.sort(*_GROUP, HASH, "id", "at").unique([*_GROUP, HASH, "id"], keep="first", maintain_order=True)
    return once.filter(pl.int_range(pl.len()).over(*_GROUP) < MOST)


def uniform(rows: pl.DataFrame) -> pl.DataFrame:
    """A uniform sample of all the rows of several hours, from the samples of each.

    Where an hour had more rows than were kept, all that is known of it lies below its greatest kept hash. So of
    every hour what lies below the least of these is taken: each row of the log had the same chance.
    """
    full = rows.group_by(_GROUP).agg(pl.len().alias("rows"), pl.col(HASH).max())
    limit = full.filter(pl.col("rows") >= MOST).get_column(HASH).min()
    return rows if limit is None else rows.filter(pl.col(HASH) <= limit)
