"""The metrics of all workers, and what the monitors found, in Prometheus' text format.

Only who is asked for them imports their library.
"""

from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.domain.measurement import METRICS_FILE
from mainspring.serving.counts import STAGES, Counts
from mainspring.serving.feature_metrics import FeatureFamilies
from mainspring.serving.log_metrics import LogFamilies

_MOST_BYTES = 4_000_000


def exposition(counts: Counts, folder: Path, clock: Clock = SYSTEM_CLOCK) -> bytes:
    """Args:
    counts: as `Meters.everything`.
    folder: of those counts.
    """
    registry = CollectorRegistry()
    registry.register(RequestFamilies(counts))
    registry.register(LogFamilies(counts, folder.parent))
    if counts.features or counts.features_until:
        registry.register(FeatureFamilies(counts, clock))
    return generate_latest(registry) + _found_by_monitors(folder.parent.parent / METRICS_FILE)


def _found_by_monitors(place: Path) -> bytes:
    """As the monitors' process left it; nothing where none is running, or what it left is out of all bounds."""
    try:
        with place.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError:
        return b""
    return content if len(content) <= _MOST_BYTES else b""


class RequestFamilies(Collector):
    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        counts = self._counts
        requests = CounterMetricFamily(
            "mainspring_requests",
            "Answers by model, release and HTTP status.",
            labels=("model", "release", "status"),
        )
        for request, number in counts.requests.items():
            requests.add_metric(request, number)
        seconds = HistogramMetricFamily(
            "mainspring_request_seconds",
            "Seconds from the head of the request to its answer.",
            labels=("model", "release"),
        )
        for labels, spread in counts.seconds.items():
            seconds.add_metric(labels, spread.cumulative(), spread.total)
        stages = HistogramMetricFamily(
            "mainspring_stage_seconds",
            "Seconds of an answer by stage: read (until the release began), predict, log, encode.",
            labels=("model", "release", "stage"),
        )
        for of_release, spreads in counts.stages.items():
            for stage, spread in zip(STAGES, spreads, strict=True):
                stages.add_metric((*of_release, stage), spread.cumulative(), spread.total)
        rows = HistogramMetricFamily("mainspring_batch_rows", "Rows that went through a model at once.")
        rows.add_metric((), counts.batch_rows.cumulative(), counts.batch_rows.total)
        loads = CounterMetricFamily(
            "mainspring_release_loads", "Releases loaded or refused by workers.", labels=("model", "outcome")
        )
        for load, number in counts.loads.items():
            loads.add_metric(load, number)
        in_flight = GaugeMetricFamily("mainspring_requests_in_flight", "Requests being answered.")
        in_flight.add_metric((), counts.in_flight)
        connections = GaugeMetricFamily("mainspring_connections", "Connections that are open.")
        connections.add_metric((), counts.connections)
        yield from (requests, seconds, stages, connections, rows, loads, in_flight)
        for name, about, third, numbers in (
            ("answers", "Requests by the role in which a release answered.", "role", counts.answers),
            (
                "challenger_fallbacks",
                "Requests that the champion answered because a challenger did not.",
                "reason",
                counts.fallbacks,
            ),
            ("shadow_rows", "Rows for shadows, by what became of them.", "outcome", counts.shadowed),
        ):
            family = CounterMetricFamily(f"mainspring_{name}", about, labels=("model", "release", third))
            for three, number in numbers.items():
                family.add_metric(three, number)
            yield family
        resident = GaugeMetricFamily("mainspring_resident_bytes", "Memory that the loaded releases take.")
        resident.add_metric((), counts.resident)
        yield resident
