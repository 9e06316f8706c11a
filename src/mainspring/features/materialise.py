"""Brings what the online store holds of a view up to a moment.

The vectors are computed from the offline rows, whatever the store holds: which entities are looked at follows from
the rows that came, and which of them are written from what the store has. So nothing depends on how often, in
which order and how far it was done before, and whoever is killed is followed by one that goes on.

The mark in the store says what is in it. Before the first write it is told which rows are gone by from now on, so
that entities that a killed materialisation left there, and that are in no row any more, are found and removed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import msgspec
import polars as pl

from mainspring.domain.ports_features import EntityKey, OnlineStore, Vector
from mainspring.features.assembling import Assembler
from mainspring.features.definition import EVENT_TIME, Definition
from mainspring.features.freshness import Mark, Rows, encode_mark
from mainspring.features.newest import keys_of, known_in_memory, known_rows

ROWS_AT_ONCE = 1_000_000
"""In memory; of more the entities are taken in parts."""
_KEYS_AT_ONCE = 5_000  # that the store is asked for
_PART = "__part"


@dataclass(frozen=True, slots=True)
class Materialisation:
    """What was done.

    Attributes:
        mark: what is in the store now.
        read: rows that were looked at.
        written: entities whose features had changed.
        removed: entities that are no more.
    """

    mark: Mark
    read: int
    written: int
    removed: int


@dataclass(frozen=True, slots=True)
class Change:
    """What may have changed since the store's mark.

    Attributes:
        touched: the keys of the rows that came; `None` where any entity may have changed.
        gone: the keys of rows that were there once and may be no more.
    """

    touched: pl.LazyFrame | None = None
    gone: pl.LazyFrame | None = None


def materialise(
    definition: Definition,
    rows: pl.LazyFrame,
    store: OnlineStore,
    *,
    source: Rows,
    until: int,
    before: Mark | None,
    change: Change,
    fence: int,
    written: Callable[[int], object] = lambda entities: None,  # noqa: ARG005
    rows_at_once: int = ROWS_AT_ONCE,
) -> Materialisation:
    """Bring the view's vectors up to a moment.

    Args:
        rows: of the view, as `features.rows` gives them.
        source: which rows these are.
        until: the moment, in microseconds.
        before: the store's mark.
        change: against what the mark says.
        fence: of the lease that the caller holds.
        written: told by how many more the entities that were written are, now and then.

    Raises:
        WorkspaceBusy: another one has taken the view over.
        StoreError: the store cannot be written; the next one goes on.
    """
    name = definition.id
    known = known_rows(definition, rows, until)
    if change.touched is None and rows.select(pl.len()).collect().item() <= rows_at_once:
        known = known_in_memory(definition, rows, until).lazy()  # all of them are needed: they are read once
    count, newest_event = _extent(known)
    begun = before or Mark()
    if source not in begun.begun:
        begun = msgspec.structs.replace(begun, begun=(*begun.begun, source))
    store.mark(name, encode_mark(begun), fence=fence)

    looked_at = known
    if change.touched is not None:
        looked_at = known.join(change.touched.unique(), on=keys_of(definition), how="semi")
        count = count if count <= rows_at_once else _extent(looked_at)[0]
    assembler = Assembler(definition)
    read = puts = 0
    for part in _parts(definition, looked_at, math.ceil(count / rows_at_once)):
        read += part.height
        for keys, vectors in assembler.vectors(part, until):
            # Of a store without a mark nothing is known, and nothing is in it.
            pairs = zip(keys, vectors, strict=True)
            changed = pairs if before is None else list(_changed(store, assembler, name, pairs, until))
            put = store.write(name, changed, fence=fence)
            puts += put
            written(put)
        del part
    removed = 0
    if change.gone is not None:
        removed = _remove(definition, store, assembler, known, change.gone, fence)
    mark = Mark(until=until, newest_event=newest_event, keys=store.count(name), rows=source)
    store.mark(name, encode_mark(mark), fence=fence)
    return Materialisation(mark, read, puts, removed)


def _extent(rows: pl.LazyFrame) -> tuple[int, int | None]:
    """How many rows there are, and when the newest of them was."""
    count, newest = rows.select(pl.len(), pl.col(EVENT_TIME).max().dt.epoch("us")).collect().row(0)
    return count, newest


def _parts(definition: Definition, rows: pl.LazyFrame, parts: int) -> Iterator[pl.DataFrame]:
    """The rows in so many parts that fit into memory; an entity's are in one."""
    if parts <= 1:
        yield rows.collect()
        return
    part = pl.struct(keys_of(definition)).hash() % parts
    for number in range(parts):
        yield rows.filter(part == number).collect(engine="streaming")


def _changed(
    store: OnlineStore,
    assembler: Assembler,
    view: str,
    pairs: Iterable[tuple[EntityKey, Vector]],
    until: int,
) -> Iterator[tuple[EntityKey, Vector]]:
    """Those that the store does not have, or has otherwise."""
    remaining = iter(pairs)
    while piece := list(islice(remaining, _KEYS_AT_ONCE)):
        (present,) = store.read([(view, [key for key, _ in piece])])
        for (key, vector), old in zip(piece, present, strict=True):
            if old is None or not assembler.says_the_same(old, vector, until):
                yield key, vector


def _remove(
    definition: Definition,
    store: OnlineStore,
    assembler: Assembler,
    known: pl.LazyFrame,
    gone: pl.LazyFrame,
    fence: int,
) -> int:
    """Remove the entities that no row names any more; how many the store had."""
    keys = keys_of(definition)
    lost = gone.select(keys).drop_nulls().unique().join(known.select(keys).unique(), on=keys, how="anti").collect()
    removed = 0
    for start in range(0, lost.height, _KEYS_AT_ONCE):
        asked = assembler.encoded_keys(lost.slice(start, _KEYS_AT_ONCE))
        (present,) = store.read([(definition.id, asked)])
        there = [key for key, vector in zip(asked, present, strict=True) if vector is not None]
        store.remove(definition.id, there, fence=fence)
        removed += len(there)
    return removed
