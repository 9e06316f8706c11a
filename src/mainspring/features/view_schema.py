"""The schema of a view's source: `schemas/VIEW.toml`, found out from the data once, then the user's to edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl

from mainspring.data.columns import values_of
from mainspring.data.inference import infer
from mainspring.data.inference_sample import read_sample
from mainspring.data.parsing import parse
from mainspring.data.reading import read_batches
from mainspring.data.schema_file import read_schema, write_schema
from mainspring.domain.feature_view import VIEW_SCHEMAS, FeatureView
from mainspring.domain.numerals import PLAIN
from mainspring.domain.schema import Column, Kind, Schema, Severity
from mainspring.domain.source import Source

_TEXT = (Kind.CATEGORY, Kind.TEXT, Kind.ID)


def view_schema(view: FeatureView, root: Path, environ: Mapping[str, str] | None, like: Schema | None) -> Schema:
    """The schema of the source at the bottom of a view; inferred and written where there is none yet.

    Args:
        root: the project's folder.
        like: the schema of the rows that will ask: a key that is text there, or a whole number, is taken for
            that here too, where its values can be.

    Raises:
        DataError: the file or the source cannot be read, or the view's time is none.
    """
    base = view.base
    path = root / VIEW_SCHEMAS / f"{base.name}.toml"
    file = f"{VIEW_SCHEMAS}/{path.name}"
    if path.exists():
        return replace(read_schema(path), file=file)
    # The rows of a view are events of its entity, so the source's key need not be unique in them.
    found = infer(replace(base.root, key=None), root, time=base.time, environ=environ)
    schema = Schema(tuple(_of_events(column) for column in found.schema), file)
    notes = dict(found.reasons)
    for name in base.keys:
        if like is not None and name in like and name in schema:
            schema = schema.with_column(_meeting(schema[name], like[name].kind, base.root, root, environ))
        if name in schema and _are_numerals(schema[name], base.root, root, environ):
            schema = schema.with_column(replace(schema[name], numerals=True))
            notes[name] = f"{notes.get(name, 'texts')}; in plain digits, so that a request may send a number"
    path.parent.mkdir(exist_ok=True)
    write_schema(path, schema, notes)
    return schema


def _of_events(column: Column) -> Column:
    return replace(column, unique=False, severity=Severity.WARNING)


def _are_numerals(column: Column, source: Source, root: Path, environ: Mapping[str, str] | None) -> bool:
    """Whether all texts of a key, to the last row, are whole numbers in plain digits."""
    if column.kind not in _TEXT:
        return False
    any_there = False
    for batch in read_batches(source, Schema((column,)), root, environ=environ):
        plain = values_of(batch, column.name).drop_nulls().str.contains(PLAIN)
        if not plain.all():
            return False
        any_there = any_there or plain.len() > 0
    return any_there


def _meeting(
    column: Column, wanted: Kind, source: Source, root: Path, environ: Mapping[str, str] | None
) -> Column:
    """A key's column so that it can be equal to one of the wanted kind, where its values allow that."""
    if wanted in _TEXT and column.kind is Kind.INTEGER:
        return replace(Column(column.name, Kind.ID), missing=column.missing, strip=column.strip)
    if wanted is Kind.INTEGER and column.kind in _TEXT:
        numbers = replace(Column(column.name, Kind.INTEGER), missing=column.missing, strip=column.strip)
        sample = read_sample(source, root, environ)
        raw = values_of(sample.frame, column.name)
        texts, parsed = parse(raw, column).values, parse(raw, numbers)
        # A number that is written otherwise, as 007 is, names something else.
        if parsed.bad is None and texts.equals(parsed.values.cast(pl.String)):
            return numbers
    return column
