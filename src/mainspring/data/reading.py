"""A source → typed rows, in order, a batch at a time."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from mainspring.data.parsing import DTYPES, parse
from mainspring.data.reading_faults import Faults
from mainspring.data.sources.opening import open_source
from mainspring.data.sources.part import Batch, Part
from mainspring.domain.schema import Schema
from mainspring.domain.source import Source
from mainspring.errors import SourceFormatError

BATCH_ROWS = 100_000


def read_batches(
    source: Source,
    schema: Schema,
    root: Path,
    *,
    batch_rows: int = BATCH_ROWS,
    environ: Mapping[str, str] | None = None,
    sealed: bool = False,
) -> Iterator[pl.DataFrame]:
    """The rows of a source as its schema reads them; columns that the schema does not name are ignored.

    Args:
        root: the project's folder.
        batch_rows: the greatest height of a batch.
        environ: where `$NAME` in a database URL is taken from.
        sealed: the schema is a release's, so what does not fit it has to be mended in the rows.

    Returns:
        Frames with the schema's columns in its order, of the types in `parsing.DTYPES`.

    Raises:
        SourceNotFound, SourceFormatError: a file is not there, or not what it should be.
        ValueParseError: values are not of their column's kind. All of them are counted, the first five named, and
            nothing is given out from the first one on.
    """
    with open_source(source, root, environ) as parts:
        for _, frame in read_parts(parts, schema, batch_rows=batch_rows, sealed=sealed):
            yield frame


def read_parts(
    parts: Sequence[Part],
    schema: Schema,
    *,
    batch_rows: int = BATCH_ROWS,
    exact: bool = False,
    sealed: bool = False,
) -> Iterator[tuple[int, pl.DataFrame]]:
    """Like `read_batches`, with the index of the part from which each batch is.

    Args:
        exact: a column that the schema does not name is an error.
        sealed: as `read_batches` takes it.
    """
    faults = Faults()
    for index, part in enumerate(parts):
        _check_columns(part, schema, exact=exact, sealed=sealed)
        seen: set[str] = set()
        row = 1
        for batch in part.batches(batch_rows, None if exact else schema.names):
            if part.columns() is None:
                seen.update(batch.frame.columns)
                _check_extra(
                    part, [name for name in batch.frame.columns if exact and name not in schema], row, schema
                )
            frame = _typed(batch, schema, part, row, faults)
            row += batch.rows
            if not faults:
                yield index, frame
        if part.columns() is None and (absent := [name for name in schema.names if name not in seen]):
            raise _no_column(part, absent[0], tuple(seen), schema, sealed=sealed)
    faults.raise_any(schema, sealed=sealed)


def _typed(batch: Batch, schema: Schema, part: Part, row: int, faults: Faults) -> pl.DataFrame:
    raw = batch.frame
    columns = []
    for column in schema:
        if column.name not in raw.columns:
            columns.append(pl.Series(column.name, [None], DTYPES[column.kind]).new_from_index(0, batch.rows))
            continue
        texts = raw.get_column(column.name)
        parsed = parse(texts, column, part.decimal)
        if parsed.bad is not None:
            faults.add(column.name, part.name, row, texts, parsed.bad)
        columns.append(parsed.values.alias(column.name))
    return pl.DataFrame(columns)


def _check_columns(part: Part, schema: Schema, *, exact: bool, sealed: bool) -> None:
    names = part.columns()
    if names is None:
        return
    for name in schema.names:
        if name not in names:
            raise _no_column(part, name, names, schema, sealed=sealed)
    if exact:
        _check_extra(part, [name for name in names if name not in schema], None, schema)


def _check_extra(part: Part, extra: Sequence[str], row: int | None, schema: Schema) -> None:
    if not extra:
        return
    raise SourceFormatError(
        f"{part.name} has the column {extra[0]!r}, which {schema.file} does not name",
        cure=f"describe it in {schema.file}, or take it out of the file",
        where={"file": part.name, "column": extra[0]} | ({"row": row} if row else {}),
    )


def _no_column(part: Part, name: str, names: Sequence[str], schema: Schema, *, sealed: bool) -> SourceFormatError:
    close = difflib.get_close_matches(name, names, n=1)
    cure = f"rename {close[0]!r}" if close else "add it to the file"
    return SourceFormatError(
        f"{part.name} has no column {name!r}",
        cure=f"{cure}: the release takes it" if sealed else f"{cure}, or correct {schema.file}",
        where={"file": part.name, "column": name},
    )
