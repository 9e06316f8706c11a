"""The sample rows: their columns as the adopted model takes them, and the truth where they hold it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from mainspring.data.inference import infer
from mainspring.data.reading import read_batches
from mainspring.data.schema_file import read_schema
from mainspring.domain.schema import Column, Kind, Schema
from mainspring.domain.source import Source
from mainspring.errors import DataError, ValueParseError
from mainspring.release.adoption.original import Wants
from mainspring.release.golden import FEWEST

MOST = 50_000  # rows; further ones would show nothing more
_WHOLE = r"^-?(0|[1-9]\d{0,17})$"
_TEXTS = (Kind.CATEGORY, Kind.TEXT, Kind.ID, Kind.IMAGE)

# What pandas takes for missing when it reads a text column; any other word reaches a model as it stands.
# fmt: off
_MISSING = frozenset((
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
))
# fmt: on


@dataclass(frozen=True, slots=True)
class SampleOrder:
    """Where the rows are, and what the user says of their columns.

    Attributes:
        data: paths or globs, relative to `root`.
        features: the columns that the model is asked with, in its order, where it does not know them itself.
        target: the column that holds the truth.
        key: the column that names a row.
        schema: a `schema.toml` that says how the columns are read; looked for in the rows themselves without it.
    """

    data: tuple[str, ...]
    root: Path
    features: tuple[str, ...] = ()
    target: str | None = None
    key: str | None = None
    schema: Path | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """n typed rows.

    Attributes:
        columns: the model's, in its order.
        target: the column of the truth, if there is one.
        notes: what a person should know of how the rows were read.
    """

    rows: pl.DataFrame
    columns: tuple[Column, ...]
    target: Column | None
    key: str | None
    notes: tuple[str, ...]

    @property
    def by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}


def read_sample(order: SampleOrder, wants: Wants, environ: Mapping[str, str]) -> Sample:
    """Read the rows as the model wants them.

    Raises:
        SourceNotFound, SourceFormatError, ValueParseError: the sample is not what it should be.
        DataError: it lacks columns of the model, or has fewer than 200 rows.
    """
    source = Source(order.data)
    if order.schema is not None:
        schema = read_schema(order.schema)
    else:
        inference = infer(source, order.root, environ=environ)
        source, schema = replace(inference.source, key=None, time=None), inference.schema
    names = _feature_names(schema, order, wants)
    for role, name in (("target", order.target), ("key", order.key)):
        if name is not None:
            _expect(name, schema.names, role)
    columns = [schema[name] for name in names]
    if order.schema is None:
        columns = [_as_it_stands(column, wants.kinds.get(column.name)) for column in columns]
    others = [schema[name] for name in dict.fromkeys((order.target, order.key)) if name and name not in names]
    rows = _read(source, columns, others, order, environ)
    if order.schema is None and (numbered := _numbers(columns, rows, wants)):
        columns = [replace(c, kind=Kind.INTEGER) if c.name in numbered else c for c in columns]
        rows = _read(source, columns, others, order, environ)
    if rows.height < FEWEST:
        raise DataError(
            f"the sample has {rows.height} rows, and an adopted model needs {FEWEST} or more",
            cure="give more rows with --data; they need not be labelled",
            where={"rows": rows.height},
        )
    return Sample(
        rows,
        tuple(columns),
        schema[order.target] if order.target is not None else None,
        order.key,
        tuple(_notes(columns, rows)),
    )


def _feature_names(schema: Schema, order: SampleOrder, wants: Wants) -> tuple[str, ...]:
    """The model's columns, each of which the sample has.

    Raises:
        DataError: naming those that are absent, or that cannot be told.
    """
    names = wants.names or order.features
    if wants.names and order.features and tuple(order.features) != wants.names:
        raise DataError(
            f"the model's own columns are {_listed(wants.names)}, not {_listed(order.features)}",
            cure="leave --features out",
            where={"column": next(iter(set(order.features) ^ set(wants.names)), order.features[0])},
        )
    if names:
        if len(set(names)) != len(names):
            raise DataError("a column is named twice", cure="name each of the model's columns once, in its order")
        absent = [name for name in names if name not in schema]
        if absent and order.schema is not None:
            raise DataError(
                f"{order.schema} describes {len(names) - len(absent)} of the model's {len(names)} columns, "
                f"and not {_listed(absent)}",
                cure="a schema describes every column: let `mainspring init` write one, and change what is wrong",
                where={"file": str(order.schema), "column": absent[0]},
            )
        if absent:
            near = {name: difflib.get_close_matches(name, schema.names, 1) for name in absent}
            hints = [f"{found[0]!r} for {name!r}" for name, found in near.items() if found]
            raise DataError(
                f"the sample lacks {len(absent)} of the model's {len(names)} columns: {_listed(absent)}",
                cure=(f"rename {', '.join(hints[:5])}" if hints else "give rows with them; there are: ")
                + ("" if hints else _listed(schema.names)),
                where={"column": absent[0]},
            )
        if order.target in names:
            raise DataError(
                f"the target {order.target!r} is one of the columns that the model is asked with",
                cure="name the column that holds the truth, or leave --target out",
                where={"column": order.target},
            )
    else:
        names = tuple(name for name in schema.names if name not in (order.target, order.key))
    if wants.width is not None and len(names) != wants.width:
        raise DataError(
            f"the model takes {wants.width} columns, and here are {len(names)}: {_listed(names)}",
            cure="name the right ones in the model's order with --features A,B,…",
            where={"columns": len(names)},
        )
    return names


def _as_it_stands(column: Column, demanded: Kind | None) -> Column:
    """The column as its model's maker read it: texts as they stand, and whatever kind the model itself demands."""
    if demanded is not None and demanded is not column.kind and not _agree(demanded, column.kind):
        column = replace(column, kind=demanded, time_format="iso" if demanded is Kind.TIME else None)
        if demanded is Kind.BOOLEAN:
            return replace(column, true=("True", "true", "TRUE", "1"), false=("False", "false", "FALSE", "0"))
    spellings = {text.lower() for text in (*column.true, *column.false)}
    if column.kind is Kind.BOOLEAN and not spellings <= {"true", "false"} and demanded is None:
        column = replace(column, kind=Kind.CATEGORY)  # `yes` and `no` are words to a model
    if column.kind in _TEXTS:
        missing = tuple(word for word in column.missing if word in _MISSING)
        return replace(column, missing=missing, strip=False, true=(), false=(), time_format=None)
    return column


def _agree(demanded: Kind, found: Kind) -> bool:
    """Whole numbers are numbers, and a text is one whatever it holds."""
    numbers = (Kind.NUMBER, Kind.INTEGER)
    return (demanded is Kind.NUMBER and found in numbers) or (demanded in _TEXTS and found in _TEXTS)


def _numbers(columns: Sequence[Column], rows: pl.DataFrame, wants: Wants) -> set[str]:
    """Ids that are whole numbers: whoever makes one a feature has it as a number."""
    found = set()
    for column in columns:
        if column.kind is Kind.ID and column.name not in wants.kinds:
            texts = rows.get_column(column.name).alias("value").drop_nulls()
            if texts.len() and texts.str.contains(_WHOLE).all():
                found.add(column.name)
    return found


def _read(
    source: Source,
    columns: Sequence[Column],
    others: Sequence[Column],
    order: SampleOrder,
    environ: Mapping[str, str],
) -> pl.DataFrame:
    schema = Schema((*columns, *others))
    frames: list[pl.DataFrame] = []
    height = 0
    try:
        for frame in read_batches(source, schema, order.root, environ=environ):
            frames.append(frame.head(MOST - height))
            height += frames[-1].height
            if height >= MOST:
                break
    except ValueParseError as error:
        raise ValueParseError(
            f"the sample does not fit what the model takes: {error.message}",
            cure="mend the values, or say how the columns are read with --schema schema.toml",
            where=error.where,
        ) from error
    return pl.concat(frames) if frames else pl.DataFrame(schema={column.name: pl.String for column in schema})


def _notes(columns: Sequence[Column], rows: pl.DataFrame) -> list[str]:
    notes = []
    for column in columns:
        if column.kind not in _TEXTS:
            continue
        texts = rows.get_column(column.name).alias("value").drop_nulls().cast(pl.String)
        if (texts != texts.str.strip_chars()).any() and not column.strip:
            notes.append(f"the texts of {column.name!r} have blanks around them and reach the model with them")
        if (texts == "?").any():
            notes.append(f"the text '?' in {column.name!r} reaches the model as it stands, not as missing")
    return notes


def _expect(name: str, names: Sequence[str], role: str) -> None:
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        raise DataError(
            f"the sample has no column {name!r} for the {role}",
            cure=f"did you mean {near[0]!r}?" if near else f"there are: {_listed(names)}",
            where={"column": name},
        )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:20])
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown
