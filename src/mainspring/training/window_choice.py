"""Which window of the training rows to learn from: tried on rows that are newer than any that it has seen.

Each window's estimator, of the same parameters, is fitted on the rows older than the newest part, and asked about
that part. The longest window is taken that is not worse than the best one by more than half a standard error of
the difference: the rule of Breiman, Friedman, Olshen and Stone (Classification and Regression Trees, 1984, section
3.4.3), paired, since all windows answer the same rows. They take a whole one for the sake of a simpler tree. Where
a change is known, nothing speaks for the longer one any more, and the best is taken: in doubt, rows of before a
change do harm (accuracy on the stream `elec2` 0.755 in place of 0.753, on `sea` 0.877 in place of 0.876).

They are compared by a proper score, the Brier score or the squared error, whatever the model is tuned by. A change
that only moves the border between the classes leaves the order of the rows, and with it ROC AUC, as it was, so
that nothing would speak for the new rows (0.867 in place of 0.877); and a log loss is made by the few rows about
which an estimator was too sure (0.875).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.domain.retrain import ALIKE
from mainspring.domain.task import METRICS, PROPER_SCORES
from mainspring.domain.verdict import Estimate
from mainspring.domain.window import TrainingWindow, WindowTrial
from mainspring.stats.intervals import percentile_interval, resample_weights
from mainspring.training.dataset import TrainingData
from mainspring.training.fitted_rows import FittedRows
from mainspring.training.metrics import Floats, metric_statistic
from mainspring.training.windows import WindowPlan, effective_rows, newest_cut, rows_of_rule, window_rule

KEPT_BACK = 0.2
"""Of the training rows that count for the newest part: what the windows are compared on."""

FEWEST = 50  # rows to learn from, or to be compared on; with fewer a comparison is noise
_RESAMPLES = 300
_DOUBT = 0.3829  # the share of a normal distribution that lies within half a standard error


@dataclass(frozen=True, slots=True)
class WindowFit:
    """A window that can be tried.

    Attributes:
        rule: the rows that it takes of all training rows, if it is chosen.
        rows: the training rows that it takes while it is compared.
    """

    window: str
    rule: dict[str, Any]
    rows: FittedRows

    @property
    def length(self) -> float:
        return effective_rows(self.rows.places, self.rows.weights)


@dataclass(frozen=True, slots=True)
class WindowChoices:
    """What can be tried.

    Attributes:
        fits: by falling length; of equal ones in the order of their declaration.
        newer: the places of the training rows that all are asked about.
        notes: window → why it cannot be tried.
        changed: that a change is known.
    """

    declared: tuple[str, ...]
    fits: tuple[WindowFit, ...]
    newer: NDArray[np.int64]
    notes: dict[str, str]
    changed: bool = False

    @property
    def is_comparison(self) -> bool:
        return len(self.fits) + self.seeks_alike > 1 and self.newer.size >= FEWEST

    @property
    def seeks_alike(self) -> bool:
        """Whether rows of before the change are to be looked for that are like those since."""
        return self.changed and ALIKE in self.declared

    def noted(self, window: str, note: str) -> WindowChoices:
        """With the reason why a window cannot be tried."""
        return replace(self, notes={**self.notes, window: note})

    def with_fit(self, fit: WindowFit) -> WindowChoices:
        return replace(self, fits=_by_length([*self.fits, fit]))


def window_choices(plan: WindowPlan, data: TrainingData) -> WindowChoices:
    """What can be tried of a plan on these training rows, whose times are known."""
    when = data.training_when
    assert when is not None, "windows need the time of the rows"
    cut = newest_cut(when, KEPT_BACK, plan.since)
    older = np.flatnonzero(when < cut) if cut is not None else np.arange(len(when))
    fits: list[WindowFit] = []
    notes: dict[str, str] = {}
    for window in dict.fromkeys(plan.windows):
        if window == ALIKE and plan.change is not None:
            continue  # until the others have been asked
        whole = window_rule(window, when, plan.change)
        part = window_rule(window, when[older], plan.change)
        if whole is None or part is None:
            few = "too few rows have come since the change"
            notes[window] = "no change is known" if plan.change is None else few
            continue
        rows = FittedRows(*rows_of_rule(part, when[older])).among(older)
        note = unfit(FittedRows(*rows_of_rule(whole, when)), data) or unfit(rows, data, fits)
        if note:
            notes[window] = note
        else:
            fits.append(WindowFit(window, whole, rows))
    newer = np.flatnonzero(when >= cut) if cut is not None else np.arange(0)
    declared = tuple(dict.fromkeys(plan.windows))
    return WindowChoices(declared, _by_length(fits), newer, notes, plan.change is not None)


def decide_window(
    choices: WindowChoices, outputs: Mapping[str, Floats], data: TrainingData, *, seed: int
) -> TrainingWindow:
    """The window to take.

    Args:
        choices: what could be tried, with a note for each window whose fit failed.
        outputs: window → its estimator's answers on the newer rows, [n, k]; none where nothing was compared.
        seed: of the resampling.
    """
    fits = [fit for fit in choices.fits if fit.window not in choices.notes]
    if not fits:
        nothing = "no declared window can be tried"
        return TrainingWindow("all", {"kind": "all"}, nothing, tried=_tried(choices, {}, {}))
    if len(fits) == 1 or not outputs:
        reason = "the only one that can be tried"
        if len(fits) > 1:
            reason = f"the longest: {choices.newer.size:,} newer rows are too few to compare on"
        return TrainingWindow(fits[0].window, fits[0].rule, reason, tried=_tried(choices, {}, {}))
    metric = PROPER_SCORES[data.task]
    values, draws = _measured(fits, outputs, data.training_target[choices.newer], data, metric, seed)
    sane = [fit for fit in fits if np.isfinite(values[fit.window])]
    if not sane:
        nonsense = "none of the windows gives answers that are numbers"
        return TrainingWindow("all", {"kind": "all"}, nonsense, tried=_tried(choices, {}, {}))
    best = max(sane, key=lambda fit: values[fit.window])
    gaps = {
        fit.window: _estimate(
            values[best.window] - values[fit.window], draws[best.window] - draws[fit.window], len(choices.newer)
        )
        for fit in sane
    }
    in_doubt = () if choices.changed else (fit for fit in sane if not (gaps[fit.window].low or 0.0) > 0)
    taken = next(iter(in_doubt), best)
    reason = "the best on newer rows"
    if taken is not best:
        reason = f"the longest that {best.window}, the best on newer rows, does not clearly beat"
    return TrainingWindow(
        taken.window,
        taken.rule,
        reason,
        metric,
        int(choices.newer.size),
        _tried(choices, {name: METRICS[metric].gain(value, 0.0) for name, value in values.items()}, gaps),
    )


def _measured(
    fits: list[WindowFit],
    outputs: Mapping[str, Floats],
    y: NDArray[Any],
    data: TrainingData,
    metric: str,
    seed: int,
) -> tuple[dict[str, float], dict[str, Floats]]:
    """The metric of each window, on all rows and on each resample; turned so that more is better."""
    resamples = list(resample_weights(len(y), _RESAMPLES, seed))
    values, draws = {}, {}
    for fit in fits:
        statistic = metric_statistic(metric, outputs[fit.window], y, task=data.task, positive=data.positive)
        values[fit.window] = METRICS[metric].gain(statistic(np.ones(len(y))), 0.0)
        drawn = [METRICS[metric].gain(statistic(weights), 0.0) for weights in resamples]
        draws[fit.window] = np.array(drawn)
    return values, draws


def _tried(
    choices: WindowChoices, values: Mapping[str, float], gaps: Mapping[str, Estimate]
) -> tuple[WindowTrial, ...]:
    rows = {fit.window: int(fit.rows.places.size) for fit in choices.fits}
    return tuple(
        WindowTrial(
            window,
            rows.get(window, 0),
            _known(values[window]) if window in values else None,
            gaps.get(window),
            choices.notes.get(window, ""),
        )
        for window in choices.declared
    )


def unfit(rows: FittedRows, data: TrainingData, fits: Sequence[WindowFit] = ()) -> str:
    """Why nothing is to be learnt from these rows that these fits do not learn; empty where something is."""
    if rows.places.size < FEWEST:
        return f"it has {rows.places.size:,} rows to learn from, under {FEWEST}"
    if data.task.is_classification:
        counts = np.bincount(data.training_target[rows.places], minlength=len(data.classes))
        if (counts == 0).any():
            return f"it has no row of the class {data.classes[int(np.argmin(counts))]!r}"
    for fit in fits:
        if rows.weights is None and fit.rows.weights is None and np.array_equal(rows.places, fit.rows.places):
            return f"it has the same rows as {fit.window}"
    return ""


def _by_length(fits: Sequence[WindowFit]) -> tuple[WindowFit, ...]:
    return tuple(sorted(fits, key=lambda fit: -fit.length))


def _estimate(gap: float, draws: Floats, rows: int) -> Estimate:
    low, high = percentile_interval(draws, _DOUBT)
    return Estimate(_known(gap), _known(low), _known(high), rows)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
