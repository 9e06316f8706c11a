"""How many different values came, from the smallest of their hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
_RANGE = 2.0**64


class DistinctCounter:
    """The k smallest hashes (Bar-Yossef et al. 2002, estimator of Beyer et al. 2007).

    Exact while fewer than `capacity` values came; beyond that the standard error is 1/√(capacity − 2), 3.1 % for
    1,024. The sketch is a set: neither order, nor repetition, nor the grouping of merges changes it.

    Examples:
        >>> counter = DistinctCounter()
        >>> counter.add(hash_texts(["a", "b", "a"]))
        >>> counter.estimate
        2
    """

    __slots__ = ("_smallest", "capacity")

    def __init__(self, capacity: int = 1024) -> None:
        self.capacity = capacity
        self._smallest: Hashes = np.empty(0, dtype=np.uint64)

    @property
    def is_exact(self) -> bool:
        return self._smallest.size < self.capacity

    @property
    def estimate(self) -> int:
        if self.is_exact:
            return int(self._smallest.size)
        return round((self.capacity - 1) / ((float(self._smallest[-1]) + 1.0) / _RANGE))

    @property
    def smallest(self) -> Hashes:
        """The hashes that are kept, in ascending order."""
        return self._smallest

    @classmethod
    def of(cls, smallest: Hashes, capacity: int) -> DistinctCounter:
        """The counter that keeps these hashes, different ones in ascending order."""
        counter = cls(capacity)
        counter._smallest = smallest
        return counter

    def add(self, hashes: Hashes, *, different: bool = False) -> None:
        """Take in hashes [n], by `hash_numbers` or `hash_texts`.

        Args:
            different: no two of them are the same, so that most need no sorting.
        """
        if not self.is_exact:
            hashes = hashes[hashes < self._smallest[-1]]
        if different and hashes.size > self.capacity:
            hashes = np.partition(hashes, self.capacity)[: self.capacity]
        self._smallest = _different(np.concatenate([self._smallest, hashes]))[: self.capacity]

    def merge(self, *others: DistinctCounter) -> None:
        """Take in all that others have seen; the least capacity of them all is that of the result."""
        everyone = (self, *others)
        self.capacity = min(counter.capacity for counter in everyone)
        found = np.concatenate([counter._smallest for counter in everyone])
        # Beyond the last of one that is full, nothing can be among the smallest of all.
        last = [c._smallest[self.capacity - 1] for c in everyone if c._smallest.size >= self.capacity]
        if last:
            found = found[found <= min(last)]
        self._smallest = _different(found)[: self.capacity]

    def to_dict(self) -> dict[str, Any]:
        return {"capacity": self.capacity, "smallest": [f"{value:x}" for value in self._smallest.tolist()]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> DistinctCounter:
        return cls.of(
            np.array([int(value, 16) for value in data["smallest"]], dtype=np.uint64), int(data["capacity"])
        )


def _different(hashes: Hashes) -> Hashes:
    """Each hash once, in ascending order. (`np.unique` takes several times as long for different ones.)"""
    ordered = np.sort(hashes)
    first = np.concatenate([np.ones(min(1, ordered.size), np.bool_), ordered[1:] != ordered[:-1]])
    found: Hashes = ordered[first]
    return found


def hash_numbers(values: NDArray[np.float64]) -> Hashes:
    """64-bit hashes of numbers [n] by their bits (splitmix64's finalizer); −0 and 0 are one number."""
    mixed: Hashes = (np.asarray(values, dtype=np.float64) + 0.0).view(np.uint64)
    mixed += np.uint64(0x9E3779B97F4A7C15)
    shifted = mixed >> np.uint64(30)  # in place, since making arrays takes longer than computing
    mixed ^= shifted
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    np.right_shift(mixed, np.uint64(27), out=shifted)
    mixed ^= shifted
    mixed *= np.uint64(0x94D049BB133111EB)
    np.right_shift(mixed, np.uint64(31), out=shifted)
    mixed ^= shifted
    return mixed


def hash_texts(values: Iterable[str]) -> Hashes:
    """64-bit hashes of texts, the same in every process (Python's own differ from one to the next)."""
    digests = b"".join(
        hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).digest() for value in values
    )
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)
