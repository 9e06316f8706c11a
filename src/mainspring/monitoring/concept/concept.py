"""The monitor of the concept: does the truth still follow the inputs as it did?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mainspring.domain.measurement import Measurement, State, Window
from mainspring.domain.monitor import Monitor
from mainspring.domain.task import Task
from mainspring.monitoring.concept.knowledge import NEEDLESS, Knowledge, NewLabels
from mainspring.monitoring.concept.stream import HourSums
from mainspring.monitoring.context import Context
from mainspring.monitoring.judgement import SHOWN
from mainspring.monitoring.look import Look


def concept(context: Context, monitor: Monitor, window: Window) -> list[Measurement]:
    """Feed the champion's labelled answers that are new to the detector, and say whether it found a change.

    A change is bad for as long as the monitor's window is, from the look that found it on; the detector then knows
    the new concept as the usual one. What it knows is kept in `context.states`; with another champion, or another
    detector, it begins anew.
    """
    look = Look(context, monitor, window, release=context.champion)
    if monitor.method == "ddm" and look.manifest.task is Task.REGRESSION:
        return [look.unknown("DDM counts errors, and a regression has none to count; use another detector")]
    known = Knowledge.resumed(look)
    new = known.take_in(look)
    context.states[monitor.name] = known.to_dict()
    return [_said(look, known, new)]


def _said(look: Look, known: Knowledge, new: NewLabels) -> Measurement:
    monitor = look.monitor
    hours = known.since(known.next - look.window.length)
    rows = sum(hour.rows for hour in hours)
    facts: dict[str, Any] = {"method": monitor.method, "rows": rows, **_mean(hours, rows)}
    if rows:
        facts["window"] = Window(min(hour.start for hour in hours), known.next)
    lately = known.found_since(look.context.now - look.window.length)
    if lately:
        last = lately[-1]
        note = _told(look, last)
        example = {"seen": last["seen"]}
        if last["before"] is not None:  # of river's, none tells when a change began
            if last["column"] == 0:
                facts["reference"] = last["before"]
            example["since"] = last["since"]
        if len(lately) > 1:
            note += f"; the newest of {len(lately)} changes that were found lately"
        return look.found(State.BAD, note=note, example=example, **facts)
    if not known.watches:
        since = "since the last change" if known.changes else "so far"
        return look.unknown(f"too few labels {since} to know what is usual ({known.seen:,} in all)", **facts)
    if not rows:
        return look.unknown(
            f"no labels of this time yet; the newest are of the hour before {_moment(known.next.isoformat())}"
        )
    return look.found(State.FINE, note=_arrivals(known, new), **facts)


def _arrivals(known: Knowledge, new: NewLabels) -> str:
    note = f"{new.timely:,} labels were new, up to {_moment(known.next.isoformat())}"
    if new.late:
        note += f"; {new.late:,} came after their hour was taken"
    return note


def _mean(hours: Sequence[HourSums], rows: int) -> dict[str, float | None]:
    """The mean over the window's hours with its 95 % interval."""
    if not rows:
        return {}
    mean = sum(hour.total for hour in hours) / rows
    variance = max(0.0, sum(hour.squares for hour in hours) / rows - mean * mean)
    half = SHOWN * math.sqrt(variance / rows)
    return {"value": mean, "low": mean - half, "high": mean + half}


def _told(look: Look, change: Mapping[str, Any]) -> str:
    since, before, after = _moment(change["since"]), change["before"], change["after"]
    if change["column"] == NEEDLESS:
        return (
            f"the truth was still changing while the release learnt from what came before {since}: it is less "
            f"sure than it might be, {_doubted(look.manifest.task)} by {after:.4g}, "
            f"the release before it by {before:.4g}"
        )
    note = f"truth follows the inputs otherwise since about {since}"
    if before is None:
        return note
    return f"{note}: {_what(look.monitor, change['column'])} went from {before:+.4g} to {after:+.4g}"


def _what(monitor: Monitor, column: int) -> str:
    if monitor.method != "residual":
        return "the mean error"
    return "the mean residual" if column == 0 else "the squared error beyond what the model itself expects"


def _doubted(task: Task) -> str:
    """What `doubts` measures."""
    if task is Task.BINARY:
        return "its squared error is less than it expects"
    return "it is right more often than it claims"


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"
