"""How often each value came, exact while there are few of them, with a proven bound where there are many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Frequencies:
    """The mergeable summary of Misra and Gries (Agarwal et al. 2012, "Mergeable summaries").

    Holds at most `capacity` values. A value's true count is its held count plus at most `error`, and `error` is at
    most count / (capacity + 1); so every value more frequent than that is held. While no more than `capacity`
    different values came, counts are exact and no order of merging matters.

    Examples:
        >>> seen = Frequencies(capacity=2)
        >>> seen.add({"a": 5, "b": 3, "c": 1})
        >>> seen.counts, seen.error, seen.other
        ({'a': 4, 'b': 2}, 1, 3)
    """

    __slots__ = ("capacity", "count", "counts", "error")

    def __init__(self, capacity: int = 1000) -> None:
        self.capacity = capacity
        self.count = 0
        self.counts: dict[str, int] = {}
        self.error = 0

    @classmethod
    def of(cls, counts: dict[str, int], count: int, error: int, capacity: int = 1000) -> Frequencies:
        """The summary of these parts, as its attributes give them."""
        frequencies = cls(capacity)
        frequencies.counts, frequencies.count, frequencies.error = counts, count, error
        return frequencies

    @property
    def other(self) -> int:
        """Rows that are not accounted for by a held value."""
        return self.count - sum(self.counts.values())

    def add(self, counts: Mapping[str, int]) -> None:
        """Take in how often each value came in some rows."""
        self.count += sum(counts.values())
        for value, count in counts.items():
            self.counts[value] = self.counts.get(value, 0) + count
        self._shrink()

    def merge(self, *others: Frequencies) -> None:
        """Take in all that others have seen; the errors add up."""
        for other in others:
            self.error += other.error
            self.count += other.count
            for value, count in other.counts.items():
                self.counts[value] = self.counts.get(value, 0) + count
        self._shrink()

    def to_dict(self) -> dict[str, Any]:
        """The values most frequent first, equal ones in order of the text."""
        ordered = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
        return {"capacity": self.capacity, "count": self.count, "error": self.error, "counts": dict(ordered)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Frequencies:
        counts = {str(value): int(count) for value, count in data["counts"].items()}
        return cls.of(counts, int(data["count"]), int(data["error"]), int(data["capacity"]))

    def _shrink(self) -> None:
        if len(self.counts) <= self.capacity:
            return
        cut = sorted(self.counts.values(), reverse=True)[self.capacity]
        self.counts = {value: count - cut for value, count in self.counts.items() if count > cut}
        self.error += cut
