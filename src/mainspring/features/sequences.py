"""The sequences of rows that a view is made of; each only ever grows at its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import polars.selectors as cs

from mainspring.data.columns import HARMLESS
from mainspring.data.parsing import DTYPES
from mainspring.data.snapshots import PART, ROW
from mainspring.domain.ports import Tables
from mainspring.domain.schema import Kind, Schema
from mainspring.domain.snapshot import Snapshot
from mainspring.errors import DataError
from mainspring.features.definition import ORDER
from mainspring.features.push import NUMBER, check_pushed, pushed_table

PIECE = 50_000
"""Rows that a function sees at a time."""


@dataclass(frozen=True, slots=True)
class RowSequence:
    """Some rows of a view in order.

    Attributes:
        name: where it is the same, the first rows are the same.
        rows: the columns of the view's source, and `__order`.
        length: how many rows there are.
        columns: of the view's source.
        pictures: those of them that hold paths of pictures.
        folders: to which such a path is relative: one, or one for each `__part`.
    """

    name: str
    rows: pl.LazyFrame
    length: int
    columns: tuple[str, ...]
    pictures: tuple[str, ...] = field(default=())
    folders: tuple[Path, ...] = field(default=())

    def piece(self, first: int, size: int) -> pl.DataFrame:
        """Some rows as functions see them: the source's columns, the paths of pictures absolute."""
        frame = self.rows.slice(first, size).collect()
        wanted = frame.select(cs.by_name(*self.columns))
        for name in self.pictures:
            paths = wanted.get_column(name).alias(HARMLESS).to_list()
            of_row = frame.get_column(PART).to_list() if PART in frame.columns else [0] * len(paths)
            absolute = [
                None if path is None else str(self.folders[part] / path)
                for path, part in zip(paths, of_row, strict=True)
            ]
            place = wanted.get_column_index(name)
            wanted = wanted.replace_column(place, pl.Series(name, absolute, dtype=pl.String))
        return wanted

    def pieces(self, beside: Sequence[pl.LazyFrame] = ()) -> Iterator[tuple[int, pl.DataFrame]]:
        """All rows as functions see them, with the number of the first of each piece.

        Args:
            beside: further columns of the same rows.
        """
        for first in range(0, self.length, PIECE):
            further = [frame.slice(first, PIECE).collect() for frame in beside]
            yield first, pl.concat([self.piece(first, PIECE), *further], how="horizontal")


def of_snapshot(tables: Tables, snapshot: Snapshot, schema: Schema, root: Path) -> RowSequence:
    """The rows of a snapshot, and of all those that it appends to: they are in one table.

    Args:
        root: the project's folder, to which the files are relative; pictures are to the files that name them.

    Raises:
        DataError: the rows were read by another schema, and cannot be told by this one.
    """
    _check_kinds(dict(snapshot.columns), schema)
    rows: pl.LazyFrame = tables.scan(snapshot.table, snapshot.version)
    folders = tuple((root / part.name).parent for part in snapshot.parts)
    ordered = rows.with_columns(cs.by_name(ROW).alias(ORDER))
    return RowSequence(snapshot.table, ordered, snapshot.rows, schema.names, _pictures(schema), folders)


def of_pushed(tables: Tables, view: str, count: int, before: int, schema: Schema, root: Path) -> RowSequence:
    """The first rows that were pushed to a view.

    Args:
        before: how many rows of the source they come after.

    Raises:
        DataError: a column was of another kind when they were pushed.
    """
    check_pushed(tables, view, schema)
    table = pushed_table(view)
    number = pl.col(NUMBER)
    rows = tables.scan(table).filter(number < count).sort(number).with_columns((number + before).alias(ORDER))
    present = rows.collect_schema()
    new = [pl.lit(None, DTYPES[one.kind]).alias(one.name) for one in schema if one.name not in present]
    rows = rows.with_columns(new)
    return RowSequence(table, rows, count, schema.names, _pictures(schema), (root,))


def _check_kinds(had: Mapping[str, str], schema: Schema) -> None:
    for column in schema:
        if column.name not in had or DTYPES[Kind(had[column.name])] != DTYPES[column.kind]:
            then = f"was {had[column.name]}" if column.name in had else "was not there"
            raise DataError(
                f"rows that were read before are asked for, when the column {column.name!r} {then}; now it is "
                f"{column.kind} in {schema.file}",
                cure=f"bring {schema.file} back as it was to have these rows, or run again to have new ones",
                where={"file": schema.file, "column": column.name},
            )


def _pictures(schema: Schema) -> tuple[str, ...]:
    return tuple(column.name for column in schema if column.kind is Kind.IMAGE)
