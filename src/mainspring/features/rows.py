"""The rows of feature views: those of a source's snapshot, then those pushed, with what functions make of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs

from mainspring.data.snapshots import Snapshots
from mainspring.domain.feature_view import FeatureView
from mainspring.domain.finding import Finding
from mainspring.domain.ids import digest_json
from mainspring.domain.ports import Tables
from mainspring.domain.schema import Kind, Schema
from mainspring.domain.source import Source
from mainspring.features.checks import check_rows
from mainspring.features.definition import (
    CREATED_TIME,
    EVENT_TIME,
    ORDER,
    Definition,
    created_column,
    define,
    row_columns,
    time_column,
)
from mainspring.features.joining import Joined, join
from mainspring.features.push import APPLICATION, pushed_table
from mainspring.features.results import Results
from mainspring.features.sequences import RowSequence, of_pushed, of_snapshot
from mainspring.features.view_schema import view_schema


@dataclass(frozen=True, slots=True)
class Taken:
    """Which rows of a view are read: the same ones give the same rows for ever.

    Attributes:
        snapshot: of the source at the bottom of the view.
        pushed: how many of the rows that were pushed to it.
    """

    snapshot: str
    pushed: int = 0

    def to_dict(self) -> dict[str, str | None]:
        return {"snapshot": self.snapshot, "pushed": str(self.pushed)}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Taken:
        return cls(str(told["snapshot"]), int(told.get("pushed") or 0))


class Offline:
    """Where the rows of a project's views are.

    Args:
        root: the project's folder.
        environ: where `$NAME` in a database URL is taken from.
        like: the model's schema; a view whose source has no schema yet takes the kinds of its keys from it.
    """

    def __init__(
        self,
        *,
        snapshots: Snapshots,
        tables: Tables,
        root: Path,
        environ: Mapping[str, str] | None = None,
        like: Schema | None = None,
    ) -> None:
        self._snapshots = snapshots
        self._tables = tables
        self._root = root
        self._environ = environ
        self._like = like
        self._schemas: dict[str, Schema] = {}
        self.findings: list[Finding] = []
        """What was seen while functions ran."""

    def schema(self, view: FeatureView) -> Schema:
        """Of the source at the bottom of the view; see `view_schema`."""
        name = view.base.name
        if name not in self._schemas:
            self._schemas[name] = view_schema(view, self._root, self._environ, self._like)
        return self._schemas[name]

    def take(self, view: FeatureView) -> Taken:
        """The view's rows as they are now: a snapshot of its source, and what was pushed so far.

        Raises:
            DataError: the source cannot be read.
        """
        base = view.base
        taken = self._snapshots.take(base.root, self.schema(view), self._root, environ=self._environ)
        return Taken(taken.id, self._tables.offset(pushed_table(base.name), APPLICATION))

    def definition(self, view: FeatureView, taken: Taken | None = None) -> Definition:
        """The view with its columns resolved. A function that never ran is run on the first rows.

        Raises:
            DeclarationError: the view names what its source does not have.
            FeatureError: a function failed.
        """
        taken = taken or (self.take(view) if _has_functions(view) else None)
        return self._define(view, taken)

    def rows(self, view: FeatureView, taken: Taken | None = None) -> pl.LazyFrame:
        """The view's rows in the order of their source.

        Returns:
            the keys, `__event_time`, `__created_time`, `__order` and `Definition.columns`.

        Raises:
            DeclarationError: the view names what its source does not have.
            FeatureError: a function failed; they are run here, on rows that they have not seen yet.
            UnknownSnapshot: there is none of this id.
        """
        taken = taken or self.take(view)
        definition = self._define(view, taken)
        parts = []
        for sequence in self._sequences(view, taken):
            given = self._given(view, sequence)
            # Both have the rows in the same order.
            whole = pl.concat([sequence.rows, *given], how="horizontal") if given else sequence.rows
            parts.append(whole.select(_selected(view, definition)))
        return pl.concat(parts) if len(parts) > 1 else parts[0]

    def check(self, view: FeatureView, taken: Taken | None = None) -> None:
        """Hold the view's checks against all of its rows, those of the views under it first.

        They see what functions see, and what these gave.

        Raises:
            ValidationFailed: a row is wrong.
            FeatureError: a check or a function failed.
        """
        taken = taken or self.take(view)
        if isinstance(view.source, FeatureView):
            self.check(view.source, taken)
        if not view.checks:
            return
        for sequence in self._sequences(view, taken):
            results = self._given(view, sequence)
            for check in view.checks.values():
                check_rows(view.name, check, sequence.pieces(results))

    def _define(self, view: FeatureView, taken: Taken | None) -> Definition:
        results: dict[str, Kind] = {}
        if view.functions:
            assert taken is not None
            sequence = self._sequences(view, taken)[0]
            for function in view.functions:
                first = Results(self._tables, view.name, function, sequence)
                results |= first.kinds()
                self.findings += first.findings
        return define(view, self._kinds(view, taken), results)

    def _given(self, view: FeatureView, sequence: RowSequence) -> list[pl.LazyFrame]:
        """What the view's functions give for these rows."""
        frames = []
        for function in view.functions:
            results = Results(self._tables, view.name, function, sequence)
            frames.append(results.frame())
            self.findings += results.findings
        return frames

    def _kinds(self, view: FeatureView, taken: Taken | None) -> dict[str, Kind]:
        """The columns that the view's source has."""
        if isinstance(view.source, Source):
            return {column.name: column.kind for column in self.schema(view)}
        base = view.source
        return row_columns(base, self._define(base, taken), self._kinds(base, taken))

    def _sequences(self, view: FeatureView, taken: Taken) -> list[RowSequence]:
        if isinstance(view.source, FeatureView):
            return [self._of_view(view.source, taken)]
        schema = self.schema(view)
        snapshot = self._snapshots.find(taken.snapshot)
        found = [of_snapshot(self._tables, snapshot, schema, self._root)]
        if taken.pushed:
            found.append(of_pushed(self._tables, view.name, taken.pushed, snapshot.rows, schema, self._root))
        return found

    def _of_view(self, base: FeatureView, taken: Taken) -> RowSequence:
        """The rows of a view as those of a source: its keys, times and features under their names.

        An aggregate is as it was when the row had happened and was known. Lifetime and defaults are a matter of
        reading: rows have neither.
        """
        definition = self._define(base, taken)
        rows = self.rows(base, taken)
        if definition.aggregated:
            rows = _with_aggregates(definition, rows)
        columns = tuple(row_columns(base, definition, self._kinds(base, taken)))
        times = {time_column(base): EVENT_TIME, created_column(base): CREATED_TIME}
        selected = [cs.by_name(times.get(name, name)).alias(name) for name in columns]
        return RowSequence(
            name=digest_json([definition.id, taken.to_dict()]),
            rows=rows.select(*selected, cs.by_name(ORDER)),
            length=int(rows.select(pl.len()).collect().item()),
            columns=columns,
        )


def _selected(view: FeatureView, definition: Definition) -> list[pl.Expr]:
    """A view's rows out of those of its source."""
    event = time_column(view)
    assert event is not None, "the declaration was checked"
    created = created_column(view) or event
    named = {name: name for name in (*definition.key_names, *definition.columns)}
    named |= {EVENT_TIME: event, CREATED_TIME: created, ORDER: ORDER}
    return [cs.by_name(theirs).alias(ours) for ours, theirs in named.items()]


def _with_aggregates(definition: Definition, rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows with the view's aggregates as of when each of them had happened and was known."""
    known = pl.max_horizontal(EVENT_TIME, CREATED_TIME)
    asking = rows.select(cs.by_name(*definition.key_names), known.alias(EVENT_TIME)).collect()
    names = tuple(feature.name for feature in definition.aggregated)
    joined = join(asking, [Joined(definition, rows, names)], time=EVENT_TIME)
    made = [joined.get_column(definition.column(name)).alias(name) for name in names]
    return pl.concat([rows, pl.DataFrame(made).lazy()], how="horizontal")


def _has_functions(view: FeatureView) -> bool:
    return bool(view.functions) or (isinstance(view.source, FeatureView) and _has_functions(view.source))
