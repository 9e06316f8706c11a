"""Rows of the prediction log → sketches of each hour, release, role and slice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from mainspring.data.profiling import add_series
from mainspring.domain.input_columns import input_columns
from mainspring.domain.release import InputField, Manifest
from mainspring.domain.schema import Kind
from mainspring.monitoring.hours.ages import HOURLY, hour_or_day
from mainspring.monitoring.hours.sketch_rows import (
    AHEAD,
    INPUT,
    LATENCY,
    LOG,
    PREDICTION,
    Sketch,
    SketchKey,
    sketch_frame,
)
from mainspring.monitoring.hours.slices import slice_texts
from mainspring.monitoring.windows import hour_of
from mainspring.release.reference_profile import PREDICTION as PREDICTED
from mainspring.release.reference_profile import prediction_kinds

MOST_AHEAD = timedelta(days=1)
"""Answers that claim to be given further ahead of the clock have no hour; they are counted where they came in."""

WHOLE = "{}"
"""The slice of all rows."""

_TRUNCATED = 100  # a release lists so many categories at most: with as many there may be others


class HourSketches:
    """Grows by batches of rows; `frame` gives what it has seen as rows of the table of sketches.

    Args:
        manifests: by release; the answers of others are counted, not sketched.
        present: the log's columns and their kinds, as `Tables.columns` gives them.
        generation: of the sketches.
        slices: the combinations of input columns by whose values sketches are made as well.
    """

    def __init__(
        self,
        manifests: Mapping[int, Manifest],
        present: Mapping[str, str],
        *,
        generation: int,
        now: datetime,
        slices: Sequence[tuple[str, ...]] = (),
    ) -> None:
        self._by_day_before = (now - HOURLY).date()
        self._fields = {number: _fields(manifest, present) for number, manifest in manifests.items()}
        self._manifests = manifests
        self._generation = generation
        self._now = now
        self._slices = [tuple(sorted(by)) for by in slices]
        self._sketches: dict[SketchKey, Sketch] = {}

    def add(self, rows: pl.DataFrame) -> None:
        """Take in rows of the prediction log."""
        ahead = rows.get_column("at") > self._now + MOST_AHEAD
        if ahead.any():
            self._count_ahead(rows.filter(ahead))
            rows = rows.filter(~ahead)
        rows = rows.with_columns(hour_or_day(self._by_day_before).alias("__hour"))
        for (hour, release, role), group in _groups(rows, ["__hour", "release", "role"]):
            group = group.drop("__hour")
            hours = 24 if hour.date() < self._by_day_before else 1
            self._add_group(SketchKey(hour, hours, self._generation, release, role, WHOLE, "", ""), group)
            fields = self._fields.get(release, ())
            known = {field.field.name: (field.column, field.field) for field in fields}
            for by in self._slices:
                if not known.keys() >= set(by):
                    continue
                texts = slice_texts(group, {name: known[name] for name in by})
                for (text,), part in _groups(group.with_columns(texts.alias("__slice")), ["__slice"]):
                    key = SketchKey(hour, hours, self._generation, release, role, text, "", "")
                    self._add_group(key, part.drop("__slice"))

    def frame(self) -> pl.DataFrame:
        return sketch_frame(self._sketches.items())

    def items(self) -> Iterator[tuple[SketchKey, Sketch]]:
        """What it has seen, sketch by sketch."""
        return iter(self._sketches.items())

    def _add_group(self, about: SketchKey, rows: pl.DataFrame) -> None:
        """Take in rows of one hour, release, role and slice."""
        latency = self._sketch(about, LOG, LATENCY, Kind.NUMBER)
        add_series(latency.profile, rows.get_column("latency_us") / 1e6)
        for field in self._fields.get(about.release, ()):
            sketch = self._sketch(about, INPUT, field.field.name, field.field.kind)
            field.add(sketch, rows.get_column(field.column).alias("value"))
        manifest = self._manifests.get(about.release)
        if manifest is None:
            return
        answers = _answers(rows, manifest)
        for name, kind in prediction_kinds(manifest.output).items():
            add_series(self._sketch(about, PREDICTION, name, kind).profile, answers[name])

    def _count_ahead(self, rows: pl.DataFrame) -> None:
        hour = hour_of(self._now)
        for (release, role), group in _groups(rows, ["release", "role"]):
            key = SketchKey(hour, 1, self._generation, release, role, WHOLE, "", "")
            self._sketch(key, LOG, AHEAD, Kind.NUMBER).profile.rows += group.height

    def _sketch(self, about: SketchKey, part: str, column: str, kind: Kind) -> Sketch:
        key = SketchKey(
            about.hour, about.hours, about.generation, about.release, about.role, about.slice, part, column
        )
        found = self._sketches.get(key)
        if found is None:
            found = self._sketches[key] = Sketch.of_an_hour(kind, about.hour)
        return found


@dataclass(frozen=True, slots=True)
class _Field:
    """An input, where the log has it, and the categories that training had where all of them are known."""

    field: InputField
    column: str
    categories: frozenset[str] | None

    def add(self, sketch: Sketch, values: pl.Series) -> None:
        add_series(sketch.profile, values)
        if self.categories is not None:
            texts = values.drop_nulls()
            unseen = texts.filter(~texts.is_in(pl.Series(sorted(self.categories), dtype=pl.String).implode()))
            sketch.unseen += unseen.len()
            most = unseen.value_counts(name="rows").sort("rows", "value", descending=[True, False]).head(1000)
            sketch.add_unseen(most.iter_rows())
        low, high = self.field.minimum, self.field.maximum
        if low is not None and high is not None and self.field.kind in (Kind.NUMBER, Kind.INTEGER):
            # NaN is missing, and compares as greater than anything.
            outside = (values < low) | ((values > high) & values.cast(pl.Float64).is_not_nan())
            sketch.out_of_range += int(outside.sum())


def _fields(manifest: Manifest, present: Mapping[str, str]) -> tuple[_Field, ...]:
    """The inputs that the log has as the model saw them; what is a person's is kept in another form, if at all."""
    columns = input_columns(present, manifest.inputs)
    found = []
    for field in manifest.inputs:
        column = columns.get(field.name, ("", ""))[0]
        if field.personal is None and column in present:
            found.append(_Field(field, column, _categories(field)))
    return tuple(found)


def _categories(field: InputField) -> frozenset[str] | None:
    if field.vocabulary is not None:
        return frozenset(field.vocabulary)
    if field.kind is Kind.CATEGORY and field.categories is not None and len(field.categories) < _TRUNCATED:
        return frozenset(field.categories)
    return None


def _answers(rows: pl.DataFrame, manifest: Manifest) -> dict[str, pl.Series]:
    """The columns of `prediction_kinds`."""
    if not manifest.output.classes:
        return {PREDICTED: rows.get_column("value")}
    outputs = rows.get_column("outputs")
    return {PREDICTED: rows.get_column("prediction").alias("value")} | {
        f"probability:{name}": outputs.list.get(place, null_on_oob=True)
        for place, name in enumerate(manifest.output.classes)
    }


def _groups(rows: pl.DataFrame, by: list[str]) -> list[tuple[tuple, pl.DataFrame]]:  # type: ignore[type-arg]
    return list(rows.partition_by(by, as_dict=True, maintain_order=True).items())
