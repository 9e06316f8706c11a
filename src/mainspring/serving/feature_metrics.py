"""The gateway's metrics of features that were found by key."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from mainspring.clock import Clock
from mainspring.serving.counts import Counts


class FeatureFamilies(Collector):
    """Args:
    counts: of all workers.
    """

    def __init__(self, counts: Counts, clock: Clock) -> None:
        self._counts = counts
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        rows = CounterMetricFamily(
            "mainspring_feature_rows",
            "Rows whose features were to be found by key: found, missing, expired, or, where the online store did "
            "not answer, last_known or default.",
            labels=("view", "outcome"),
        )
        for labels, number in self._counts.features.items():
            rows.add_metric(labels, number)
        spread = self._counts.feature_seconds
        seconds = HistogramMetricFamily(
            "mainspring_feature_read_seconds", "Seconds that a request waited for the online store."
        )
        seconds.add_metric((), spread.cumulative(), spread.total)
        age = GaugeMetricFamily(
            "mainspring_feature_age_seconds",
            "Seconds since the view in the online store was up to date.",
            labels=("view",),
        )
        now = self._clock.now().timestamp()
        for view, until in self._counts.features_until.items():
            age.add_metric((view,), max(0.0, now - until / 1e6))
        yield from (rows, seconds, age)
