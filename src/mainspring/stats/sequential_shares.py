"""Intervals of shares, and of their differences, that hold at all looks together.

For rows that are yes or no: failures, clicks, disagreement. The bet against a share p is a mixture of all other
shares by a beta distribution with its mean at p (Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon 2021,
proposition 7): B(a + hits, b + misses)/B(a, b) over p^hits·(1 − p)^misses. It is exact for any number of rows and
any share: no hit in a million rows leaves an interval from 0 to about 5 in a million.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincc, betaln, xlog1py, xlogy

from mainspring.stats.boundary import last_refuted
from mainspring.stats.sequential import Interval, Side, combined, mixture_rows, opposite

Floats = NDArray[np.float64]


def share_sequence(hits: float, rows: float, *, alpha: float, tuned_to: int, side: Side = "both") -> Interval:
    """The interval of a share, by all rows so far.

    Args:
        hits, rows: need not be whole, where rows that hang together count for less than one each.
        alpha, tuned_to, side: as of `sequential.mean_sequence`.

    Returns:
        Low and high within 0 … 1; 0 and 1 where there are no rows.

    Raises:
        ValueError: more hits than rows, or negative ones.

    Examples:
        >>> [round(bound, 4) for bound in share_sequence(0, 1_000, alpha=0.05, tuned_to=500)]
        [0.0, 0.005]
        >>> [round(bound, 3) for bound in share_sequence(500, 1_000, alpha=0.05, tuned_to=500)]
        [0.451, 0.549]
    """
    if not 0 <= hits <= rows:
        raise ValueError(f"{hits} of {rows} rows is no share")
    if rows == 0:
        return 0.0, 1.0
    low = 0.0 if side == "high" or hits == 0 else _bound(hits, rows, alpha, tuned_to, side, towards=0.0)
    high = 1.0 if side == "low" or hits == rows else _bound(hits, rows, alpha, tuned_to, side, towards=1.0)
    return low, high


def share_difference_sequence(
    first: tuple[float, float],
    second: tuple[float, float],
    *,
    alpha: float,
    tuned_to: int,
    side: Side = "both",
) -> Interval:
    """The interval of `first`'s share less `second`'s, two independent groups.

    From the intervals of the two by the root of squares, as Newcombe 1998 (method 10) does for one look: never
    outside −1 … 1, and never of no width.

    Args:
        first, second: hits and rows.

    Examples:
        >>> found = share_difference_sequence((60, 1_000), (20_000, 500_000), alpha=0.05, tuned_to=500)
        >>> [round(bound, 3) for bound in found]
        [-0.001, 0.046]
    """
    one, other = (
        (hits / rows if rows else 0.5, share_sequence(hits, rows, alpha=alpha, tuned_to=tuned_to, side=end))
        for (hits, rows), end in ((first, side), (second, opposite(side)))
    )
    low, high = combined(one, other, side)
    return max(low, -1.0), min(high, 1.0)


def log_fortune(
    hits: Floats, rows: Floats, share: Floats, *, alpha: float, tuned_to: float, side: Side = "both"
) -> Floats:
    """The logarithm of what a bet of 1 against this share has come to: [n].

    Args:
        share: over 0 and under 1.
        side: `low` bets on a greater share only, `high` on a smaller one.
    """
    kept = mixture_rows(alpha, tuned_to)
    a, b = kept * share, kept * (1 - share)
    mixed = betaln(a + hits, b + rows - hits) - betaln(a, b)
    found: Floats = mixed - xlogy(hits, share) - xlog1py(rows - hits, -share)
    if side != "both":
        of = betaincc if side == "low" else betainc
        with np.errstate(divide="ignore"):  # the logarithm of nothing: all of the mixture is on the other side
            found = found + np.log(of(a + hits, b + rows - hits, share)) - np.log(of(a, b, share))
    return found


def _bound(hits: float, rows: float, alpha: float, tuned_to: int, side: Side, *, towards: float) -> float:
    """Where the bet begins to be won, on the way from the share seen to an end."""
    bar = math.log(1 / alpha)
    at = np.array([float(hits)]), np.array([float(rows)])

    def is_refuted(tried: Floats) -> NDArray[np.bool_]:
        return log_fortune(*at, tried, alpha=alpha, tuned_to=tuned_to, side=side) >= bar

    return last_refuted(is_refuted, towards, hits / rows)
