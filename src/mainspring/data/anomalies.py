"""What changed since the snapshot before: nothing need be wrong, and a person should look.

Every bar is set so that a further sample of the same rows stays silent, but for new values of a category, which
are always told. How the distributions of the values moved is the monitors' business.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import chain

import polars as pl

from mainspring.data.columns import values_of
from mainspring.data.oddities import is_rich
from mainspring.data.showing import SHOWN, listed, missing_count, plain_value
from mainspring.domain.finding import Finding
from mainspring.domain.schema import Column, Kind, Schema, Severity

_DROPPED, _JUMPED = 0.5, 3.0  # times as many rows as before
_DEVIATIONS = 5.0  # standard errors beyond which a share has moved (1 in 1.7 million by chance)
_MOVED = 0.01  # the least move of a missing share that is told, unless nothing was missing before
_CHANCE = 1e-6  # a column goes out of its range by chance less often than this
_FAR = 1000.0  # spans of the previous range beyond which a single value is told; long tails do reach ten
_EXPECTED = 20.0  # a value expected in at least so many rows that is in none has vanished
_COPIES_MOVED = 0.001


def find_anomalies(frame: pl.DataFrame, previous: pl.DataFrame, schema: Schema) -> tuple[Finding, ...]:
    """Compare with the snapshot before. All findings are warnings; a column with severity `off` has none.

    Args:
        frame: the snapshot's typed rows, one or more, without hidden columns.
        previous: those of the snapshot before, one or more.
        schema: the kinds of the columns; columns that it does not know are compared by name and type only.
    """
    found = (
        _columns(frame, previous),
        _row_count(frame, previous),
        _values(frame, previous, schema),
        _copies(frame, previous),
    )
    return tuple(chain.from_iterable(found))


def _warning(code: str, message: str, cure: str, column: str | None = None, rows: int | None = None) -> Finding:
    return Finding(code=code, severity=Severity.WARNING, message=message, cure=cure, column=column, rows=rows)


def _columns(frame: pl.DataFrame, previous: pl.DataFrame) -> Iterable[Finding]:
    for name in frame.columns:
        if name not in previous.columns:
            yield _warning(
                "column-added", "the snapshot before had no such column", "check that it is meant", name
            )
        elif frame.schema[name] != previous.schema[name]:
            yield _warning(
                "type-changed",
                f"it holds {frame.schema[name]}, and held {previous.schema[name]}",
                "check the source, or the column's kind in schema.toml",
                name,
            )
    for name in previous.columns:
        if name not in frame.columns:
            yield _warning("column-removed", "the snapshot before had it", "check that the source is whole", name)


def _row_count(frame: pl.DataFrame, previous: pl.DataFrame) -> Iterable[Finding]:
    ratio = frame.height / previous.height
    if _DROPPED <= ratio <= _JUMPED:
        return
    code, bar = ("rows-dropped", _DROPPED) if ratio < 1 else ("rows-jumped", _JUMPED)
    yield _warning(
        code,
        f"{frame.height:,} rows after {previous.height:,}: {ratio:.3g} times as many "
        f"({'fewer' if ratio < 1 else 'more'} than {bar:g} times)",
        "check that the source is whole and that no file was given twice",
        rows=frame.height,
    )


def _values(frame: pl.DataFrame, previous: pl.DataFrame, schema: Schema) -> Iterable[Finding]:
    for column in schema:
        name = column.name
        if column.severity is Severity.OFF or name not in frame.columns or name not in previous.columns:
            continue
        if frame.schema[name] != previous.schema[name]:
            continue
        now, before = values_of(frame, name), values_of(previous, name)
        yield from _missing(column, now, before)
        if now.dtype.is_float():
            now, before = now.fill_nan(None), before.fill_nan(None)
        now, before = now.drop_nulls(), before.drop_nulls()
        if not now.len() or not before.len():
            continue
        if column.kind is Kind.CATEGORY:
            yield from _categories(column, now, before)
        elif column.kind in (Kind.NUMBER, Kind.INTEGER) and not column.unique:
            yield from _range(column, now, before)


def _missing(column: Column, now: pl.Series, before: pl.Series) -> Iterable[Finding]:
    here, there = missing_count(now), missing_count(before)
    share, share_before = here / now.len(), there / before.len()
    move = share - share_before
    if not _has_moved(here, now.len(), there, before.len()) or (abs(move) < _MOVED and there):
        return
    yield _warning(
        "missing-share-moved",
        f"missing in {share:.2%} of the rows ({here:,}), and in {share_before:.2%} ({there:,}) before",
        "check how the source fills this column",
        column.name,
        here,
    )


def _has_moved(here: int, rows: int, there: int, rows_before: int) -> bool:
    """Whether two shares differ by more than chance, by the pooled two-sample z-test."""
    pooled = (here + there) / (rows + rows_before)
    error = math.sqrt(pooled * (1 - pooled) * (1 / rows + 1 / rows_before))
    return abs(here / rows - there / rows_before) > _DEVIATIONS * error > 0


def _categories(column: Column, now: pl.Series, before: pl.Series) -> Iterable[Finding]:
    counts, counts_before = _counts(now), _counts(before)
    new = counts.join(counts_before, on="value", how="anti").sort(["rows", "value"], descending=[True, False])
    if new.height:
        rows = int(new.get_column("rows").sum())
        cases = zip(*(new.head(SHOWN).get_column(name).to_list() for name in ("value", "rows")), strict=True)
        yield Finding(
            code="new-category",
            severity=Severity.WARNING,
            column=column.name,
            rows=rows,
            message=f"{'a new value' if new.height == 1 else f'{new.height:,} new values'} in {rows:,} of "
            f"{now.len():,} rows: {listed(new.get_column('value').head(SHOWN).to_list(), new.height)}",
            cure=f"check them; if they are right, add them to `categories` of {column.name!r} in schema.toml",
            examples=tuple({"value": value, "rows": count} for value, count in cases),
        )
    bar = _EXPECTED * before.len() / now.len()
    gone = counts_before.filter(pl.col("rows") >= bar).join(counts, on="value", how="anti")
    gone = gone.sort(["rows", "value"], descending=[True, False])
    if gone.height:
        yield _warning(
            "vanished-category",
            f"{'a value' if gone.height == 1 else f'{gone.height:,} values'} of before "
            f"({int(gone.get_column('rows').sum()):,} of {before.len():,} rows) came no more: "
            f"{listed(gone.get_column('value').head(SHOWN).to_list(), gone.height)}",
            "check that the source is whole",
            column.name,
        )


def _counts(values: pl.Series) -> pl.DataFrame:
    return values.cast(pl.String).value_counts(name="rows")


def _range(column: Column, now: pl.Series, before: pl.Series) -> Iterable[Finding]:
    finite = [s.filter(s.is_finite()) if s.dtype.is_float() else s for s in (now, before)]
    now, before = finite
    if not now.len() or not before.len() or (now.dtype.is_integer() and before.n_unique() == before.len() > 1):
        return  # a column of different whole numbers counts something up
    low, high = before.min(), before.max()
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    for side, extreme, beyond, bound, farthest in (
        ("below", "least", int((now < low).sum()), low, now.min()),
        ("above", "greatest", int((now > high).sum()), high, now.max()),
    ):
        assert isinstance(farthest, int | float)
        distance = abs(float(farthest) - float(bound))
        if beyond and (
            _chance_of(beyond, now.len(), before.len()) < _CHANCE or distance > _FAR * (high - low) > 0
        ):
            yield _warning(
                "range-widened",
                f"{beyond:,} of {now.len():,} rows are {side} {plain_value(bound)}, "
                f"the {extreme} of before (the farthest is {plain_value(farthest)})",
                f"check them; if they are right, widen the range of {column.name!r} in schema.toml",
                column.name,
                beyond,
            )


def _chance_of(beyond: int, rows: int, rows_before: int) -> float:
    """The chance that so many rows of a further sample lie beyond the extreme of the first, at most.

    Of all rows together, the outermost `beyond` must all be of the further sample.
    """
    return math.exp(beyond * math.log(rows / (rows + rows_before)))


def _copies(frame: pl.DataFrame, previous: pl.DataFrame) -> Iterable[Finding]:
    if not frame.width or not previous.width or not is_rich(frame):
        return
    here = frame.height - frame.hash_rows().n_unique()
    there = previous.height - previous.hash_rows().n_unique()
    move = here / frame.height - there / previous.height
    if move > _COPIES_MOVED and _has_moved(here, frame.height, there, previous.height):
        yield _warning(
            "more-duplicates",
            f"{here:,} of {frame.height:,} rows ({here / frame.height:.2%}) are whole copies of another, and "
            f"{there:,} of {previous.height:,} ({there / previous.height:.2%}) were before",
            "drop the copies, or check whether a file was given twice",
            rows=here,
        )
