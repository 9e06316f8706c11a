"""A figure of the user's own over answers and what came of them, by release and by arm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from mainspring.domain.measurement import Measurement, Window
from mainspring.domain.monitor import Monitor
from mainspring.monitoring.context import Context
from mainspring.monitoring.judgement import CONFIDENCE, Figure, judge_between
from mainspring.monitoring.look import Look
from mainspring.monitoring.performance.figures import known_number
from mainspring.monitoring.performance.labelled import Floats
from mainspring.stats.intervals import bootstrap_indices, bootstrap_means

_MOST_GROUPS = 50
_RESAMPLES_OF_ROWS, _RESAMPLES_OF_CALLS = 400, 100
_MOST_DRAWN = 40_000_000  # rows of all resamples together


class BadFigure(Exception):
    """What the user's function gave cannot be used, and why."""


def business(context: Context, monitor: Monitor, window: Window) -> list[Measurement]:
    """The function over all answers of the window, then over those of each release, and of each arm.

    A function that gives a number for each row is called once; one that gives a single number is called for each
    group, and for each resample of it. Whatever it raises or gives instead is said, and hinders nothing.
    """
    look = Look(context, monitor, window)
    rows = context.joined(window)
    if rows.height < monitor.min_rows:
        return [look.unknown(f"{rows.height:,} answers, and {monitor.min_rows:,} are needed", rows=rows.height)]
    assert monitor.function is not None
    try:
        given = _called(monitor.function, rows)
    except BadFigure as problem:
        return [look.unknown(str(problem), rows=rows.height)]
    groups = [(look, np.arange(rows.height)), *_groups(look, rows)]
    found = []
    for one, places in groups:
        if places.size < monitor.min_rows:
            note = f"{places.size:,} answers, and {monitor.min_rows:,} are needed"
            found.append(one.unknown(note, rows=int(places.size)))
            continue
        try:
            figure, note = _figure(monitor.function, rows, given, places)
        except BadFigure as problem:
            found.append(one.unknown(str(problem), rows=int(places.size)))
            continue
        state, why, bar = judge_between(figure, monitor, figures=len(groups))
        words = "; ".join(text for text in (why, note) if text)
        found.append(one.found(state, bar=bar, method="bootstrap", note=words, **figure.facts))
    return found


def _groups(look: Look, rows: pl.DataFrame) -> Iterator[tuple[Look, Any]]:
    """Each release, and each arm where a test has some."""
    for column in ("release", "arm"):
        values = rows.get_column(column)
        for value in sorted(values.drop_nulls().unique().to_list())[:_MOST_GROUPS]:
            one = replace(look, release=value) if column == "release" else replace(look, slice={"arm": value})
            yield one, np.flatnonzero((values == value).fill_null(value=False).to_numpy())


def _figure(
    function: Callable[[Any], Any], rows: pl.DataFrame, given: Floats | float, places: Any
) -> tuple[Figure, str]:
    """The figure of a group, with the interval of a bootstrap."""
    if isinstance(given, float):
        return _of_calls(
            function, rows if places.size == rows.height else rows[places], given, places.size == rows.height
        )
    values = given[places]
    known = values[np.isfinite(values)]
    count, absent = int(known.size), int(values.size - known.size)
    note = f"{absent:,} rows have no number and were left out" if absent else ""
    if not count:
        raise BadFigure("it gave no number for any row")
    resamples = int(np.clip(_MOST_DRAWN // count, 50, _RESAMPLES_OF_ROWS))
    low, high = bootstrap_means(known, seed=0, resamples=resamples, confidence=CONFIDENCE)
    return Figure(float(known.mean()), known_number(low[0]), known_number(high[0]), count), note


def _of_calls(
    function: Callable[[Any], Any], rows: pl.DataFrame, given: float, is_whole: bool
) -> tuple[Figure, str]:
    value = given if is_whole else _number(_called(function, rows))

    def drawn(places: Any) -> float:
        try:
            return _number(_called(function, rows[places]))
        except BadFigure:
            return float("nan")

    low, high = bootstrap_indices(drawn, rows.height, seed=0, resamples=_RESAMPLES_OF_CALLS, confidence=CONFIDENCE)
    return Figure(value, known_number(low), known_number(high), rows.height), ""


def _number(given: Floats | float) -> float:
    if not isinstance(given, float):
        raise BadFigure("it gave one number for all answers and a number for each row for some of them")
    return given


def _called(function: Callable[[Any], Any], rows: pl.DataFrame) -> Floats | float:
    """What the function gives: a number, or a number for each row with NaN where it gives none.

    Raises:
        BadFigure: it raised, or gave something else.
    """
    name = getattr(function, "__name__", "the function")
    try:
        given = function(rows)
    except Exception as error:  # the user's code may raise anything
        raise BadFigure(f"{name} raised {type(error).__name__}: {str(error)[:200]}") from error
    if isinstance(given, pl.DataFrame) and given.width == 1:
        given = given.to_series()
    try:
        if isinstance(given, pl.Series):
            given = given.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        array = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise BadFigure(
            f"{name} gave {type(given).__name__}, which is no number and no column of numbers"
        ) from error
    if array.ndim == 0:
        if not np.isfinite(array):
            raise BadFigure(f"{name} gave {float(array)}, which is no number")
        return float(array)
    if array.shape != (rows.height,):
        raise BadFigure(f"{name} gave {array.size:,} numbers for {rows.height:,} rows")
    return array
