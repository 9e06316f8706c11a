"""The rows of the prediction log that one release answered, with its inputs where everybody looks for them."""

from __future__ import annotations

import polars as pl

from mainspring.domain.input_columns import input_columns
from mainspring.domain.prediction_log import INPUT_PREFIX
from mainspring.monitoring.context import Context


def release_rows(context: Context, rows: pl.DataFrame, number: int) -> pl.DataFrame:
    """Those of the rows that this release answered; its inputs are in `input_<name>` columns.

    An input that an earlier release had as another kind is in a column of another name in the log. What stands
    under `input_<name>` then is the earlier release's, and not to be taken for this one's.

    Args:
        rows: of the log, or of its join with the labels.
    """
    own = rows.filter(pl.col("release") == number)
    manifest = context.manifests.get(number)
    table = context.rows_table
    if manifest is None or not context.tables.exists(table):
        return own
    places = input_columns(context.tables.columns(table), manifest.inputs)
    moved = {
        column: INPUT_PREFIX + name
        for name, (column, _) in places.items()
        if column != INPUT_PREFIX + name and column in own.columns
    }
    return own.drop([name for name in moved.values() if name in own.columns]).rename(moved) if moved else own
