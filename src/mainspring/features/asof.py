"""The rows of a view in time: which of them holds for an entity at a moment.

A row counts at `t` once it has happened and has become known, so from `max(event, created)` on: that is when it
is *visible*. Of the visible rows the newest event holds, of equals the one created last, of equals the later one.
Sort the rows by entity and in that order of precedence, and call a row's place in it its *rank*; then the row
that holds at `t` is the visible one of the highest rank. Where rows come late, walk through them in the order in
which they become visible and note the highest rank so far: what holds at `t` is what was noted at the last row
visible by then. So late rows cost a second sort, and no search among candidates.

Moments are microseconds since the epoch.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Integers: TypeAlias = npt.NDArray[np.int64]
NONE = -1
"""The rank where no row holds, and the entity that has no rows."""

_ALL_BITS = 2**64 - 1


class Timeline:
    """The rows of entities, sorted so that any moment can be asked about.

    Args:
        entity: of each row, from 0 [n]; rows come in their source's order, which settles what times leave open.
        entities: how many entities there are.
        event: when it happened [n].
        created: when it became known [n]; where not given, when it happened.

    Attributes:
        starts: the first rank of each entity, and at the end the number of rows [entities + 1].
        row: the row of each rank [n].
        event: of each rank [n].
        visible: the moments from which rows are visible, ascending for each entity [n].
        rank: of the row that becomes visible there [n]; `None` where rows become visible in order of rank.

    Examples:
        >>> event, created = np.array([10, 20, 5]), np.array([10, 20, 30])
        >>> rows = Timeline(np.zeros(3, np.int64), 1, event, created)
        >>> asked = rows.newest(np.zeros(4, np.int64), np.array([9, 10, 25, 99]))
        >>> [int(rows.row[rank]) if rank != NONE else None for rank in asked]
        [None, 0, 1, 1]
    """

    def __init__(self, entity: Integers, entities: int, event: Integers, created: Integers | None = None) -> None:
        self.row = _order(entity, event, created)
        self.event = event[self.row]
        self.starts = np.zeros(entities + 1, np.int64)
        np.cumsum(np.bincount(entity, minlength=entities), out=self.starts[1:])
        self.visible = self.event
        self.rank: Integers | None = None
        self._highest: Integers | None = None
        if created is not None:
            known = created[self.row]
            if bool((known > self.event).any()):
                np.maximum(known, self.event, out=known)
                self.rank = _moved(entity[self.row], entities, known)
                self.visible = known[self.rank]
                # Entities' ranks follow one another, so the highest so far is of the same entity.
                self._highest = np.maximum.accumulate(self.rank)

    def visible_by(self, entity: Integers, at: Integers) -> Integers:
        """Where the rows that are visible at these moments end: the place after the last one [m].

        Args:
            entity: `NONE` for one that has no rows [m].
            at: [m].
        """
        return last_by(self.visible, self.starts, entity, at)

    def newest(self, entity: Integers, at: Integers) -> Integers:
        """The rank of the row that holds for these entities at these moments, or `NONE` [m]."""
        end = self.visible_by(entity, at)
        found = end > self.starts[entity]
        place = np.where(found, end - 1, 0)
        if self._highest is not None:
            place = self._highest[place] if self._highest.size else place
        return np.where(found & (entity != NONE), place, NONE)


def last_by(ascending: Integers, starts: Integers, entity: Integers, at: Integers) -> Integers:
    """For each question the end of what is not later than `at` in the entity's ascending values [m].

    A binary search in all entities' stretches at once: as many steps as the longest has digits.
    """
    low = starts[entity]
    high = np.where(entity == NONE, low, starts[np.minimum(entity + 1, starts.size - 1)])
    longest = int((high - low).max(initial=0))
    top = ascending.size - 1
    for _ in range(longest.bit_length()):
        middle = (low + high) >> 1
        # A question that is settled (low = high) must stay: the value there is not its own.
        right = (ascending[np.minimum(middle, top)] <= at) & (low < high)
        low = np.where(right, middle + 1, low)
        high = np.where(right, high, middle)
    return low


def _order(entity: Integers, event: Integers, created: Integers | None) -> Integers:
    """The rows by entity, event time, created time and place."""
    if entity.size == 0:
        return np.empty(0, np.int64)
    first, last = int(event.min()), int(event.max())
    time_bits, place_bits = (last - first).bit_length(), (entity.size - 1).bit_length()
    dropped = max(0, int(entity.max()).bit_length() + time_bits + place_bits - 64)
    if dropped > time_bits:
        return np.lexsort((event, entity) if created is None else (created, event, entity))
    # All in one number, which sorts several times faster than what stands for it; times without their last bits.
    # Differences of the least and the greatest time may need all 64 bits, which the unsigned ones have.
    packed = event.view(np.uint64) - np.uint64(first & _ALL_BITS)
    packed >>= np.uint64(dropped)
    packed |= entity.astype(np.uint64) << np.uint64(time_bits - dropped)
    packed <<= np.uint64(place_bits)
    packed |= np.arange(entity.size, dtype=np.uint64)
    packed.sort()
    order = (packed & np.uint64((1 << place_bits) - 1)).astype(np.int64)
    packed >>= np.uint64(place_bits)
    tied = np.zeros(order.size, bool)
    np.equal(packed[1:], packed[:-1], out=tied[1:])
    tied[:-1] |= tied[1:]
    at = np.flatnonzero(tied)  # few: those that the dropped bits or the created time tell apart
    among = order[at]
    exactly = (event[among], packed[at]) if created is None else (created[among], event[among], packed[at])
    order[at] = among[np.lexsort(exactly)]
    return order


def _moved(entity: Integers, entities: int, visible: Integers) -> Integers:
    """The ranks of rows by entity and the moment from which they are visible; of equals the lower rank first.

    Args:
        entity, visible: in order of rank.
    """
    # Mostly few are so late that others overtake them, so only the entities of these are sorted.
    overtaken = (visible[1:] < visible[:-1]) & (entity[1:] == entity[:-1])
    touched = np.zeros(entities, bool)
    touched[entity[1:][overtaken]] = True
    among = np.flatnonzero(touched[entity])
    order = np.arange(entity.size)
    order[among] = among[_order(entity[among], visible[among], None)]
    return order
