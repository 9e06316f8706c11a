"""The metrics of the prediction log and of feedback: what was handed over and dropped, and what is stored."""

from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mainspring.serving.counts import Counts
from mainspring.serving.log_state import read_state, waiting_bytes


class LogFamilies(Collector):
    """Args:
    counts: of all workers.
    folder: the gateway's.
    """

    def __init__(self, counts: Counts, folder: Path) -> None:
        self._counts = counts
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        rows = CounterMetricFamily("mainspring_log_rows", "Predictions handed to the log.")
        rows.add_metric((), self._counts.log_rows)
        drops = CounterMetricFamily(
            "mainspring_log_dropped", "Records that the prediction log could not take.", labels=("reason",)
        )
        for why, number in self._counts.log_drops.items():
            drops.add_metric((why,), number)
        feedback = CounterMetricFamily(
            "mainspring_feedback", "Labels and outcomes that were kept.", labels=("model", "kind")
        )
        for about, number in self._counts.feedback.items():
            feedback.add_metric(about, number)
        state = read_state(self._folder)
        stored = CounterMetricFamily("mainspring_log_stored_rows", "Rows that the drainer stored in tables.")
        stored.add_metric((), state.rows)
        damaged = CounterMetricFamily(
            "mainspring_log_damaged",
            "Records that no row could be made of, and bytes that were no record.",
            labels=("unit",),
        )
        damaged.add_metric(("records",), state.damaged_frames)
        damaged.add_metric(("bytes",), state.damaged_bytes)
        waiting = GaugeMetricFamily("mainspring_log_waiting_bytes", "Bytes in the spool that no table has yet.")
        waiting.add_metric((), waiting_bytes(self._folder, state))
        failing = GaugeMetricFamily("mainspring_log_failing", "1 while something cannot be stored.")
        failing.add_metric((), float(bool(state.trouble)))
        committed = GaugeMetricFamily(
            "mainspring_log_committed_timestamp_seconds", "When rows were last stored, since the epoch."
        )
        if state.committed_at is not None:
            committed.add_metric((), state.committed_at)
        share = GaugeMetricFamily(
            "mainspring_label_share",
            "Share of the last week's predictions whose truth is known.",
            labels=("model",),
        )
        delay = GaugeMetricFamily(
            "mainspring_label_delay_seconds",
            "From a prediction to its label: what so many of the known labels of the last week took at most.",
            labels=("model", "quantile"),
        )
        for model, of in state.labels.items():
            share.add_metric((model,), of.share)
            for quantile, seconds in (("0.5", of.delay_median), ("0.9", of.delay_90)):
                if seconds is not None:
                    delay.add_metric((model, quantile), seconds)
        yield from (rows, drops, feedback, stored, damaged, waiting, failing, committed, share, delay)
