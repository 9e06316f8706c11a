"""The monitor of all inputs at once: can a classifier tell the window's rows from the reference's?"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from mainspring.domain.durations import parse_duration
from mainspring.domain.input_columns import input_columns
from mainspring.domain.measurement import Measurement, State, Window
from mainspring.domain.monitor import Monitor
from mainspring.domain.schema import Kind
from mainspring.monitoring.context import Context
from mainspring.monitoring.drift.domain_classifier import MOST_ROWS, Separation, separate
from mainspring.monitoring.drift.reference import windows_of
from mainspring.monitoring.drift.reference_sample import sealed_inputs
from mainspring.monitoring.look import Look
from mainspring.stats.multiple import FALSE_ALERTS_PER_YEAR, alpha_per_look, is_drift

AT_MOST = 0.55
"""An AUC that does not matter: that of one normal feature moved by less than a fifth of its standard deviation."""

METHOD = "classifier AUC"
_NAMED = 3  # features that a note names
_YEAR = timedelta(days=365)


def classifier(context: Context, monitor: Monitor, window: Window) -> list[Measurement]:
    """One measurement: the AUC between the sampled rows of the window and those of the reference.

    The rows of the release are those that it was judged on (`reference.parquet`), else the samples of the windows
    that the monitor names. `by` is not heeded: of a slice the samples are too few.
    """
    look = Look(context, monitor, window)
    current = _logged(context, window)
    if current.height < monitor.min_rows:
        note = f"{current.height:,} sampled rows, fewer than {monitor.min_rows:,}: not enough to say"
        return [look.unknown(note, rows=current.height, method=METHOD)]
    reference, what, absent = _reference(context, monitor, window)
    if reference.height < monitor.min_rows:
        note = absent or f"{what} has {reference.height:,} sampled rows, fewer than {monitor.min_rows:,}"
        return [look.unknown(note, rows=current.height, method=METHOD)]
    kinds = _kinds(context, monitor, reference, current)
    try:
        found = separate(reference, current, kinds)
    except ImportError:
        note = "scikit-learn is not installed; install mainspring[train] where the monitors run"
        return [look.unknown(note, rows=current.height, method=METHOD)]
    if found is None:
        note = "there are no numbers or categories on both sides, or too few different rows"
        return [look.unknown(note, rows=current.height, method=METHOD)]
    return [_measurement(look, found, what, rows=min(current.height, MOST_ROWS))]


def _measurement(look: Look, found: Separation, what: str, rows: int) -> Measurement:
    monitor = look.monitor
    bar = AT_MOST if monitor.at_most is None else monitor.at_most
    alpha = alpha_per_look(FALSE_ALERTS_PER_YEAR, max(1.0, _YEAR / parse_duration(monitor.every)))
    bad = is_drift(found.auc, bar, found.p_value, alpha)
    note = ""
    if bad:
        names = ", ".join(name for name, _ in found.leading[:_NAMED]) or "no column by itself"
        note = f"a classifier tells the rows from {what}; most by {names}"
    return look.found(
        State.BAD if bad else State.FINE,
        value=found.auc,
        low=found.auc - 1.96 * found.error,
        high=min(found.auc + 1.96 * found.error, 1.0),
        reference=0.5,
        bar=bar,
        rows=rows,
        method=METHOD,
        p_value=found.p_value,
        note=note,
        example={name: round(loss, 4) for name, loss in found.leading[:_NAMED]} if bad else {},
    )


def _reference(context: Context, monitor: Monitor, window: Window) -> tuple[pl.DataFrame, str, str]:
    """The rows, what they are, and why there are none."""
    if monitor.reference == "release":
        what = f"the rows of release {context.champion}"
        rows = sealed_inputs(context.folders[context.champion], context.manifest)
        if rows is None:
            absent = f"release {context.champion} was sealed without reference rows"
            return pl.DataFrame(), what, f"{absent}; train it anew, or use reference='previous'"
        return rows, what, ""
    windows, what = windows_of(context, monitor, window)
    frames = [_logged(context, one) for one in windows]
    return pl.concat(frames, how="diagonal_relaxed"), what, ""


def _logged(context: Context, window: Window) -> pl.DataFrame:
    """The sampled inputs of a window as the champion takes them, under their own names; no personal ones."""
    sample = context.sample(window)
    if sample.is_empty():
        return pl.DataFrame()
    present = context.tables.columns(context.rows_table)
    fields = {field.name: field for field in context.manifest.inputs if field.personal is None}
    columns = input_columns(present, context.manifest.inputs)
    taken = {name: column for name, (column, _) in columns.items() if name in fields and column in sample.columns}
    return pl.DataFrame([sample.get_column(column).alias(name) for name, column in taken.items()])


def _kinds(context: Context, monitor: Monitor, *frames: pl.DataFrame) -> dict[str, Kind]:
    wanted = monitor.features or tuple(field.name for field in context.manifest.inputs)
    return {
        field.name: field.kind
        for field in context.manifest.inputs
        if field.name in wanted and all(field.name in frame.columns for frame in frames)
    }
