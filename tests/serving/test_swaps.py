"""Releases change under load: no request fails, and each answer is that of the release that it names."""

import random
import time
from datetime import UTC, datetime

import pytest

from mainspring.domain.routing import Arm, Share, Traffic

from .conftest import Running, Shop, start
from .load import Load


def change(running: Running, generation: int) -> None:
    """Wait until all workers answer by it, as `promote` does."""
    running.wait_until(lambda: running.acknowledged(generation, "adult"), 60)


def swaps(running: Running, number: int, rollbacks: int) -> list[tuple[float, float]]:
    """Promotions in turn, some of them undone at once, with canaries, arms and shadows that come and go; when each
    began and ended."""
    shop, lots, times = running.shop, random.Random(7), []
    undone = set(lots.sample(range(number), rollbacks))
    champion = 1
    for turn in range(number):
        began = time.monotonic()
        others = [one for one in (1, 2, 3, 4) if one != champion]
        if turn % 3 == 1:
            rules = Traffic(
                canary=Share(others[0], 0.25),
                arms=(Arm("a", others[1], 0.25),),
                shadows=(Share(others[2], 0.5),),
                arms_end=datetime(2100, 1, 1, tzinfo=UTC),
            )
            change(running, shop.share(rules))
        change(running, shop.promote(others[turn % 3]))
        if turn in undone:
            change(running, shop.promote(champion))
        else:
            champion = others[turn % 3]
        times.append((began, time.monotonic()))
    return times


def test_swaps_and_rollbacks_under_load_lose_no_request(shop: Shop) -> None:
    for number in range(1, 5):
        shop.seal(number)
    first = shop.promote(1)
    running = start(shop, workers=2)
    try:
        running.wait_until(lambda: len(shop.records.workers()) == 2 and running.acknowledged(first))
        with Load(running.port) as load:
            swaps(running, 15, 5)
        assert load.failures == []
        assert len(load.answers) > 100
        assert {number for _, _, number in load.answers} == {1, 2, 3, 4}
    finally:
        assert running.stop() == 0
    assert "refused" not in running.log.read_text()
    assert "Traceback" not in running.log.read_text()


@pytest.mark.soak
def test_two_hundred_swaps_and_fifty_rollbacks_lose_no_request(shop: Shop) -> None:
    for number in range(1, 5):
        shop.seal(number)
    first = shop.promote(1)
    running = start(shop, workers=2)
    try:
        running.wait_until(lambda: len(shop.records.workers()) == 2 and running.acknowledged(first))
        with Load(running.port, pause=0.0005) as load:
            time.sleep(20)
            quiet_until = time.monotonic()
            swaps(running, 200, 50)
        assert load.failures == []
        quiet = sorted(took for when, took, _ in load.answers if when < quiet_until)
        swapping = sorted(took for when, took, _ in load.answers if when >= quiet_until)
        p99 = [times[int(0.99 * len(times))] * 1e3 for times in (quiet, swapping)]
        print(f"{len(load.answers)} answers; p99 {p99[0]:.1f} ms without swaps, {p99[1]:.1f} ms with them")
    finally:
        assert running.stop() == 0
