"""Metrics of labelled answers, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mainspring.domain.task import METRICS
from mainspring.domain.verdict import Estimate
from mainspring.monitoring.judgement import CONFIDENCE, Figure
from mainspring.monitoring.performance.labelled import Labelled
from mainspring.release.reference_rows import spread_places
from mainspring.stats.intervals import bootstrap_statistics
from mainspring.training.metrics import Statistic, metric_statistic

_FEWEST, _MOST = 100, 400  # resamples
_DRAWS = 4_000_000  # rows drawn for all resamples together, where that leaves enough of them
_MOST_ROWS = 40_000  # that are resampled


def figures_of(known: Labelled, names: Sequence[str], *, seed: int = 0) -> dict[str, Figure]:
    """Each metric over all rows, with the interval of a bootstrap.

    Of many rows evenly spread ones are resampled, and the interval is narrowed by the root of their share: the
    width of an interval falls so with the rows.
    """
    rows = len(known.truth)
    whole = _statistics(known, names)
    places = spread_places(rows, _MOST_ROWS)
    drawn = known if places.size == rows else known.at(places)
    part = whole if drawn is known else _statistics(drawn, names)
    count = int(np.clip(_DRAWS // max(1, places.size), _FEWEST, _MOST))
    intervals = bootstrap_statistics(part, int(places.size), seed=seed, resamples=count, confidence=CONFIDENCE)
    found = {}
    for name in names:
        value = whole[name](np.ones(rows)) if rows else float("nan")
        middle = value if drawn is known else part[name](np.ones(places.size))
        low, high = (value + (bound - middle) * np.sqrt(places.size / max(1, rows)) for bound in intervals[name])
        found[name] = Figure(known_number(value), known_number(low), known_number(high), rows)
    return found


def gain_statistics(name: str, first: Labelled, second: Labelled) -> tuple[Statistic, Statistic]:
    """By weights how good each of two releases is, the greater the better, on the same rows."""
    sign = METRICS[name].gain(1.0, 0.0)
    one, other = (_statistics(known, [name])[name] for known in (first, second))
    return (lambda weights: sign * one(weights)), (lambda weights: sign * other(weights))


def figure_of(estimate: Estimate | None) -> Figure | None:
    """A sealed metric; `None` where it was not measured."""
    if estimate is None or estimate.value is None:
        return None
    return Figure(estimate.value, estimate.low, estimate.high, estimate.rows)


def known_number(value: float) -> float | None:
    """The number, `None` where it is none or infinite."""
    return float(value) if np.isfinite(value) else None


def _statistics(known: Labelled, names: Sequence[str]) -> dict[str, Statistic]:
    output = known.output
    return {
        name: metric_statistic(
            name,
            known.outputs,
            known.truth,
            task=output.task,
            positive=known.positive,
            threshold=output.threshold,
        )
        for name in names
    }
