"""Technical quantities: quantiles of the log, counters from look to look, and no gateway at all."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from mainspring.domain.measurement import Measurement, State
from mainspring.domain.monitor import TECHNICAL, Monitor
from mainspring.monitoring.gateway_counters import read_metrics, total
from mainspring.monitoring.technical import technical
from mainspring.serving.exposition import exposition
from mainspring.serving.meters import Meters
from mainspring.testing.watched import DAY, HOUR, T0, Watched, day


class Gateway:
    """A gateway's own counters, as it would show them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.meters = Meters(folder, 0)

    def answer(self, count: int, status: int = 200, model: str = "shop", seconds: float = 0.5) -> "Gateway":
        for _ in range(count):
            self.meters.answered(model, f"{model}@1", status, seconds)
        return self

    @property
    def text(self) -> str:
        return exposition(self.meters.everything(), self.meters.folder).decode()


def look(
    watched: Watched,
    quantity: str,
    states: dict[str, dict[str, object]],
    text: str | None,
    hour: int = 0,
    **bars: float,
) -> Measurement:
    monitor = Monitor.technical(quantity, **bars)
    context = watched.context(T0 + hour * HOUR, states=states, gateway_metrics=text)
    (found,) = technical(context, monitor, day())
    return found


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    (tmp_path / "gateway").mkdir()
    return Gateway(tmp_path / "gateway" / "counts")


def test_latency_is_the_quantile_of_the_requests(watched: Watched) -> None:
    micros = np.random.default_rng(0).permutation(np.arange(1, 1001) * 1000)
    watched.answer(1000, latency_us=micros)
    watched.answer(10, T0 + DAY, latency_us=10**6)
    half, most = (look(watched, name, {}, None, 24) for name in ("latency_p50", "latency_p99"))
    assert (half.value, most.value, half.rows) == (0.5, 0.99, 1000)
    assert half.low == pytest.approx(0.5 - 1.96 * np.sqrt(1000 * 0.25) / 1000, abs=0.002)
    states = [look(watched, "latency_p99", {}, None, at_most=bar).state for bar in (1.0, 0.5)]
    assert states == [State.FINE, State.BAD]


def test_shadows_and_the_rows_of_one_request_count_once(watched: Watched) -> None:
    watched.release(2)
    watched.answer(300, shadow=2)
    assert look(watched, "latency_p50", {}, None).rows == 300


@pytest.mark.parametrize(("quantity", "status"), [("error_share", 500), ("refused_share", 422)])
def test_shares_are_of_the_requests_since_the_last_look(
    watched: Watched, gateway: Gateway, quantity: str, status: int
) -> None:
    states: dict[str, dict[str, object]] = {}
    gateway.answer(900, status)
    begun = look(watched, quantity, states, gateway.text)
    assert (begun.state, begun.value) == (State.UNKNOWN, None)
    gateway.answer(950).answer(50, status).answer(5000, 200, model="other")
    found = look(watched, quantity, states, gateway.text, hour=1, at_most=0.01)
    assert (found.value, found.rows, found.state) == (0.05, 1000, State.BAD)
    assert (found.window.start, found.window.end) == (T0, T0 + HOUR)
    nothing = look(watched, quantity, states, gateway.text, hour=2)
    assert nothing.state is State.UNKNOWN
    gateway.answer(1, status)
    one = look(watched, quantity, states, gateway.text, hour=3, at_most=0.01)
    assert (one.value, one.state) == (1.0, State.UNKNOWN)  # one request tells nothing


def test_a_gateway_that_began_anew_counts_from_nothing(watched: Watched, gateway: Gateway, tmp_path: Path) -> None:
    states: dict[str, dict[str, object]] = {}
    look(watched, "error_share", states, gateway.answer(900).text)
    again = Gateway(tmp_path / "again").answer(90).answer(10, 500)
    found = look(watched, "error_share", states, again.text, hour=1)
    assert (found.value, found.rows) == (0.1, 100)


def test_saturation_is_requests_at_a_time(watched: Watched, gateway: Gateway) -> None:
    states: dict[str, dict[str, object]] = {}
    look(watched, "saturation", states, gateway.text)
    found = look(watched, "saturation", states, gateway.answer(720, seconds=10.0).text, hour=1, at_most=1.0)
    assert found.value == pytest.approx(2.0)
    assert found.state is State.BAD


def test_drops_of_the_log(watched: Watched, gateway: Gateway) -> None:
    states: dict[str, dict[str, object]] = {}
    gateway.meters.log_dropped("full")
    look(watched, "log_drops", states, gateway.text)
    assert look(watched, "log_drops", states, gateway.text, 1, at_most=0).state is State.FINE
    gateway.meters.log_dropped("full")
    found = look(watched, "log_drops", states, gateway.text, 2, at_most=0)
    assert (found.value, found.state) == (1.0, State.BAD)


def test_the_lag_of_the_log(watched: Watched) -> None:
    stored = (T0 - timedelta(minutes=5)).timestamp()
    text = f"mainspring_log_waiting_bytes 7.0\nmainspring_log_committed_timestamp_seconds {stored}\n"
    assert look(watched, "log_lag", {}, text, at_most=60).value == 300
    assert look(watched, "log_lag", {}, text, at_most=60).state is State.BAD
    assert look(watched, "log_lag", {}, text.replace("bytes 7.0", "bytes 0.0")).value == 0
    assert look(watched, "log_lag", {}, "mainspring_log_waiting_bytes 7.0\n").state is State.UNKNOWN


def test_labels_are_counted_by_the_log(watched: Watched) -> None:
    watched.answer(1000, label_share=0.5, label_delay=HOUR)
    share, delay = (look(watched, name, {}, None, 30) for name in ("label_share", "label_delay"))
    assert share.value == pytest.approx(0.5, abs=0.06)
    assert delay.value == 3600
    (young,) = technical(watched.context(T0 + DAY, label_delay=DAY), Monitor.technical("label_share"), day())
    assert (young.state, young.rows) == (State.UNKNOWN, 0)
    silent = Watched(watched.folders[1] / "silent")
    silent.answer(300, label_share=0)
    assert look(silent, "label_delay", {}, None).state is State.UNKNOWN
    assert look(silent, "label_share", {}, None, at_least=0.2).state is State.BAD


@pytest.mark.parametrize("quantity", TECHNICAL)
def test_without_a_gateway_and_without_answers_it_is_unknown(quantity: str, watched: Watched) -> None:
    found = look(watched, quantity, {}, None, at_most=0)
    assert found.state is State.UNKNOWN
    assert found.note


@pytest.mark.parametrize("quantity", ["error_share", "log_lag", "feature_age"])
def test_metrics_that_are_none_are_said(quantity: str, watched: Watched) -> None:
    for text in ("<html>not found</html>", "", "mainspring_requests_total{model=", "x" * 1000):
        assert look(watched, quantity, {}, text).state is State.UNKNOWN


def test_our_own_metrics_are_read(gateway: Gateway) -> None:
    samples = read_metrics(gateway.answer(3).answer(2, 500).text)
    assert total(samples, "requests_total", model="shop") == 5
    assert total(samples, "requests_total", status="500") == 2
    assert total(samples, "request_seconds_sum") == 2.5
