"""Where, on the way from one number to another, a condition ends."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_AT_ONCE, _ROUNDS = 16, 9  # 16⁹ parts of the way


def last_refuted(is_refuted: Callable[[Floats], NDArray[np.bool_]], start: float, end: float) -> float:
    """The last number, on the way from the start, up to which all are refuted.

    Many are tried at once, since NumPy takes hardly longer for them than for one.

    Args:
        is_refuted: says it of each of many numbers strictly between the two ends.
        start: is refuted, or counts as such.
        end: is not.

    Examples:
        >>> round(last_refuted(lambda tried: tried < 0.3, 0.0, 1.0), 9)
        0.3
    """
    for _ in range(_ROUNDS):
        tried = start + (end - start) * np.arange(1, _AT_ONCE) / _AT_ONCE
        tried = tried[(tried > min(start, end)) & (tried < max(start, end))]
        if not tried.size:
            break
        kept = np.flatnonzero(~is_refuted(tried))
        first = int(kept[0]) if kept.size else tried.size
        end = float(tried[first]) if first < tried.size else end
        start = float(tried[first - 1]) if first else start
    return start
