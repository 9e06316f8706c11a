"""Many tests, looked at again and again: what is left of a p-value, and when it is believed.

Two things make false alarms. Many features: among 50 of them the smallest p-value is below 0.02 in two looks of
three where nothing changed; `holm` and `benjamini_hochberg` correct for it. Many looks: whoever looks every hour
looks 8,760 times a year; `alpha_per_look` turns the false alerts that a person bears in a year into the bar of
one look. Windows that overlap are not independent, which makes false alarms rarer than the bound, never more
frequent (Boole's inequality needs no independence).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FALSE_ALERTS_PER_YEAR = 0.2  # of one monitor, where nothing changed


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Corrected so that the chance of any false finding is below the bar (Holm 1979), under any dependence.

    Args:
        p_values: `None` where there was not enough to say; it stays, and is not counted.

    Examples:
        >>> holm([0.01, None, 0.04, 0.03])
        [0.03, None, 0.06, 0.06]
    """
    return _corrected(p_values, _holm)


def benjamini_hochberg(p_values: Sequence[float | None]) -> list[float | None]:
    """Corrected so that the expected share of false ones among the findings is below the bar (1995).

    Examples:
        >>> benjamini_hochberg([0.01, None, 0.04, 0.03])
        [0.03, None, 0.04, 0.04]
    """
    return _corrected(p_values, _benjamini_hochberg)


def alpha_per_look(false_alerts_per_year: float, looks_per_year: float, features: int = 1) -> float:
    """The bar for a p-value at one look.

    Args:
        false_alerts_per_year: how many are borne, of all the features together.
        looks_per_year: 8,760 for every hour.
        features: 1 where the p-values are corrected for the number of features already, as by `holm`; else how
            many features are looked at.

    Raises:
        ValueError: one of them is not positive.

    Examples:
        >>> alpha_per_look(0.2, 8_000), alpha_per_look(0.2, 8_000, features=50)
        (2.5e-05, 5e-07)
    """
    if not (false_alerts_per_year > 0 and looks_per_year > 0 and features > 0):
        raise ValueError("the false alerts, the looks and the features must be positive")
    return min(1.0, false_alerts_per_year / looks_per_year / features)


def is_drift(effect: float | None, threshold: float, p_value: float | None, alpha: float) -> bool:
    """Whether a difference is there (p below the bar) and matters (the effect above its threshold).

    Either alone misleads: with a million rows every feature differs a little, and with fifty rows the effect of
    chance is great. What could not be said is no drift.

    Examples:
        >>> is_drift(0.2, 0.05, 1e-9, 1e-6), is_drift(0.01, 0.05, 1e-9, 1e-6), is_drift(None, 0.05, None, 1e-6)
        (True, False, False)
    """
    return effect is not None and p_value is not None and p_value < alpha and effect > threshold


def _corrected(p_values: Sequence[float | None], correct: Callable[[Floats], Floats]) -> list[float | None]:
    known = [place for place, p in enumerate(p_values) if p is not None]
    result: list[float | None] = [None] * len(p_values)
    given = np.array([p for p in p_values if p is not None], dtype=np.float64)
    order = np.argsort(given, kind="stable")
    for place, p in zip(order, correct(given[order]), strict=True):
        result[known[place]] = float(p)
    return result


def _holm(ascending: Floats) -> Floats:
    steps = np.arange(ascending.size, 0, -1)
    found: Floats = np.minimum(np.maximum.accumulate(ascending * steps), 1.0)
    return found


def _benjamini_hochberg(ascending: Floats) -> Floats:
    steps = ascending.size / np.arange(1, ascending.size + 1)
    found: Floats = np.minimum(np.minimum.accumulate((ascending * steps)[::-1])[::-1], 1.0)
    return found
