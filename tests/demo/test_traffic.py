"""The traffic of the demo: who comes, what is asked, and what is fed back when."""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from mainspring.demo.agency import CATEGORIES, Agency
from mainspring.demo.banners import Looks
from mainspring.demo.click_through import click_through
from mainspring.demo.traffic import VISITS, Rate, Traffic
from mainspring.errors import StoreError
from mainspring.testing.clock import FakeClock

NOW = datetime(2026, 1, 5, tzinfo=UTC)
RATE = Rate(visitors=50.0, bidders=6, curious=0.0, label_seconds=4.0)


class Answering:
    """Answers by a rule in place of a model; remembers what it was told, and when."""

    def __init__(self, clock: FakeClock, score: Callable[[Mapping[str, Any]], float]) -> None:
        self.asked: dict[str, float] = {}
        self.told: list[tuple[str, int, float]] = []
        self.came: list[str] = []
        self.pushed: list[Mapping[str, Any]] = []
        self.fails = 0
        self.enough = threading.Event()
        self._clock = clock
        self._score = score

    def predict(self, model: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        self._fail()
        name = f"request-{len(self.asked)}"
        self.asked[name] = self._clock.monotonic()
        if len(self.asked) >= 500:
            self.enough.set()
        self.came.append(rows[0]["visitor_id"])
        scores = [self._score(row) for row in rows]
        return {
            "id": name,
            "release": f"{model}@1",
            "predictions": [{"probabilities": {"0": 1 - one, "1": one}} for one in scores],
        }

    def feedback(self, model: str, messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        self._fail()
        now = self._clock.monotonic()
        self.told += [(one["prediction_id"], one["label"], now) for one in messages]
        return {"accepted": len(messages)}

    def push(self, view: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        self._fail()
        assert view == VISITS
        self.pushed += rows
        return {"accepted": len(rows)}

    def _fail(self) -> None:
        if self.fails:
            self.fails -= 1
            raise StoreError("the gateway is away")


def an_agency() -> Agency:
    rng = np.random.default_rng(0)
    return Agency([Looks(*rng.uniform(0.1, 0.9, 2)) for _ in range(30)], visitors=500, seed=3)


AGENCY = an_agency()


def brightness_of(row: Mapping[str, Any]) -> float:
    """What the gateway would find by the ad's key."""
    return float(AGENCY.ads.brightness[int(row["ad_id"].removeprefix("ad-"))])


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


def traffic_of(clock: FakeClock, gateway: Answering) -> Traffic:
    return Traffic(an_agency(), gateway, "adclick", RATE, positive="1", seed=1, clock=clock)


def test_every_ad_that_is_shown_gets_its_label_once_and_in_its_time(clock: FakeClock) -> None:
    gateway = Answering(clock, brightness_of)
    traffic = traffic_of(clock, gateway)
    with traffic:
        assert gateway.enough.wait(60)
    counts = traffic.counts
    assert len(traffic.shown) == len(gateway.asked) == counts.predictions / 6
    assert counts.labels == len(gateway.told) == len(traffic.shown)
    assert len({name for name, _, _ in gateway.told}) == len(gateway.told)
    for name, _, told_at in gateway.told:
        delay = told_at - gateway.asked[name.partition("/")[0]]
        assert 0.2 * RATE.label_seconds <= delay <= RATE.label_seconds + 1.0
    assert sum(label for _, label, _ in gateway.told) == sum(one.clicked for one in traffic.shown)
    assert counts.failed == 0
    span = traffic.shown[-1].at - traffic.shown[0].at
    assert len(traffic.shown) / span == pytest.approx(RATE.visitors, rel=0.05)


def test_each_visit_is_pushed_once_and_nobody_comes_again_before_the_others(clock: FakeClock) -> None:
    gateway = Answering(clock, lambda row: 0.5)
    traffic = traffic_of(clock, gateway)
    with traffic:
        assert gateway.enough.wait(60)
    assert [row["visitor_id"] for row in gateway.pushed] == gateway.came
    assert traffic.counts.visits == len(gateway.pushed)
    assert len(set(gateway.came[:500])) == 500
    assert gateway.came[500:] == gateway.came[: len(gateway.came) - 500]
    moments = [datetime.fromisoformat(row["left_at"]) for row in gateway.pushed]
    assert moments == sorted(moments)
    likes = AGENCY.visitors.interest
    liked = [
        CATEGORIES[likes[int(row["visitor_id"].removeprefix("visitor-"))]] == row["topic"]
        for row in gateway.pushed
    ]
    assert 0.8 < np.mean(liked) < 0.95


def test_what_the_gateway_says_decides_which_ad_is_shown(clock: FakeClock) -> None:
    gateway = Answering(clock, brightness_of)
    traffic = traffic_of(clock, gateway)
    for _ in range(300):
        traffic.visit()
    bright = click_through(traffic.shown, "adclick@1")
    other = traffic_of(clock, Answering(clock, lambda row: 1 - brightness_of(row)))
    for _ in range(300):
        other.visit()
    dark = click_through(other.shown, "adclick@1")
    assert bright is not None
    assert dark is not None
    assert (bright.best, bright.random) == (dark.best, dark.random), "the same visitors and ads came"
    assert bright.chosen > dark.chosen
    assert bright.chosen < bright.best


def test_a_request_that_fails_is_counted_and_a_label_comes_again(clock: FakeClock) -> None:
    gateway = Answering(clock, lambda row: 0.5)
    traffic = traffic_of(clock, gateway)
    gateway.fails = 7
    with traffic:
        assert gateway.enough.wait(60)
    assert traffic.counts.failed == 7
    assert traffic.counts.failures == ("the gateway is away",) * 5
    assert len(gateway.told) == len(traffic.shown) == len(gateway.asked)
    assert len(gateway.pushed) == len(gateway.came)
