"""Memory stays flat under load, in each of the gateway's processes."""

import time
from collections import defaultdict

import psutil
import pytest

from mainspring.domain.routing import Share, Traffic

from .conftest import ROW, Running, Shop, start
from .load import Load

HOUR = 3_600.0  # seconds
MB = 1e6


def resident(running: Running) -> dict[str, float]:
    """Megabytes of each of the gateway's processes."""
    found = {"gateway": psutil.Process(running.process.pid).memory_info().rss / MB}
    for role in ("worker", "drainer", "shadow"):
        for pid in running.children(f"mainspring.serving.{role}"):
            found[role] = psutil.Process(pid).memory_info().rss / MB
    return found


def feed_back(running: Running, number: int) -> None:
    name = f"labelled-{number}"
    assert running.request("POST", "/predict/adult", [ROW] * 20, {"x-request-id": name})[0] == 200
    messages = [{"prediction_id": f"{name}/{row}", "label": ">50K"} for row in range(20)]
    assert running.request("POST", "/feedback/adult", messages)[0] == 200
    assert running.request("POST", "/predict/adult", {"wrong": number})[0] == 422
    assert running.request("GET", "/metrics")[0] == 200


@pytest.mark.soak
def test_an_hour_of_load_leaves_memory_flat(shop: Shop) -> None:
    shop.seal(1)
    shop.seal(2)
    shop.seal(3)
    shop.promote(1)
    generation = shop.share(Traffic(canary=Share(2, 0.2), shadows=(Share(3, 1.0),)))
    running = start(shop, log={"commit_every": 10.0})
    seen: dict[str, list[float]] = defaultdict(list)
    try:
        running.wait_until(lambda: running.acknowledged(generation, "adult"))
        began = time.monotonic()
        with Load(running.port, pause=0.01) as load:
            while time.monotonic() - began < HOUR:
                feed_back(running, len(seen["gateway"]))
                for role, megabytes in resident(running).items():
                    seen[role].append(megabytes)
                time.sleep(5)
        assert load.failures == []
        assert running.count("mainspring_log_dropped_total") == 0
    finally:
        assert running.stop() == 0
    assert set(seen) == {"gateway", "worker", "drainer", "shadow"}
    for role, sizes in seen.items():
        quarter = len(sizes) // 4
        early, late = max(sizes[quarter : 2 * quarter]), max(sizes[-quarter:])
        print(f"{role}: {sizes[0]:.0f} MB at first, {early:.0f} in the second quarter, {late:.0f} in the last")
        assert late < 1.05 * early + 3, f"{role} grows: {sizes[:: max(1, len(sizes) // 30)]}"
