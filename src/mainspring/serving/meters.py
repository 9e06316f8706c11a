"""The gateway's metrics. Label values are bounded: only models and releases that were loaded, and our statuses.

A worker counts in plain numbers, which costs a request next to nothing, and writes them to a file of its own four
times a second. Any worker answers for all of them from those files; a worker that starts in the place of one that
died goes on with its counts.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from mainspring.serving.counts import LATENCY, Counts, Spread, decode_counts, encode_counts

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class Meters:
    """What a worker counts.

    Args:
        folder: the folder of the counts of all workers.
        slot: the worker's place.
    """

    def __init__(self, folder: Path, slot: int) -> None:
        self._folder = folder
        self._file = folder / f"{slot}.counts"
        self._counts = _read(self._file) or Counts()
        self._counts.in_flight = 0  # whatever the worker before us left
        self._written = b""
        self.batched = self._counts.batch_rows.add

    def taken(self) -> None:
        """A request is being answered; `left` follows."""
        self._counts.in_flight += 1

    def left(self) -> None:
        self._counts.in_flight -= 1

    @property
    def in_flight(self) -> int:
        """Requests of this worker being answered."""
        return self._counts.in_flight

    def answered(self, model: str, release: str, status: int, seconds: float) -> None:
        """Count one answer; `model` and `release` are empty where no release answered."""
        counts = self._counts
        key = (model, release, _STATUS[status])
        counts.requests[key] = counts.requests.get(key, 0) + 1
        spread = counts.seconds.get((model, release))
        if spread is None:
            spread = counts.seconds[model, release] = Spread.empty(LATENCY)
        spread.add(seconds)

    def loaded(self, model: str, *, refused: bool) -> None:
        """Count one release that was loaded or refused."""
        key = (model, "refused" if refused else "loaded")
        self._counts.loads[key] = self._counts.loads.get(key, 0) + 1

    def write(self) -> None:
        """Let the other workers see the counts; no sync: after a power cut nobody asks for them."""
        content = encode_counts(self._counts)
        if content != self._written:
            draft = self._file.with_suffix(".draft")
            draft.write_bytes(content)
            draft.replace(self._file)
            self._written = content

    def exposition(self) -> bytes:
        """The metrics of all workers, in Prometheus' text format."""
        everything = Counts()
        everything.merge(self._counts)
        for place in sorted(self._folder.glob("*.counts")):
            if place != self._file and (theirs := _read(place)) is not None:
                everything.merge(theirs)
        registry = CollectorRegistry()
        registry.register(_Families(everything))
        return generate_latest(registry)


_STATUS = {status: str(status) for status in range(100, 600)}


def _read(place: Path) -> Counts | None:
    try:
        return decode_counts(place.read_bytes())
    except (OSError, msgspec.DecodeError):
        return None  # not written yet


class _Families(Collector):
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
        rows = HistogramMetricFamily("mainspring_batch_rows", "Rows that went through a model at once.")
        rows.add_metric((), counts.batch_rows.cumulative(), counts.batch_rows.total)
        loads = CounterMetricFamily(
            "mainspring_release_loads", "Releases loaded or refused by workers.", labels=("model", "outcome")
        )
        for load, number in counts.loads.items():
            loads.add_metric(load, number)
        in_flight = GaugeMetricFamily("mainspring_requests_in_flight", "Requests being answered.")
        in_flight.add_metric((), counts.in_flight)
        yield from (requests, seconds, rows, loads, in_flight)
