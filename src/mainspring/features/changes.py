"""Which entities of a view may have changed since the online store was filled."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from mainspring.domain.feature_view import FeatureView
from mainspring.domain.ports import Records
from mainspring.features.definition import CREATED_TIME, EVENT_TIME, ORDER, Definition
from mainspring.features.freshness import Mark, Rows
from mainspring.features.materialise import Change
from mainspring.features.newest import keys_of
from mainspring.features.rows import Offline, Taken


def change_since(
    records: Records,
    offline: Offline,
    view: FeatureView,
    definition: Definition,
    before: Mark | None,
    taken: Taken,
    *,
    full: bool = False,
) -> Change:
    """What may have changed.

    Where rows were only added, the entities of the new rows, and of those whose time has come meanwhile. Where a
    source was written anew, any; and what only the earlier rows name is gone.

    Args:
        before: the store's mark; `None` where it is empty.
        taken: the rows by which it is to be filled.
        full: look at every entity.
    """
    if before is None:
        return Change()
    states = [*([before.rows] if before.rows is not None else []), *before.begun]
    if not all(_begins(records, state, taken) for state in states):
        return Change(gone=_keys(offline, view, definition, records, states))
    # An aggregate of the view below may become another by a row that comes late, also where it was before.
    if full or before.rows is None or before.until is None or _takes_aggregates(view):
        return Change()
    if any(_pictures_changed(offline, view, state, taken) for state in states):
        return Change()
    had, have = _length(records, before.rows.snapshot), _length(records, taken.snapshot)
    # Those of the snapshot come first, then those that were pushed.
    order = pl.col(ORDER)
    added = order.is_between(had, have, closed="left") | (order >= have + before.rows.pushed)
    until = pl.lit(before.until, pl.Int64).cast(pl.Datetime("us", "UTC"))
    due = pl.max_horizontal(EVENT_TIME, CREATED_TIME) > until
    rows = offline.rows(view, taken).filter(added | due)
    return Change(touched=rows.select(keys_of(definition)).drop_nulls())


def _begins(records: Records, earlier: Rows, taken: Taken) -> bool:
    """Whether the earlier rows are the first ones of these."""
    if earlier.pushed > taken.pushed:
        return False
    if earlier.snapshot == taken.snapshot:
        return True
    one, other = records.snapshot(earlier.snapshot), records.snapshot(taken.snapshot)
    return one is not None and other is not None and one.table == other.table and one.version <= other.version


def _pictures_changed(offline: Offline, view: FeatureView, state: Rows, taken: Taken) -> bool:
    """Whether pictures of rows that were there have become others."""
    if state.pictures == taken.pictures:
        return False
    return state.pictures != offline.pictures(view, Taken(state.snapshot, state.pushed))


def _length(records: Records, snapshot: str) -> int:
    found = records.snapshot(snapshot)
    assert found is not None, "it was looked up before"
    return found.rows


def _takes_aggregates(view: FeatureView) -> bool:
    below = view.source
    return isinstance(below, FeatureView) and (bool(below.aggregations) or _takes_aggregates(below))


def _keys(
    offline: Offline, view: FeatureView, definition: Definition, records: Records, states: Sequence[Rows]
) -> pl.LazyFrame | None:
    """The entities that earlier rows name; those of a snapshot that is no more cannot be told."""
    known = [state for state in states if records.snapshot(state.snapshot) is not None]
    frames = [
        offline.rows(view, Taken(state.snapshot, state.pushed)).select(keys_of(definition)) for state in known
    ]
    return pl.concat(frames) if frames else None
