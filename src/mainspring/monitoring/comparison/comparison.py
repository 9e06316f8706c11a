"""Any two tables, compared column by column; no model is needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from mainspring.domain.measurement import Measurement, State, Window
from mainspring.domain.monitor import MonitorKind
from mainspring.domain.schema import Column, Kind
from mainspring.domain.source import Source
from mainspring.errors import UsageError
from mainspring.monitoring.comparison.table_profile import (
    TableColumns,
    TableProfile,
    agreed,
    profile_table,
    table_columns,
)
from mainspring.monitoring.drift.judging import Judged, judged
from mainspring.monitoring.drift.words import told, unseen_told
from mainspring.stats.drift import compare
from mainspring.stats.drift_result import UNSEEN, Drift
from mainspring.stats.profile import ColumnProfile

MONITOR = "compare"
FALSE_FINDINGS = 0.01
"""The chance of any finding at all between two samples of the same rows."""

_UNREADABLE = 0.001  # a share of the rows that is no slip any more
_ORDER = (State.BAD, State.UNKNOWN, State.FINE)


@dataclass(frozen=True, slots=True)
class ColumnComparison:
    """One column of two tables.

    Attributes:
        kinds: in the first and in the second table; `None` where it is not there.
        note: what changed, or why it could not be said, or what else there is to know; else empty.
        judged: the worst of what was compared; `None` where the two cannot be.
        example: what shows it best.
        drift: all that was compared.
        a, b: the sketches, where both were read.
    """

    name: str
    kinds: tuple[Kind | None, Kind | None]
    state: State
    note: str = ""
    judged: Judged | None = None
    example: Mapping[str, Any] = field(default_factory=dict)
    drift: Drift | None = None
    a: ColumnProfile | None = None
    b: ColumnProfile | None = None


@dataclass(frozen=True, slots=True)
class TableComparison:
    """Two tables.

    Attributes:
        names: of the tables, as the user knows them.
        rows: how many each has.
        columns: those that changed first, the greatest change before all.
    """

    names: tuple[str, str]
    rows: tuple[int, int]
    columns: tuple[ColumnComparison, ...]

    @property
    def changed(self) -> tuple[ColumnComparison, ...]:
        """The findings."""
        return tuple(column for column in self.columns if column.state is State.BAD)

    @property
    def state(self) -> State:
        """Bad with any finding; unknown where nothing could be said."""
        states = {column.state for column in self.columns}
        return next((one for one in (State.BAD, State.FINE, State.UNKNOWN) if one in states), State.UNKNOWN)

    @property
    def headline(self) -> str:
        """One sentence."""
        a, b = self.names
        if self.state is State.UNKNOWN:
            return f"{b} and {a} could not be compared: {self.columns[0].note if self.columns else 'no columns'}."
        if not self.changed:
            return f"{b} looks like {a}: none of {len(self.columns):,} columns changed."
        worst = self.changed[0]
        return (
            f"{len(self.changed):,} of {len(self.columns):,} columns of {b} differ from {a}; "
            f"first of all {worst.name}: {worst.note.partition('; ')[0]}."
        )

    def measurements(self, at: datetime) -> list[Measurement]:
        """The same in the form of monitors, for the report."""
        window = Window(at, at)
        return [
            Measurement(
                MONITOR,
                MonitorKind.DRIFT,
                column.name,
                window,
                at,
                column.state,
                value=column.judged.component.effect if column.judged else None,
                bar=column.judged.bar if column.judged else None,
                rows=self.rows[1],
                method=column.judged.component.method if column.judged else "",
                p_value=column.judged.p_value if column.judged else None,
                note=column.note,
                example=column.example,
            )
            for column in self.columns
        ]


def compare_tables(
    a: Source,
    b: Source,
    root: Path,
    *,
    columns: Sequence[str] | None = None,
    method: str = "auto",
    at_most: float | None = None,
    environ: Mapping[str, str] | None = None,
) -> TableComparison:
    """Read each table once, a batch at a time, and compare what their columns look like.

    A column that vanished, appeared or changed its kind is a finding; so is one whose distribution, missing share,
    range or categories changed by more than matters, and by more than chance does, which makes a finding once in a
    hundred comparisons of samples of the same rows. Times move on and ids differ: of them the missing share alone
    is looked at.

    Args:
        a: what is known, b: what is new.
        root: the folder to which locations are relative.
        columns: only these; all where not given.
        method: a name of `domain.monitor.DRIFT_METHODS` but `classifier`.
        at_most: the greatest effect that does not matter; the method's own default where not given.
        environ: where `$NAME` in a database URL is taken from.

    Raises:
        SourceNotFound, SourceFormatError: a table cannot be read.
        UsageError: a column of `columns` is in neither table.
    """
    first, second = table_columns(a, root, environ), table_columns(b, root, environ)
    wanted = _wanted(first, second, columns)
    read: dict[str, tuple[Column, Column]] = {}
    for name in wanted:
        if name in first.columns and name in second.columns:
            pair = agreed(
                first.columns[name],
                second.columns[name],
                empty_a=name in first.empty,
                empty_b=name in second.empty,
            )
            if pair is not None:
                read[name] = pair
    sketched_a = profile_table(first.source, [pair[0] for pair in read.values()], root, environ)
    sketched_b = profile_table(second.source, [pair[1] for pair in read.values()], root, environ)
    found = [_unlike(name, first, second) for name in wanted if name not in read]
    found += _compared(sketched_a, sketched_b, method, at_most)
    order = {name: place for place, name in enumerate(wanted)}
    found.sort(key=lambda one: (_ORDER.index(one.state), -_excess(one), order[one.name]))
    return TableComparison((first.name, second.name), (sketched_a.rows, sketched_b.rows), tuple(found))


def _wanted(a: TableColumns, b: TableColumns, columns: Sequence[str] | None) -> list[str]:
    known = dict.fromkeys([*a.columns, *b.columns])
    for name in columns or ():
        if name not in known:
            raise UsageError(
                f"neither {a.name} nor {b.name} has a column {name!r}", cure=f"use some of: {', '.join(known)}"
            )
    return list(dict.fromkeys(columns)) if columns is not None else list(known)


def _unlike(name: str, a: TableColumns, b: TableColumns) -> ColumnComparison:
    """A column that is not in both tables, or not of one kind."""
    here, there = a.columns.get(name), b.columns.get(name)
    if there is None:
        note = f"it vanished: {b.name} has no such column"
    elif here is None:
        note = f"it appeared: {a.name} has no such column"
    else:
        note = f"it changed its kind from {here.kind} to {there.kind}"
    kinds = (here.kind if here else None, there.kind if there else None)
    return ColumnComparison(name, kinds, State.BAD, note)


def _compared(
    a: TableProfile,
    b: TableProfile,
    method: str,
    at_most: float | None,
) -> list[ColumnComparison]:
    drifts = {
        name: (now.kind, compare(a.profile.columns[name], now, method=method))
        for name, now in b.profile.columns.items()
    }
    found = []
    for name, components in judged(drifts, FALSE_FINDINGS, at_most).items():
        drift, here, there = drifts[name][1], a.profile.columns[name], b.profile.columns[name]
        bad = sorted((one for one in components if one.state is State.BAD), key=_times_bar, reverse=True)
        worst = bad[0] if bad else components[0]
        state, example = worst.state, worst.component.example
        note = "; ".join(told(one.component, drift, here, there) for one in bad) or worst.component.note
        if drift.unseen and not any(one.component.name == UNSEEN for one in bad):
            note = "; ".join(filter(None, [note, unseen_told(drift.unseen, there.rows)]))
        if (slips := _slips(name, a, b)) is not None:
            state, note, example = State.BAD, slips, {"value": b.examples.get(name)}
        kinds = (here.kind, there.kind)
        found.append(ColumnComparison(name, kinds, state, note, worst, example, drift, here, there))
    return found


def _slips(name: str, a: TableProfile, b: TableProfile) -> str | None:
    """That more values of the second table are not of the column's kind than a slip explains."""
    before, now = a.unreadable.get(name, 0), b.unreadable.get(name, 0)
    if now / max(b.rows, 1) - before / max(a.rows, 1) <= _UNREADABLE:
        return None
    kind = b.profile.columns[name].kind
    return f"{now:,} of {b.rows:,} values are not of the kind {kind}, e.g. {b.examples[name]!r}"


def _excess(column: ColumnComparison) -> float:
    """How far beyond its bar it is; what has no effect to speak of (vanished) is before all."""
    return math.inf if column.judged is None else _times_bar(column.judged)


def _times_bar(one: Judged) -> float:
    return (one.component.effect or 0.0) / one.bar if one.bar else 0.0
