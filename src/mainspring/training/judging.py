"""Measures answers on holdout rows, all over the same resamples, so that any two can be compared in pairs."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mainspring.domain.task import METRICS
from mainspring.domain.verdict import Estimate
from mainspring.stats.intervals import percentile_interval, resample_weights
from mainspring.training.dataset import TrainingData
from mainspring.training.metrics import Floats, metric_statistic
from mainspring.training.naive import naive_outputs

Rows = NDArray[np.int64]
Whose = Literal["own", "champion", "naive"]

_FEWEST, _MOST = 100, 500  # resamples
_DRAWS = 10_000_000  # rows drawn for all resamples together, where that leaves enough of them
_CONFIDENCE = 0.95


class Judge:
    """Each metric of each model on each set of rows is measured once, on all resamples.

    Attributes:
        rows: h, of the holdout.
        shape: [h, k] of the answers.
        compared: the rows that neither model has learnt from; `None` without a champion.
        champion_note: why there are none, where there are none.
        resamples: how many.
    """

    def __init__(self, outputs: Floats, data: TrainingData, seed: int) -> None:
        self.data = data
        self.y = data.holdout_target
        self.rows = len(self.y)
        self.shape = (self.rows, len(data.classes) or 1)
        self.compared: Rows | None = None
        self.champion_note = ""
        self.resamples = int(np.clip(_DRAWS // max(1, self.rows), _FEWEST, _MOST))
        self._seed = seed
        self._outputs = {"own": outputs}
        self._measured: dict[tuple[str, str, bytes], tuple[float, Floats]] = {}

    @cached_property
    def everything(self) -> Rows:
        return np.arange(self.rows)

    def meet_champion(self, outputs: Floats, rows: Rows, note: str) -> None:
        """Compare with the champion on these rows."""
        self._outputs["champion"] = outputs
        self.compared = rows
        self.champion_note = note or "the champion has learnt from every row of this holdout"

    def value(self, whose: Whose, metric: str) -> float:
        """The metric over all rows, NaN where it is undefined."""
        return self._measure(whose, metric, self.everything)[0]

    def estimate(self, whose: Whose, metric: str, rows: Rows) -> Estimate:
        """The metric on these rows, with its interval."""
        return _estimate(*self._measure(whose, metric, rows), rows.size)

    def gain(self, metric: str, reference: Whose, rows: Rows) -> Estimate:
        """How much better than the reference on these rows: the difference is taken on each resample."""
        (mine, my_draws), (theirs, their_draws) = (
            self._measure(whose, metric, rows) for whose in ("own", reference)
        )
        sign = METRICS[metric].gain(1.0, 0.0)
        return _estimate(sign * (mine - theirs), sign * (my_draws - their_draws), rows.size)

    def _measure(self, whose: str, metric: str, rows: Rows) -> tuple[float, Floats]:
        key = (whose, metric, rows.tobytes())
        if key not in self._measured:
            self._measured[key] = self._measure_anew(whose, metric, rows)
        return self._measured[key]

    def _measure_anew(self, whose: str, metric: str, rows: Rows) -> tuple[float, Floats]:
        if not rows.size:
            return float("nan"), np.full(self.resamples, np.nan)
        outputs = self._naive(metric) if whose == "naive" else self._outputs[whose]
        statistic = metric_statistic(
            metric, outputs[rows], self.y[rows], task=self.data.task, positive=self.data.positive
        )
        drawn = self._weights if rows.size == self.rows else self._weights[:, rows]
        return (
            statistic(np.ones(rows.size)),
            np.array([statistic(weights.astype(np.float64)) for weights in drawn]),
        )

    @cached_property
    def _weights(self) -> NDArray[np.uint16]:
        """How often each resample drew each row [resamples, h]."""
        weights = np.empty((self.resamples, self.rows), dtype=np.uint16)
        for place, drawn in enumerate(resample_weights(self.rows, self.resamples, self._seed)):
            weights[place] = drawn
        return weights

    def _naive(self, metric: str) -> Floats:
        data = self.data
        return naive_outputs(data.training_target, self.rows, task=data.task, k=self.shape[1], metric=metric)


def _estimate(value: float, draws: Floats, rows: int) -> Estimate:
    low, high = percentile_interval(draws, _CONFIDENCE)
    return Estimate(_known(value), _known(low), _known(high), int(rows))


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
