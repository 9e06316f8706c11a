"""What `schemas/VIEW.toml` promises of a view's rows, held against them: those of the source, and those pushed.

Whether anything is broken is one look over the columns; only what is broken is looked at again, and told in the
words in which the model's own data are. Shares and copies are of a source as a whole: rows that are pushed come
one by one, and are held to what is said of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import polars as pl
import polars.selectors as cs

from mainspring.data.promises import promises
from mainspring.domain.durations import parse_duration
from mainspring.domain.finding import Finding
from mainspring.domain.ids import digest_json
from mainspring.domain.ports import Tables
from mainspring.domain.schema import Column, Kind, Schema, Severity
from mainspring.domain.snapshot import Snapshot
from mainspring.errors import ValidationFailed
from mainspring.features.definition import ORDER

Place = Callable[[int], dict[str, Any]]
"""A row's number → where people find it."""


def of_source(
    tables: Tables, view: str, snapshot: Snapshot, rows: pl.LazyFrame, schema: Schema, now: datetime
) -> list[Finding]:
    """What the rows of a snapshot break. It is kept: the same rows and promises are looked at once.

    Args:
        rows: with the columns of the schema, and `__order`.
        now: for `freshness`, which is looked at each time.
    """
    lasting = _with(schema, lambda column: replace(column, freshness=None))
    dated = (column for column in schema if column.freshness is not None)
    fresh = Schema(tuple(_only(column, freshness=column.freshness) for column in dated), schema.file)
    digest = digest_json([snapshot.id, msgspec.to_builtins(lasting)])[:24]
    table = f"promises/{view}/{digest}"
    place = _in_files(snapshot)
    if tables.exists(table):
        tables.touch(table)
        (kept,) = tables.scan(table).collect().get_column("findings").to_list()
        found = msgspec.json.decode(kept, type=list[Finding])
    else:
        found = findings(view, rows, lasting, now, place)
        kept = msgspec.json.encode(found).decode()
        tables.create(table, pl.DataFrame({"findings": [kept]}), transaction=digest)
    return found + findings(view, rows, fresh, now, place)


def of_pushed_rows(view: str, rows: pl.LazyFrame, schema: Schema, now: datetime, first: int) -> list[Finding]:
    """What rows that were pushed break.

    Args:
        rows: as `of_source` takes them.
        first: the number of the first row that was ever pushed.
    """
    return findings(view, rows, of_each(schema), now, lambda order: {"pushed": order - first + 1})


def of_rows(view: str, rows: pl.DataFrame, schema: Schema) -> list[Finding]:
    """What rows break that are about to be pushed; they are numbered from 0, as their sender has them."""
    numbered = rows.lazy().with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(ORDER))
    never = datetime.min.replace(tzinfo=UTC)  # how fresh a row is does not matter
    return findings(view, numbered, of_each(schema), never, lambda order: {"row": order})


def of_each(schema: Schema) -> Schema:
    """What the schema says of each row by itself."""
    return _with(schema, lambda column: replace(column, unique=False, max_missing_share=None, freshness=None))


def errors_alone(schema: Schema) -> Schema:
    """What is an error where it is broken."""
    return _watched(schema, Severity.ERROR)


def findings(view: str, rows: pl.LazyFrame, schema: Schema, now: datetime, place: Place) -> list[Finding]:
    """What is broken, in the order of the columns.

    Args:
        rows: with the columns of the schema, and `__order`: the numbers of the rows.

    Raises:
        DataError: a bound in the schema is no value of its column's kind.
    """
    watched = _watched(schema, Severity.ERROR, Severity.WARNING)
    broken = _broken_columns(rows, watched, now)
    if not broken:
        return []
    from mainspring.data.schema_checks import broken_promises
    from mainspring.data.schema_findings import finding_of

    part = Schema(tuple(watched[name] for name in broken), schema.file)
    frame = rows.select(cs.by_name(*broken, ORDER)).collect()
    numbers, shown = frame.get_column(ORDER).cast(pl.Int64), frame.drop(ORDER)
    told = (finding_of(promise, shown, numbers, now, schema.file) for promise in broken_promises(shown, part, now))
    return [_of_view(one, view, place) for one in told]


def raise_errors(view: str, found: Sequence[Finding]) -> None:
    """Raises `ValidationFailed` where one of the findings is an error."""
    errors = [one for one in found if one.severity is Severity.ERROR]
    if not errors:
        return
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    column = (first.column or "").removeprefix(f"{view}.")
    raise ValidationFailed(
        f"the view {view!r}, column {column!r}: {first.message}{first.place}{more}",
        cure=first.cure,
        where={
            "view": view,
            "column": column,
            "check": first.code,
            **(first.examples[0] if first.examples else {}),
        },
    )


def _broken_columns(rows: pl.LazyFrame, schema: Schema, now: datetime) -> list[str]:
    wanted = []
    for number, column in enumerate(schema):
        for one, broken in enumerate(_broken(column, cs.by_name(column.name).as_expr(), now, schema.file)):
            wanted.append((column.name, f"{number}.{one}", broken))
    if not wanted:
        return []
    found = rows.select(broken.alias(name) for _, name, broken in wanted).collect(engine="streaming").row(0)
    return list(dict.fromkeys(one[0] for one, broken in zip(wanted, found, strict=True) if broken))


def _broken(column: Column, value: pl.Expr, now: datetime, file: str) -> Iterator[pl.Expr]:
    """For each promise whether any row breaks it."""
    for _, holds in promises(column, value, file):
        yield holds.not_().any()
    if not column.nullable:
        yield value.is_null().any()
    if column.max_missing_share is not None:
        yield value.null_count() > column.max_missing_share * value.len()
    if column.unique:
        yield value.drop_nulls().n_unique() < value.count()
    if column.freshness is not None and column.kind is Kind.TIME:
        yield value.max() < pl.lit(now - parse_duration(column.freshness))


def _of_view(found: Finding, view: str, place: Place) -> Finding:
    examples = tuple(
        {**place(one["row"]), **{k: v for k, v in one.items() if k != "row"}} for one in found.examples
    )
    return replace(found, column=f"{view}.{found.column}", examples=examples)


def _in_files(snapshot: Snapshot) -> Place:
    def place(order: int) -> dict[str, Any]:
        before = 0
        for part in snapshot.parts:
            if order < before + part.rows:
                return {"file": part.name, "row": order - before + 1}
            before += part.rows
        return {"row": order + 1}

    return place


def _with(schema: Schema, change: Callable[[Column], Column]) -> Schema:
    return Schema(tuple(change(column) for column in schema), schema.file)


def _watched(schema: Schema, *severities: Severity) -> Schema:
    """The columns of these severities; of the others only that texts are numerals, or keys would not meet."""
    columns = (
        c if c.severity in severities else _only(c, numerals=True)
        for c in schema
        if c.severity in severities or c.numerals
    )
    return Schema(tuple(columns), schema.file)


def _only(column: Column, **promised: Any) -> Column:
    """The column with nothing promised of it but this."""
    return replace(Column(column.name, column.kind), severity=column.severity, **promised)
