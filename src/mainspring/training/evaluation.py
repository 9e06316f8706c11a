"""How good an estimator is on the holdout: with intervals, by slice, against the naive one and the champion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mainspring.domain.gate import Gate, SliceEstimate
from mainspring.domain.model import Model
from mainspring.domain.task import metric_named
from mainspring.domain.verdict import Estimate
from mainspring.errors import DataError
from mainspring.training.calibration import CalibrationBin, calibration_table
from mainspring.training.dataset import TrainingData
from mainspring.training.judging import Judge, Whose
from mainspring.training.metrics import Floats, metric_names
from mainspring.training.naive import describe_naive
from mainspring.training.slicing import each_slice

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
    judge = Judge(outputs, data, model.seed if seed is None else seed)
    _check_shape("the estimator's", outputs, judge.shape)
    if champion_outputs is not None:
        _check_shape("the champion's", champion_outputs, judge.shape)
        unseen = np.ones(judge.rows, dtype=bool) if unseen_by_champion is None else unseen_by_champion
        judge.meet_champion(champion_outputs, np.flatnonzero(unseen), champion_note)
    everything, compared = judge.everything, judge.compared
    names = metric_names(data.task)
    met = names if compared is not None and compared.size else ()
    meeting = everything if compared is None else compared
    return Evaluation(
        rows=judge.rows,
        metrics={name: judge.estimate("own", name, everything) for name in names},
        naive={name: value for name in names if np.isfinite(value := judge.value("naive", name))},
        naive_answer=describe_naive(data.task),
        naive_gains={name: judge.gain(name, "naive", everything) for name in names},
        calibration=calibration_table(outputs, judge.y, task=data.task, positive=data.positive),
        slices=tuple(
            found
            for by in dict.fromkeys((one,) if isinstance(one, str) else tuple(one) for one in model.slices)
            for found in _measure_slices(by, names, judge)
        ),
        gates=tuple(_measure_gate(gate, judge) for gate in model.gates),
        champion={name: judge.estimate("champion", name, meeting) for name in met},
        champion_gains={name: judge.gain(name, "champion", meeting) for name in met},
        rows_compared=0 if compared is None else int(compared.size),
        has_champion=champion_outputs is not None,
        resamples=judge.resamples,
    )


def _measure_slices(by: Sequence[str], names: Sequence[str], judge: Judge) -> list[SliceMetrics]:
    """The largest slices of one way to slice, in sorted order."""
    found = sorted(each_slice(judge.data.holdout_slices, by), key=lambda one: -one[1].size)[:_SLICES_SHOWN]
    measured = [
        SliceMetrics(
            values,
            int(rows.size),
            {name: judge.estimate("own", name, rows) for name in names} if rows.size >= MIN_ROWS else {},
        )
        for values, rows in found
    ]
    return sorted(measured, key=lambda one: tuple(one.slice.values()))


def _measure_gate(gate: Gate, judge: Judge) -> GateMeasurement:
    metric_named(gate.metric, judge.data.task)
    reference: Whose | None = None
    if gate.reference is not None:
        reference = "champion" if gate.reference == "champion" else "naive"
    if reference == "champion" and judge.compared is None:
        return GateMeasurement(str(gate), (), reference, "there is no champion yet")
    within = judge.compared if reference == "champion" and judge.compared is not None else judge.everything
    if reference == "champion" and not within.size:
        return GateMeasurement(str(gate), (), reference, judge.champion_note)
    groups = (
        [(values, rows) for values, rows in each_slice(judge.data.holdout_slices, gate.slicing)]
        if gate.slicing
        else [({}, judge.everything)]
    )
    measured = []
    for values, rows in groups:
        kept = np.intersect1d(rows, within)
        if values and kept.size < gate.min_rows:  # listed, not judged: an interval would cost and say nothing
            measured.append(SliceEstimate(values, Estimate(None, None, None, int(kept.size)), "too few rows"))
            continue
        estimate = (
            judge.estimate("own", gate.metric, kept)
            if reference is None
            else judge.gain(gate.metric, reference, kept)
        )
        measured.append(SliceEstimate(values, estimate))
    return GateMeasurement(str(gate), tuple(measured), reference)


def _check_shape(whose: str, outputs: Floats, shape: tuple[int, int]) -> None:
    if outputs.shape != shape:
        raise DataError(
            f"{whose} answers on the holdout have the shape {list(outputs.shape)}, not {list(shape)}",
            cure="ask for the answers on exactly the holdout's rows",
        )
