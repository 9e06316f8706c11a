"""Rows that are pushed to a view: each counts once, by its id, in whatever order and however often it comes.

They stand in a table of their own beside the source's snapshots, and are rows of the source like those: what the
online store holds is always computed from both, so that rows that come late or twice come out right.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from mainspring.domain.schema import Column, Kind, Schema
from mainspring.errors import DataError, SourceFormatError, StoreError, UsageError, ValueParseError, WorkspaceBusy

if TYPE_CHECKING:  # who only names the table needs no frames
    import polars as pl

    from mainspring.domain.ports import Tables

DAY = "__day"
"""The partition: the day on which the row was received."""
MESSAGE = "__message"
"""The id by which the row counts once."""
NUMBER = "__number"
"""The row's place in the table, from 0: the rows below a number are the same for ever."""
PUSHED_AT = "__pushed_at"
APPLICATION = "push"
"""Of the table's offset that tells how many rows there are."""
LONGEST_ID = 128  # characters
_ATTEMPTS = 20  # at a commit that others were faster than


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of rows that were pushed.

    Attributes:
        new: how many were stored.
        repeated: how many were there already, by their ids.
        remarks: what is odd about them, and no error.
    """

    new: int
    repeated: int
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """What rows that are pushed to a view are.

    Attributes:
        schema: of the view's source.
        needed: the columns that no row may lack: keys and times.
        created: the column that says when a row became known, if there is one.
    """

    view: str
    schema: Schema
    needed: tuple[str, ...]
    created: str | None


def pushed_table(view: str) -> str:
    """The table of the rows that were pushed to a view."""
    return f"pushed/{view}"


def check_pushed(tables: Tables, view: str, schema: Schema) -> None:
    """Raises `DataError` where a column of the source is of another kind than when rows were pushed."""
    table = pushed_table(view)
    if not tables.exists(table):
        return
    had = tables.columns(table)
    for column in schema:
        before = had.get(column.name)
        if before is not None and before != _STORED.get(column.kind, "string"):
            kind = _KIND_OF.get(before, Kind.TEXT)
            raise DataError(
                f"the column {column.name!r} of the view {view!r} was of kind {kind} when rows were pushed, and "
                f"is {column.kind} in {schema.file} now",
                cure=f'write kind = "{kind}" again, or give the view another name and push its rows again there',
                where={"view": view, "column": column.name, "file": schema.file},
            )


def typed_rows(
    frame: pl.DataFrame,
    schema: Schema,
    needed: Sequence[str],
    view: str,
    *,
    texts: bool = False,
    decimal: str = ".",
) -> pl.DataFrame:
    """Rows as the view's source has them: every column of the schema, of its type; those not given are missing.

    Args:
        needed: the columns that no row may lack: keys and times.
        texts: whether texts are read as numbers and booleans, as those of files are; otherwise they are refused.
        decimal: as `data.parsing.parse` takes it.

    Raises:
        SourceFormatError: a column that the source does not have, or one that is needed and not there.
        ValueParseError: a value that is not of its column's kind, or one that is needed and missing.
        ValidationFailed: a row breaks what the schema promises, where that is an error.
    """
    import polars as pl

    from mainspring.data.columns import values_of
    from mainspring.data.parsing import DTYPES
    from mainspring.features.promises import errors_alone, of_rows, raise_errors

    for name in frame.columns:
        if name not in schema:
            raise _no_column(view, name, f"has no column {name!r}", schema.names)
    for name in needed:
        if name not in frame.columns:
            raise _no_column(view, name, f"needs the column {name!r}", frame.columns)
    columns = []
    for column in schema:
        if column.name not in frame.columns:
            values = pl.Series([None], dtype=DTYPES[column.kind]).new_from_index(0, frame.height)
        else:
            values = _typed(values_of(frame, column.name), column, view, texts, decimal)
        columns.append(values.alias(column.name))
        if column.name in needed and values.null_count():
            row = int(values.is_null().arg_true()[0])
            raise _fault(view, row, column.name, "the value is missing", "fill it in, or leave the row out")
    typed = pl.DataFrame(columns)
    raise_errors(view, of_rows(view, typed, errors_alone(schema)))
    return typed


def checked_ids(ids: Sequence[Any], rows: int) -> list[str]:
    """Ids that the sender gave.

    Raises:
        UsageError: there are more or fewer than rows, or one is no id.
    """
    if len(ids) != rows:
        raise UsageError(
            f"there are {len(ids):,} ids of {rows:,} rows", cure="give each row one id, or none at all"
        )
    for row, given in enumerate(ids):
        if not isinstance(given, str) or not 0 < len(given) <= LONGEST_ID:
            raise UsageError(
                f"the id of row {row} is {str(given)[:80]!r}",
                cure=f"give a text of 1 to {LONGEST_ID} characters",
                where={"row": row},
            )
    return list(ids)


def derived_ids(rows: pl.DataFrame) -> list[str]:
    """Ids made of what the rows say, so that the same rows sent again count once.

    Of rows within one batch that say the same the first, the second … have ids of their own: they are that many
    events.

    Args:
        rows: as `typed_rows` gives them.
    """
    return ids_by_content(rows.iter_rows())


def ids_by_content(rows: Iterable[tuple[object, ...]]) -> list[str]:
    """As `derived_ids`, of rows as plain values in the order of the source's columns; times as `datetime`, UTC."""
    seen: dict[bytes, int] = {}
    ids = []
    for row in rows:
        digest = hashlib.sha256(msgspec.msgpack.encode(row)).digest()[:16]
        number = seen[digest] = seen.get(digest, 0) + 1
        ids.append(f"={digest.hex()}.{number}")
    return ids


def push_frame(
    rows: pl.DataFrame, ids: Sequence[str], at: datetime, *, created: str | None = None
) -> pl.DataFrame:
    """Rows for the table, of rows as `typed_rows` gives them.

    Args:
        at: when they were received.
        created: the column that says when a row became known; where it says nothing, the row became known when it
            was received.
    """
    import polars as pl

    from mainspring.data.columns import values_of

    received = pl.Series(PUSHED_AT, [at], pl.Datetime("us", "UTC")).new_from_index(0, rows.height)
    if created is not None:
        known = values_of(rows, created)
        filled = known.zip_with(known.is_not_null(), received)
        place = rows.get_column_index(created)
        rows = rows.clone().replace_column(place, filled.alias(created))
    return pl.DataFrame([received.dt.date().alias(DAY), pl.Series(MESSAGE, ids, pl.String), received, *rows])


def record_rows(
    tables: Tables,
    view: str,
    rows: pl.DataFrame,
    *,
    offsets: Mapping[str, tuple[int, int]] = MappingProxyType({}),
) -> Pushed:
    """Add rows to the view's table, all or nothing, but for those whose ids are there; may be repeated.

    Args:
        rows: as `push_frame` gives them; of those with one id the first one counts.
        offsets: as `Tables.record` takes them, of the streams that the rows are from.

    Raises:
        WorkspaceBusy: others kept pushing to the view at the same time.
        StoreError: the table cannot be written, or has other places of these streams.
    """
    import polars as pl

    table = pushed_table(view)
    for _ in range(_ATTEMPTS):
        # Each row has its place in the table as a number. Whoever takes numbers that another writer has taken
        # meanwhile starts again, so nobody's ids are missed, and the rows before a number are the same for ever.
        first = tables.offset(table, APPLICATION)
        new = _unknown(tables, table, rows)
        last = first + new.height
        if new.height or (offsets and tables.exists(table)):
            numbered = new.with_columns(pl.int_range(first, last, dtype=pl.Int64).alias(NUMBER))
            try:
                tables.record(table, numbered, partition=DAY, offsets={**offsets, APPLICATION: (first, last)})
            except StoreError:
                if tables.offset(table, APPLICATION) == first:
                    raise
                continue
        return Pushed(new.height, rows.height - new.height)
    raise WorkspaceBusy(
        f"others keep pushing to the view {view!r} at the same time",
        cure="try again; rows with the same ids count once",
        where={"view": view},
    )


def _unknown(tables: Tables, table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Those whose ids the table does not have, each id once."""
    rows = rows.unique(MESSAGE, keep="first", maintain_order=True)
    if not tables.exists(table):
        return rows
    ids: pl.LazyFrame = tables.scan(table).select(MESSAGE)
    present = ids.join(rows.select(MESSAGE).lazy(), on=MESSAGE, how="semi").collect()
    return rows.join(present, on=MESSAGE, how="anti", maintain_order="left")


def _typed(raw: pl.Series, column: Column, view: str, texts: bool, decimal: str) -> pl.Series:
    import polars as pl

    from mainspring.data.parsing import parse

    if not texts and raw.dtype == pl.String and column.kind.is_numeric and raw.null_count() < raw.len():
        row = int(raw.is_not_null().arg_true()[0])
        raise _fault(
            view,
            row,
            column.name,
            f"the value is the text {str(raw[row])[:80]!r}, and the source has {_WORDS[column.kind]}",
            "convert the column first",
        )
    parsed = parse(raw, column, decimal)
    if parsed.bad is not None:
        row = int(parsed.bad.arg_true()[0])
        raise _fault(
            view,
            row,
            column.name,
            f"the value is {str(raw[row])[:80]!r}, no {column.kind}",
            "mend it, or leave it out",
        )
    return parsed.values


_WORDS: Mapping[Kind, str] = {
    Kind.NUMBER: "numbers",
    Kind.INTEGER: "whole numbers",
    Kind.BOOLEAN: "booleans",
}


_STORED: Mapping[Kind, str] = {
    Kind.NUMBER: "double",
    Kind.INTEGER: "long",
    Kind.BOOLEAN: "boolean",
    Kind.TIME: "timestamp",
}  # in the words of `Tables.columns`; all others are texts
_KIND_OF: Mapping[str, Kind] = {stored: kind for kind, stored in _STORED.items()}


def _fault(view: str, row: int, column: str, problem: str, cure: str) -> ValueParseError:
    return ValueParseError(
        f"rows pushed to the view {view!r}, row {row:,}, column {column!r}: {problem}",
        cure=cure,
        where={"view": view, "row": row, "column": column},
    )


def _no_column(view: str, name: str, problem: str, known: Sequence[str]) -> SourceFormatError:
    near = difflib.get_close_matches(name, known, 1)
    return SourceFormatError(
        f"the view {view!r} {problem}" + ("" if "needs" in problem else " in its source"),
        cure=f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}",
        where={"view": view, "column": name},
    )
