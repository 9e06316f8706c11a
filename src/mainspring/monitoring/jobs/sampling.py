"""Which rows of a job are looked at: all of a small one, of a huge one a uniform sample.

A row is taken where the hash of its number is small enough, so that each has the same chance whatever order or
rhythm the rows have (every second row could be one kind of customer's); which ones they are is the same at every
attempt. How many rows there will be is not known while they go through: a part keeps what may be wanted by those
so far, and at the end what is too much is left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mainspring.stats.distinct import hash_numbers

MOST = 65_536
"""No more rows are sketched: the distance of two distributions is then known to about a hundredth."""


def halvings(rows: int, most: int = MOST) -> int:
    """How often the rows have to be halved before no more than `most` are to be expected.

    Examples:
        >>> halvings(0), halvings(65_536), halvings(65_537), halvings(5_000_000)
        (0, 0, 1, 7)
    """
    return max(0, (max(rows, 1) - 1) // most).bit_length()


def chosen(numbers: NDArray[np.int64], halved: int) -> NDArray[np.bool_]:
    """Which rows of these numbers [n] are among those that are left after so many halvings.

    Examples:
        >>> rows = np.arange(100_000)
        >>> bool(chosen(rows, 0).all()), abs(int(chosen(rows, 2).sum()) - 25_000) < 500
        (True, True)
        >>> bool((chosen(rows, 3) <= chosen(rows, 2)).all())
        True
    """
    if not halved:
        return np.ones(numbers.size, dtype=np.bool_)
    found: NDArray[np.bool_] = hash_numbers(numbers.astype(np.float64)) >> np.uint64(64 - halved) == 0
    return found
