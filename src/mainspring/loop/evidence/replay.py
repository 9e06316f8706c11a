"""Straight replay: before any live traffic the challenger answers logged requests again whose truth is known.

So a week of shadow is had in a minute. Only requests that the champion answered count, beside whose logged answers
the challenger's stand, and only those from which the challenger cannot have learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from mainspring.data.predictions import predictions
from mainspring.domain.durations import parse_duration
from mainspring.domain.input_columns import input_columns
from mainspring.domain.instants import moment_of
from mainspring.domain.prediction_log import predictions_table
from mainspring.domain.release import Manifest, ReleaseRef
from mainspring.domain.rollout_state import RolloutState
from mainspring.loop.evidence.compared import Compared
from mainspring.loop.evidence.known import Known
from mainspring.loop.evidence.replay_process import ReleaseProblem, ReplayProcess
from mainspring.loop.evidence.row_losses import Floats, logged_outputs
from mainspring.loop.evidence.rows import label_wait, spans
from mainspring.training.stable_hash import hash_key
from mainspring.workspace import Workspace

_MOST_ROWS = 200_000  # evenly chosen by their ids; more would tell nothing more
_AT_ONCE = 20_000  # answers of the log in memory
_ASKED = 5_000  # rows of one question
_TURN = 20.0  # seconds after which a look ends, and the next one goes on
_GRAIN = 1 << 32
_OLDEST = timedelta(days=365 * 20)  # before the release was made: a column of mere numbers looks older than that
_MICROSECOND = timedelta(microseconds=1)


def replay(
    workspace: Workspace,
    state: RolloutState,
    known: Known,
    by: Compared,
    label_delay: timedelta | None,
    keep: Callable[[], None],
) -> None:
    """Go on with the replay, for some seconds.

    Args:
        known: how far it came: in `replay` are `next`, `until`, `share`, `rows`, `done`, and `problem` or `note`.
        keep: stores what is known; called after each part, so that who is killed goes on from there.
    """
    if not known.replay:
        known.replay = _begun(workspace, state, known, by, label_delay)
    found = known.replay
    if found["done"]:
        return
    record = workspace.catalogue.find(ReleaseRef(state.model, state.challenger))
    folder, trusted = workspace.catalogue.folder(record), workspace.trusted
    began = workspace.clock.monotonic()
    try:
        with ReplayProcess(folder, trusted, record.digest) as process:
            start, until = (datetime.fromisoformat(found[name]) for name in ("next", "until"))
            for first, end in spans(workspace.tables, state.model, start, until, _AT_ONCE):
                _part(workspace, state, known, by, process, first, end)
                found["next"] = end.isoformat()
                if end < until:
                    keep()
                    if workspace.clock.monotonic() - began > _TURN:
                        return
    except ReleaseProblem as problem:
        found["problem"] = str(problem)
    found["done"] = True


def _begun(
    workspace: Workspace, state: RolloutState, known: Known, by: Compared, label_delay: timedelta | None
) -> dict[str, Any]:
    """What is to be replayed."""
    tables, now = workspace.tables, workspace.clock.now()
    assert state.plan.replay is not None
    nothing = {"done": True, "rows": 0}
    if by.is_outcome:
        return nothing | {"note": f"{by.metric} is an outcome of what was answered, and cannot be replayed"}
    table = predictions_table(state.model)
    if not tables.exists(table):
        return nothing | {"note": "no request was logged yet"}
    absent = _not_logged(by)
    if absent:
        return nothing | {"note": f"the log does not have {', '.join(absent)} in clear, so it cannot be replayed"}
    wait = label_wait(tables, state.model, known, now, label_delay)
    if wait is None:
        return nothing | {"note": "no label has come yet"}
    start, until = now - parse_duration(state.plan.replay), now - wait
    if start >= until:
        return nothing | {"note": f"labels take longer than the {state.plan.replay} that are replayed"}
    days = pl.col("day").is_between(start.date(), until.date())
    mine = tables.scan(table).filter(days, pl.col("release") == state.before, pl.col("at") >= start)
    count = int(mine.select(pl.len()).collect().item())
    return {
        "next": start.isoformat(),
        "until": until.isoformat(),
        "share": min(1.0, _MOST_ROWS / max(count, 1)),
        "rows": 0,
        "done": False,
    }


def _not_logged(by: Compared) -> list[str]:
    """The challenger's inputs that the champion's log does not have as they came."""
    logged = {field.name for field in by.before.inputs if field.personal is None}
    return [field.name for field in by.challenger.inputs if field.name not in logged or field.personal is not None]


def _part(
    workspace: Workspace,
    state: RolloutState,
    known: Known,
    by: Compared,
    process: ReplayProcess,
    start: datetime,
    end: datetime,
) -> None:
    """Answer the rows of this time again, and take in how they compare."""
    rows = _rows(workspace, state, known, by, start, end)
    if not rows.height:
        return
    names = input_columns(workspace.tables.columns(predictions_table(state.model)), by.challenger.inputs)
    inputs = rows.select(pl.col(column).alias(name) for name, (column, _) in names.items())
    parts = [
        _checked(process.answer(inputs.slice(place, _ASKED)), by.challenger)
        for place in range(0, inputs.height, _ASKED)
    ]
    before = logged_outputs(rows, "outputs", by.before.output)
    by.take_pairs(known, "gains", rows, before, np.concatenate(parts))
    known.replay["rows"] += rows.height


def _rows(
    workspace: Workspace, state: RolloutState, known: Known, by: Compared, start: datetime, end: datetime
) -> pl.DataFrame:
    """The champion's answers whose truth is known, and from which the challenger did not learn."""
    found = predictions(
        workspace.tables, state.model, since=start, until=end, as_of=workspace.clock.now(), release=state.before
    ).filter(pl.col("label_at").is_not_null())
    if known.replay["share"] < 1:
        found = found.filter(pl.col("id").hash() % _GRAIN < int(known.replay["share"] * _GRAIN))
    rows = found.sort("at", "id").collect()
    return rows.filter(unseen(by.challenger, rows, sealed_from(workspace, by.challenger)))


def sealed_from(workspace: Workspace, manifest: Manifest) -> datetime:
    """When the rows that a release has learnt from were all there: what came later it cannot know."""
    taken = [workspace.records.snapshot(one) for one in manifest.snapshots]
    known = [one.created_at for one in taken if one is not None]
    return max(known) if known and len(known) == len(manifest.snapshots) else manifest.created_at


def unseen(manifest: Manifest, rows: pl.DataFrame, sealed: datetime) -> pl.Series:
    """The rows [n] of the log from which the release did not learn: too new for it, or held out by its own rule.

    Args:
        rows: with `at` and `key`.
        sealed: as `sealed_from` gives it.
    """
    newer = rows.get_column("at") >= sealed
    split = {} if manifest.training is None else manifest.training.split
    if split.get("kind") in ("time", "answered"):
        cut = _cut(split, sealed)
        return newer if cut is None else newer | (rows.get_column("at") >= cut)
    by_key = split.get("kind") == "hash" and split.get("column") is not None and split["column"] == manifest.key
    if not by_key or manifest.key_personal is not None:
        return newer
    keys = rows.get_column("key")
    held = hash_key(keys.fill_null("")).astype(np.float64) / 2.0**64 < float(split["share"])
    return newer | (pl.Series(held, dtype=pl.Boolean) & keys.is_not_null())


def _cut(split: Mapping[str, Any], sealed: datetime) -> datetime | None:
    """The time from which on rows were held out; `None` where the column's numbers are no times of late."""
    since_1970 = int(split["cut"])
    last = int(sealed.timestamp() * 1_000_000)
    if not last - _OLDEST // _MICROSECOND <= since_1970 <= last:
        return None
    return moment_of(since_1970)


def _checked(outputs: Floats, manifest: Manifest) -> Floats:
    width = len(manifest.output.classes) or 1
    if outputs.ndim != 2 or outputs.shape[1] != width:
        raise ReleaseProblem(f"it gives {outputs.shape[-1]} outputs for each row, and not {width}")
    strange = int((~np.isfinite(outputs).all(axis=1)).sum())
    if strange:
        raise ReleaseProblem(f"{strange:,} of {len(outputs):,} answers are no numbers")
    return outputs
