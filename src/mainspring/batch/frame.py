"""A frame in memory → the release's answers, by the rules under which training read its text."""

from __future__ import annotations

import difflib
from pathlib import Path

import polars as pl

from mainspring.batch.scoring import answers_of
from mainspring.batch.table import column_of
from mainspring.batch.view_features import ViewStores, finder, keys_of
from mainspring.data.columns import HARMLESS
from mainspring.data.parsing import DTYPES, parse
from mainspring.data.schema_file import read_schema
from mainspring.domain.release import InputField, Manifest
from mainspring.domain.truth import quoted
from mainspring.errors import InvalidInput, SourceFormatError
from mainspring.release.inputs import reading_field
from mainspring.release.runtimes.base import Runtime


def score_frame(
    frame: pl.DataFrame, manifest: Manifest, runtime: Runtime, *, schema_file: Path, stores: ViewStores
) -> pl.DataFrame:
    """The answers to the rows of a frame, in their order.

    Args:
        frame: the release's inputs, as text or typed; other columns are ignored. Features of views may be absent
            where their keys are there.
        schema_file: the release's sealed `schema.toml`; says how the time of a row is read.
        stores: where features of views are found.

    Returns:
        The release's key, where the frame has it, `prediction`, and of a classifier `probability_<class>` columns.

    Raises:
        SourceFormatError: a column is not there.
        InvalidInput: a value is not of its column's kind, or missing where training never saw it missing; row
            (from 0) and field are named.
        UsageError: a view is not there as the release takes it.
        StoreError: the online store does not answer.
    """
    found = _features(frame, manifest, schema_file, stores)
    typed = pl.DataFrame(
        [found[field.name] if field.name in found else _typed(frame, field) for field in manifest.inputs]
    )
    key = [frame.get_column(manifest.key)] if manifest.key is not None and manifest.key in frame.columns else []
    if not frame.height:
        classes = manifest.output.classes
        numbers = [pl.Series(f"probability_{label}", [], pl.Float64) for label in classes]
        return pl.DataFrame([*key, pl.Series("prediction", [], pl.String if classes else pl.Float64), *numbers])
    return pl.DataFrame([*key, *answers_of(runtime.predict_frame(typed), manifest.output)])


def _features(
    frame: pl.DataFrame, manifest: Manifest, schema_file: Path, stores: ViewStores
) -> dict[str, pl.Series]:
    """The features of views that the frame lacks, by the inputs that they are."""
    found = finder(manifest, frame.columns, "the frame", stores)
    if found is None:
        return {}
    by = {key.name: key for key in keys_of(found)}
    if found.time is not None:
        by.setdefault(found.time, reading_field(read_schema(schema_file)[found.time]))
    # Values that have types of their own are compared with the view's as they are.
    texts = {name for name in by if frame.schema[name] == pl.String}
    whole = found(pl.DataFrame([_typed(frame, by[name]) if name in texts else frame[name] for name in by]))
    required = {field.name for field in manifest.inputs if field.required}
    features = {}
    for one in found.lacking:
        for name in one.columns:
            features[name] = values = whole.get_column(name)
            if name in required and values.null_count():
                row = int(values.alias(HARMLESS).is_null().arg_true()[0])
                raise InvalidInput(
                    f"row {row}: the view {one.view.view!r} has no {name!r} of this entity, and training never "
                    "saw it missing",
                    cure=f"give its value, or declare a default: FeatureView({one.view.view!r}, defaults=…)",
                    where={"row": row, "field": name},
                )
    return features


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
