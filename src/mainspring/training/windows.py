"""Which of the training rows a window takes, and with which weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.domain.durations import parse_duration
from mainspring.domain.retrain import ALIKE

Moments = NDArray[np.int64]
_MICROSECOND = timedelta(microseconds=1)

FEWEST_OF_HALF = 300
"""Rows of the newest half since a change: of fewer, half has more to learn from than it has to forget."""


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """The windows that are to be tried.

    Attributes:
        windows: as `Retrain.windows` declares them.
        change: the newest change that was detected, in microseconds since the epoch.
        since: from when on rows count for the newest part, on which the windows are compared; all where not given.
    """

    windows: tuple[str, ...]
    change: int | None = None
    since: int | None = None


def window_rule(window: str, when: Moments, change: int | None) -> dict[str, Any] | None:
    """What a declared window means for these rows, as plain data (see `domain.window.TrainingWindow`).

    A time such as `90d` goes back from the newest row.

    Args:
        when: of each row, in microseconds since the epoch; at least one.

    Returns:
        `None` for what is counted from a change where none is known, for the half of what has come since
        where that is too few rows, and for what only an estimator's answers can tell.

    Examples:
        >>> when = np.array([0, 86_400_000_000, 2 * 86_400_000_000])
        >>> window_rule("1d", when, None), window_rule("since_change", when, None)
        ({'kind': 'since', 'start': 86400000000}, None)
    """
    if window == "all":
        return {"kind": "all"}
    if window == "since_change":
        return None if change is None else {"kind": "since", "start": change}
    if window == "half_since_change":
        since = np.sort(when[when >= change]) if change is not None else when[:0]
        half = since[since.size // 2 :]
        return {"kind": "since", "start": int(half[0])} if half.size >= FEWEST_OF_HALF else None
    if window.endswith(" rows"):
        return {"kind": "newest", "rows": int(window.removesuffix(" rows"))}
    if window == ALIKE:
        return None
    if window == "weighted since_change":
        return None if change is None else {"kind": "weighted", "half_life": max(1, int(when.max()) - change)}
    if window.startswith("weighted "):
        return {"kind": "weighted", "half_life": _microseconds(window.removeprefix("weighted "))}
    return {"kind": "since", "start": int(when.max()) - _microseconds(window)}


def rows_of_rule(rule: dict[str, Any], when: Moments) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
    """The places of the rows that a rule takes, in their order, and a weight for each where they are weighted.

    A row's weight halves with each half-life of age before the newest row. The weights' mean is 1, so that an
    estimator's regularisation weighs as much as without them.

    Examples:
        >>> when = np.array([0, 30, 20, 30])
        >>> rows_of_rule({"kind": "newest", "rows": 2}, when)[0].tolist()
        [1, 3]
        >>> rows_of_rule({"kind": "weighted", "half_life": 10}, when)[1].round(3).tolist()
        [0.19, 1.524, 0.762, 1.524]
        >>> rows_of_rule({"kind": "spans", "spans": [[0, 20], [25, None]]}, when)[0].tolist()
        [0, 1, 3]
    """
    everything = np.arange(len(when))
    if rule["kind"] == "since":
        return np.flatnonzero(when >= int(rule["start"])), None
    if rule["kind"] == "newest":
        return np.sort(np.argsort(when, kind="stable")[-int(rule["rows"]) :]), None
    if rule["kind"] == "spans":
        return np.flatnonzero(_within(rule["spans"], when)), None
    if rule["kind"] == "weighted":
        weights = np.exp2((when - when.max()) / float(rule["half_life"]))
        return everything, weights * (len(when) / weights.sum())
    return everything, None


def _within(spans: Sequence[tuple[int, int | None]], when: Moments) -> NDArray[np.bool_]:
    """Which moments are in one of the spans, whose end is no part of them; one without an end goes on."""
    inside = np.zeros(len(when), dtype=np.bool_)
    for first, end in spans:
        inside |= (when >= first) & ((when < end) if end is not None else True)
    return inside


def effective_rows(places: NDArray[np.int64], weights: NDArray[np.float64] | None) -> float:
    """To how many rows of equal weight they amount (Kish, Survey Sampling, 1965, section 11.7).

    Examples:
        >>> effective_rows(np.arange(2), np.array([1.0, 1.0])), effective_rows(np.arange(2), np.array([2.0, 0.0]))
        (2.0, 1.0)
    """
    if weights is None:
        return float(len(places))
    return float(weights.sum() ** 2 / np.square(weights).sum())


def newest_cut(when: Moments, share: float, since: int | None = None) -> int | None:
    """From which moment on the newest share of the rows since a moment are; rows of one moment stay together.

    Returns:
        `None` where that leaves nothing on one side of all rows.

    Examples:
        >>> when = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
        >>> newest_cut(when, 0.2), newest_cut(when, 0.2, since=6), newest_cut(when, 0.2, since=11)
        (9, 10, None)
    """
    counted = np.sort(when if since is None else when[when >= since])
    if not counted.size:
        return None
    wanted = min(max(round(counted.size * (1 - share)), 0), counted.size - 1)
    edges = [counted[wanted], *counted[counted > counted[wanted]][:1]]  # of the tie at the wanted place
    usable = [int(edge) for edge in edges if edge > when.min()]
    return min(usable, key=lambda edge: abs(int(np.searchsorted(counted, edge)) - wanted), default=None)


def _microseconds(duration: str) -> int:
    return parse_duration(duration) // _MICROSECOND
