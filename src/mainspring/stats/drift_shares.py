"""Drift of a distribution over categories, given as counts that may be too low by a known number of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.stats.count_tests import chi_squared, compare_shares, g_test, pool_rare
from mainspring.stats.distances import towards
from mainspring.stats.drift_methods import CHI_SQUARED, OF_SHARES, THRESHOLDS
from mainspring.stats.drift_result import DISTRIBUTION, Component
from mainspring.stats.frequencies import Frequencies

Floats = NDArray[np.float64]

_LEAST_HELD = 0.5  # of the rows must have a value that both sketches can tell apart


def category_drift(reference: Frequencies, current: Frequencies, method: str) -> Component:
    """The change of a category's shares; both sides have rows."""
    names = sorted(reference.counts.keys() | current.counts.keys())
    counts = [
        np.array([one.counts.get(name, 0) for name in names], dtype=np.float64) for one in (reference, current)
    ]
    for one, held in zip((reference, current), counts, strict=True):
        if held.sum() < _LEAST_HELD * one.count:
            return _not_said(method, "too many different values to compare their shares")
    errors = reference.error / reference.count, current.error / current.count
    return shares_drift(
        counts[0],
        counts[1],
        method,
        rows=(reference.count, current.count),
        error=sum(errors),
        describe=lambda place: {"value": names[place]},
    )


def shares_drift(
    reference: Floats,
    current: Floats,
    method: str,
    *,
    rows: tuple[float, float],
    error: float,
    describe: Callable[[int], dict[str, Any]],
    p_value: float | None = None,
) -> Component:
    """The change of shares by their counts [k].

    Args:
        rows: the counts' totals, the rows that no count holds among them.
        error: how far the difference of two shares may be off; it is taken off before anything is computed.
        describe: the category of that place in words, for the example.
        p_value: where another test than that of the counts is fitting.
    """
    p, q = reference / rows[0], current / rows[1]
    q_near = towards(p, q, error)
    change = np.abs(q - p)
    example: dict[str, Any] = {}
    if change.size:
        most = int(np.argmax(change))
        example = describe(most) | {"reference": float(p[most]), "current": float(q[most])}
    first, second = pool_rare(*_with_rest(p * rows[0], q_near * rows[1], rows))
    if p_value is None:
        if first.size < 2 <= change.size:
            return _not_said(method, "too few rows for so many different values")
        p_value = _p_value(first, second)
    effect = _excess_w(first, second, rows) if method == CHI_SQUARED else OF_SHARES[method](p, q_near)
    return Component(DISTRIBUTION, method, effect, THRESHOLDS[method], p_value, example=example)


def _with_rest(first: Floats, second: Floats, rows: tuple[float, float]) -> tuple[Floats, Floats]:
    """The counts with the rows that none of them holds as a last one, which never differs by itself."""
    rest = max(rows[0] - first.sum(), 0.0)
    if rest < 0.5:
        return first, second
    return np.append(first, rest), np.append(second, rest / rows[0] * rows[1])


def _p_value(first: Floats, second: Floats) -> float:
    kept = first + second > 0
    if kept.sum() < 2:
        return 1.0
    if kept.sum() > 2:
        # Few rows in a category make Pearson's too small where they are too many, the G-test's where too few
        return max(chi_squared(first, second).p_value, g_test(first, second).p_value)
    (a, b), (c, d) = first[kept].round().astype(int).tolist(), second[kept].round().astype(int).tolist()
    return compare_shares(a, a + b, c, c + d)


def _excess_w(first: Floats, second: Floats, rows: tuple[float, float]) -> float:
    """Cohen's w less what chance alone makes of it: (k − 1)(1/n + 1/m) is the mean of w² where nothing changed."""
    w = OF_SHARES[CHI_SQUARED](first / rows[0], second / rows[1])
    chance = (int((first + second > 0).sum()) - 1) * (1 / rows[0] + 1 / rows[1])
    return float(np.sqrt(max(w * w - chance, 0.0)))


def _not_said(method: str, note: str) -> Component:
    return Component(DISTRIBUTION, method, None, THRESHOLDS[method], None, note)
