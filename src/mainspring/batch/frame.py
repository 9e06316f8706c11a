"""A frame in memory → the release's answers, by the rules under which training read its text."""

from __future__ import annotations

import difflib

import polars as pl

from mainspring.batch.scoring import answers_of
from mainspring.batch.table import column_of
from mainspring.data.columns import HARMLESS
from mainspring.data.parsing import DTYPES, parse
from mainspring.domain.release import InputField, Manifest
from mainspring.domain.truth import quoted
from mainspring.errors import InvalidInput, SourceFormatError
from mainspring.release.runtimes.base import Runtime


def score_frame(frame: pl.DataFrame, manifest: Manifest, runtime: Runtime) -> pl.DataFrame:
    """The answers to the rows of a frame, in their order.

    Args:
        frame: the release's inputs, as text or typed; other columns are ignored.

    Returns:
        The release's key, where the frame has it, `prediction`, and of a classifier `probability_<class>` columns.

    Raises:
        SourceFormatError: a column is not there.
        InvalidInput: a value is not of its column's kind, or missing where training never saw it missing; row
            (from 0) and field are named.
    """
    typed = pl.DataFrame([_typed(frame, field) for field in manifest.inputs])
    key = [frame.get_column(manifest.key)] if manifest.key is not None and manifest.key in frame.columns else []
    if not frame.height:
        classes = manifest.output.classes
        numbers = [pl.Series(f"probability_{label}", [], pl.Float64) for label in classes]
        return pl.DataFrame([*key, pl.Series("prediction", [], pl.String if classes else pl.Float64), *numbers])
    return pl.DataFrame([*key, *answers_of(runtime.predict_frame(typed), manifest.output)])


def _typed(frame: pl.DataFrame, field: InputField) -> pl.Series:
    if field.name not in frame.columns:
        near = difflib.get_close_matches(field.name, frame.columns, 1)
        raise SourceFormatError(
            f"the frame has no column {field.name!r}",
            cure=f"rename {near[0]!r}?" if near else "add it; where it is unknown, leave it empty",
            where={"column": field.name},
        )
    raw = frame.get_column(field.name)
    if raw.dtype == pl.Null:
        raw = raw.cast(DTYPES[field.kind])
    if raw.dtype == pl.Object:
        raise _refused(field, 0, "is of no kind that a model reads", "make it numbers, text, booleans or times")
    parsed = parse(raw, column_of(field))
    if parsed.bad is not None:
        row = int(parsed.bad.arg_true()[0])
        raise _refused(field, row, f"is {quoted(str(raw[row]))}, no {field.kind}", "mend it, or leave it empty")
    if field.required and parsed.values.null_count():
        row = int(parsed.values.alias(HARMLESS).is_null().arg_true()[0])
        raise _refused(field, row, "is missing, but training never saw it missing", "fill it in")
    return parsed.values


def _refused(field: InputField, row: int, problem: str, cure: str) -> InvalidInput:
    return InvalidInput(
        f"row {row}: the field {field.name!r} {problem}", cure=cure, where={"row": row, "field": field.name}
    )
