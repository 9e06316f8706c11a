"""The newest measurement of every monitor in Prometheus' text format, for the gateway's `/metrics`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from prometheus_client.core import CollectorRegistry, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from mainspring.domain.alert import Alert, AlertState
from mainspring.domain.measurement import Measurement, State
from mainspring.stores.atomic import write_atomic

VALUE = "mainspring_monitor_value"
BAR = "mainspring_monitor_bar"
STATE = "mainspring_monitor_state"
MEASURED = "mainspring_monitor_measured_timestamp_seconds"
LEFT_OUT = "mainspring_monitor_series_left_out"
FIRING = "mainspring_alert_firing"

LABELS = ("model", "monitor", "subject", "slice", "release")
MOST_SERIES = 2_000  # of a model; Prometheus keeps each for as long as it keeps anything
_LONGEST_LABEL = 120
# In this order a maximum over many is the worst that is known.
_STATE_NUMBERS = {State.UNKNOWN: -1.0, State.FINE: 0.0, State.BAD: 1.0}
_RANK = {State.BAD: 0, State.UNKNOWN: 1, State.FINE: 2}


def monitor_metrics(newest: Mapping[str, Sequence[Measurement]], alerts: Sequence[Alert]) -> str:
    """The exposition.

    Args:
        newest: by model what its monitors measured at their newest looks; older ones of the same thing are left
            out. Of more than `MOST_SERIES` the bad ones stay, then those over all rows.
        alerts: open ones; resolved ones are left out.
    """
    registry = CollectorRegistry()
    registry.register(_MonitorFamilies(newest, alerts))
    return generate_latest(registry).decode()


def write_monitor_metrics(
    place: Path, newest: Mapping[str, Sequence[Measurement]], alerts: Sequence[Alert]
) -> None:
    """Write the exposition to a file, of which a reader sees the old or the new one whole.

    Raises:
        DiskFull: there is no room; the old file stands as it was.
    """
    write_atomic(place, monitor_metrics(newest, alerts).encode(), role="the metrics of the monitors")


class _MonitorFamilies(Collector):
    def __init__(self, newest: Mapping[str, Sequence[Measurement]], alerts: Sequence[Alert]) -> None:
        self._newest = newest
        self._alerts = alerts

    def collect(self) -> Iterator[Metric]:
        value = GaugeMetricFamily(VALUE, "What a monitor measured last.", labels=LABELS)
        bar = GaugeMetricFamily(BAR, "From which value on it is bad.", labels=LABELS)
        state = GaugeMetricFamily(STATE, "1 bad, 0 fine, -1 not enough to say.", labels=LABELS)
        measured = GaugeMetricFamily(
            MEASURED, "When a monitor last measured, since the epoch.", labels=("model", "monitor")
        )
        left_out = GaugeMetricFamily(
            LEFT_OUT, f"Measurements beyond the {MOST_SERIES:,} of a model that are shown here.", labels=("model",)
        )
        for model, measurements in sorted(self._newest.items()):
            latest = _latest(measurements)
            for one in latest[:MOST_SERIES]:
                labels = _labels(model, one)
                state.add_metric(labels, _STATE_NUMBERS[one.state])
                if one.value is not None:
                    value.add_metric(labels, one.value)
                if one.bar is not None:
                    bar.add_metric(labels, one.bar)
            looks: dict[str, float] = {}
            for one in latest:
                looks[one.monitor] = max(looks.get(one.monitor, 0.0), one.at.timestamp())
            for monitor, at in sorted(looks.items()):
                measured.add_metric((label(model), label(monitor)), at)
            left_out.add_metric((label(model),), float(max(0, len(latest) - MOST_SERIES)))
        firing = GaugeMetricFamily(
            FIRING,
            "1 while an alert fires, 0 while it waits to.",
            labels=("model", "monitor", "severity", "owner"),
        )
        # At most one is open for each monitor of each model.
        for alert in {(alert.model, alert.monitor): alert for alert in self._alerts if alert.is_open}.values():
            about = (label(alert.model), label(alert.monitor), str(alert.severity), label(alert.owner))
            firing.add_metric(about, float(alert.state is AlertState.FIRING))
        yield from (value, bar, state, measured, left_out, firing)


def _latest(measurements: Sequence[Measurement]) -> list[Measurement]:
    """The newest of each thing that its monitor's newest look measured; what matters most first."""
    looks: dict[str, float] = {}
    for one in measurements:
        looks[one.monitor] = max(looks.get(one.monitor, 0.0), one.at.timestamp())
    found: dict[tuple[str, ...], Measurement] = {}
    for one in measurements:
        if one.at.timestamp() < looks[one.monitor]:
            continue  # else a release that answers no more would be shown for ever
        key = _labels("", one)
        if key not in found or found[key].window.end <= one.window.end:
            found[key] = one
    return sorted(
        found.values(),
        key=lambda one: (_RANK[one.state], len(one.slice), one.monitor, one.subject, sorted(one.slice.items())),
    )


def _labels(model: str, one: Measurement) -> tuple[str, ...]:
    slice_ = ",".join(f"{name}={value}" for name, value in sorted(one.slice.items()))
    release = "" if one.release is None else str(one.release)
    return (label(model), label(one.monitor), label(one.subject), label(slice_), release)


def label(text: str) -> str:
    """A label's value, bounded: what is cut ends with a digest of the whole, so that two never become one.

    Examples:
        >>> label("age"), len(label("x" * 500)), label("x" * 500) == label("x" * 501)
        ('age', 120, False)
    """
    text = text.encode("utf-8", "backslashreplace").decode()  # half of a pair is no text in UTF-8
    if len(text) <= _LONGEST_LABEL:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{text[: _LONGEST_LABEL - 9]}…{digest}"
