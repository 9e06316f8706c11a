"""What is in the online store after a materialisation is what the law of time says, however it came there."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mainspring.domain.aggregation import Aggregation
from mainspring.domain.feature_view import FeatureView, Value
from mainspring.domain.ports_features import EntityKey, OnlineStore, Vector
from mainspring.domain.schema import Kind
from mainspring.domain.source import Source
from mainspring.errors import WorkspaceBusy
from mainspring.features.assembling import Assembler
from mainspring.features.definition import CREATED_TIME, EVENT_TIME, ORDER, Definition, define
from mainspring.features.freshness import Mark, Rows, decode_mark
from mainspring.features.materialise import Change, Materialisation, materialise
from mainspring.features.online.memory import MemoryStore

SECOND = 1_000_000
FUNCTIONS = ("count", "sum", "mean", "min", "max", "last", "distinct")
VIEW = FeatureView(
    "spending",
    source=Source("spending.csv"),
    key=["user", "^shop$"],
    time="at",
    columns=["amount", "note"],
    aggregations=[
        Aggregation(function, None if function == "count" else "amount", over="5s", name=function)
        for function in FUNCTIONS
    ],
    ttl="8s",
    defaults={"note": "none"},
)
KINDS = {"user": Kind.INTEGER, "^shop$": Kind.ID, "at": Kind.TIME, "amount": Kind.NUMBER, "note": Kind.TEXT}
DEFINITION = define(VIEW, KINDS, {})
Row = tuple[int | None, str | None, int, int, float | None, str | None]  # keys, event and created second, values


def frame_of(rows: Sequence[Row]) -> pl.LazyFrame:
    """As the view's rows are given out."""
    moment = pl.Datetime("us", "UTC")
    schema = {"user": pl.Int64, "^shop$": pl.String, EVENT_TIME: pl.Int64, CREATED_TIME: pl.Int64}
    frame = pl.DataFrame(list(rows), schema={**schema, "amount": pl.Float64, "note": pl.String}, orient="row")
    times = [(pl.col(name) * SECOND).cast(moment) for name in (EVENT_TIME, CREATED_TIME)]
    return frame.with_columns(*times, pl.int_range(pl.len()).alias(ORDER)).lazy()


def keys_in(rows: Iterable[Row]) -> pl.LazyFrame:
    return pl.LazyFrame([row[:2] for row in rows], schema={"user": pl.Int64, "^shop$": pl.String}, orient="row")


def expected(rows: Sequence[Row], now: int) -> dict[tuple[int, str], list[Value]]:
    """By brute force, from the law alone."""
    found: dict[tuple[int, str], list[Value]] = {}
    known = [(row[2], row[3], place, row) for place, row in enumerate(rows) if max(row[2], row[3]) <= now]
    for user, shop in {(row[0], row[1]) for *_, row in known}:
        if user is None or shop is None:
            continue
        mine = sorted(one for one in known if one[3][:2] == (user, shop))
        newest = mine[-1][3]
        amount, note = (newest[4], newest[5]) if newest[2] >= now - 8 else (None, None)
        # Steps of a second: the far end is `now - 5`, which is not in the window.
        events = [row for *_, row in mine if row[2] > now - 5]
        values = [row[4] for row in events if row[4] is not None]
        windows: list[Value] = [len(events), sum(values, 0.0)]
        windows += [sum(values) / len(values), min(values), max(values), values[-1]] if values else [None] * 4
        found[user, shop] = [amount, "none" if note is None else note, *windows, len(set(values))]
    return found


def answers(store: OnlineStore, rows: Sequence[Row], now: int) -> dict[tuple[int, str], list[Value]]:
    """What a reader gets for every entity that was ever named."""
    assembler = Assembler(DEFINITION)
    named = sorted({(row[0], row[1]) for row in rows if row[0] is not None and row[1] is not None})
    keys = assembler.keys.of_columns([[one[0] for one in named], [one[1] for one in named]])
    (vectors,) = store.read([(DEFINITION.id, [key for key in keys if key is not None])])
    return {
        one: list(assembler.codec.read(vector, now * SECOND)[1])
        for one, vector in zip(named, vectors, strict=True)
        if vector is not None
    }


def filled(
    store: OnlineStore,
    rows: Sequence[Row],
    until: int,
    *,
    source: Rows | None = None,
    change: Change | None = None,
    rows_at_once: int = 1_000,
) -> Materialisation:
    return materialise(
        DEFINITION,
        frame_of(rows),
        store,
        source=source or Rows("s", len(rows)),
        until=until * SECOND,
        before=decode_mark(store.marked(DEFINITION.id)),
        change=change or Change(),
        fence=1,
        rows_at_once=rows_at_once,
    )


class Killed(Exception):
    pass


class Fragile:
    """A store whose user is killed after so many writes."""

    def __init__(self, store: OnlineStore, writes: int) -> None:
        self._store = store
        self._left = writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def write(self, view: str, vectors: Iterable[tuple[EntityKey, Vector]], *, fence: int) -> int:
        for key, vector in vectors:
            if not self._left:
                raise Killed
            self._left -= 1
            self._store.write(view, [(key, vector)], fence=fence)
        return 0


ROWS = st.tuples(
    st.sampled_from([1, 2, 3, None]),
    st.sampled_from(["a", "b", None]),
    st.integers(-3, 30),
    st.integers(0, 6),
    st.sampled_from([None, 0.0, 0.25, 0.5, 2.0, -7.25]),
    st.sampled_from([None, "x", "y"]),
).map(lambda row: (row[0], row[1], row[2], row[2] + row[3], row[4], row[5]))


@settings(max_examples=60, deadline=None)
@given(st.lists(ROWS, max_size=25), st.integers(0, 30), st.integers(0, 12), st.sampled_from([1, 3, 1_000]))
def test_a_store_that_was_empty_gives_what_the_law_says(
    rows: list[Row], until: int, later: int, rows_at_once: int
) -> None:
    store = MemoryStore()
    done = filled(store, rows, until, rows_at_once=rows_at_once)
    assert answers(store, rows, until) == expected(rows, until)
    # Until there are further rows, only time goes on; those that are to come are not there yet.
    then = expected([row for row in rows if max(row[2], row[3]) <= until], until + later)
    assert answers(store, rows, until + later) == then
    assert (done.mark.keys, done.written, done.removed) == (len(then), len(then), 0)


class Materialising(RuleBasedStateMachine):
    """Rows come late, twice and out of order, sources are written anew, and whoever fills the store is killed."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.rows: list[Row] = []
        self.versions: dict[str, list[Row]] = {}  # the rows of each snapshot, to which rows were added
        self.snapshot = self.new_snapshot([])
        self.now = 0
        self.is_done = False

    def new_snapshot(self, rows: list[Row]) -> str:
        name = f"s{len(self.versions)}"
        self.versions[name] = self.rows = rows
        return name

    def change(self, before: Mark | None) -> Change:
        """What a caller knows: rows that were added, or that all may be others."""
        if before is None:
            return Change()
        states = [*([before.rows] if before.rows else []), *before.begun]
        if before.rows is not None and all(state.snapshot == self.snapshot for state in states):
            assert before.until is not None
            due = [row for row in self.rows if before.until < max(row[2], row[3]) * SECOND]
            return Change(touched=keys_in([*self.rows[before.rows.pushed :], *due]))
        return Change(gone=keys_in(row for state in states for row in self.versions[state.snapshot]))

    def materialised(self, store: OnlineStore) -> Materialisation:
        before = decode_mark(store.marked(DEFINITION.id))
        source = Rows(self.snapshot, len(self.rows))
        return filled(store, self.rows, self.now, source=source, change=self.change(before), rows_at_once=4)

    @rule(rows=st.lists(ROWS, min_size=1, max_size=4))
    def rows_come(self, rows: list[Row]) -> None:
        self.rows += rows
        self.is_done = False

    @rule(seconds=st.integers(1, 6))
    def time_goes_on(self, seconds: int) -> None:
        self.now += seconds
        self.is_done = False

    @rule(rows=st.lists(ROWS, max_size=6), keep=st.booleans())
    def the_source_is_written_anew(self, rows: list[Row], keep: bool) -> None:
        self.snapshot = self.new_snapshot([*(self.rows if keep else []), *rows])
        self.is_done = False

    @rule()
    def the_store_is_flushed(self) -> None:
        self.store = MemoryStore()
        self.is_done = False

    @rule(writes=st.integers(0, 5))
    def it_is_killed(self, writes: int) -> None:
        try:
            self.materialised(Fragile(self.store, writes))
        except Killed:
            self.is_done = False
        else:
            self.is_done = True

    @rule()
    def it_is_materialised(self) -> None:
        self.materialised(self.store)
        self.is_done = True
        again = self.materialised(self.store)
        assert (again.written, again.removed) == (0, 0), "only what has changed is written"

    @invariant()
    def the_store_says_what_the_law_says(self) -> None:
        if self.is_done:
            everything = [row for rows in self.versions.values() for row in rows]
            found = expected(self.rows, self.now)
            assert answers(self.store, everything, self.now) == found
            assert self.store.count(DEFINITION.id) == len(found)


TestMaterialising = Materialising.TestCase
TestMaterialising.settings = settings(max_examples=40, stateful_step_count=12, deadline=None)


def row(user: int, event: int, amount: float = 1.0) -> Row:
    return (user, "a", event, event, amount, "x")


def test_only_entities_whose_features_changed_are_written() -> None:
    store = MemoryStore()
    rows = [row(1, 0), row(2, 0)]
    assert filled(store, rows, 1).written == 2
    assert filled(store, [*rows, row(1, 3), row(2, -2)], 4).written == 1


def test_that_time_has_passed_changes_nothing() -> None:
    store = MemoryStore()
    rows = [row(1, 0), row(1, 2), row(1, 3), row(2, 0)]
    filled(store, rows, 3)
    for now in range(4, 20):
        assert filled(store, rows, now).written == 0
    assert filled(store, [*rows, row(1, 3, 2.0)], 19).written == 1


def test_one_that_was_taken_for_dead_writes_no_more() -> None:
    store = MemoryStore()
    filled(store, [row(1, 0)], 1)
    store.mark(DEFINITION.id, store.marked(DEFINITION.id) or b"", fence=2)
    with pytest.raises(WorkspaceBusy):
        filled(store, [row(1, 0), row(2, 0)], 1)
    assert store.count(DEFINITION.id) == 1


def test_the_mark_says_how_far_it_is() -> None:
    store = MemoryStore()
    done = filled(store, [row(1, 5), row(1, -7), row(2, 99)], 50, source=Rows("s", 3))
    assert done.mark == Mark(until=50 * SECOND, newest_event=5 * SECOND, keys=1, rows=Rows("s", 3))
    assert decode_mark(store.marked(DEFINITION.id)) == done.mark


def test_the_rule_of_this_test_and_the_view_are_about_the_same_windows() -> None:
    assert all(feature.aggregation.step == timedelta(seconds=1) for feature in DEFINITION.aggregated)  # type: ignore[union-attr]
    assert isinstance(DEFINITION, Definition)
