"""The tables of labels: their rows as frames, and which of them hold (the law stands in `domain.feedback`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from mainspring.domain.feedback import DERIVED, Message
from mainspring.domain.prediction_log import LABEL_COLUMNS

DTYPES: dict[str, pl.DataType] = {
    "date32": pl.Date(),
    "string": pl.String(),
    "int32": pl.Int32(),
    "double": pl.Float64(),
    "list<double>": pl.List(pl.Float64()),
    "timestamp[us, UTC]": pl.Datetime("us", "UTC"),
}
"""Of the kinds by which `domain.prediction_log` names its columns."""

LABEL_SCHEMA = {name: DTYPES[kind] for name, kind in LABEL_COLUMNS.items()}
_MICROSECOND = timedelta(microseconds=1)


def label_frame(messages: Sequence[Message], at: datetime) -> pl.DataFrame:
    """The rows of messages that were received together.

    Args:
        at: when the last one was received. Each one before it counts as received a microsecond earlier, so that
            of two about the same prediction the later in the request (or in the file) holds.
    """
    count = len(messages)
    moments = [at - _MICROSECOND * (count - 1 - place) for place in range(count)]
    return pl.DataFrame(
        {
            "day": [moment.date() for moment in moments],
            "feedback_id": [m.feedback_id for m in messages],
            "prediction_id": [m.prediction_id for m in messages],
            "key": [m.key for m in messages],
            "name": [m.name for m in messages],
            "label": [m.label for m in messages],
            "value": [m.value for m in messages],
            "happened_at": [m.happened_at for m in messages],
            "at": moments,
        },
        schema=LABEL_SCHEMA,
    )


def holding(messages: pl.LazyFrame, about: str) -> pl.LazyFrame:
    """Of messages the ones that hold.

    Args:
        messages: rows of a table of labels, in any order, those received too late left out already.
        about: `prediction_id` or `key`; messages without it are left out.

    Returns:
        One row for each `about` and name: `label`, `value` (neither: withdrawn), `happened_at`, and `at`, when the
        truth that holds was first said without having been contradicted since.
    """
    # Most are the only ones of what they are about, and hold: sorting is for the others.
    times = pl.len().over(pl.col(about).hash())
    said = messages.filter(pl.col(about).is_not_null()).with_columns(times.alias("__times"))
    columns = (about, "name", "label", "value", "happened_at", "at")
    several = _last(said.filter(pl.col("__times") > 1), about)
    return pl.concat([said.filter(pl.col("__times") == 1).select(columns), several.select(columns)])


def _last(said: pl.LazyFrame, about: str) -> pl.LazyFrame:
    by_sender = said.filter(~pl.col("feedback_id").str.starts_with(DERIVED))
    by_content = said.filter(pl.col("feedback_id").str.starts_with(DERIVED))
    # Of what comes twice with an id of the sender's the first counts, whatever the second one says.
    first = by_sender.sort("at", "label", "value").unique(
        ["feedback_id", about, "name"], keep="first", maintain_order=True
    )
    ordered = pl.concat([first, by_content]).sort(about, "name", "at", "feedback_id")
    begins = _differs(about) | _differs("name")
    ends = _differs(about, -1) | _differs("name", -1)
    changes = begins | _differs("label") | _differs("value")
    since = pl.when(changes).then(pl.col("at")).forward_fill()
    return ordered.with_columns(since.alias("at"), ends.alias("__holds")).filter(pl.col("__holds"))


def _differs(column: str, by: int = 1) -> pl.Expr:
    """Whether a row's value is another than that of its neighbour; true where there is no neighbour."""
    at_edge = pl.int_range(pl.len()) == (0 if by > 0 else pl.len() - 1)
    return at_edge | pl.col(column).ne_missing(pl.col(column).shift(by))
