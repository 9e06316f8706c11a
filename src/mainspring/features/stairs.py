"""The rule of windows in one place, and a window's values from a moment on until there are further events.

At time `t` a window takes the events of the steps `(k · step, (k + 1) · step]` with `k ≥ first_bucket(t)`, up to
`t` (`domain.aggregation`). While no event comes, only its far end moves, by whole steps. So all values that it
will have are known at once, one for each step that holds an event: a staircase, which an online store keeps and a
reader only looks up. Nothing is added up when a request comes, and both sides give the same value.
"""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any, Self, overload

import numpy as np
import numpy.typing as npt

from mainspring.domain.aggregation import AggregateFunction, Aggregation
from mainspring.domain.feature_view import Value
from mainspring.features.exact_sums import slices

Integers = npt.NDArray[np.int64]
# The first bucket, each bucket's distance from it (ascending), and the value of the window that begins there.
Stairs = tuple[int, list[int], list[Value]]

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Window:
    """An aggregation as the online side needs it. Times are in microseconds.

    Examples:
        >>> Window.of(Aggregation("sum", "amount", over="1h"))
        Window(function=<AggregateFunction.SUM: 'sum'>, over=3600000000, step=60000000)
    """

    function: AggregateFunction
    over: int
    step: int

    @classmethod
    def of(cls, aggregation: Aggregation) -> Self:
        return cls(
            AggregateFunction(aggregation.function),
            aggregation.length // _MICROSECOND,
            aggregation.step // _MICROSECOND,
        )


@overload
def bucket_of(at: int, step: int) -> int: ...
@overload
def bucket_of(at: Integers, step: int) -> Integers: ...
def bucket_of(at: int | Integers, step: int) -> int | Integers:
    """The step that an event falls into; one at its end belongs to it, one at its beginning does not.

    Examples:
        >>> bucket_of(60, 60), bucket_of(61, 60), bucket_of(0, 60)
        (0, 1, -1)
    """
    return (at - 1) // step


@overload
def first_bucket(now: int, over: int, step: int) -> int: ...
@overload
def first_bucket(now: Integers, over: int, step: int) -> Integers: ...
def first_bucket(now: int | Integers, over: int, step: int) -> int | Integers:
    """The oldest step that counts at `now`: events later than `floor(now - over, step)` do."""
    return (now - over) // step


def empty_value(function: AggregateFunction) -> Value:
    """The value of no events at all."""
    if function in (AggregateFunction.COUNT, AggregateFunction.DISTINCT):
        return 0
    return 0.0 if function is AggregateFunction.SUM else None


def value_at(window: Window, stairs: Stairs | None, now: int) -> Value:
    """The window's value at `now`, which is not before the stairs were made.

    Examples:
        >>> hour = Window(AggregateFunction.COUNT, over=3_600, step=60)
        >>> [value_at(hour, (10, [0, 5], [3, 1]), now) for now in (4_200, 4_259, 4_260, 4_560)]
        [3, 3, 1, 0]
    """
    if stairs is not None:
        base, offsets, values = stairs
        place = bisect_left(offsets, (now - window.over) // window.step - base)
        if place < len(offsets):
            return values[place]
    return empty_value(window.function)


def build_stairs(
    window: Window, starts: Integers, times: Integers, values: npt.NDArray[Any] | None, now: int
) -> list[Stairs | None]:
    """The stairs of many entities at once; `None` for one without an event in the window.

    Args:
        starts: the place of each entity's first event, and at the end the number of all events.
        times: of the events; an entity's are sorted by time, those that are equal by what was created first.
            All count at `now`: none is later, none was created later.
        values: of the events, none of them missing; `None` for `count`, which needs none.
        now: the moment from which on the values are asked for.

    Examples:
        >>> hour = Window(AggregateFunction.SUM, over=3_600, step=60)
        >>> times, amounts = np.array([30, 90, 95, 40]), np.array([1.0, 2.0, 3.0, 9.0])
        >>> build_stairs(hour, np.array([0, 3, 4]), times, amounts, now=100)
        [(0, [0, 1], [6.0, 5.0]), (0, [0], [9.0])]
    """
    entities = starts.size - 1
    buckets = bucket_of(times, window.step)
    owner = np.repeat(np.arange(entities), np.diff(starts))
    ends = starts[1:][owner]
    # A stair begins at the first event of each bucket of an entity.
    begins = np.ones(times.size, np.bool_)
    begins[1:] = (buckets[1:] != buckets[:-1]) | (owner[1:] != owner[:-1])
    begins &= buckets >= first_bucket(now, window.over, window.step)
    firsts = np.flatnonzero(begins)
    found = _suffixes(window.function, firsts, ends[firsts], starts[:-1], values)
    owner, buckets = owner[firsts], buckets[firsts]
    # Of neighbours with the same value the later one says it all.
    needed = np.ones(firsts.size, np.bool_)
    needed[:-1] = (owner[:-1] != owner[1:]) | (found[:-1] != found[1:])
    owner, buckets, found = owner[needed], buckets[needed], found[needed]
    offsets = np.searchsorted(owner, np.arange(entities + 1))
    bases = buckets[np.minimum(offsets[:-1], max(buckets.size - 1, 0))] if buckets.size else offsets[:-1]
    distances, given = (buckets - bases[owner]).tolist(), found.tolist()
    return [
        (base, distances[begin:end], given[begin:end]) if begin < end else None
        for base, begin, end in zip(bases.tolist(), offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    ]


def _suffixes(
    function: AggregateFunction,
    firsts: Integers,
    ends: Integers,
    starts: Integers,
    values: npt.NDArray[Any] | None,
) -> npt.NDArray[Any]:
    """For each of `firsts` the aggregate of the events from there to the end of its entity."""
    if function is AggregateFunction.COUNT:
        return ends - firsts
    assert values is not None
    match function:
        case AggregateFunction.SUM:
            return _sums(values, firsts, ends)
        case AggregateFunction.MEAN:
            return _sums(values, firsts, ends) / (ends - firsts)
        case AggregateFunction.LAST:
            newest: npt.NDArray[Any] = values[ends - 1]
            return newest
        case AggregateFunction.DISTINCT:
            seen: Integers = _cumulative(_is_last_of_its_kind(values, starts).astype(np.int64))
            return seen[ends] - seen[firsts]
        case AggregateFunction.MIN:
            return _running(np.minimum, values, firsts, ends)
        case _:
            return _running(np.maximum, values, firsts, ends)


def _sums(values: npt.NDArray[Any], firsts: Integers, ends: Integers) -> npt.NDArray[np.float64]:
    total = np.zeros(firsts.size)
    for part in reversed(slices(values.astype(np.float64))):
        cumulative = _cumulative(part)
        total += cumulative[ends] - cumulative[firsts]
    return total


def _cumulative(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    found = np.zeros(values.size + 1, values.dtype)
    np.cumsum(values, out=found[1:])
    return found


def _running(extreme: np.ufunc, values: npt.NDArray[Any], firsts: Integers, ends: Integers) -> npt.NDArray[Any]:
    if not firsts.size:
        return values[firsts]
    # Each bucket's own, then from each entity's last bucket backwards, all entities side by side: an entity has
    # as many rounds as it has buckets, which a window bounds.
    joined = ends[:-1] == ends[1:]
    bounds = np.stack([firsts, np.append(np.where(joined, firsts[1:], ends[:-1]), ends[-1])], axis=1)
    found: npt.NDArray[Any] = extreme.reduceat(np.append(values, values[-1:]), bounds.ravel())[::2]
    from_the_end = _place_from_the_end(joined)
    order = np.argsort(from_the_end, kind="stable")
    rounds = np.searchsorted(from_the_end[order], np.arange(1, from_the_end.max() + 2))
    for begin, end in pairwise(rounds):
        places = order[begin:end]
        found[places] = extreme(found[places], found[places + 1])
    return found


def _place_from_the_end(joined: npt.NDArray[np.bool_]) -> Integers:
    """How many of an entity's buckets follow each one; `joined` says whether the next is of the same entity."""
    places = np.arange(joined.size + 1)
    last = np.append(np.where(joined, joined.size + 1, places[:-1]), joined.size)
    found: Integers = np.minimum.accumulate(last[::-1])[::-1] - places
    return found


def _is_last_of_its_kind(values: npt.NDArray[Any], starts: Integers) -> npt.NDArray[np.bool_]:
    """Whether no later event of the same entity has the same value."""
    _, codes = np.unique(values, return_inverse=True)
    owner = np.searchsorted(starts, np.arange(values.size), side="right")
    order = np.lexsort((np.arange(values.size), codes, owner))
    found = np.ones(values.size, np.bool_)
    codes, owner = codes[order], owner[order]
    found[order[:-1]] = (codes[:-1] != codes[1:]) | (owner[:-1] != owner[1:])
    return found
