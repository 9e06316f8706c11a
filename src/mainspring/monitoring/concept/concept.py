"""Whether truth follows the inputs as it did: a detector on the residuals, in the order of the answers."""

from __future__ import annotations

import math
from bisect import bisect_right
from datetime import datetime
from typing import Any

import numpy as np

from mainspring.domain.measurement import Measurement, State, Window
from mainspring.domain.monitor import Monitor
from mainspring.domain.task import Task
from mainspring.monitoring.concept.detectors import Detector, Found, detector_of
from mainspring.monitoring.concept.label_stream import HOUR, label_stream, whole_hour
from mainspring.monitoring.context import Context
from mainspring.monitoring.judgement import SHOWN
from mainspring.monitoring.look import Look
from mainspring.monitoring.performance.labelled import Floats, Labelled, predicted_of

STATE_FORMAT = 1
_MOST_HOURS = 24 * 60
_MOST_CHANGES = 20
_HOUR, _FIRST, _ROWS, _SUM, _SQUARES = range(5)  # of an hour, as the state has it


def concept(context: Context, monitor: Monitor, window: Window) -> list[Measurement]:
    """Feed the champion's labelled answers that are new to the detector, and say whether it found a change.

    A change is bad for as long as the monitor's window is, from the look that found it on; the detector then knows
    the new concept as the usual one. What it knows is kept in `context.states`; with another champion, or another
    detector, it begins anew.
    """
    look = Look(context, monitor, window, release=context.champion)
    if monitor.method == "ddm" and look.manifest.task is Task.REGRESSION:
        return [look.unknown("DDM counts errors, and a regression has none to count; use another detector")]
    state = _resumed(look)
    detector = detector_of(monitor.method, state["detector"])
    taken = 0
    for hour in label_stream(look, datetime.fromisoformat(state["next"])):
        values = signals(hour.known, monitor.method)
        if values.size:
            entry = [
                hour.start.isoformat(),
                detector.seen,
                int(values.size),
                float(values.sum()),
                float(np.square(values).sum()),
            ]
            state["hours"] = [*state["hours"], entry][-_MOST_HOURS:]
            for found in detector.update(values):
                state["changes"] = [*state["changes"], _change(look, state, found)][-_MOST_CHANGES:]
        state["next"] = (hour.start + HOUR).isoformat()
        taken += int(values.size)
    state["detector"] = detector.to_dict()
    context.states[monitor.name] = state
    return [_said(look, state, detector, taken)]


def signals(known: Labelled, method: str) -> Floats:
    """What the detector is fed, float64 [n].

    | | of a regression | of a binary model | of more classes |
    | --- | --- | --- | --- |
    | `residual` | truth less value | 1 or 0 less the positive class's probability | 1 if right, else 0, less the answer's probability |
    | others | the absolute error | 1 if wrong, else 0 | the same |
    """  # noqa: E501  a table
    if known.output.task is Task.REGRESSION:
        residuals: Floats = known.truth - known.outputs[:, 0]
        return residuals if method == "residual" else np.asarray(np.abs(residuals), dtype=np.float64)
    predicted = predicted_of(known.outputs, known.output)
    if method != "residual":
        return np.asarray(predicted != known.truth, dtype=np.float64)
    if known.positive is not None:
        came: Floats = np.asarray(known.truth == known.positive, dtype=np.float64)
        return came - known.outputs[:, known.positive]
    sure: Floats = known.outputs[np.arange(predicted.size), predicted]
    right: Floats = np.asarray(predicted == known.truth, dtype=np.float64)
    return right - sure


def _resumed(look: Look) -> dict[str, Any]:
    """A copy of what is known since the last look, or a new beginning."""
    known = look.context.states.get(look.monitor.name, {})
    whose = {"format": STATE_FORMAT, "release": look.release, "method": look.monitor.method}
    if known and all(known.get(name) == value for name, value in whose.items()):
        return dict(known)
    start = whole_hour(look.window.start)
    return {**whose, "next": start.isoformat(), "hours": [], "changes": [], "detector": None}


def _change(look: Look, state: dict[str, Any], found: Found) -> dict[str, Any]:
    return {
        "found_at": look.context.now.isoformat(),
        "index": found.index,
        "since": _hour_of(state, found.since),
        "seen": _hour_of(state, found.index),
        "before": found.before,
        "after": found.after,
    }


def _hour_of(state: dict[str, Any], index: int) -> str:
    """The hour in which the value of this index was answered; the oldest that is known where that is forgotten."""
    firsts = [hour[_FIRST] for hour in state["hours"]]
    return str(state["hours"][max(0, bisect_right(firsts, index) - 1)][_HOUR])


def _said(look: Look, state: dict[str, Any], detector: Detector, taken: int) -> Measurement:
    monitor, now = look.monitor, look.context.now
    lately = [
        one for one in state["changes"] if datetime.fromisoformat(one["found_at"]) > now - look.window.length
    ]
    end = datetime.fromisoformat(state["next"])
    hours = [hour for hour in state["hours"] if datetime.fromisoformat(hour[_HOUR]) >= end - look.window.length]
    rows = sum(hour[_ROWS] for hour in hours)
    facts: dict[str, Any] = {"method": monitor.method, "rows": rows, **_mean(hours, rows)}
    if rows:
        facts["window"] = Window(datetime.fromisoformat(hours[0][_HOUR]), end)
    if lately:
        last = lately[-1]
        note = f"truth follows the inputs otherwise since about {_moment(last['since'])}"
        if last["before"] is not None:
            facts["reference"] = last["before"]
            note += f": {_what(monitor)} went from {last['before']:+.4g} to {last['after']:+.4g}"
        return look.found(State.BAD, note=note, example={"since": last["since"], "seen": last["seen"]}, **facts)
    if not detector.ready:
        since = "since the last change" if state["changes"] else "so far"
        return look.unknown(f"too few labels {since} to know what is usual ({detector.seen:,} in all)", **facts)
    if not rows:
        return look.unknown(
            f"no labels of this time yet; the newest are of the hour before {_moment(state['next'])}"
        )
    return look.found(State.FINE, note=f"{taken:,} labels were new, up to {_moment(state['next'])}", **facts)


def _mean(hours: list[list[Any]], rows: int) -> dict[str, float | None]:
    """The mean over the window's hours with its 95 % interval."""
    if not rows:
        return {}
    mean = sum(hour[_SUM] for hour in hours) / rows
    variance = max(0.0, sum(hour[_SQUARES] for hour in hours) / rows - mean * mean)
    half = SHOWN * math.sqrt(variance / rows)
    return {"value": mean, "low": mean - half, "high": mean + half}


def _what(monitor: Monitor) -> str:
    return "the mean residual" if monitor.method == "residual" else "the mean error"


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"
