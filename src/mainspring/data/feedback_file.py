"""A file of labels and outcomes → the model's table of labels: checked as a whole first, and harmless to repeat.

What holds already is not written again. So a load that was killed goes on where it was, the same file may come
every night, and an export that has everything ever known adds what is new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from mainspring.clock import Clock
from mainspring.data.feedback_columns import FeedbackColumns, Wanted, choose_columns
from mainspring.data.feedback_rows import FeedbackReader, Place
from mainspring.data.labels import holding, label_frame
from mainspring.data.sources.part import Part
from mainspring.domain.feedback import message
from mainspring.domain.ports import Tables
from mainspring.domain.prediction_log import labels_table
from mainspring.domain.release import Manifest
from mainspring.domain.schema import Column
from mainspring.domain.truth import Truth
from mainspring.errors import SourceFormatError

BATCH_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class FeedbackLoad:
    """What became of a file's rows.

    Attributes:
        rows: of the file.
        messages: what they say; a row may say nothing, or several things.
        new: how many of the messages were written; the others held already, or a later row says otherwise.
    """

    rows: int
    messages: int
    new: int


def load_feedback(
    parts: Sequence[Part],
    wanted: Wanted,
    manifest: Manifest,
    *,
    target: Column | None,
    tables: Tables,
    clock: Clock,
    key_kept: Callable[[str], str | None],
    batch_rows: int = BATCH_ROWS,
    on_rows: Callable[[int], None] | None = None,
) -> FeedbackLoad:
    """Load open files.

    Args:
        wanted: the columns that the user names.
        manifest: of a release of the model: its classes, and what its target and key are called.
        target: the target's column at training, where it is known.
        key_kept: what the prediction log has of a key; `None` where it has nothing to find it by.
        on_rows: told how many more rows are stored.

    Raises:
        SourceFormatError: a column is not there.
        ValueParseError: a value makes no sense; file, row and column are named, and nothing was written.
    """
    plans = [(part, _columns(part, wanted, manifest)) for part in parts]
    truth = Truth(manifest.output, target)
    rows = messages = new = 0
    for part, columns in plans:
        reader = FeedbackReader(columns, truth, target, key_kept)
        for _ in _batches(part, columns, reader, batch_rows):
            pass  # the whole file is checked before its first row is stored
    for part, columns in plans:
        reader = FeedbackReader(columns, truth, target, key_kept)
        for count, said in _batches(part, columns, reader, batch_rows):
            new += _store(said, columns.about, tables, manifest.model, clock)
            rows += count
            messages += said.height
            if on_rows is not None:
                on_rows(count)
    return FeedbackLoad(rows, messages, new)


def _columns(part: Part, wanted: Wanted, manifest: Manifest) -> FeedbackColumns:
    names = part.columns()
    if names is None:  # each row names its own
        names = tuple(dict.fromkeys(name for batch in part.batches(BATCH_ROWS) for name in batch.frame.columns))
    if not names:
        raise SourceFormatError(f"{part.name} is empty", cure="give a file with rows", where={"file": part.name})
    return choose_columns(part.name, names, wanted, manifest)


def _batches(
    part: Part, columns: FeedbackColumns, reader: FeedbackReader, batch_rows: int
) -> Iterator[tuple[int, pl.DataFrame]]:
    row = 1
    for batch in part.batches(batch_rows, columns.names):
        yield batch.rows, reader.read(batch.frame, Place(part.name, row, part.decimal))
        row += batch.rows


def _store(said: pl.DataFrame, about: str, tables: Tables, model: str, clock: Clock) -> int:
    """Write what does not hold already, and return how many messages that is."""
    table = labels_table(model)
    # Of what a file says twice the last holds.
    said = said.unique([about, "name"], keep="last", maintain_order=True)
    if tables.exists(table):
        said = _unknown(said, about, tables.scan(table))
    if not said.height:
        return 0
    frame = label_frame([message(**row) for row in said.to_dicts()], clock.now())
    tables.record(table, frame, partition="day", offsets={})
    return frame.height


def _unknown(said: pl.DataFrame, about: str, labels: pl.LazyFrame) -> pl.DataFrame:
    """What was not said with the same id before, and does not hold already."""
    of_these = labels.join(said.lazy().select(about).unique(), on=about, how="semi").collect().lazy()
    held = holding(of_these, about).rename({"label": "__label", "value": "__value", "happened_at": "__when"})
    known = of_these.select("feedback_id", about, "name").unique()
    same = (
        pl.col("at").is_not_null()
        & pl.col("label").eq_missing(pl.col("__label"))
        & pl.col("value").eq_missing(pl.col("__value"))
        & pl.col("happened_at").eq_missing(pl.col("__when"))
    )
    return (
        said.lazy()
        .join(known, on=["feedback_id", about, "name"], how="anti", maintain_order="left")
        .join(held, on=[about, "name"], how="left", maintain_order="left")
        .filter(~same)
        .select(said.columns)
        .collect()
    )
