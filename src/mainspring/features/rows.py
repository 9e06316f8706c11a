"""The rows of feature views: those of a source's snapshot, then those pushed, with what functions make of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs

from mainspring.clock import SYSTEM_CLOCK, Clock
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
from mainspring.features.pictures_seen import digest_of, pictures_seen
from mainspring.features.promises import of_pushed_rows, of_source, raise_errors
from mainspring.features.push import APPLICATION, pushed_table
from mainspring.features.results import Results, sweep
from mainspring.features.sequences import RowSequence, of_pushed, of_snapshot
from mainspring.features.view_schema import view_schema


@dataclass(frozen=True, slots=True)
class Taken:
    """Which rows of a view are read: the same ones give the same rows for ever.

    Attributes:
        snapshot: of the source at the bottom of the view.
        pushed: how many of the rows that were pushed to it.
        pictures: in which state the pictures are that these rows name, of the source's and of those pushed; empty
            where functions see none.
    """

    snapshot: str
    pushed: int = 0
    pictures: str = ""

    def to_dict(self) -> dict[str, str | None]:
        pictures = {"pictures": self.pictures} if self.pictures else {}
        return {"snapshot": self.snapshot, "pushed": str(self.pushed), **pictures}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Taken:
        return cls(str(told["snapshot"]), int(told.get("pushed") or 0), str(told.get("pictures") or ""))


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
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._clock = clock
        self._snapshots = snapshots
        self._tables = tables
        self._root = root
        self._environ = environ
        self._like = like
        self._schemas: dict[str, Schema] = {}
        # By view the pushed rows that were looked at, with what was odd about them.
        self._held: dict[str, tuple[Taken, tuple[Finding, ...]]] = {}
        self.findings: list[Finding] = []
        """What was seen while functions ran, and what promises are broken that are no errors."""

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
        return self.take_pushed(view, taken.id)

    def take_pushed(self, view: FeatureView, snapshot: str) -> Taken:
        """The rows of that snapshot, and what was pushed so far."""
        taken = Taken(snapshot, self._tables.offset(pushed_table(view.base.name), APPLICATION))
        return replace(taken, pictures=self.pictures(view, taken))

    def pictures(self, view: FeatureView, taken: Taken) -> str:
        """In which state the pictures are now that these rows name; empty where functions see none."""
        base = view.base
        if not base.functions or not any(column.kind is Kind.IMAGE for column in self.schema(base)):
            return ""
        return "-".join(digest_of(pictures_seen(sequence)) for sequence in self._sequences(base, taken))

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
        for place, sequence in enumerate(self._sequences(view, taken)):
            given = self._given(view, sequence, _state(taken, place))
            # Both have the rows in the same order.
            whole = pl.concat([sequence.rows, *given], how="horizontal") if given else sequence.rows
            parts.append(whole.select(_selected(view, definition)))
        return pl.concat(parts) if len(parts) > 1 else parts[0]

    def check(self, view: FeatureView, taken: Taken | None = None) -> None:
        """Hold what the schema promises and the view's checks against all of its rows, those of the views under it
        first.

        Checks see what functions see, and what these gave.

        Raises:
            ValidationFailed: a row is wrong.
            FeatureError: a check or a function failed.
        """
        taken = taken or self.take(view)
        if isinstance(view.source, FeatureView):
            self.check(view.source, taken)
        else:
            self.hold(view, taken)
        if not view.checks:
            return
        for place, sequence in enumerate(self._sequences(view, taken)):
            results = self._given(view, sequence, _state(taken, place))
            for check in view.checks.values():
                check_rows(view.name, check, sequence.pieces(results))

    def hold(self, view: FeatureView, taken: Taken) -> None:
        """Hold what `schemas/VIEW.toml` promises against the rows of the source at the bottom of a view, and those
        that were pushed.

        Raises:
            ValidationFailed: a promise is broken, and it is an error where it is.
        """
        base, schema, now = view.base, self.schema(view), self._clock.now()
        snapshot = self._snapshots.find(taken.snapshot)
        source, *pushed = self._sequences(base, taken)
        found = of_source(self._tables, base.name, snapshot, source.rows, schema, now)
        before, known = self._held.get(base.name, (Taken(""), ()))
        if before.snapshot != taken.snapshot or before.pushed > taken.pushed:
            before, known = Taken(taken.snapshot), ()
        told = {(one.code, one.column) for one in known}
        for sequence in pushed if taken.pushed > before.pushed else ():
            new = sequence.rows.filter(pl.col(ORDER) >= snapshot.rows + before.pushed)
            seen = of_pushed_rows(base.name, new, schema, now, snapshot.rows)
            raise_errors(base.name, [*found, *seen])
            known = (*known, *(one for one in seen if (one.code, one.column) not in told))
        raise_errors(base.name, found)
        self._held[base.name] = taken, known
        self._note([*found, *known])

    def told(self) -> list[Finding]:
        """The findings since this was last asked."""
        found, self.findings = self.findings, []
        return found

    def _define(self, view: FeatureView, taken: Taken | None) -> Definition:
        results: dict[str, Kind] = {}
        if view.functions:
            assert taken is not None
            sequence = self._sequences(view, taken)[0]
            for function in view.functions:
                first = Results(self._tables, view.name, function, sequence, _state(taken, 0))
                results |= first.kinds()
                self._note(first.findings)
        numerals = {column.name for column in self.schema(view) if column.numerals}
        return define(view, self._kinds(view, taken), results, numerals)

    def _given(self, view: FeatureView, sequence: RowSequence, pictures: str) -> list[pl.LazyFrame]:
        """What the view's functions give for these rows."""
        frames = []
        for function in view.functions:
            results = Results(self._tables, view.name, function, sequence, pictures)
            frames.append(results.frame())
            self._note(results.findings)
        return frames

    def _note(self, found: Iterable[Finding]) -> None:
        """Each once, however often it is seen."""
        self.findings += [one for one in found if one not in self.findings]

    def sweep(self, view: FeatureView) -> None:
        """Remove what was kept of the view's rows and nobody needs any more; it can be made again."""
        sweep(self._tables, view.name)

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
            found.append(of_pushed(self._tables, view.base.name, taken.pushed, snapshot.rows, schema, self._root))
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


def _state(taken: Taken, place: int) -> str:
    """Of the pictures that a sequence of the rows names."""
    states = taken.pictures.split("-")
    return states[place] if place < len(states) else ""


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
