"""The gateway's metrics. Label values are bounded: only models and releases that were loaded, and our statuses.

Workers count into files that they share (the client library's multi-process mode), so any worker can answer for
all of them, and a worker that died has not taken its counts with it.
"""

from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from prometheus_client import values as prometheus_values

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

_LATENCY = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096, 10_000)


class Meters:
    """What a worker counts.

    Args:
        folder: the folder of the counts that all workers share.
        slot: the worker's place; a restarted worker goes on with the counts of the one before it.
    """

    def __init__(self, folder: Path, slot: int) -> None:
        self._folder = folder
        prometheus_values.ValueClass = prometheus_values.MultiProcessValue(lambda: slot)  # type: ignore[no-untyped-call]
        own = CollectorRegistry()
        self._requests = Counter(
            "mainspring_requests_total",
            "Answers by model, release and HTTP status.",
            ("model", "release", "status"),
            registry=own,
        )
        self._seconds = Histogram(
            "mainspring_request_seconds",
            "Seconds from the whole request to the answer.",
            ("model", "release"),
            buckets=_LATENCY,
            registry=own,
        )
        self.in_flight = Gauge(
            "mainspring_requests_in_flight",
            "Requests being answered.",
            registry=own,
            multiprocess_mode="sum",
        )
        self.in_flight.set(0)  # whatever the worker before us left
        self.batch_rows = Histogram(
            "mainspring_batch_rows", "Rows that went through a model at once.", buckets=_ROWS, registry=own
        )
        self._loads = Counter(
            "mainspring_release_loads_total",
            "Releases loaded or refused by workers.",
            ("model", "outcome"),
            registry=own,
        )
        # Looking a labelled child up costs more than counting, so children are kept.
        self._request_counts: dict[tuple[str, str, int], Counter] = {}
        self._latencies: dict[tuple[str, str], Histogram] = {}

    def answered(self, model: str, release: str, status: int, seconds: float) -> None:
        """Count one answer; `model` and `release` are empty where no release answered."""
        count = self._request_counts.get((model, release, status))
        if count is None:
            count = self._request_counts[model, release, status] = self._requests.labels(
                model, release, str(status)
            )
        count.inc()
        latency = self._latencies.get((model, release))
        if latency is None:
            latency = self._latencies[model, release] = self._seconds.labels(model, release)
        latency.observe(seconds)

    def loaded(self, model: str, *, refused: bool) -> None:
        self._loads.labels(model, "refused" if refused else "loaded").inc()

    def exposition(self) -> bytes:
        """The metrics of all workers, in Prometheus' text format."""
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, path=str(self._folder))  # type: ignore[no-untyped-call]
        return generate_latest(registry)
