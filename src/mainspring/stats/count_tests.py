"""Tests of counts by category: whether two distributions over categories are one.

A p-value is the chance of a difference at least as great where there is none. With many rows it is small for
differences that do not matter: see `distances` for how great one is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, gammaln, xlogy

Floats = NDArray[np.float64]

_LEAST_EXPECTED = 5.0  # below it the chi-squared law does not hold (Cochran 1954)
_LEAST_EXPECTED_FAR_OUT = 1000.0  # nor, in the far tail that rare false alarms need, below this


class Significance(NamedTuple):
    """A test's statistic and its p-value."""

    statistic: float
    p_value: float


def chi_squared_fit(reference: Floats, current: Floats) -> Significance:
    """Pearson's test of fit of the current counts [k] to the reference's shares, taken as known.

    For a reference that is a law or far larger than the current rows; else `chi_squared`.

    Examples:
        >>> round(chi_squared_fit(np.array([50.0, 50.0]), np.array([60.0, 40.0])).p_value, 4)
        0.0455
    """
    expected = reference / reference.sum() * current.sum()
    if (current[expected == 0] > 0).any():
        return Significance(float("inf"), 0.0)
    known = expected > 0
    statistic = float((np.square(current[known] - expected[known]) / expected[known]).sum())
    return Significance(statistic, _tail(statistic, int(known.sum()) - 1))


def chi_squared(first: Floats, second: Floats) -> Significance:
    """Pearson's test of two samples' counts [k], without a continuity correction.

    Examples:
        >>> round(chi_squared(np.array([50.0, 50.0]), np.array([60.0, 40.0])).p_value, 4)
        0.1552
    """
    observed, expected = _table(first, second)
    statistic = float((np.square(observed - expected) / expected).sum())
    return Significance(statistic, _tail(statistic, observed.shape[1] - 1))


def g_test_fit(reference: Floats, current: Floats) -> Significance:
    """The likelihood-ratio test (G-test) of fit of the current counts [k] to the reference's shares.

    Examples:
        >>> round(g_test_fit(np.array([5.0, 5.0, 8.0]), np.array([4.0, 6.0, 8.0])).p_value, 4)
        0.8176
    """
    expected = reference / reference.sum() * current.sum()
    if (current[expected == 0] > 0).any():
        return Significance(float("inf"), 0.0)
    known = expected > 0
    statistic = _not_negative(2 * xlogy(current[known], current[known] / expected[known]).sum())
    return Significance(statistic, _tail(statistic, int(known.sum()) - 1))


def g_test(first: Floats, second: Floats) -> Significance:
    """The likelihood-ratio test (G-test) of two samples' counts [k]."""
    observed, expected = _table(first, second)
    statistic = _not_negative(2 * xlogy(observed, observed / expected).sum())
    return Significance(statistic, _tail(statistic, observed.shape[1] - 1))


def fisher_exact(first: tuple[int, int], second: tuple[int, int]) -> float:
    """The two-sided p-value of Fisher's exact test of a 2 × 2 table: all tables that are no likelier count.

    Examples:
        >>> round(fisher_exact((8, 2), (1, 5)), 6)
        0.034965
    """
    (a, b), (c, d) = first, second
    row, column, total = a + b, a + c, a + b + c + d
    low, high = max(0, column - (total - row)), min(row, column)
    x = np.arange(low, high + 1, dtype=np.float64)
    logs = _log_choose(row, x) + _log_choose(total - row, column - x) - _log_choose(total, np.float64(column))
    seen = logs[a - low]
    return float(min(1.0, np.exp(logs[logs <= seen + 1e-7]).sum()))


def compare_shares(first: int, first_rows: int, second: int, second_rows: int) -> float:
    """The two-sided p-value that `first` of `first_rows` and `second` of `second_rows` are the same share.

    By Pearson's test where at least 1,000 rows are expected in every cell, else by Fisher's: where 24 rows are
    expected, Pearson's gives 49 of them a chance of 1e-7, and they have one of 2e-6.

    Examples:
        >>> compare_shares(0, 1000, 0, 500)
        1.0
        >>> compare_shares(0, 1000, 5, 500) < 0.005
        True
    """
    hits, rows = first + second, first_rows + second_rows
    if not first_rows or not second_rows or hits in (0, rows):
        return 1.0
    least = min(first_rows, second_rows) * min(hits, rows - hits) / rows
    if least < _LEAST_EXPECTED_FAR_OUT:
        return fisher_exact((first, first_rows - first), (second, second_rows - second))
    counts = np.array([[first, first_rows - first], [second, second_rows - second]], dtype=np.float64)
    return chi_squared(counts[0], counts[1]).p_value


def pool_rare(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """The counts with all categories too rare for the chi-squared law put together as the last one.

    Where they are too rare even together, the least frequent of the others goes with them if two are left then.

    Examples:
        >>> [counts.tolist() for counts in pool_rare(np.array([50.0, 3.0, 3.0]), np.array([40.0, 5.0, 4.0]))]
        [[50.0, 6.0], [40.0, 9.0]]
    """
    _, expected = _expected(first, second)
    least = expected.min(axis=0)
    order = np.argsort(least, kind="stable")
    rare = int((least < _LEAST_EXPECTED).sum())
    if not rare or first.size <= 2:
        return first, second
    if rare < first.size - 1 and least[order[:rare]].sum() < _LEAST_EXPECTED:
        rare += 1
    kept = np.sort(order[rare:])
    return (
        np.append(first[kept], first[order[:rare]].sum()),
        np.append(second[kept], second[order[:rare]].sum()),
    )


def _expected(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    observed = np.stack([first, second]).astype(np.float64)
    return observed, observed.sum(axis=1, keepdims=True) * observed.sum(axis=0) / observed.sum()


def _table(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    kept = first + second > 0
    return _expected(first[kept], second[kept])


def _not_negative(statistic: float) -> float:
    return max(float(statistic), 0.0)  # a sum of terms of either sign: rounding may take it below


def _tail(statistic: float, freedom: int) -> float:
    return float(chdtrc(freedom, statistic)) if freedom > 0 else 1.0


def _log_choose(n: int, k: Floats | np.float64) -> Floats:
    found: Floats = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
    return found
