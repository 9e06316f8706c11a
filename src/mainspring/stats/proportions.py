"""Intervals of shares and of their differences."""

from __future__ import annotations

import math

from scipy.special import ndtri


def wilson_interval(hits: int, rows: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of a share (Wilson 1927): never outside 0 … 1, and right for few rows and for shares near 0.

    Returns:
        Low and high; 0 and 1 where there are no rows.

    Raises:
        ValueError: more hits than rows, or negative ones.

    Examples:
        >>> [round(bound, 4) for bound in wilson_interval(0, 10)]
        [0.0, 0.2775]
    """
    if not 0 <= hits <= rows:
        raise ValueError(f"{hits} of {rows} rows is no share")
    if rows == 0:
        return 0.0, 1.0
    z = float(ndtri(0.5 + confidence / 2))
    share, scale = hits / rows, 1 + z * z / rows
    middle = (share + z * z / (2 * rows)) / scale
    half = z * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows)) / scale
    # At the ends the two terms are equal but for rounding
    return (0.0 if hits == 0 else middle - half), (1.0 if hits == rows else middle + half)


def difference_interval(
    first: tuple[int, int], second: tuple[int, int], confidence: float = 0.95
) -> tuple[float, float]:
    """The interval of `first`'s share less `second`'s, two independent groups (Newcombe 1998, method 10).

    Args:
        first, second: hits and rows.

    Returns:
        Low and high; −1 and 1 where both groups have no rows.

    Examples:
        >>> [round(bound, 4) for bound in difference_interval((56, 70), (48, 80))]
        [0.0524, 0.3339]
    """
    (low_1, high_1), (low_2, high_2) = wilson_interval(*first, confidence), wilson_interval(*second, confidence)
    share_1, share_2 = _share(*first), _share(*second)
    difference = share_1 - share_2
    return (
        max(-1.0, difference - math.hypot(share_1 - low_1, high_2 - share_2)),
        min(1.0, difference + math.hypot(high_1 - share_1, share_2 - low_2)),
    )


def _share(hits: int, rows: int) -> float:
    return hits / rows if rows else 0.5
