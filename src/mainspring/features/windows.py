"""Values made of an entity's events in a window of time, as `domain.aggregation` says, at any moments at all.

An aggregate is a fold of leaves, one an event, which is put together from the folds of dyadic blocks. A sum is
carried as an unevaluated pair of numbers (Knuth's TwoSum: The Art of Computer Programming 2, 4.2.2, theorem B),
whose error is of the order of 2^-104 and does not show after rounding: so it is that of `stairs`, whatever the
order of the events.

Moments are microseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from mainspring.domain.aggregation import AggregateFunction, Aggregation
from mainspring.features.asof import NONE, Integers, Timeline
from mainspring.features.stairs import Window, first_bucket

Leaves: TypeAlias = tuple[npt.NDArray[Any], ...]
Combine: TypeAlias = Callable[[Leaves, Leaves], Leaves]
EARLIEST = -(2**63)


@overload
def window_start(at: int, aggregation: Aggregation) -> int: ...
@overload
def window_start(at: Integers, aggregation: Aggregation) -> Integers: ...
def window_start(at: int | Integers, aggregation: Aggregation) -> int | Integers:
    """The far end of the window at a moment: events later than it count, `floor(at - over, step)`.

    Examples:
        >>> window_start(3_661_000_000, Aggregation("count", over="1h"))
        60000000
        >>> window_start(-1, Aggregation("count", over="1h"))
        -3660000000
    """
    window = Window.of(aggregation)
    if isinstance(at, int):
        return first_bucket(at, window.over, window.step) * window.step
    # The earliest moments there are have nothing before them; no difference may run past the least number.
    late_enough = np.maximum(at, EARLIEST + window.over + window.step)
    return first_bucket(late_enough, window.over, window.step) * window.step


def two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """`a + b` rounded, and what the rounding left out, exactly; numbers or arrays.

    Examples:
        >>> two_sum(1.0, 1e-30)
        (1.0, 1e-30)
    """
    total = a + b
    of_b = total - a
    return total, (a - (total - of_b)) + (b - of_b)


def add(high: Any, low: Any, other_high: Any, other_low: Any) -> tuple[Any, Any]:
    """The sum of two sums, each a rounded number and the rest; numbers or arrays.

    The accurate one of the two customary algorithms (Joldes, Muller and Popescu 2017, algorithm 6): its error
    is relative to the result also where the two have opposite signs.

    Examples:
        >>> add(*two_sum(1e16, 1.0), -1e16, 0.0)
        (1.0, 0.0)
    """
    total, rest = two_sum(high, other_high)
    lows, lows_rest = two_sum(low, other_low)
    rest = rest + lows
    total, rest = _quick(total, rest)
    return _quick(total, rest + lows_rest)


def _quick(a: Any, b: Any) -> tuple[Any, Any]:
    total = a + b
    return total, b - (total - a)


def aggregate(
    aggregation: Aggregation,
    rows: Timeline,
    values: npt.NDArray[Any] | None,
    present: npt.NDArray[np.bool_] | None,
    entity: Integers,
    at: Integers,
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
    """The aggregate for these entities at these moments.

    Args:
        values: the aggregated column by rank: numbers as float64 or int64 (times, booleans and for `distinct`
            codes of any values, too), for `last` nothing; `None` for a count [n].
        present: where there is a value, by rank [n].
        entity, at: [m].

    Returns:
        the values [m] (of `last` the ranks of the rows that have them), and where there is one [m]; `None` where
        everywhere.
    """
    window = _Window(rows, entity, at, window_start(at, aggregation))
    function = AggregateFunction(aggregation.function)
    if function is AggregateFunction.COUNT:
        return window.count(None), None
    assert present is not None
    if function is AggregateFunction.LAST:
        found = window.last(present)
        return found, found != NONE
    assert values is not None
    if function is AggregateFunction.DISTINCT:
        return window.distinct(values, present), None
    if function in (AggregateFunction.MIN, AggregateFunction.MAX):
        (folded,) = window.fold(*_extreme(values, present, least=function is AggregateFunction.MIN))
        return folded, window.count(present) > 0
    total = window.fold(*_total(values, present))[0]
    if function is AggregateFunction.SUM:
        return total, None
    count = window.count(present)
    return np.divide(total, count, out=np.zeros(count.size), where=count > 0), count > 0


def _total(values: npt.NDArray[Any], present: npt.NDArray[np.bool_]) -> tuple[Leaves, Leaves, Combine]:
    """Leaves, identity and combination of a sum."""
    filled = np.where(present, values, 0.0)
    nothing = np.zeros(1)
    return (filled, np.zeros(filled.size)), (nothing, nothing), lambda a, b: add(*a, *b)


def _extreme(
    values: npt.NDArray[Any], present: npt.NDArray[np.bool_], *, least: bool
) -> tuple[Leaves, Leaves, Combine]:
    if values.dtype == np.int64:
        limits = np.iinfo(np.int64)
        nothing: Any = limits.max if least else limits.min
    else:
        nothing = np.inf if least else -np.inf
    better = np.minimum if least else np.maximum
    identity = np.full(1, nothing, values.dtype)
    return (np.where(present, values, identity),), (identity,), lambda a, b: (better(a[0], b[0]),)


class _Window:
    """The events that count for each question.

    In the order in which rows become visible, those that are visible at `at` and became so after the far end
    are a stretch; what became visible before it happened before it, too. Where rows come late, some at the
    beginning of the stretch may have happened before the far end nevertheless: up to the last such one, the
    `ragged` part, rows are looked at one by one, and after it they all count.
    """

    def __init__(self, rows: Timeline, entity: Integers, at: Integers, after: Integers) -> None:
        self._rows = rows
        self._after = after
        self._known = entity != NONE
        self._first_of_entity = rows.starts[entity]
        self.stop = rows.visible_by(entity, at)
        self.start = np.minimum(rows.visible_by(entity, after), self.stop)
        self._happened = rows.event if rows.rank is None else rows.event[rows.rank]
        self.smooth = self.start if rows.rank is None else self._end_of_ragged()

    def fold(self, leaves: Leaves, identity: Leaves, combine: Combine) -> Leaves:
        """The fold of the leaves (by rank) of the events that count [m]."""
        if self._rows.rank is not None:
            leaves = tuple(leaf[self._rows.rank] for leaf in leaves)
        folded = fold_stretches(leaves, identity, combine, self.smooth, self.stop)
        asked, place = np.flatnonzero(self.smooth > self.start), self.start.copy()
        while asked.size:
            counts = asked[self._happened[place[asked]] > self._after[asked]]
            one = tuple(leaf[place[counts]] for leaf in leaves)
            _put(folded, counts, combine(_take(folded, counts), one))
            place[asked] += 1
            asked = asked[place[asked] < self.smooth[asked]]
        return folded

    def count(self, present: npt.NDArray[np.bool_] | None) -> Integers:
        """How many events count, or how many of those that have a value."""
        if present is None and self._rows.rank is None:
            return self.stop - self.start
        ones = np.ones(self._rows.event.size, np.int64) if present is None else present.astype(np.int64)
        (counted,) = self.fold((ones,), (np.zeros(1, np.int64),), lambda a, b: (a[0] + b[0],))
        return np.asarray(counted, np.int64)

    def last(self, present: npt.NDArray[np.bool_]) -> Integers:
        """The highest rank among the events that count and have a value, or `NONE` [m].

        The highest of all that are visible is the newest: if it is too old, all are.
        """
        ranks = np.arange(present.size) if self._rows.rank is None else self._rows.rank
        highest = np.maximum.accumulate(np.where(present[ranks], ranks, NONE)) if ranks.size else ranks
        some = self._known & (self.stop > self._first_of_entity)
        found = np.full(self.stop.size, NONE, np.int64)
        found[some] = highest[self.stop[some] - 1]
        counts = found >= self._first_of_entity
        counts[counts] = self._rows.event[found[counts]] > self._after[counts]
        return np.where(counts, found, NONE)

    def distinct(self, codes: npt.NDArray[Any], present: npt.NDArray[np.bool_]) -> Integers:
        """How many different codes the events that count have [m]."""
        if self._rows.rank is not None:
            codes, present = codes[self._rows.rank], present[self._rows.rank]
        counted = np.zeros(self.stop.size, np.int64)
        for asked in _batches(self.stop - self.start):
            question, place = _spread(self.start[asked], self.stop[asked])
            counts = present[place] & (self._happened[place] > self._after[asked][question])
            pairs = np.lexsort((codes[place[counts]], question[counts]))
            of, code = question[counts][pairs], codes[place[counts]][pairs]
            new = np.ones(of.size, bool)
            new[1:] = (of[1:] != of[:-1]) | (code[1:] != code[:-1])
            counted[asked] = np.bincount(of[new], minlength=asked.size)
        return counted

    def _end_of_ragged(self) -> Integers:
        """After the last event of the stretch that happened before the far end [m]."""
        levels = [self._happened]
        while levels[-1].size > 1:
            level = levels[-1]
            if level.size % 2:
                level = np.append(level, np.iinfo(np.int64).max)
            levels.append(np.minimum(level[::2], level[1::2]))
        end = self.stop.copy()  # the search goes on before this place
        found = np.full(end.size, NONE, np.int64)
        asked = np.flatnonzero(end > self.start)
        height = np.zeros(end.size, np.int64)
        place = end.copy()  # in blocks of the level
        for level_number, level in enumerate(levels):  # up: the nearest block before that has such an event
            odd = asked[place[asked] % 2 == 1]
            hit = odd[level[place[odd] - 1] <= self._after[odd]]
            found[hit], height[hit] = place[hit] - 1, level_number
            asked = asked[found[asked] == NONE]
            place[asked] >>= 1
            # What lies before the stretch does not matter.
            asked = asked[(place[asked] << (level_number + 1)) > self.start[asked]]
        for level_number in range(len(levels) - 1, 0, -1):  # down: its last such event
            inside = np.flatnonzero((found != NONE) & (height == level_number))
            if inside.size:
                below, right = levels[level_number - 1], 2 * found[inside] + 1
                has = right < below.size
                has[has] = below[right[has]] <= self._after[inside][has]
                found[inside] = np.where(has, right, right - 1)
                height[inside] -= 1
        return np.maximum(self.start, found + 1)


def fold_stretches(leaves: Leaves, identity: Leaves, combine: Combine, start: Integers, stop: Integers) -> Leaves:
    """The folds of the leaves from `start` to before `stop`, each of them put together from dyadic blocks [m].

    A level of blocks is made, asked and forgotten: as many levels as the longest stretch has digits.

    Args:
        combine: of two folds one; in any order.

    Examples:
        >>> ones, nothing = (np.ones(9, np.int64),), (np.zeros(1, np.int64),)
        >>> add_up = lambda a, b: (a[0] + b[0],)
        >>> fold_stretches(ones, nothing, add_up, np.array([1, 4, 2]), np.array([9, 4, 3]))[0].tolist()
        [8, 0, 1]
    """
    folded = tuple(np.repeat(one, start.size) for one in identity)
    low, high = start.copy(), stop.copy()
    asked = np.flatnonzero(low < high)
    while asked.size:
        first = asked[low[asked] % 2 == 1]
        _put(folded, first, combine(_take(folded, first), _take(leaves, low[first])))
        low[first] += 1
        last = asked[(high[asked] % 2 == 1) & (high[asked] > low[asked])]
        high[last] -= 1
        _put(folded, last, combine(_take(folded, last), _take(leaves, high[last])))
        low[asked] >>= 1
        high[asked] >>= 1
        asked = asked[low[asked] < high[asked]]
        if asked.size:
            if leaves[0].size % 2:
                leaves = tuple(np.append(leaf, one) for leaf, one in zip(leaves, identity, strict=True))
            leaves = combine(tuple(leaf[::2] for leaf in leaves), tuple(leaf[1::2] for leaf in leaves))
    return folded


def _take(leaves: Leaves, places: Integers) -> Leaves:
    return tuple(leaf[places] for leaf in leaves)


def _put(leaves: Leaves, places: Integers, values: Leaves) -> None:
    for leaf, value in zip(leaves, values, strict=True):
        leaf[places] = value


_AT_ONCE = 2_000_000  # rows that are laid out


def _batches(lengths: Integers) -> list[Integers]:
    """Questions in groups whose rows together are not too many, but for one that has so many alone."""
    asked = np.flatnonzero(lengths)
    if not asked.size:
        return []
    group = (np.cumsum(lengths[asked]) - 1) // _AT_ONCE
    return np.split(asked, np.flatnonzero(np.diff(group)) + 1)


def _spread(start: Integers, stop: Integers) -> tuple[Integers, Integers]:
    """Every place of every stretch: the number of its stretch and the place."""
    lengths = stop - start
    question = np.repeat(np.arange(start.size), lengths)
    before = np.cumsum(lengths) - lengths
    return question, np.arange(question.size) - before[question] + start[question]
