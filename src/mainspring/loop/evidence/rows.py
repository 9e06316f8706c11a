"""The challenger's answers beside the champion's, row by row, once what came true is known.

Rows are taken in the order of the answers, each once, when the time within which labels come has passed since:
were they taken as their labels come, the classes whose truth is known early would be most of what is seen. What
has no label by then is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
import polars as pl

from mainspring.data.coverage import coverage
from mainspring.data.predictions import OUTCOME_PREFIX, predictions
from mainspring.domain.durations import parse_duration
from mainspring.domain.ports import Tables
from mainspring.domain.prediction_log import Role, predictions_table
from mainspring.domain.rollout_state import RolloutStage, RolloutState
from mainspring.loop.evidence.compared import Compared
from mainspring.loop.evidence.known import Known
from mainspring.loop.evidence.row_losses import answers, logged_outputs

AT_ONCE = 100_000  # rows of answers that are in memory
_SHADOW_LAG = timedelta(minutes=5)  # by which a shadow's answer may be later than the one that was heard
_WAIT_WINDOW = timedelta(days=7)
_WAIT_AGAIN = timedelta(hours=1)
_MEASURED = 1.5  # times the delay within which nine tenths of the labels came
_DECLARED = 1.05  # times what the model declares, and then
_SETTLED = 2.0  # seconds until a label that came is in the table
_EVERY = timedelta(minutes=1)  # between two comparisons; in a short step ten of them
_DIFFERENT = 1e-9  # of two values


def compare_rows(
    tables: Tables, state: RolloutState, known: Known, by: Compared, now: datetime, label_delay: timedelta | None
) -> None:
    """Take in the answers whose truth is due by now and was not compared yet.

    Args:
        label_delay: how long after an answer its label is due, where the model says so.
    """
    if state.stage is RolloutStage.REPLAY or not _is_due(state, known, now):
        return
    if known.compared_until is None:
        known.compared_until = state.entered_at
    wait = label_wait(tables, state.model, known, now, label_delay)
    if wait is None or len(known.newest) < 2:
        return
    known.compared_at = now
    # Of answers that come to the table from another process, the newest shows how far that one is.
    until = min(now - wait, *known.newest.values())
    for start, end in spans(tables, state.model, known.compared_until, until):
        _compare(tables, state, known, by, start, end, now)
        known.compared_until = end


def label_wait(
    tables: Tables, model: str, known: Known, now: datetime, label_delay: timedelta | None
) -> timedelta | None:
    """How long a row waits for its label; `None` as long as nobody says, and no label has come."""
    if label_delay is not None:
        return label_delay * _DECLARED + timedelta(seconds=_SETTLED)
    if known.wait_at is None or not timedelta(0) <= now - known.wait_at < (
        _EVERY if known.wait is None else _WAIT_AGAIN
    ):
        known.wait_at = now
        known.wait = coverage(tables, model, now=now, window=_WAIT_WINDOW).delay_90
    return None if known.wait is None else timedelta(seconds=known.wait * _MEASURED + _SETTLED)


def spans(
    tables: Tables, model: str, start: datetime, until: datetime, at_once: int = AT_ONCE
) -> Iterator[tuple[datetime, datetime]]:
    """The time from `start` to `until` in parts of about so many answers, in order."""
    table = predictions_table(model)
    if start >= until:
        return
    if not tables.exists(table):
        yield start, until
        return
    minutes = (
        tables.scan(table)
        .filter(pl.col("day").is_between(start.date(), until.date()), pl.col("at") >= start, pl.col("at") < until)
        .group_by(pl.col("at").dt.truncate("1m").alias("minute"))
        .agg(pl.len().alias("rows"))
        .sort("minute")
        .collect()
    )
    begun, rows = start, 0
    for minute, count in minutes.iter_rows():
        if rows and rows + count > at_once:
            yield begun, minute
            begun, rows = minute, 0
        rows += count
    yield begun, until


def _is_due(state: RolloutState, known: Known, now: datetime) -> bool:
    """Comparing reads a day's answers and their labels, and is not done every few seconds."""
    if known.compared_at is None or known.compared_at > now:
        return True
    plan = state.plan
    least = {RolloutStage.SHADOW: plan.shadow, RolloutStage.BAKE: plan.bake}.get(
        state.stage, plan.canary.each if plan.canary else plan.shadow
    )
    return now - known.compared_at >= min(_EVERY, parse_duration(least) / 10)


def _compare(
    tables: Tables,
    state: RolloutState,
    known: Known,
    by: Compared,
    start: datetime,
    end: datetime,
    now: datetime,
) -> None:
    outcome = OUTCOME_PREFIX + by.metric
    found = predictions(tables, state.model, since=start, until=end, as_of=now)
    columns = ["id", "at", "release", "role", "outputs", "label", "label_value"]
    if outcome in found.collect_schema().names():
        columns.append(outcome)
    live = (
        found.filter(pl.col("release").is_in([state.before, state.challenger]), pl.col("role") != Role.PINNED)
        .select(columns)
        .sort("at", "id")
        .collect()
    )
    mine = pl.col("release") == state.challenger
    _alone(known, by, live.filter(pl.col("role").is_in([str(Role.CANARY), str(Role.CHAMPION)])), outcome)
    shadows = _shadows(tables, state, start, end)
    _paired(known, by, live.filter(~mine), shadows.filter(mine), "gains")
    # In the bake it is the old champion that is not heard.
    champion = live.filter(mine, pl.col("role") == Role.CHAMPION)
    _paired(known, by, champion, shadows.filter(~mine), "bake_gains")


def _shadows(tables: Tables, state: RolloutState, start: datetime, end: datetime) -> pl.DataFrame:
    late = end + _SHADOW_LAG
    found: pl.DataFrame = (
        tables.scan(predictions_table(state.model))
        .filter(
            pl.col("day").is_between(start.date(), late.date()),
            pl.col("at") >= start,
            pl.col("at") < late,
            pl.col("role") == Role.SHADOW,
            pl.col("release").is_in([state.before, state.challenger]),
        )
        .select("id", "release", pl.col("outputs").alias("shadow"))
        .unique(["id", "release"], keep="any")
        .collect()
    )
    return found


def _alone(known: Known, by: Compared, live: pl.DataFrame, outcome: str) -> None:
    """Losses (or outcomes) of those that the challenger answered in the canary, and of the champion's."""
    name: Literal["champion", "canary"]
    for name, manifest, role in (
        ("champion", by.before, Role.CHAMPION),
        ("canary", by.challenger, Role.CANARY),
    ):
        rows = live.filter(pl.col("release") == manifest.number, pl.col("role") == role)
        if not by.is_outcome:
            by.take_alone(known, name, rows, manifest)
        elif outcome in rows.columns:
            values = rows.get_column(outcome).cast(pl.Float64).fill_null(float("nan")).to_numpy()
            getattr(known, name).add(values[np.isfinite(values)])
        else:
            continue
        known.alone[name] += rows.height


def _paired(
    known: Known, by: Compared, heard: pl.DataFrame, unheard: pl.DataFrame, name: Literal["gains", "bake_gains"]
) -> None:
    """Take in those that both answered: how much better the challenger is, whichever of the two was heard."""
    both = heard.join(unheard.select("id", "shadow"), on="id", how="inner", maintain_order="left")
    is_shadow = name == "gains"  # the challenger; in the bake it is heard
    if is_shadow:
        known.unpaired += heard.height - both.height
    if not both.height:
        return
    first, second = ("outputs", "shadow") if is_shadow else ("shadow", "outputs")
    if is_shadow:
        known.pairs += both.height
        known.disagreed += _disagreed(both, by)
    if by.is_outcome:
        return
    before = logged_outputs(both, first, by.before.output)
    by.take_pairs(known, name, both, before, logged_outputs(both, second, by.challenger.output))


def _disagreed(both: pl.DataFrame, by: Compared) -> int:
    old, new = (
        answers(logged_outputs(both, column, manifest.output), manifest.output)
        for column, manifest in (("outputs", by.before), ("shadow", by.challenger))
    )
    if by.challenger.output.classes:
        return int((old != new).sum())
    return int((~np.isclose(old.astype(float), new.astype(float), rtol=_DIFFERENT, atol=0)).sum())
