"""Releases change under load: no request fails, and each answer is that of the release that it names."""

import asyncio
import json
import random
import threading
import time

import pytest

from mainspring.domain.routing import Arm, Share, Traffic

from .conftest import ROW, Running, Shop, expected, start

BODY = json.dumps(ROW).encode()
KEYS = 40


def request(key: int) -> bytes:
    head = (
        "POST /predict/adult HTTP/1.1\r\nHost: 127.0.0.1\r\nx-routing-key: user-%d\r\nContent-Length: %d\r\n\r\n"
    )
    return (head % (key, len(BODY))).encode() + BODY


class Load:
    """Connections that ask without pause; every answer must be right for the release that it names."""

    def __init__(self, port: int, connections: int = 6, pause: float = 0.002) -> None:
        self._port = port
        self._connections = connections
        self._pause = pause
        self._stop = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._right = {number: float(expected(number, [ROW])[0, 1]) for number in range(1, 10)}
        self.answers: list[tuple[float, float, int]] = []  # when, how long it took, the release's number
        self.failures: list[str] = []

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop = True
        self._thread.join()

    async def _run(self) -> None:
        await asyncio.gather(*(self._ask(number) for number in range(self._connections)))

    async def _ask(self, number: int) -> None:
        keys = random.Random(number)
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            while not self._stop:
                began = time.monotonic()
                writer.write(request(keys.randrange(KEYS)))
                head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)).lower()
                length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
                answer = json.loads(await reader.readexactly(length))
                now = time.monotonic()
                release = answer.get("release", "")
                named = head.split(b"x-release: ")[1].split(b"\r\n")[0].decode() if b"x-release: " in head else ""
                answered_by = int(release.partition("@")[2] or 0)
                got = answer["predictions"][0]["probabilities"][">50K"] if answered_by else None
                right = got is not None and abs(got - self._right[answered_by]) < 1e-9
                if not (head.startswith(b"http/1.1 200") and release == named and right):
                    self.failures.append(f"{head!r} {answer}")
                self.answers.append((now, now - began, answered_by))
                await asyncio.sleep(self._pause)  # the machine has other work, too
            writer.close()
            await writer.wait_closed()
        except Exception as error:
            self.failures.append(repr(error))


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
                canary=Share(others[0], 0.25), arms=(Arm("a", others[1], 0.25),), shadows=(Share(others[2], 0.5),)
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
