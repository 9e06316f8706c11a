"""A mergeable sketch of a distribution of numbers, which knows how wrong its ranks can be.

Buffers of values, the values of level h standing for 2^h rows each. A level that grows to `capacity` values is
compacted: sorted, and every other value goes up one level (Manku, Rajagopalan, Lindsay 1998; the choice between
the odd and the even ones is the coin of Karnin, Lang, Liberty 2016, here drawn from the seed, and reversed in
every second compaction so that errors cancel).

A compaction of level h moves the rank of any value by at most 2^h: of the values at or below it, an even number
is halved exactly and an odd number is off by half a pair. So the sum of 2^h over all compactions, which the
sketch carries along and which adds up in a merge, is a proven bound on every rank. Rows that come in blocks are
compacted in blocks: the bound is then about n/capacity, and log2(n/capacity) times that where they come singly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class QuantileSketch:
    """The distribution of finite numbers, in a few thousand of them.

    Args:
        capacity: values a level holds before it is compacted; even, at least 2.
        seed: of the choice between odd and even values.

    Examples:
        >>> sketch = QuantileSketch()
        >>> sketch.add(np.arange(100_000.0))
        >>> bool(abs(sketch.quantile(0.5) - 50_000) <= sketch.rank_error)
        True
        >>> sketch.rank_error < 0.003 * sketch.count
        True
    """

    __slots__ = ("_compactions", "_levels", "capacity", "count", "rank_error", "seed")

    def __init__(self, capacity: int = 1024, seed: int = 0) -> None:
        self.capacity = capacity
        self.seed = seed
        self.count = 0
        self.rank_error = 0  # no rank is off by more rows than this
        self._levels: list[Floats] = [np.empty(0)]
        self._compactions: list[int] = [0]

    def add(self, values: Floats, *, ordered: bool = False) -> None:
        """Take in finite values [n].

        Args:
            ordered: they ascend already.
        """
        values = np.asarray(values, dtype=np.float64)
        self.count += int(values.size)
        was_empty = self._levels[0].size == 0
        self._levels[0] = np.concatenate([self._levels[0], values if ordered else np.sort(values)])
        self._compact(ordered=was_empty)

    def merge(self, *others: QuantileSketch) -> None:
        """Take in all that other sketches have seen; the rank errors add up.

        Many at once are compacted once, which is quicker and adds less to the error than one after the other.
        """
        everyone = (self, *others)
        height = max(len(sketch._levels) for sketch in everyone)
        self._levels = [
            np.concatenate([sketch._levels[level] for sketch in everyone if level < len(sketch._levels)])
            for level in range(height)
        ]
        self._compactions = [
            sum(sketch._compactions[level] for sketch in everyone if level < len(sketch._compactions))
            for level in range(height)
        ]
        self.count += sum(sketch.count for sketch in others)
        self.rank_error += sum(sketch.rank_error for sketch in others)
        self._compact()

    def rank(self, values: Floats) -> Floats:
        """The estimated number of rows at or below each of the values [m], off by at most `rank_error`."""
        kept, weights = self.weighted()
        below = np.concatenate([[0.0], np.cumsum(weights)])
        found: Floats = below[np.searchsorted(kept, values, side="right")]
        return found

    def quantile(self, share: float) -> float:
        """The least kept value with at least this share of the rows at or below it; NaN of an empty sketch."""
        kept, weights = self.weighted()
        if kept.size == 0:
            return float("nan")
        place = np.searchsorted(np.cumsum(weights), share * self.count, side="left")
        return float(kept[min(int(place), kept.size - 1)])

    def weighted(self) -> tuple[Floats, Floats]:
        """The kept values [m] in order, and for how many rows each stands; the weights sum to `count`."""
        values = np.concatenate(self._levels)
        weights = np.concatenate([np.full(level.size, 2.0**h) for h, level in enumerate(self._levels)])
        order = np.argsort(values, kind="stable")
        return values[order], weights[order]

    @property
    def levels(self) -> Sequence[Floats]:
        """The kept values by level, in no order; those of level h stand for 2^h rows each."""
        return self._levels

    @property
    def compactions(self) -> Sequence[int]:
        """How often each level was compacted."""
        return self._compactions

    @classmethod
    def of(
        cls,
        levels: Sequence[Floats],
        compactions: Sequence[int],
        *,
        rank_error: int,
        capacity: int = 1024,
        seed: int = 0,
    ) -> QuantileSketch:
        """The sketch of these parts, as its attributes give them."""
        sketch = cls(capacity, seed)
        sketch.count = sum(level.size << h for h, level in enumerate(levels))
        sketch.rank_error = rank_error
        sketch._compactions = list(compactions)
        sketch._levels = list(levels)
        return sketch

    def to_dict(self) -> dict[str, Any]:
        return {
            "capacity": self.capacity,
            "seed": self.seed,
            "count": self.count,
            "rank_error": self.rank_error,
            "compactions": list(self._compactions),
            "levels": [level.tolist() for level in self._levels],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> QuantileSketch:
        return cls.of(
            [np.array(level, dtype=np.float64) for level in data["levels"]],
            [int(number) for number in data["compactions"]],
            rank_error=int(data["rank_error"]),
            capacity=int(data["capacity"]),
            seed=int(data["seed"]),
        )

    def _compact(self, *, ordered: bool = False) -> None:
        level = 0
        while level < len(self._levels):
            if self._levels[level].size >= self.capacity:
                ordered = self._compact_level(level, ordered=ordered)
            else:
                ordered = False
            level += 1

    def _compact_level(self, level: int, *, ordered: bool) -> bool:
        """Move half of a level's values up; says whether they ascend there."""
        values = self._levels[level]
        if not ordered:
            values = np.sort(values, kind="stable")  # which merges the ascending runs that are there
        pairs = values[: values.size // 2 * 2]
        self._levels[level] = values[pairs.size :].copy()  # an odd one stays
        if level + 1 == len(self._levels):
            self._levels.append(np.empty(0))
            self._compactions.append(0)
        done = self._compactions[level]
        coin = int(np.random.default_rng([self.seed, level, done // 2]).integers(2))
        offset = coin if done % 2 == 0 else 1 - coin
        was_empty = self._levels[level + 1].size == 0
        self._levels[level + 1] = np.concatenate([self._levels[level + 1], pairs[offset::2]])
        self._compactions[level] = done + 1
        self.rank_error += 2**level
        return was_empty
