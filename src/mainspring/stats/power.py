"""How many rows a test needs, to find an effect with a given chance, and which effect it finds with so many rows.

For two groups, or for several of which each is compared with the first (alpha is then divided by the number of
comparisons, after Bonferroni), and for two ways of looking: once, at the end (`fixed`), or always, by intervals
that hold at all looks together (`stats.sequential`), which needs more rows and may stop at any time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy.special import nctdtr, ndtr, ndtri, stdtrit

from mainspring.stats.sequential import critical_value

_MOST_ROWS = 1e13
_FEW = 500  # degrees of freedom; beyond, SciPy's non-central law is NaN here and there


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """Groups of numbers with this mean and standard deviation."""

    sd: float
    mean: float = 0.0

    def variances(self, effect: float) -> tuple[float, float, float]:
        """Of the first group, of one that differs by the effect, and of both if there is none."""
        del effect
        return self.sd**2, self.sd**2, self.sd**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Groups of rows that are yes or no, with this share of yes in the first."""

    share: float

    def variances(self, effect: float) -> tuple[float, float, float]:
        """As of `Means`; a share that is not between 0 and 1 has none: `ValueError`."""
        other = self.share + effect
        if not (0 < self.share < 1 and 0 < other < 1):
            raise ValueError(f"shares of {self.share:g} and {other:g} are not both between 0 and 1")
        both = (self.share + other) / 2
        return self.share * (1 - self.share), other * (1 - other), both * (1 - both)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a test is to achieve.

    Attributes:
        alpha: the chance to find an effect where there is none, over all comparisons.
        power: the chance to find the effect where it is there, of each comparison.
        shares: of the rows that go to each group, the first of which the others are compared with.
        is_fixed: it is looked at once, at the end.
        tuned_to: of the intervals, as in `stats.sequential`.
    """

    alpha: float = 0.05
    power: float = 0.8
    shares: tuple[float, ...] = (0.5, 0.5)
    is_fixed: bool = True
    tuned_to: int = 1_000

    def __post_init__(self) -> None:
        if not (0 < self.alpha < 1 and 0 < self.power < 1 and self.alpha < self.power):
            raise ValueError(f"an alpha of {self.alpha:g} and a power of {self.power:g} make no test")
        if len(self.shares) < 2 or min(self.shares) <= 0 or sum(self.shares) > 1 + 1e-9:
            raise ValueError(f"shares {list(self.shares)} are not two or more over 0, of 1 at most together")


def power_of(of: Means | Shares, effect: float, rows: float, plan: Plan) -> float:
    """The chance that a test over so many rows in all finds the effect in the smallest of the groups.

    Of means by the non-central t law; of shares by the normal one, with the pooled variance where there is no
    effect (Fleiss, Levin, Paik 2003, section 4.2). Exceeding at the last look counts, not at an earlier one: of
    the sequential test it is a lower bound.

    Examples:
        >>> round(power_of(Shares(share=0.5), 0.25, 100, Plan()), 2)
        0.74
    """
    first, other = rows * plan.shares[0], rows * min(plan.shares[1:])
    if min(first, other) < 2:
        return 0.0
    variance_1, variance_2, pooled = of.variances(effect)
    error = math.sqrt(variance_1 / first + variance_2 / other)
    freedom = first + other - 2 if isinstance(of, Means) else math.inf
    bar = _bar(first, other, freedom, plan)
    if math.isinf(bar):
        return 0.0
    size = abs(effect) / error
    if isinstance(of, Means):
        return 1 - _below(bar, freedom, size) + _below(-bar, freedom, size)
    bar *= math.sqrt(pooled * (1 / first + 1 / other)) / error
    return float(ndtr(size - bar))


def rows_needed(of: Means | Shares, effect: float, plan: Plan) -> float:
    """How many rows in all, to be rounded up by group; infinite where more than 10¹³ would be needed.

    Raises:
        ValueError: no effect, or one that cannot be.

    Examples:
        >>> round(rows_needed(Means(sd=1), 0.5, Plan()) / 2, 2)
        63.77
        >>> round(rows_needed(Shares(share=0.5), 0.25, Plan(power=0.9)) / 2, 2)
        76.71
    """
    if not effect or not math.isfinite(effect):
        raise ValueError(f"an effect of {effect:g} is none to be found")
    return _least(lambda rows: power_of(of, effect, rows, plan) >= plan.power, 4.0, _MOST_ROWS)


def least_effect(of: Means | Shares, rows: float, plan: Plan) -> float:
    """The smallest rise that a test over so many rows in all finds; infinite where there is none.

    Examples:
        >>> round(least_effect(Means(sd=1), 2 * 63.7656, Plan()), 3)
        0.5
    """
    most = 1e6 * of.sd if isinstance(of, Means) else (1 - of.share) * (1 - 1e-9)

    def is_found(effect: float) -> bool:
        return power_of(of, effect, rows, plan) >= plan.power

    return _least(is_found, most * 1e-12, most)


def _below(t: float, freedom: float, shift: float) -> float:
    """The non-central t law; of many degrees of freedom by Abramowitz and Stegun 1964, 26.7.10."""
    if freedom < _FEW and abs(t - shift) < 8:
        found = float(nctdtr(freedom, shift, t))
        if math.isfinite(found):
            return found
    return float(ndtr((t * (1 - 1 / (4 * freedom)) - shift) / math.sqrt(1 + t * t / (2 * freedom))))


def _bar(first: float, other: float, freedom: float, plan: Plan) -> float:
    """How many standard errors off the difference must be."""
    alpha = plan.alpha / (len(plan.shares) - 1)
    if plan.is_fixed:
        return float(stdtrit(freedom, 1 - alpha / 2)) if math.isfinite(freedom) else float(ndtri(1 - alpha / 2))
    together = first * other / (first + other)  # as many rows of one group as would tell its mean as well
    return critical_value(together, min(freedom, _MOST_ROWS), alpha=alpha, tuned_to=plan.tuned_to)


def _least(is_enough: Callable[[float], bool], low: float, high: float) -> float:
    """The least number that is enough, where all greater ones are; infinite where none up to `high` is."""
    if not is_enough(high):
        return math.inf
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high
