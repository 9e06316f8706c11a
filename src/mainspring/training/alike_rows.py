"""Rows of before a change that are like those since: what comes round again has been learnt from before.

The earlier rows are cut into batches, and those are taken about which a model of the newer rows alone is no more
wrong than about newer rows that it has not seen, within one standard error: the batch selection of Klinkenberg
(Learning drifting concepts: example selection vs. example weighting, Intelligent Data Analysis 8(3), 2004).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mainspring.domain.retrain import ALIKE
from mainspring.training.dataset import TrainingData
from mainspring.training.fitted_rows import FittedRows
from mainspring.training.metrics import Floats, squared_errors
from mainspring.training.window_choice import WindowChoices, WindowFit, unfit
from mainspring.training.windows import Moments, rows_of_rule

SINCE = ("since_change", "half_since_change")
"""Windows whose like is looked for."""

BATCH = 500  # rows that are asked about, of each batch
_MOST = 100  # batches; of a longer past each has more rows than are asked about


@dataclass(frozen=True, slots=True)
class Batches:
    """What came before a moment, in parts of as many rows; rows of one moment stay together.

    Attributes:
        end: the moment, in microseconds since the epoch.
        spans: of each its first moment and the one before which it ends, the newest first.
        asked: the places of the training rows that are asked about, batch after batch.
        sizes: how many of these are of each batch.
    """

    end: int
    spans: tuple[tuple[int, int], ...]
    asked: NDArray[np.int64]
    sizes: tuple[int, ...]

    def of_each(self, values: Floats) -> list[Floats]:
        """What belongs to each batch, of one value for each row that is asked about."""
        ends = np.cumsum(self.sizes, dtype=np.int64)
        return [values[end - size : end] for size, end in zip(self.sizes, ends, strict=True)]


def batches_before(end: int, when: Moments) -> Batches:
    """Cut the training rows that came before a moment, by their times; the oldest, which fill no batch, are left.

    Examples:
        >>> found = batches_before(1_400, np.arange(2_000))
        >>> found.spans, found.sizes
        (((900, 1400), (400, 900)), (500, 500))
    """
    earlier = np.sort(when[when < end])
    size = max(BATCH, -(-earlier.size // _MOST))
    firsts = dict.fromkeys(int(moment) for moment in earlier[::-1][size - 1 :: size])
    spans = tuple((first, last) for last, first in pairwise([end, *firsts]))
    asked = [_evenly(np.flatnonzero((when >= first) & (when < last))) for first, last in spans]
    return Batches(end, spans, np.concatenate([np.arange(0), *asked]), tuple(len(places) for places in asked))


def extended(
    choices: WindowChoices,
    newer: Mapping[str, Floats],
    earlier: Mapping[str, tuple[Batches, Floats]],
    data: TrainingData,
) -> WindowChoices:
    """The choices, with the better window since the change and what is like it as one more.

    Args:
        newer: window → its estimator's answers on the newer rows, [n, k].
        earlier: window since the change → what came before it, and its estimator's answers on what is asked of
            that, [m, k].

    Returns:
        The choices with a note where there is nothing to add.
    """
    errors = {window: squared_errors(newer[window], data.training_target[choices.newer]) for window in earlier}
    sane = [fit for fit in choices.fits if fit.window in earlier and np.isfinite(errors[fit.window]).all()]
    if not sane:
        return choices.noted(ALIKE, "no window since the change can be tried")
    base = min(sane, key=lambda fit: float(errors[fit.window].mean()))
    batches, answers = earlier[base.window]
    found = squared_errors(answers, data.training_target[batches.asked])
    spans = [
        span
        for span, own in zip(batches.spans, batches.of_each(found), strict=True)
        if _is_no_worse(own, errors[base.window])
    ]
    if not spans:
        return choices.noted(ALIKE, f"nothing that came before is like {base.window}")
    when = data.training_when
    assert when is not None, "windows need the time of the rows"
    rule = {"kind": "spans", "spans": [*map(list, _joined(spans)), [batches.end, None]]}
    older = np.setdiff1d(np.arange(len(when)), choices.newer)
    fit = WindowFit(ALIKE, rule, FittedRows(*rows_of_rule(rule, when[older])).among(older))
    note = unfit(fit.rows, data, choices.fits)
    return choices.noted(ALIKE, note) if note else choices.with_fit(fit)


def _is_no_worse(errors: Floats, own: Floats) -> bool:
    if not np.isfinite(errors).all():
        return False
    standard_error = np.sqrt(errors.var() / errors.size + own.var() / own.size)
    return bool(errors.mean() <= own.mean() + standard_error)


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Of spans, the newest first: those that touch as one, the oldest first."""
    joined: list[tuple[int, int]] = []
    for first, end in reversed(spans):
        if joined and joined[-1][1] == first:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((first, end))
    return joined


def _evenly(places: NDArray[np.int64]) -> NDArray[np.int64]:
    return places[np.linspace(0, places.size - 1, min(places.size, BATCH)).astype(np.int64)]
