"""Performance before any label is there: what is to be expected of the answers, if truth follows as it did.

Classifiers by their own confidence (CBPE), calibrated on the release's holdout rows; regressions by a model of
their loss. Both see what a change of the inputs does to performance. Neither sees a change of the concept: the
same inputs that now come true otherwise. So every estimate is held against the truth of an earlier window whose
labels are in, and is not believed where that window came out otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from mainspring.domain.measurement import Measurement, State, Window
from mainspring.domain.monitor import Monitor
from mainspring.domain.task import METRICS, Task
from mainspring.errors import MainspringError, ReleaseError
from mainspring.monitoring.context import Context
from mainspring.monitoring.judgement import SHOWN, Figure, judge, surety
from mainspring.monitoring.label_wait import label_wait
from mainspring.monitoring.look import Look
from mainspring.monitoring.performance.confidence_estimate import fit_confidence
from mainspring.monitoring.performance.figures import figure_of, figures_of
from mainspring.monitoring.performance.labelled import answers_of, labelled
from mainspring.monitoring.performance.loss_estimate import fit_loss
from mainspring.monitoring.performance.maturity import immature
from mainspring.monitoring.performance.performance import not_of_task, sealed_bar
from mainspring.monitoring.performance.release_rows import release_rows
from mainspring.release.reference_rows import REFERENCE_ROWS, read_reference_rows
from mainspring.training.metrics import metric_names

FEWEST = 200  # reference rows with their truth
_MOST_LEARNT = 8
_LEARNT: dict[tuple[Any, ...], Expectation] = {}  # releases never change: what was learnt once holds

BLIND = "an estimate: it does not see a change of the concept alone"


def estimate(context: Context, monitor: Monitor, window: Window) -> list[Measurement]:
    """The expected metric of the champion's answers over the window, with its sampling error.

    Beside it stands how far the estimate was off for the newest window whose labels are in, if there is one.
    """
    look = Look(context, monitor, window, release=context.champion)
    if monitor.subject not in metric_names(look.manifest.task):
        return [look.unknown(not_of_task(monitor.subject, look), estimated=True)]
    try:
        expect = _expectation(look)
    except MainspringError as error:
        return [look.unknown(str(error), estimated=True)]
    reconciled = _reconciled(look, expect)
    return [_expected(look, expect, reconciled), *reconciled]


def _expected(look: Look, expect: Expectation, reconciled: list[Measurement]) -> Measurement:
    monitor, rows = look.monitor, _answers(look)
    if rows.height < monitor.min_rows:
        return look.unknown(
            f"{rows.height:,} answers, and {monitor.min_rows:,} are needed", rows=rows.height, estimated=True
        )
    figure = expect.figure(rows)
    sealed = figure_of(look.manifest.metrics.get(monitor.subject))
    bar = sealed_bar(monitor, sealed)
    state, note = judge(
        figure,
        bar,
        greater_is_better=METRICS[monitor.subject].greater_is_better,
        surety=surety(monitor),
        of_bar=None if monitor.margin is None else sealed,
    )
    if bar is None and state is State.FINE:
        state, note = State.UNKNOWN, "the release has no figure of its own to compare with; give the monitor a bar"
    if state is State.FINE and any(one.state is State.BAD for one in reconciled):
        state, note = State.UNKNOWN, "its last window with labels came out otherwise: it is not to be believed now"
    return look.found(
        state,
        reference=None if sealed is None else sealed.value,
        bar=bar,
        method=expect.method,
        estimated=True,
        note="; ".join(text for text in (note, BLIND) if text),
        **figure.facts,
    )


def _reconciled(look: Look, expect: Expectation) -> list[Measurement]:
    """The newest window whose labels are in: what was measured less what had been estimated of the same rows.

    `BAD` where the truth was surely worse than the estimate: something changed that the estimate does not see.
    """
    wait = label_wait(look.context)
    earlier = replace(look, window=Window(look.window.start - wait, look.window.end - wait))
    rows = _answers(earlier)
    known = labelled(rows, look.manifest)
    if immature(earlier, known):
        return []
    metric = look.monitor.subject
    realised, expected = figures_of(known, [metric])[metric], expect.figure(known.rows)
    if realised.value is None or realised.low is None or realised.high is None or expected.value is None:
        return []
    gap = realised.value - expected.value
    # Both are of the same rows: what is left between them is the chance of the labels, which the estimate's own
    # error holds, and the error of the calibration. The realised interval is added, to be on the sure side.
    half = float(
        np.hypot((realised.high - realised.low) / 2, ((expected.high or 0.0) - (expected.low or 0.0)) / 2)
    )
    figure = Figure(gap, gap - half, gap + half, realised.rows)
    greater = METRICS[metric].greater_is_better
    state, _ = judge(figure, 0.0, greater_is_better=greater, surety=surety(look.monitor))
    words = f"measured {realised.value:.4g}, estimated {expected.value:.4g}"
    if state is State.BAD:
        words += "; truth follows the inputs otherwise than it did: see the concept monitor, and train anew"
    return [
        earlier.found(
            state,
            subject=f"{metric}: measured less estimated",
            bar=0.0,
            method=expect.method,
            note=words,
            **figure.facts,
        )
    ]


def _answers(look: Look) -> pl.DataFrame:
    rows = release_rows(look.context, look.context.joined(look.window), look.manifest.number)
    return answers_of(rows, look.manifest.output)[0]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is expected of a release's answers.

    Attributes:
        method: as the field calls it.
        of: from rows of the log to the expected metric and its standard error.
    """

    method: str
    of: Callable[[pl.DataFrame], tuple[float, float]]

    def figure(self, rows: pl.DataFrame) -> Figure:
        """The expected metric of these answers, with the interval of its sampling error."""
        value, error = self.of(rows)
        if not (np.isfinite(value) and np.isfinite(error)):
            return Figure(None, None, None, rows.height)
        return Figure(value, value - SHOWN * error, value + SHOWN * error, rows.height)


def _expectation(look: Look) -> Expectation:
    """Learnt from the release's holdout rows, once for as long as the process lives.

    Raises:
        ReleaseError: the release has no such rows, or too few with their truth.
        DeclarationError: the metric cannot be estimated.
    """
    manifest = look.manifest
    folder = look.context.folders[manifest.number]
    key = (manifest.model, manifest.number, manifest.files.get(REFERENCE_ROWS), str(folder), look.monitor.subject)
    if key not in _LEARNT:
        reference = read_reference_rows(folder, manifest)
        known = None if reference is None else labelled(reference, manifest)
        if known is None or len(known.truth) < FEWEST:
            there = "no" if known is None else f"{len(known.truth):,}"
            raise ReleaseError(
                f"{manifest.ref} was sealed with {there} labelled reference rows, and an estimate needs {FEWEST}",
                cure="train it anew, or measure its performance by labels",
            )
        while len(_LEARNT) >= _MOST_LEARNT:
            _LEARNT.pop(next(iter(_LEARNT)))
        is_loss = manifest.task is Task.REGRESSION
        learn = fit_loss if is_loss else fit_confidence
        _LEARNT[key] = Expectation("DLE" if is_loss else "CBPE", learn(known, look.monitor.subject, manifest))
    return _LEARNT[key]
