"""The rows of a prediction log a batch at a time, what it has twice left out."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

BATCH = 131_072  # rows


def batches(rows: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """Batches of the rows; of those with the same id and release, of which most often there are none, the first.

    A client that uses a request id again is answered and logged again, and that is one prediction. A repetition
    is noticed among these rows only: one that comes to the log an hour later counts as a second one.
    """
    hashed = rows.select(pl.col("id").hash().alias("id"), "release")
    counts = hashed.group_by("id", "release").agg(pl.len().alias("rows")).filter(pl.col("rows") > 1)
    several = counts.collect().get_column("id").unique()
    seen: set[tuple[str, int]] = set()
    for batch in rows.collect_batches(chunk_size=BATCH):
        if several.len():
            batch = batch.filter(_first(batch, several, seen))
        if batch.height:
            yield batch


def _first(batch: pl.DataFrame, several: pl.Series, seen: set[tuple[str, int]]) -> pl.Series:
    """Whether each row is the first of its id and release. Of a million ids few come twice: only they are kept."""
    keep = []
    suspects = batch.get_column("id").hash().is_in(several.implode())
    for suspect, row in zip(suspects, batch.select("id", "release").iter_rows(), strict=True):
        keep.append(not suspect or row not in seen)
        if suspect:
            seen.add(row)
    return pl.Series(keep, dtype=pl.Boolean)
