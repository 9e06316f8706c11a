"""The challenger's answers beside the champion's, row by row, once what came true is known.

Rows are taken in the order of the answers, each once, when the time within which labels come has passed since:
were they taken as their labels come, the classes whose truth is known early would be most of what is seen. What
has no label by then is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from mainspring.data.coverage import coverage
from mainspring.data.predictions import OUTCOME_PREFIX, predictions
from mainspring.domain.durations import parse_duration
from mainspring.domain.ports import Tables
from mainspring.domain.prediction_log import Role, predictions_table
from mainspring.domain.release import Manifest, OutputSpec
from mainspring.domain.rollout_rules import is_proved_by_outcome
from mainspring.domain.rollout_state import RolloutStage, RolloutState
from mainspring.loop.evidence.known import Gains, Known
from mainspring.loop.evidence.row_losses import Floats, answers, losses, metric_of, outputs_of, truth_of

AT_ONCE = 100_000  # rows of answers that are in memory
_SHADOW_LAG = timedelta(minutes=5)  # by which a shadow's answer may be later than the one that was heard
_WAIT_WINDOW = timedelta(days=7)
_WAIT_AGAIN = timedelta(hours=1)
_MEASURED = 1.5  # times the delay within which nine tenths of the labels came
_DECLARED = 1.05  # times what the model declares, and then
_SETTLED = 2.0  # seconds until a label that came is in the table
_EVERY = timedelta(minutes=1)  # between two comparisons; in a short step ten of them
_DIFFERENT = 1e-9  # of two values


@dataclass(frozen=True, slots=True)
class Compared:
    """What two releases are compared by."""

    before: Manifest
    challenger: Manifest
    metric: str
    is_outcome: bool

    @classmethod
    def of(cls, state: RolloutState, before: Manifest, challenger: Manifest) -> Compared:
        metric = metric_of(state.plan, challenger.task)
        return cls(before, challenger, metric, is_proved_by_outcome(state.plan))


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
    columns = ["id", "release", "role", "outputs", "label", "label_value"]
    if outcome in found.collect_schema().names():
        columns.append(outcome)
    live = (
        found.filter(pl.col("release").is_in([state.before, state.challenger]), pl.col("role") != Role.PINNED)
        .select(columns)
        .collect()
    )
    mine = pl.col("release") == state.challenger
    _alone(known, by, live.filter(pl.col("role").is_in([str(Role.CANARY), str(Role.CHAMPION)])), outcome)
    shadows = _shadows(tables, state, start, end)
    _paired(known, by, live.filter(~mine), shadows.filter(mine), known.gains, by.challenger)
    # In the bake it is the old champion that is not heard.
    champion = live.filter(mine, pl.col("role") == Role.CHAMPION)
    _paired(known, by, champion, shadows.filter(~mine), known.bake_gains, by.before)


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
    for name, group, manifest, role in (
        ("champion", known.champion, by.before, Role.CHAMPION),
        ("canary", known.canary, by.challenger, Role.CANARY),
    ):
        rows = live.filter(pl.col("release") == manifest.number, pl.col("role") == role)
        if not by.is_outcome:
            values = losses_of(by.metric, rows, "outputs", manifest.output)
        elif outcome in rows.columns:
            values = rows.get_column(outcome).cast(pl.Float64).fill_null(float("nan")).to_numpy()
        else:
            continue
        known.alone[name] += rows.height
        group.add(values[np.isfinite(values)])


def _paired(
    known: Known, by: Compared, heard: pl.DataFrame, unheard: pl.DataFrame, gains: Gains, shadow: Manifest
) -> None:
    """Take in those that both answered: how much better the challenger is, whichever of the two was heard."""
    both = heard.join(unheard.select("id", "shadow"), on="id", how="inner", maintain_order="left")
    if shadow is by.challenger:
        known.unpaired += heard.height - both.height
    if not both.height:
        return
    first, second = ("outputs", "shadow") if shadow is by.challenger else ("shadow", "outputs")
    if shadow is by.challenger:
        known.pairs += both.height
        known.disagreed += _disagreed(both, by)
    if by.is_outcome:
        return
    gain = losses_of(by.metric, both, first, by.before.output) - losses_of(
        by.metric, both, second, by.challenger.output
    )
    gains.add(gain[np.isfinite(gain)])


def losses_of(metric: str, rows: pl.DataFrame, column: str, output: OutputSpec) -> Floats:
    """The losses [n] of logged outputs beside what came true; NaN where one of both is not known."""
    outputs = outputs_of(rows, column, len(output.classes) or 1)
    return losses(metric, outputs, truth_of(rows, output), output)


def _disagreed(both: pl.DataFrame, by: Compared) -> int:
    old, new = (
        answers(outputs_of(both, column, len(manifest.output.classes) or 1), manifest.output)
        for column, manifest in (("outputs", by.before), ("shadow", by.challenger))
    )
    if by.challenger.output.classes:
        return int((old != new).sum())
    return int((~np.isclose(old.astype(float), new.astype(float), rtol=_DIFFERENT, atol=0)).sum())
