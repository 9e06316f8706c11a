"""Latency, errors, saturation, lag, drops: from the gateway's metrics and from the log itself.

| quantity | from | what |
| --- | --- | --- |
| `latency_p50`, `latency_p99` | the log | seconds of the requests of the window |
| `error_share`, `refused_share` | `/metrics` | share of the model's requests since the last look, of 5xx, of 4xx |
| `saturation` | `/metrics` | requests under way at a time, on average since the last look (Little's law) |
| `log_drops` | `/metrics` | records that the log could not take, since the last look |
| `log_lag` | `/metrics` | seconds since rows were last stored, while some wait |
| `feature_age` | the records | of each view, seconds since its stored features were last brought up to date |
| `feature_agreement` | the log | of each view, share of answers whose features are those that history knows |
| `label_share` | the log | of answers so old that their labels are due, those with one |
| `label_delay` | the log | seconds within which half of the known labels came |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from mainspring.data.coverage import coverage
from mainspring.domain.measurement import Measurement, Window
from mainspring.domain.monitor import Monitor
from mainspring.domain.prediction_log import Role, predictions_table
from mainspring.monitoring.context import Context
from mainspring.monitoring.features import feature_age, feature_agreement
from mainspring.monitoring.gateway_counters import Sample, increase, read_metrics, total
from mainspring.monitoring.judgement import CONFIDENCE, SHOWN, Figure, judge_between
from mainspring.monitoring.look import Look
from mainspring.stats.proportions import wilson_interval


def technical(context: Context, monitor: Monitor, window: Window) -> list[Measurement]:
    """The quantity that the monitor names. Where a gateway has to be asked and none answers, it says so."""
    look = Look(context, monitor, window)
    if monitor.subject in _LATENCIES:
        return [_latency(look, _LATENCIES[monitor.subject])]
    if monitor.subject in ("label_share", "label_delay"):
        return [_labels(look)]
    if monitor.subject in _OF_FEATURES:
        return _OF_FEATURES[monitor.subject](look)
    if context.gateway_metrics is None:
        return [look.unknown("no gateway answers: start one with `mainspring serve`, or ask where it runs")]
    try:
        samples = read_metrics(context.gateway_metrics)
    except ValueError as error:
        return [look.unknown(f"the gateway's metrics cannot be read: {str(error)[:200]}")]
    if monitor.subject in _GAUGES:
        return [_gauge(look, samples, _GAUGES[monitor.subject])]
    return [_since_last_look(look, samples)]


_LATENCIES = {"latency_p50": 0.5, "latency_p99": 0.99}
_OF_FEATURES = {"feature_age": feature_age, "feature_agreement": feature_agreement}


def _latency(look: Look, share: float) -> Measurement:
    context, window = look.context, look.window
    table = predictions_table(context.model)
    if not context.tables.exists(table):
        return look.unknown("nothing was answered yet")
    at, day = pl.col("at"), pl.col("day")
    rows: pl.LazyFrame = context.tables.scan(table)
    rows = rows.filter(day >= window.start.date(), day <= window.end.date(), at >= window.start, at < window.end)
    rows = rows.filter(pl.col("role") != Role.SHADOW)
    # One of each request: the rows of one were answered together.
    seconds = rows.group_by("request_id", "release").agg(pl.col("latency_us").max()).select("latency_us").collect()
    taken = np.sort(seconds.to_series().drop_nulls().to_numpy()) / 1e6
    if taken.size < look.monitor.min_rows:
        note = f"{taken.size:,} requests, and {look.monitor.min_rows:,} are needed"
        return look.unknown(note, rows=int(taken.size))
    # The interval of a quantile is between two of the values: so far its place may be off.
    off = SHOWN * np.sqrt(taken.size * share * (1 - share))
    middle = share * taken.size
    low, value, high = (
        float(taken[int(np.clip(np.ceil(place) - 1, 0, taken.size - 1))])
        for place in (middle - off, middle, middle + off)
    )
    return _judged(look, Figure(value, low, high, int(taken.size)), "from the log")


def _labels(look: Look) -> Measurement:
    context = look.context
    delay = context.label_delay or timedelta(0)
    found = coverage(
        context.tables, context.model, now=look.window.end, window=look.window.length, label_delay=delay
    )
    if found.predictions < look.monitor.min_rows:
        note = f"the labels of {found.predictions:,} answers are due, and {look.monitor.min_rows:,} are needed"
        return look.unknown(note, rows=found.predictions)
    if look.monitor.subject == "label_share":
        low, high = wilson_interval(found.labelled, found.predictions, CONFIDENCE)
        return _judged(look, Figure(found.share, low, high, found.predictions), "from the log")
    if found.delay_median is None:
        return look.unknown(f"none of {found.predictions:,} answers has a label", rows=found.predictions)
    return _judged(look, _exact(found.delay_median, found.labelled), "half of the known labels came within it")


def _log_lag(look: Look, samples: Sequence[Sample]) -> float | None:
    waiting = total(samples, "log_waiting_bytes")
    stored = total(samples, "log_committed_timestamp_seconds")
    if waiting is None:
        return None
    if not waiting:
        return 0.0
    return None if stored is None else max(0.0, look.context.now.timestamp() - stored)


_Gauge = Callable[[Look, Sequence[Sample]], float | None]
_GAUGES: dict[str, tuple[_Gauge, str]] = {
    "log_lag": (_log_lag, "the gateway has stored nothing yet"),
}


def _gauge(look: Look, samples: Sequence[Sample], how: tuple[_Gauge, str]) -> Measurement:
    read, absent = how
    value = read(look, samples)
    return look.unknown(absent) if value is None else _judged(look, _exact(value), "from the gateway")


def _since_last_look(look: Look, samples: Sequence[Sample]) -> Measurement:
    """Counters only ever grow: what counts is by how much since the look before, which is kept in the states."""
    context, monitor = look.context, look.monitor
    counters = _counters(context.model, samples)
    before = context.states.get(monitor.name)
    context.states[monitor.name] = {"at": context.now.isoformat(), "counters": counters}
    if before is None:
        return look.unknown("this is the first look: counters are compared from one look to the next")
    since = datetime.fromisoformat(before["at"])
    look = Look(context, monitor, Window(since, max(since, context.now)))
    grown = increase(before["counters"], counters)
    if monitor.subject == "log_drops":
        return _judged(look, _exact(grown["dropped"]), "from the gateway")
    if monitor.subject == "saturation":
        passed = look.window.length.total_seconds()
        if not passed:
            return look.unknown("no time has passed since the last look")
        return _judged(look, _exact(grown["seconds"] / passed, int(grown["requests"])), "requests at a time")
    count, hits = int(grown["requests"]), int(grown["errors" if monitor.subject == "error_share" else "refused"])
    if not count:
        return look.unknown("the gateway got no request for this model since the last look")
    hits = min(hits, count)
    low, high = wilson_interval(hits, count, CONFIDENCE)
    return _judged(look, Figure(hits / count, low, high, count), f"{hits:,} of {count:,} requests")


def _counters(model: str, samples: Sequence[Sample]) -> dict[str, float]:
    own = [one for one in samples if one.labels.get("model") == model and one.name == "mainspring_requests_total"]
    dropped = (total(samples, "log_dropped_total") or 0.0) + (
        total(samples, "log_damaged_total", unit="records") or 0.0
    )
    return {
        "requests": sum(one.value for one in own),
        "errors": sum(one.value for one in own if one.labels.get("status", "").startswith("5")),
        "refused": sum(one.value for one in own if one.labels.get("status", "").startswith("4")),
        "seconds": total(samples, "request_seconds_sum") or 0.0,
        "dropped": dropped,
    }


def _exact(value: float, rows: int = 0) -> Figure:
    """A count or a clock's reading, of which chance has no part."""
    return Figure(value, value, value, rows)


def _judged(look: Look, figure: Figure, note: str) -> Measurement:
    state, why, bar = judge_between(figure, look.monitor)
    words = "; ".join(text for text in (why, note) if text)
    return look.found(state, bar=bar, note=words, **figure.facts)
