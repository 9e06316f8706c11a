"""A table of any kind of source → what its columns are, and their sketches; read once, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from mainspring.data.columns import values_of
from mainspring.data.inference_kinds import Guess, Hints, guess_kind
from mainspring.data.inference_sample import read_sample
from mainspring.data.parsing import DTYPES, as_text, parse
from mainspring.data.profiling import profile_batches
from mainspring.data.sources.opening import open_source
from mainspring.domain.schema import Column, Kind
from mainspring.domain.source import Source
from mainspring.stats.profile import Profile

_LOOKED_AT = 20_000  # rows that tell what a column is
_BATCH_ROWS = 65_536
_NUMBERS = (Kind.NUMBER, Kind.INTEGER)
_TEXTS = (Kind.ID, Kind.CATEGORY, Kind.TEXT)  # of two that differ, the first is taken


@dataclass(frozen=True, slots=True)
class TableColumns:
    """What the columns of a table seem to be.

    Attributes:
        name: of the table, as the user knows it.
        source: with the read options that were found.
        columns: by name, in order.
        empty: the columns that had no value in the rows that were looked at.
    """

    name: str
    source: Source
    columns: Mapping[str, Column]
    empty: frozenset[str]


@dataclass(slots=True)
class TableProfile:
    """The sketches of a table's columns.

    Attributes:
        unreadable: by column, how many values are not of its kind; they count as missing.
        examples: by column, the first of these.
    """

    profile: Profile
    rows: int = 0
    unreadable: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)


def table_columns(source: Source, root: Path, environ: Mapping[str, str] | None = None) -> TableColumns:
    """Look at the first rows.

    Raises:
        SourceNotFound, SourceFormatError: the table cannot be read.
    """
    sample = read_sample(source, root, environ, most_rows=_LOOKED_AT)
    found: dict[str, Guess] = {}
    for name in sample.frame.columns:
        raw = sample.frame.get_column(name)
        if name.startswith("^"):  # polars would take it for a pattern; names that say something do not begin so
            raw = raw.alias("value")
        found[name] = guess_kind(raw, Hints(strings=name in sample.strings, decimal=sample.decimal))
    columns = {name: replace(guess.column, name=name) for name, guess in found.items()}
    typed = {
        name: parse(values_of(sample.frame, name), replace(column, name="value"), sample.decimal)
        for name, column in columns.items()
    }
    empty = frozenset(name for name, parsed in typed.items() if parsed.values.is_null().all())
    return TableColumns(source.locations[0], sample.source, columns, empty)


def agreed(a: Column, b: Column, *, empty_a: bool = False, empty_b: bool = False) -> tuple[Column, Column] | None:
    """How a column of two tables is read so that its values can be compared; `None` where it changed its kind.

    Each table keeps its own spelling of times and truth; a word that means missing in one of them does in both.

    Args:
        empty_a, empty_b: that the column has no values there, so that the other one says what it is.

    Examples:
        >>> pair = agreed(Column("n", Kind.INTEGER), Column("n", Kind.NUMBER, missing=("?",)))
        >>> [(one.kind.value, one.missing) for one in pair]
        [('number', ('?',)), ('number', ('?',))]
        >>> agreed(Column("n", Kind.INTEGER), Column("n", Kind.CATEGORY)) is None
        True
    """
    if empty_a or empty_b:
        kind = a.kind if empty_b else b.kind
        a, b = (replace(b, missing=a.missing) if empty_a else a), (replace(a, missing=b.missing) if empty_b else b)
    elif a.kind is b.kind:
        kind = a.kind
    elif a.kind in _NUMBERS and b.kind in _NUMBERS:
        kind = Kind.NUMBER
    elif Kind.ID in (a.kind, b.kind) and Kind.INTEGER in (a.kind, b.kind):
        kind = Kind.ID  # what counts the rows of one table has gaps in the other
    elif a.kind in _TEXTS and b.kind in _TEXTS:
        kind = min(a.kind, b.kind, key=_TEXTS.index)
    else:
        return None
    missing = tuple(sorted({*a.missing, *b.missing}))
    strip = a.strip or b.strip
    return tuple(replace(one, kind=kind, missing=missing, strip=strip) for one in (a, b))  # type: ignore[return-value]


def profile_table(
    source: Source, columns: Sequence[Column], root: Path, environ: Mapping[str, str] | None = None
) -> TableProfile:
    """Sketch these columns of all rows.

    Args:
        columns: as `agreed` has them; a column that a row does not have is missing there.

    Raises:
        SourceNotFound, SourceFormatError: the table cannot be read.
    """
    found = TableProfile(Profile({}))
    with open_source(source, root, environ) as parts:

        def frames() -> Iterator[pl.DataFrame]:
            for part in parts:
                for batch in part.batches(_BATCH_ROWS, [column.name for column in columns]):
                    found.rows += batch.rows
                    yield _typed(batch.frame, batch.rows, columns, part.decimal, found)

        found.profile = profile_batches(frames(), {column.name: column.kind for column in columns})
    return found


def _typed(
    frame: pl.DataFrame, rows: int, columns: Sequence[Column], decimal: str, found: TableProfile
) -> pl.DataFrame:
    typed: dict[str, pl.Series] = {}
    for column in columns:
        if column.name not in frame.columns:
            typed[column.name] = pl.Series([None], dtype=DTYPES[column.kind]).new_from_index(0, rows)
            continue
        raw = values_of(frame, column.name)
        if column.kind in _NUMBERS and raw.dtype.is_numeric():
            typed[column.name] = raw.cast(pl.Float64)  # infinities stay: the profile counts them
            continue
        # A whole number may have a fraction further down; it is no mistake there.
        kind = Kind.NUMBER if column.kind is Kind.INTEGER else column.kind
        parsed = parse(raw, replace(column, name="value", kind=kind), decimal)
        typed[column.name] = parsed.values
        if parsed.bad is not None:
            found.unreadable[column.name] = found.unreadable.get(column.name, 0) + int(parsed.bad.sum())
            found.examples.setdefault(column.name, str(as_text(raw.filter(parsed.bad).head(1)).item()))
    return pl.DataFrame(typed)
