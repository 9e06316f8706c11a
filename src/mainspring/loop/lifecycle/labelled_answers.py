"""Answers whose truth is known → rows as the source has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from mainspring.data.labelled_rows import ANSWERED
from mainspring.data.parsing import DTYPES, parse
from mainspring.domain.input_columns import input_columns
from mainspring.domain.release import InputField, Manifest
from mainspring.domain.schema import Column, Kind, Personal, Schema
from mainspring.loop.lifecycle.resolution import ResolvedModel

_KEPT_AS = {
    Personal.HASH: "is kept in the prediction log as a digest only",
    Personal.MASK: "is masked in the prediction log",
    Personal.OMIT: "is not kept in the prediction log",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a row to learn from looks like.

    Attributes:
        schema: the source's columns and the features of views.
    """

    schema: Schema
    model: ResolvedModel

    def identity(self) -> dict[str, object]:
        """What two sets of rows must share to be kept in one table."""
        return {
            "reading": self.schema.reading_digest(),
            "target": self.model.target,
            "features": list(self.model.asked),
            "key": self.model.key,
            "time": self.model.time,
        }


def why_unusable(manifest: Manifest, shape: Shape, stored: Mapping[str, tuple[str, str]]) -> str | None:
    """Why nothing can be learnt from what this release answered; `None` where it can.

    A row that lacks a feature is not learnt from: that it is missing would tell the estimator that the row is new.

    Args:
        stored: input → its column of the prediction log and the kind of that (see `input_columns`).
    """
    inputs = {field.name: field for field in manifest.inputs}
    model, schema = shape.model, shape.schema
    if (manifest.target, manifest.task) != (model.target, model.task):
        return f"{manifest.ref} predicts something else"
    for name in model.asked:
        reason = _why_not(inputs.get(name), schema[name], stored)
        if reason is not None:
            return f"the feature {name!r} {reason.format(release=manifest.ref)}"
    if model.key is not None:
        if manifest.key != model.key:
            return f"requests to {manifest.ref} carried no {model.key!r}, by which the source's rows are told"
        if manifest.key_personal is not None:
            kept = _KEPT_AS[manifest.key_personal]
            return f"the key {model.key!r} {kept}, so nobody can tell which rows the source has already"
    if model.time is not None and schema[model.time].kind is not Kind.TIME and model.time not in inputs:
        return f"the time column {model.time!r} holds no times, and requests do not carry it"
    return None


def answers_as_rows(
    answers: pl.DataFrame, manifest: Manifest, shape: Shape, stored: Mapping[str, str]
) -> pl.DataFrame:
    """The rows, with the schema's columns in order and `__answered_at`.

    The target is null where what came true is none of its values any more. A column of the source that is neither
    target, key, time nor an input of the release or the key of a view of it is not known of them, and null.

    Args:
        answers: of this release, with the truth (see `data.predictions`).
        stored: the columns of the prediction log and their kinds.
    """
    logged = {field.name: field for field in manifest.logged if field.personal is None}
    places = {name: place for name, place in input_columns(stored, manifest.logged).items() if place[0] in stored}
    asked = answers.get_column("at").alias(ANSWERED)
    columns = []
    for column in shape.schema:
        name, kind = column.name, DTYPES[column.kind]
        values = pl.Series(name, [None], kind).new_from_index(0, answers.height)
        if name in logged and name in places and logged[name].kind is column.kind:
            values = answers.get_column(places[name][0]).cast(kind)
        if name == shape.model.target:
            values = _truth(answers, column, is_classification=shape.model.task.is_classification)
        elif name == shape.model.key and name not in places:
            values = parse(answers.get_column("key"), column).values
        elif name == shape.model.time and column.kind is Kind.TIME:
            values = values.zip_with(values.is_not_null(), asked.cast(kind))
        columns.append(values.cast(kind).alias(name))
    return pl.DataFrame([*columns, asked])


def _why_not(field: InputField | None, column: Column, stored: Mapping[str, tuple[str, str]]) -> str | None:
    if field is None:
        return "is no input of {release}"
    if field.personal is not None:
        return _KEPT_AS[field.personal]
    if field.kind is not column.kind:
        return f"is of kind {field.kind} in {{release}}, and of kind {column.kind} in schema.toml"
    return None if field.name in stored else "has no column in the prediction log"


def _truth(answers: pl.DataFrame, column: Column, *, is_classification: bool) -> pl.Series:
    """What came true as a value of the target's kind; a class is told by its name, as `class_name` gives it."""
    if not is_classification:
        number = answers.get_column("label_value")
        return number.round().cast(pl.Int64) if column.kind is Kind.INTEGER else number
    label = answers.get_column("label")
    if column.kind is Kind.BOOLEAN:
        return label.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)
    return label.cast(DTYPES[column.kind], strict=False)
