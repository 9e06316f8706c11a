"""How much less many rows tell that hang together, such as all requests of one user, than as many that do not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BUCKETS = 4_096
"""Clusters are put together, by a hash, into so many: the variance between them is then known to a fiftieth."""


class ClusterSums:
    """Sums of rows by the bucket of their cluster; the memory does not grow with the clusters.

    Examples:
        >>> random = np.random.default_rng(0)
        >>> users = random.integers(0, 1_000, size=20_000)
        >>> taste = random.normal(size=1_000)[users]
        >>> together, apart = ClusterSums(), ClusterSums()
        >>> together.add(taste, users)
        >>> apart.add(random.normal(size=20_000), np.arange(20_000))
        >>> together.times() > 15, apart.times() < 1.1
        (True, True)
    """

    __slots__ = ("_rows", "_squares", "_sums")

    def __init__(self) -> None:
        self._rows: Floats = np.zeros(BUCKETS)
        self._sums: Floats = np.zeros(BUCKETS)
        self._squares = 0.0

    def add(self, values: Floats, clusters: NDArray[np.integer]) -> None:
        """Take in rows [n].

        Args:
            clusters: evenly spread numbers, the same for all rows of a cluster; not below zero.
        """
        buckets = (clusters % BUCKETS).astype(np.int64)
        self._rows = self._rows + np.bincount(buckets, minlength=BUCKETS)
        self._sums = self._sums + np.bincount(buckets, weights=values, minlength=BUCKETS)
        self._squares += float(np.square(values).sum())

    def times(self) -> float:
        """How many times as great the variance of the mean is as of rows that do not hang together; at least 1.

        The design effect (Kish 1965) of a ratio of two sums over clusters: a cluster of m rows with the sum S is
        off by S − m·mean.
        """
        rows, used = float(self._rows.sum()), self._rows > 0
        buckets = int(used.sum())
        if buckets < 2:
            return 1.0
        mean = float(self._sums.sum()) / rows
        alone = (self._squares / rows - mean**2) * rows
        between = float(np.square(self._sums - mean * self._rows)[used].sum()) * buckets / (buckets - 1)
        # What rounding leaves of rows that are all alike is no variance
        return max(1.0, between / alone) if alone > 1e-9 * self._squares else 1.0
