"""Bias: how much a figure differs between the values of a protected column."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtr

from mainspring.domain.measurement import Measurement, State, Window
from mainspring.domain.monitor import Monitor
from mainspring.monitoring.context import Context
from mainspring.monitoring.judgement import CONFIDENCE, Figure, judge, surety
from mainspring.monitoring.look import Look
from mainspring.monitoring.performance.figures import figures_of
from mainspring.monitoring.performance.labelled import Labelled, answers_of, labelled, predicted_of
from mainspring.monitoring.performance.maturity import immature
from mainspring.monitoring.performance.performance import not_of_task
from mainspring.monitoring.performance.release_rows import release_rows
from mainspring.monitoring.performance.row_slices import row_slices
from mainspring.stats.proportions import difference_interval, wilson_interval
from mainspring.training.metrics import metric_names

POSITIVE_RATE = "positive_rate"


@dataclass(frozen=True, slots=True)
class _Group:
    """A value of the protected column. Of a share `hits` rows have what is counted."""

    slice: dict[str, str]
    figure: Figure
    hits: int | None = None


def fairness(context: Context, monitor: Monitor, window: Window) -> list[Measurement]:
    """The figure for each value of the protected column, and the greatest difference between two of them.

    Of the champion's answers. Two values differ too much where the interval of their difference lies beyond the
    bar; every pair is looked at, so the interval is that of so many comparisons.
    """
    look = Look(context, monitor, window, release=context.champion)
    rows = release_rows(context, context.joined(window), context.champion)
    if monitor.subject == POSITIVE_RATE:
        return _compared(look, *_positive_rates(look, rows))
    if monitor.subject not in metric_names(look.manifest.task):
        return [look.unknown(not_of_task(monitor.subject, look))]
    return _compared(look, *_metrics(look, rows))


def _positive_rates(look: Look, rows: pl.DataFrame) -> tuple[list[_Group], str]:
    output = look.manifest.output
    if output.positive is None:
        return [], "only a binary model has a positive class; name a metric of the task instead"
    whole, outputs = answers_of(rows, output)
    if whole.height < look.monitor.min_rows:
        return [], f"{whole.height:,} rows, and {look.monitor.min_rows:,} are needed"
    hit = predicted_of(outputs, output) == output.classes.index(output.positive)
    found = []
    for values, places in _slices(look, whole):
        count, hits = int(places.size), int(hit[places].sum())
        low, high = wilson_interval(hits, count, CONFIDENCE)
        found.append(_Group(values, Figure(hits / count, low, high, count), hits))
    return found, ""


def _metrics(look: Look, rows: pl.DataFrame) -> tuple[list[_Group], str]:
    known: Labelled = labelled(rows, look.manifest)
    if waiting := immature(look, known):
        return [], waiting
    name = look.monitor.subject
    groups = _slices(look, known.rows)
    return [_Group(values, figures_of(known.at(places), [name])[name]) for values, places in groups], ""


def _slices(look: Look, rows: pl.DataFrame) -> list[tuple[dict[str, str], NDArray[np.int64]]]:
    return row_slices(rows, look.monitor.by, look.manifest.inputs)


def _compared(look: Look, groups: Sequence[_Group], why: str) -> list[Measurement]:
    if why:
        return [look.unknown(why)]
    monitor, rows = look.monitor, sum(group.figure.rows for group in groups)
    large = [one for one in groups if one.figure.rows >= monitor.min_rows and one.figure.value is not None]
    shown = [_shown(replace(look, slice=group.slice), group, group in large) for group in groups]
    if len(large) < 2:
        note = f"{len(large)} of {len(groups)} values have {monitor.min_rows:,} rows or more, and two are needed"
        return [look.unknown(note, rows=rows), *shown]
    pairs = list(itertools.combinations(large, 2))
    sure = surety(monitor, len(pairs))
    bar = monitor.at_most
    judged = []
    for one, other in pairs:
        high, low = sorted((one, other), key=lambda group: -(group.figure.value or 0.0))
        figure = difference(high, low)
        # The interval of a share's difference is not symmetric: it is taken at the surety itself.
        strict = difference(high, low, confidence=2 * float(ndtr(sure)) - 1)
        state, note = judge(figure, bar, greater_is_better=False, surety=sure)
        if bar is not None and high.hits is not None and state is not State.FINE:
            state = State.BAD if strict.low is not None and strict.low > bar else State.UNKNOWN
        judged.append((state, figure, high, low, note))
    order = (State.BAD, State.UNKNOWN, State.FINE)
    state, figure, high, low, note = min(
        judged, key=lambda one: (order.index(one[0]), -(one[1].low or -math.inf), -(one[1].value or 0.0))
    )
    words = f"{_name(high)} against {_name(low)}"
    found = look.found(
        state,
        bar=bar,
        method="difference",
        note=f"{words}; {note}" if note else words,
        example={"higher": dict(high.slice), "lower": dict(low.slice)},
        **{**figure.facts, "rows": rows},
    )
    return [found, *shown]


def difference(high: _Group, low: _Group, confidence: float = CONFIDENCE) -> Figure:
    """Of two figures of independent rows, with its interval (Newcombe's, where they are shares)."""
    first, second = high.figure, low.figure
    assert first.value is not None
    assert second.value is not None
    value, rows = first.value - second.value, first.rows + second.rows
    if high.hits is not None and low.hits is not None:
        return Figure(
            value, *difference_interval((high.hits, first.rows), (low.hits, second.rows), confidence), rows
        )
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return Figure(value, None, None, rows)
    below = math.hypot(first.value - first.low, second.high - second.value)
    above = math.hypot(first.high - first.value, second.value - second.low)
    return Figure(value, value - below, value + above, rows)


def _shown(look: Look, group: _Group, is_large: bool) -> Measurement:
    if not is_large:
        note = f"{group.figure.rows:,} rows, and {look.monitor.min_rows:,} are needed"
        if group.figure.rows >= look.monitor.min_rows:
            note = f"it is not defined on these {group.figure.rows:,} rows"
        return look.unknown(note, rows=group.figure.rows)
    method = "Wilson" if group.hits is not None else "bootstrap"
    return look.found(State.FINE, method=method, note="shown; their difference is judged", **group.figure.facts)


def _name(group: _Group) -> str:
    return ", ".join(f"{name}={value}" for name, value in group.slice.items())
