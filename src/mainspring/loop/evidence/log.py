"""Counts of the prediction log: each stored row is looked at once, whatever the log holds besides."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl

from mainspring.domain.ports import Tables
from mainspring.domain.prediction_log import Role, predictions_table
from mainspring.domain.rollout_state import RolloutStage, RolloutState
from mainspring.errors import HistoryGone
from mainspring.loop.evidence.known import Known


def count_log(tables: Tables, state: RolloutState, known: Known) -> None:
    """Take in what was stored since the last look: requests, nonsense and latencies of the present step."""
    table = predictions_table(state.model)
    there = tables.exists(table)
    if known.log_version is None:  # the rollout begins
        known.log_version = tables.version(table) if there else -1
        return
    if not there:
        return
    try:
        added, newest = tables.added(table, known.log_version)
    except HistoryGone:  # nobody has looked for a week: what came meanwhile only counts towards `min_requests`
        known.log_version = tables.version(table)
        return
    if newest == known.log_version:
        return
    rows = (
        added.filter(
            pl.col("release").is_in([state.before, state.challenger]),
            pl.col("day") >= state.entered_at.date(),
            pl.col("at") >= state.entered_at,
        )
        .select(
            "at",
            "release",
            "role",
            pl.col("row") == 0,
            "latency_us",
            # The sum of numbers is a number; of anything else, it is not.
            pl.col("outputs").list.sum().is_finite().fill_null(value=False).alias("sane"),
        )
        .collect()
    )
    known.log_version = newest
    _note_newest(known, rows)
    _count(state, known, rows)


def _note_newest(known: Known, rows: pl.DataFrame) -> None:
    shadow = pl.col("role") == Role.SHADOW
    for name, part in (("shadow", rows.filter(shadow)), ("live", rows.filter(~shadow))):
        latest = part.get_column("at").max()
        if isinstance(latest, datetime):
            known.newest[name] = max(latest, known.newest.get(name, latest))


def _count(state: RolloutState, known: Known, rows: pl.DataFrame) -> None:
    role = {
        RolloutStage.SHADOW: Role.SHADOW,
        RolloutStage.CANARY: Role.CANARY,
        RolloutStage.BAKE: Role.CHAMPION,
    }.get(state.stage)
    if role is None:
        return
    own = rows.filter(pl.col("release") == state.challenger)
    mine = own.filter(pl.col("role") == role, pl.col("row"))
    theirs = rows.filter(pl.col("release") == state.before, pl.col("role") == Role.CHAMPION, pl.col("row"))
    known.requests += mine.height
    known.champion_requests += theirs.height
    known.nonsense += int((~own.get_column("sane")).sum())
    if role is not Role.SHADOW:  # a shadow answers many at once, when there is time: that tells nothing
        known.latencies["bake" if state.stage is RolloutStage.BAKE else "canary"].add(_microseconds(mine))
    if state.stage is not RolloutStage.BAKE:
        known.latencies["champion"].add(_microseconds(theirs))


def _microseconds(rows: pl.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return rows.get_column("latency_us").drop_nulls().cast(pl.Float64).to_numpy()
