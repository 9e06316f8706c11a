"""The rows of a snapshot of labelled predictions: which of a growing table's hold, and how they join a source's.

The table grows by the rows that are new or that say something else than before, so that every version of it reads
the same for ever. Of the rows of one identity (the event's key, or the prediction's id where it has none) the last
one holds; one that was withdrawn holds no more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from mainspring.data.snapshots import PART, ROW
from mainspring.errors import StoreError

if TYPE_CHECKING:
    from mainspring.data.snapshots import Snapshots

IDENTITY = "__identity"
ANSWERED = "__answered_at"
"""When the model was asked about the row; null in the rows of the source."""

WITHDRAWN = "__withdrawn"
DIGEST = "__digest"  # 64 bits of the row's content
LABELS, ANSWERS = "__labels_version", "__answers_version"
"""The versions of the logs of labels and of predictions up to which was read when the row was written: both are
there or neither."""
UNTIL = "__until"
"""Answers given from then on were too young to be read; null where none was."""

HIDDEN: dict[str, pl.DataType] = {
    IDENTITY: pl.String(),
    ANSWERED: pl.Datetime("us", "UTC"),
    WITHDRAWN: pl.Boolean(),
    DIGEST: pl.Int64(),
    LABELS: pl.Int64(),
    ANSWERS: pl.Int64(),
    UNTIL: pl.Datetime("us", "UTC"),
    ROW: pl.Int64(),
}


def holding_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of a version that hold, in the order in which they were answered."""
    last = rows.sort(ROW).unique(IDENTITY, keep="last", maintain_order=True)
    return last.filter(~pl.col(WITHDRAWN)).sort(ANSWERED, IDENTITY)


def content_digest(rows: pl.DataFrame) -> str:
    """SHA-256 over the rows that hold, in their order."""
    digest = hashlib.sha256(rows.get_column(DIGEST).to_numpy().astype("<i8").tobytes())
    digest.update("\0".join(rows.get_column(IDENTITY).to_list()).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def read_rows(
    snapshots: Snapshots,
    ids: Sequence[str],
    key: str | None,
    with_features: Callable[[pl.DataFrame], pl.DataFrame] = lambda rows: rows,
) -> pl.DataFrame:
    """The rows of a source's snapshot, followed by those of a snapshot of labelled predictions where there is one.

    A labelled row whose key the source has is left out: the source knows it better.

    Args:
        ids: the source's snapshot, and the labelled one.
        key: the source's column that names a row.
        with_features: adds to the source's rows the columns that labelled rows have of themselves: the features of
            views that they were answered with.

    Returns:
        The source's columns in order and `__row`; with labelled rows also `__answered_at`, null in the others.

    Raises:
        UnknownSnapshot: there is none of this id.
        StoreError: the two have other columns.
    """
    source = with_features(snapshots.read(ids[0]).collect())
    if len(ids) == 1:
        return source
    labelled = holding_rows(snapshots.read(ids[1]).collect())
    return joined(source, labelled, key)


def joined(source: pl.DataFrame, labelled: pl.DataFrame, key: str | None) -> pl.DataFrame:
    """See `read_rows`."""
    if key is not None:
        named = source.get_column(key).alias("key").drop_nulls().unique()
        taken = labelled.get_column(key).alias("key").is_in(named.implode()).fill_null(value=False)
        labelled = labelled.filter(~taken)
    content = [name for name in source.columns if name != ROW]
    for name in content:
        if name not in labelled.columns or labelled.schema[name] != source.schema[name]:
            raise StoreError(
                f"the labelled rows have no column {name!r} of the type {source.schema[name]}",
                cure="take a new snapshot of both with `mainspring run`",
                where={"column": name},
            )
    # By their names alone: `select` would take a name such as ^a$ for a pattern.
    columns = [pl.concat([source.get_column(name), labelled.get_column(name)]) for name in content]
    count = source.height + labelled.height
    asked = pl.Series(ANSWERED, [None], HIDDEN[ANSWERED]).new_from_index(0, source.height)
    columns.append(pl.Series(ROW, np.arange(count, dtype=np.int64)))
    columns.append(pl.concat([asked, labelled.get_column(ANSWERED)]))
    return pl.DataFrame(columns)


def written(rows: pl.DataFrame, first: int, read_up_to: Mapping[str, int], until: datetime | None) -> pl.DataFrame:
    """The rows as they are appended to the table.

    Args:
        first: the number of the first of them.
        read_up_to: `LABELS` and `ANSWERS`, to the versions.
        until: see `UNTIL`.
    """
    return rows.with_columns(
        *(pl.lit(version, pl.Int64).alias(name) for name, version in read_up_to.items()),
        pl.lit(until, HIDDEN[UNTIL]).alias(UNTIL),
        pl.lit(0, pl.Int32).alias(PART),
        pl.int_range(first, first + rows.height, dtype=pl.Int64).alias(ROW),
    )
