"""Rows of a file of feedback → messages, a column at a time; what makes no sense is named by its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from mainspring.data.feedback_columns import FeedbackColumns
from mainspring.data.labels import LABEL_SCHEMA
from mainspring.data.parsing import as_text, parse
from mainspring.domain.feedback import RefusedField, given_id, key_of, prediction_of
from mainspring.domain.prediction_log import TRUTH
from mainspring.domain.schema import Column, Kind
from mainspring.domain.truth import RefusedTruth, Truth, quoted
from mainspring.errors import ValueParseError

_SAID = ("prediction_id", "key", "name", "label", "value", "happened_at", "feedback_id")
SAID_SCHEMA = {name: LABEL_SCHEMA[name] for name in _SAID}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a batch is from: the file, its first row (1-based) and the file's decimal character."""

    file: str
    row: int
    decimal: str


class FeedbackReader:
    """Reads batches of text or typed columns.

    Args:
        columns: which is what.
        truth: reads the labels of this model.
        target: the target's column at training, where it is known: which texts mean that a label is missing.
        key_kept: what the prediction log has of a key; `None` where it has nothing to find it by.
    """

    def __init__(
        self,
        columns: FeedbackColumns,
        truth: Truth,
        target: Column | None,
        key_kept: Callable[[str], str | None],
    ) -> None:
        self._columns = columns
        self._truth = truth
        self._missing = ("", *(target.missing if target is not None else ()))
        self._key_kept = key_kept

    def read(self, frame: pl.DataFrame, place: Place) -> pl.DataFrame:
        """One row for each message, in the order of the file, with `SAID_SCHEMA`. An empty cell says nothing.

        Args:
            frame: as the file has it; a column that it lacks is empty.

        Raises:
            ValueParseError: a value that makes no sense.
        """
        columns = self._columns
        shared = [
            self._about(frame, place),
            self._times(frame, place),
            self._ids(frame, place),
            pl.Series("__row", range(frame.height), dtype=pl.UInt32),
        ]
        parts = []
        for name, column in columns.said.items():
            label, value = self._said(name, frame, column, place)
            part = pl.DataFrame([*shared, label, value]).filter(
                pl.col("label").is_not_null() | pl.col("value").is_not_null()
            )
            parts.append(part.with_columns(pl.lit(name).alias("name")))
        said = pl.concat(parts).sort("__row", maintain_order=True)
        if (lost := said.filter(pl.col(columns.about).is_null())).height:
            problem = f"the {columns.about.replace('_', ' ')} is missing beside what came true"
            raise _fault(
                place, columns.about_column, lost.item(0, "__row"), problem, "fill it in, or drop the row"
            )
        other = "key" if columns.about == "prediction_id" else "prediction_id"
        return said.with_columns(pl.lit(None, pl.String).alias(other)).select(_SAID).cast(SAID_SCHEMA)  # type: ignore[arg-type]

    def _about(self, frame: pl.DataFrame, place: Place) -> pl.Series:
        columns = self._columns
        texts = _texts(frame, columns.about_column)
        if columns.about == "prediction_id":
            return _mapped(texts, prediction_of, columns.about_column, place).alias("prediction_id")

        def kept(text: str) -> str:
            found = self._key_kept(key_of(text))
            if found is None:
                raise RefusedField("key", "is kept in no prediction log", "give feedback by prediction id")
            return found

        return _mapped(texts, kept, columns.about_column, place).alias("key")

    def _times(self, frame: pl.DataFrame, place: Place) -> pl.Series:
        name = self._columns.happened_at
        if name is None or name not in frame.columns:
            return pl.Series("happened_at", [None], LABEL_SCHEMA["happened_at"]).new_from_index(0, frame.height)
        column = Column(name, Kind.TIME, missing=("",), strip=True, time_format="iso")
        return _parsed(frame, column, place, "no time", "write ISO 8601, e.g. 2026-01-31T09:00:00Z").alias(
            "happened_at"
        )

    def _ids(self, frame: pl.DataFrame, place: Place) -> pl.Series:
        name = self._columns.feedback_id
        texts = _nothing(frame.height) if name is None else _texts(frame, name)
        return _mapped(texts, given_id, name or "", place).alias("feedback_id")

    def _said(self, name: str, frame: pl.DataFrame, column: str, place: Place) -> tuple[pl.Series, pl.Series]:
        """The classes and the numbers of a column; one of the two is empty."""
        none = pl.Series("label", [None], pl.String).new_from_index(0, frame.height)
        if name == TRUTH and self._truth.classes:
            texts = _texts(frame, column, self._missing)

            def label(text: str) -> str:
                try:
                    return str(self._truth.read(text)[0])
                except RefusedTruth as error:
                    raise RefusedField(column, error.problem, error.cure) from None

            return _mapped(texts, label, column, place).alias("label"), none.cast(pl.Float64).alias("value")
        missing = self._missing if name == TRUTH else ("",)
        number = Column(column, Kind.NUMBER, missing=missing, strip=True)
        values = _parsed(frame, number, place, "no finite number", "mend it, or leave it empty")
        return none, values.alias("value")


def _texts(frame: pl.DataFrame, column: str, missing: Sequence[str] = ("",)) -> pl.Series:
    if column not in frame.columns:
        return _nothing(frame.height)
    text = as_text(frame.get_column(column)).str.strip_chars()
    return text.set(text.is_in(list(missing)).fill_null(value=False), None)


def _nothing(height: int) -> pl.Series:
    return pl.Series([None], dtype=pl.String).new_from_index(0, height)


def _mapped(texts: pl.Series, read: Callable[[str], str], column: str, place: Place) -> pl.Series:
    """Each text by what it is read as; each different one is read once."""
    found: dict[str, str] = {}
    for text in texts.unique().drop_nulls().to_list():
        try:
            found[text] = read(text)
        except RefusedField as error:
            row = texts.eq(text).arg_true()[0]
            raise _fault(place, column, row, f"the value {error.problem}", error.cure) from None
    if all(text == meant for text, meant in found.items()):
        return texts
    return texts.replace_strict(found, default=None, return_dtype=pl.String)


def _parsed(frame: pl.DataFrame, column: Column, place: Place, what: str, cure: str) -> pl.Series:
    if column.name not in frame.columns:
        return parse(_nothing(frame.height), column).values
    raw = frame.get_column(column.name)
    parsed = parse(raw, column, place.decimal)
    if parsed.bad is not None:
        row = int(parsed.bad.arg_true()[0])
        raise _fault(place, column.name, row, f"the value is {quoted(str(raw[row]))}, {what}", cure)
    return parsed.values


def _fault(place: Place, column: str, row: int, problem: str, cure: str) -> ValueParseError:
    number = place.row + row
    return ValueParseError(
        f"{place.file}, row {number:,}, column {column!r}: {problem}",
        cure=cure,
        where={"file": place.file, "row": number, "column": column},
    )
