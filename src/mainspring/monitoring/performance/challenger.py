"""What challengers answered in the champion's shadow, judged on the same rows by the same labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from mainspring.domain.measurement import Measurement, State
from mainspring.domain.prediction_log import Role
from mainspring.monitoring.judgement import CONFIDENCE
from mainspring.monitoring.look import Look
from mainspring.monitoring.performance.figures import gain_statistics, known_number
from mainspring.monitoring.performance.labelled import Labelled, labelled
from mainspring.release.reference_rows import spread_places
from mainspring.stats.intervals import paired_bootstrap

_MOST_ROWS, _RESAMPLES = 40_000, 200


def challengers(look: Look, live: pl.DataFrame) -> list[Measurement]:
    """By how much each shadow is better than the champion; neither good nor bad, for a person to see.

    Args:
        live: the window's answers beside the truth.
    """
    context = look.context
    wanted = [number for number in context.challengers if number in context.manifests]
    if not wanted:
        return []
    shadows = context.joined(look.window, role=Role.SHADOW).filter(pl.col("release").is_in(wanted))
    own = live.filter(pl.col("release") == context.champion)
    found = []
    for number in sorted(set(shadows.get_column("release").to_list())):
        found += _gain(replace(look, release=number), own, shadows.filter(pl.col("release") == number))
    return found


def _gain(look: Look, live: pl.DataFrame, shadow: pl.DataFrame) -> list[Measurement]:
    context, metric = look.context, look.monitor.subject
    champion = context.manifest
    subject, method = f"{metric} gain", "paired bootstrap"
    if look.manifest.output.classes != champion.output.classes or look.manifest.task is not champion.task:
        note = f"release {look.release} does not predict the same thing as release {champion.number}"
        return [look.unknown(note, subject=subject, method=method)]
    both = live.unique("id", keep="first", maintain_order=True).join(
        shadow.select("id").unique(), on="id", how="semi"
    )
    mine = labelled(
        shadow.unique("id", keep="first").join(both.select("id"), on="id", how="semi").sort("id"), look.manifest
    )
    theirs = labelled(both.sort("id"), champion)
    mine, theirs = _same(mine, theirs), _same(theirs, mine)
    rows = len(mine.truth)
    if rows < look.monitor.min_rows:
        note = f"{rows:,} rows with a label that both answered, and {look.monitor.min_rows:,} are needed"
        return [look.unknown(note, subject=subject, method=method, rows=rows)]
    places = spread_places(rows, _MOST_ROWS)
    first, second = gain_statistics(metric, mine.at(places), theirs.at(places))
    weights = np.ones(places.size)
    value = known_number(first(weights) - second(weights))
    low, high = paired_bootstrap(
        first, second, int(places.size), seed=0, resamples=_RESAMPLES, confidence=CONFIDENCE
    )
    if value is None:
        return [look.unknown(f"{metric} is not defined on these rows", subject=subject, method=method, rows=rows)]
    word = "better" if low > 0 else "worse" if high < 0 else "not told apart from release"
    how = f"{word} than release" if word != "not told apart from release" else word
    note = f"release {look.release} is {how} {champion.number} on {rows:,} rows that both answered"
    return [
        look.found(
            State.FINE,
            subject=subject,
            value=value,
            low=known_number(low),
            high=known_number(high),
            reference=0.0,
            rows=rows,
            method=method,
            note=note,
        )
    ]


def _same(first: Labelled, second: Labelled) -> Labelled:
    """The rows of `first` that `second` has as well; both are in the order of their ids."""
    ids = second.rows.get_column("id").implode()
    return first.at(np.flatnonzero(first.rows.get_column("id").is_in(ids).to_numpy()))
