"""How good an estimator is on the holdout: with intervals, by slice, against the naive one and the champion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.domain.gate import SliceEstimate
from mainspring.domain.model import Model
from mainspring.domain.task import METRICS, Task, metric_named
from mainspring.domain.verdict import Estimate
from mainspring.errors import DataError
from mainspring.stats.intervals import bootstrap_statistics
from mainspring.training.calibration import CalibrationBin, calibration_table
from mainspring.training.dataset import TrainingData
from mainspring.training.metrics import Floats, Statistic, metric_names, metric_statistic
from mainspring.training.naive import describe_naive, naive_outputs
from mainspring.training.slicing import each_slice

_RESAMPLES = (100, 500)  # at least and at most
_DRAWS = 10_000_000  # rows drawn for all resamples together
_SLICES_SHOWN = 50  # of one way to slice, the largest
MIN_ROWS = 30  # of a slice that is measured at all


@dataclass(frozen=True, slots=True)
class SliceMetrics:
    """The metrics on one slice; with too few rows there are none."""

    slice: dict[str, str]
    rows: int
    metrics: dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class GateMeasurement:
    """What one gate is judged by; `note` says why nothing could be measured, where nothing was."""

    gate: str  # in words
    measured: tuple[SliceEstimate, ...]
    compared_with: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured on the holdout.

    Attributes:
        rows: of the holdout.
        metrics: with 95 % bootstrap intervals.
        naive: the metrics of the predictor that knows only the target's distribution; `naive_answer` says what
            it answers.
        naive_gains: how much better each metric is than the naive one's, paired, with its interval.
        calibration: predicted against seen, for classes.
        slices: by each of the model's ways to slice.
        champion: the champion's metrics on `rows_compared` rows that neither has learnt from; empty without one.
        champion_gains: how much better each metric is than the champion's on those rows, paired.
        gates: what each gate of the model is judged by, in their order.
        has_champion: whether there was a champion to compare with.
        resamples: of each interval.
    """

    rows: int
    metrics: dict[str, Estimate]
    naive: dict[str, float]
    naive_answer: str
    naive_gains: dict[str, Estimate]
    calibration: tuple[CalibrationBin, ...]
    slices: tuple[SliceMetrics, ...]
    gates: tuple[GateMeasurement, ...]
    champion: dict[str, Estimate] = field(default_factory=dict)
    champion_gains: dict[str, Estimate] = field(default_factory=dict)
    rows_compared: int = 0
    has_champion: bool = False
    resamples: int = 0


def evaluate(
    outputs: Floats,
    data: TrainingData,
    model: Model,
    *,
    champion_outputs: Floats | None = None,
    unseen_by_champion: NDArray[np.bool_] | None = None,
    champion_note: str = "",
    seed: int | None = None,
) -> Evaluation:
    """Measure the answers on the holdout.

    Args:
        outputs: on the h rows of the holdout in order, [h, k] probabilities or [h, 1] values.
        champion_outputs: the champion's on the same rows, with its classes in the order of `data.classes`.
        unseen_by_champion: bool [h], the rows that the champion did not learn from (`splitting.apply_split` of
            its own rule); all where not given.
        champion_note: why there is nothing to compare with, where the champion could not answer.
        seed: of the resampling; the model's where not given.

    Raises:
        DataError: the answers are not one per row.
        DeclarationError: a gate's metric is none of the task, or its column is no slice.
    """
    judge = _Judge(outputs, data, model.seed if seed is None else seed)
    _check_shape("the estimator's", outputs, judge.shape)
    if champion_outputs is not None:
        _check_shape("the champion's", champion_outputs, judge.shape)
        unseen = np.ones(judge.rows, dtype=bool) if unseen_by_champion is None else unseen_by_champion
        judge.meet_champion(champion_outputs, np.flatnonzero(unseen), champion_note)
    everything = np.arange(judge.rows)
    names = metric_names(data.task)
    champion: dict[str, Estimate] = {}
    champion_gains: dict[str, Estimate] = {}
    if judge.compared is not None and judge.compared.size:
        champion = judge.estimates({name: judge.champion(name, judge.compared) for name in names}, judge.compared)
        champion_gains = judge.estimates(
            {name: judge.gain(name, "champion", judge.compared) for name in names}, judge.compared
        )
    return Evaluation(
        rows=judge.rows,
        metrics=judge.estimates({name: judge.own(name, everything) for name in names}, everything),
        naive={name: value for name in names if np.isfinite(value := judge.naive(name, everything)(judge.ones))},
        naive_answer=describe_naive(data.task),
        naive_gains=judge.estimates({name: judge.gain(name, "naive", everything) for name in names}, everything),
        calibration=calibration_table(outputs, judge.y, task=data.task, positive=data.positive),
        slices=tuple(
            found
            for by in dict.fromkeys((one,) if isinstance(one, str) else tuple(one) for one in model.slices)
            for found in judge.slices(by, names)
        ),
        gates=tuple(_measure_gate(gate, judge) for gate in model.gates),
        champion=champion,
        champion_gains=champion_gains,
        rows_compared=0 if judge.compared is None else int(judge.compared.size),
        has_champion=champion_outputs is not None,
        resamples=judge.resamples,
    )


class _Judge:
    """Measures statistics over the same resamples, on all rows or on some."""

    def __init__(self, outputs: Floats, data: TrainingData, seed: int) -> None:
        self.data = data
        self.task: Task = data.task
        self.y = data.holdout_target
        self.rows = len(self.y)
        self.shape = (self.rows, len(data.classes) or 1)
        self.ones = np.ones(self.rows)
        self.compared: NDArray[np.int64] | None = None
        low, high = _RESAMPLES
        self.resamples = int(np.clip(_DRAWS // max(1, self.rows), low, high))
        self._seed = seed
        self._outputs = outputs
        self.champion_note = ""
        self._champion_outputs: Floats | None = None

    def meet_champion(self, outputs: Floats, rows: NDArray[np.int64], note: str) -> None:
        self.champion_note = note or "the champion has learnt from every row of this holdout"
        self._champion_outputs = outputs
        self.compared = rows

    def own(self, name: str, rows: NDArray[np.int64]) -> Statistic:
        return self._statistic(name, self._outputs, rows)

    def champion(self, name: str, rows: NDArray[np.int64]) -> Statistic:
        assert self._champion_outputs is not None
        return self._statistic(name, self._champion_outputs, rows)

    def naive(self, name: str, rows: NDArray[np.int64]) -> Statistic:
        answers = naive_outputs(self.data.training_target, self.rows, task=self.task, k=self.shape[1], metric=name)
        return self._statistic(name, answers, rows)

    def gain(self, name: str, reference: str, rows: NDArray[np.int64]) -> Statistic:
        """How much better than the reference, on each resample's rows."""
        metric = METRICS[name]
        mine = self.own(name, rows)
        theirs = self.champion(name, rows) if reference == "champion" else self.naive(name, rows)
        return lambda weights: metric.gain(mine(weights), theirs(weights))

    def estimates(self, statistics: dict[str, Statistic], rows: NDArray[np.int64]) -> dict[str, Estimate]:
        """Each with its interval; of each resample only the drawn ones of these rows count."""
        if not rows.size:
            return {name: Estimate(None, None, None, 0) for name in statistics}
        intervals = bootstrap_statistics(statistics, self.rows, seed=self._seed, resamples=self.resamples)
        return {
            name: _estimate(statistic(self.ones), intervals[name], int(rows.size))
            for name, statistic in statistics.items()
        }

    def slices(self, by: Sequence[str], names: Sequence[str]) -> list[SliceMetrics]:
        """The largest slices of one way to slice, in sorted order."""
        found = list(each_slice(self.data.holdout_slices, by))
        largest = sorted(found, key=lambda one: -one[1].size)[:_SLICES_SHOWN]
        statistics: dict[str, Statistic] = {}
        for place, (_, rows) in enumerate(largest):
            if rows.size >= MIN_ROWS:
                statistics |= {f"{place}/{name}": self.own(name, rows) for name in names}
        intervals = bootstrap_statistics(statistics, self.rows, seed=self._seed, resamples=_RESAMPLES[0])
        measured = []
        for place, (values, rows) in enumerate(largest):
            estimates = {
                name: _estimate(statistics[key](self.ones), intervals[key], int(rows.size))
                for name in names
                if (key := f"{place}/{name}") in statistics
            }
            measured.append(SliceMetrics(values, int(rows.size), estimates))
        return sorted(measured, key=lambda one: tuple(one.slice.values()))

    def _statistic(self, name: str, outputs: Floats, rows: NDArray[np.int64]) -> Statistic:
        """Of weights over all rows, of which those of the given rows are looked at."""
        statistic = metric_statistic(
            name, outputs[rows], self.y[rows], task=self.task, positive=self.data.positive
        )
        if rows.size == self.rows:
            return statistic
        return lambda weights: statistic(weights[rows])


def _measure_gate(gate: Any, judge: _Judge) -> GateMeasurement:
    metric_named(gate.metric, judge.task)
    reference = gate.reference
    if reference == "champion" and judge.compared is None:
        return GateMeasurement(str(gate), (), reference, "there is no champion yet")
    within = judge.compared if reference == "champion" and judge.compared is not None else np.arange(judge.rows)
    if reference == "champion" and not within.size:
        return GateMeasurement(str(gate), (), reference, judge.champion_note)
    groups = (
        [(values, rows) for values, rows in each_slice(judge.data.holdout_slices, gate.slicing)]
        if gate.slicing
        else [({}, np.arange(judge.rows))]
    )
    measured = []
    for values, rows in groups:
        kept = np.intersect1d(rows, within)
        if values and kept.size < gate.min_rows:  # listed, not judged: an interval would cost and say nothing
            measured.append(SliceEstimate(values, Estimate(None, None, None, int(kept.size)), "too few rows"))
            continue
        statistic = judge.own(gate.metric, kept) if reference is None else judge.gain(gate.metric, reference, kept)
        estimate = judge.estimates({"": statistic}, kept)[""]
        measured.append(SliceEstimate(values, estimate))
    return GateMeasurement(str(gate), tuple(measured), reference)


def _estimate(value: float, interval: tuple[float, float], rows: int) -> Estimate:
    return Estimate(_known(value), _known(interval[0]), _known(interval[1]), rows)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _check_shape(whose: str, outputs: Floats, shape: tuple[int, int]) -> None:
    if outputs.shape != shape:
        raise DataError(
            f"{whose} answers on the holdout have the shape {list(outputs.shape)}, not {list(shape)}",
            cure="ask for the answers on exactly the holdout's rows",
        )
