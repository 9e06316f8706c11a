"""The rows that inference looks at: all of them, or the first ones of each part of a great source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from mainspring.data.parsing import as_text
from mainspring.data.sources.csv import CsvPart
from mainspring.data.sources.opening import open_source
from mainspring.data.sources.part import Part
from mainspring.domain.source import Source
from mainspring.errors import SourceFormatError

MOST_ROWS = 250_000
MOST_BYTES = 1 << 28  # of the rows as they stand in memory
_BATCH = 50_000


@dataclass(frozen=True, slots=True)
class Sample:
    """Raw rows in order.

    Attributes:
        source: with the read options that were found filled in where they are not the usual ones.
        frame: text, or values with types of their own (Parquet, Delta).
        strings: columns of text that held strings by their own type.
        parts: the name and the number of rows of each part, to find a row again.
        complete: whether these are all the rows of the source.
        decimal: the character before the fraction of a number.
    """

    source: Source
    frame: pl.DataFrame
    strings: frozenset[str]
    parts: tuple[tuple[str, int], ...]
    complete: bool
    decimal: str


def read_sample(
    source: Source,
    root: Path,
    environ: Mapping[str, str] | None = None,
    *,
    most_rows: int = MOST_ROWS,
    most_bytes: int = MOST_BYTES,
) -> Sample:
    """Read what inference looks at; a great source gives an equal share of its parts' first rows.

    Raises:
        SourceNotFound, SourceFormatError: the source cannot be read, or its files have different columns.
    """
    with open_source(source, root, environ) as parts:
        frames: list[pl.DataFrame] = []
        counts: list[tuple[str, int]] = []
        strings: set[str] = set()
        complete = True
        for part in parts:
            _check_same(parts[0], part)
            taken, rest = _head(part, max(most_rows // len(parts), 1), most_bytes // len(parts), strings)
            complete = complete and not rest
            frames.append(taken)
            counts.append((part.name, taken.height))
        decimal = "," if any(part.decimal == "," for part in parts) else "."
        if len({part.typed for part in parts}) > 1:
            frames = [frame.select(as_text(column) for column in frame) for frame in frames]
        if not any(frame.width for frame in frames):
            raise SourceFormatError(
                f"{parts[0].name} has no columns", cure="give rows with values", where={"file": parts[0].name}
            )
        return Sample(
            _with_options(source, parts, decimal),
            _joined(frames, [part.name for part in parts]),
            frozenset(strings),
            tuple(counts),
            complete,
            decimal,
        )


def _head(part: Part, most_rows: int, most_bytes: int, strings: set[str]) -> tuple[pl.DataFrame, bool]:
    """The first rows of a part, and whether there are more."""
    frames: list[pl.DataFrame] = []
    rows = size = 0
    for batch in part.batches(min(_BATCH, most_rows)):
        if frames and (rows >= most_rows or size >= most_bytes):
            return _joined(frames, [part.name]), True
        frames.append(batch.frame)
        strings |= batch.strings
        if part.typed:  # a text stored as a text is one, whatever it looks like
            strings |= {name for name, dtype in batch.frame.schema.items() if dtype == pl.String}
        rows += batch.rows
        size += int(batch.frame.estimated_size())
    return _joined(frames, [part.name]), False


def _joined(frames: Sequence[pl.DataFrame], names: Sequence[str]) -> pl.DataFrame:
    try:
        return pl.concat(frames, how="diagonal_relaxed", rechunk=True)
    except pl.exceptions.PolarsError as error:
        raise SourceFormatError(
            f"the files {', '.join(names[:5])} have columns of different types: {str(error).splitlines()[0]}",
            cure="write the column with one type in all of them",
            where={"file": names[0]},
        ) from error


def _check_same(first: Part, part: Part) -> None:
    expected, names = first.columns(), part.columns()
    if expected is None or names is None or set(expected) == set(names):
        return
    lacks = [name for name in expected if name not in names]
    extra = [name for name in names if name not in expected]
    told = [f"lacks {_quoted(lacks)}"] if lacks else []
    told += [f"has {_quoted(extra)} besides"] if extra else []
    raise SourceFormatError(
        f"the files have different columns: {part.name} {' and '.join(told)}, compared with {first.name}",
        cure="give files with the same columns, or name them as two sources",
        where={"file": part.name, "column": (lacks or extra)[0]},
    )


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names[:5]) + (", …" if len(names) > 5 else "")


def _with_options(source: Source, parts: Sequence[Part], decimal: str) -> Source:
    dialects = [part.dialect for part in parts if isinstance(part, CsvPart)]
    if not dialects:
        return source
    found = {
        "delimiter": {dialect.delimiter for dialect in dialects} - {","},
        "quote": {dialect.quote for dialect in dialects} - {'"'},
        "encoding": {dialect.encoding for dialect in dialects} - {"utf-8", "ascii"},
        "decimal": {decimal} - {"."},
    }
    # Files that differ from one another are each looked at by themselves again.
    same = {option: values.pop() for option, values in found.items() if len(values) == 1}
    usable = {
        option: value
        for option, value in same.items()
        if option == "decimal" or len({getattr(dialect, option) for dialect in dialects}) == 1
    }
    return replace(source, **usable)
