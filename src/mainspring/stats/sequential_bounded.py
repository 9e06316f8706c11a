r"""The interval of the mean of rows of a known range that holds at all looks together, proved for any such rows.

Who bets λ on each row that it lies above a mean m has Π(1 + λ(x − m)) of what he had. If the mean is m or less,
that does not grow on average, whatever he bets, and ever reaches 1/alpha with a chance of alpha at most (Ville
1939): so means against which a bet came so far are refuted. It is the bet of Waudby-Smith and Ramdas 2024, in the
form that needs sums of powers alone and not the rows: for z ≥ −s, 0 < s < 1 and an even k,

log(1 + z) ≥ z − z²/2 + … + z^(k−1)/(k−1) − K·z^k,  K = (−log(1 − s) − s − s²/2 − … − s^(k−1)/(k−1))/s^k,

since the rest of the series is z^k·∫t^(k−1)/(1 + zt)dt, of which the factor beside z^k falls with z. (For k = 2
this is inequality 4.11 of Fan, Grama and Liu 2015, the empirical Bernstein bound.) The powers are about m itself,
so that no mean need be known before each row, and the order of the rows does not matter.

Which λ is best depends on the variance, which nobody knows before. So the bet is spread over many, evenly by
their logarithm about the middle and thinner further out: a mixture, and therefore as well proved as each of them.
With few rows of little variance the interval shrinks as 1/n, later as √(log log n/n).
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mainspring.stats.boundary import last_refuted

Floats = NDArray[np.float64]

_GREATEST_BET, _SMALLEST_BET = 0.98, 1e-6
_STEP = 1.25  # of one bet to the next; a bet so far from the best one wins nearly as much
_USUAL_VARIANCE = 0.01  # of differences of losses, in squares of half the range: a wrong guess costs some width
_AHEAD = 4  # as in `sequential`
_LEAST_DISTANCE = 0.5  # of a mean to the end of the range; bets on one that is nearer are no greater
_SMALL = 0.05  # shares below it take the series of K


def least_mean(mean: float, central: Floats, *, alpha: float, tuned_to: int) -> float:
    """The least mean that no bet has refuted, in units of half the range from its middle.

    Args:
        mean: of the rows, in the same units.
        central: [k + 1] sums of the powers 0 … k of their deviations from it, k even.
    """
    if not central[0] or mean <= -1:
        return -1.0
    bar = math.log(1 / alpha)

    def is_refuted(tried: Floats) -> NDArray[np.bool_]:
        fortune = log_fortune(np.array([mean]), central[:, None], tried, alpha=alpha, tuned_to=tuned_to)
        return fortune >= bar

    return last_refuted(is_refuted, -1.0, mean)


def log_fortune(means: Floats, central: Floats, candidate: Floats, *, alpha: float, tuned_to: int) -> Floats:
    """The logarithm of what bets of 1 in all against a mean of `candidate` or less have come to: [n].

    Args:
        means: [n] or [1], as in `least_mean`.
        central: [k + 1, n] or [k + 1, 1].
        candidate: [n] or [1], over −1 and under 1.
    """
    shares, log_weights = _bets(alpha, tuned_to)
    distance = candidate + 1
    bets = shares[:, None] / np.maximum(distance, _LEAST_DISTANCE)
    sums = _about(means - candidate, central)
    last = len(sums) - 1
    fortune = -_rest(bets * distance, last) * bets**last * sums[last]
    for power in range(1, last):
        fortune = fortune - (-bets) ** power / power * sums[power]
    fortune = fortune + log_weights[:, None]
    greatest = fortune.max(axis=0)
    found: Floats = greatest + np.log(np.exp(fortune - greatest).sum(axis=0))
    return found


def _about(shift: Floats, central: Floats) -> list[Floats]:
    """The sums of powers about a point that lies so far below the mean."""
    return [
        sum((math.comb(power, of) * central[of] * shift ** (power - of) for of in range(power + 1)), np.zeros(()))
        for power in range(central.shape[0])
    ]


def _rest(shares: Floats, power: int) -> Floats:
    """K of the text above, for s = shares and k = power."""
    series = sum((shares**more / (power + more) for more in range(12)), np.zeros(()))
    safe = np.maximum(shares, _SMALL)
    exact = (-np.log1p(-safe) - sum(safe**of / of for of in range(1, power))) / safe**power
    found: Floats = np.where(shares < _SMALL, series, exact)
    return found


@cache
def _bets(alpha: float, tuned_to: int) -> tuple[Floats, Floats]:
    """Shares of the greatest bet [b], and the logarithms of their weights, which sum to 1."""
    count = math.ceil(math.log(_GREATEST_BET / _SMALLEST_BET) / math.log(_STEP))
    shares = _GREATEST_BET * _STEP ** -np.arange(count + 1.0)
    expected = _AHEAD * tuned_to * _USUAL_VARIANCE
    best = min(_GREATEST_BET, math.sqrt(2 * (math.log(1 / alpha) + 1.5) / expected))
    weights = 1 / (1 + np.square(np.log(shares / best)))
    return shares, np.log(weights / weights.sum())
