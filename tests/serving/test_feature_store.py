"""The online store behind its time limit: who waits, who does not, and what is kept for bad times."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from mainspring.domain.ports_features import EntityKey, Vector, ViewId
from mainspring.errors import StoreError
from mainspring.features.online.memory import MemoryStore
from mainspring.serving.feature_store import FeatureStore, Vectors
from mainspring.serving.kept_vectors import KeptVectors
from mainspring.testing.clock import FakeClock

VIEW = "ads-1"
ASKED = [(VIEW, [b"a", b"b"])]
KNOWN: Vectors = [[(b"x", True), (None, True)]]


class Store(MemoryStore):
    """A store that holds `a`, and that can be made to wait, to fail and to forget.

    Attributes:
        reads: how often it was asked.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.broken = False
        self.going = threading.Event()
        self.going.set()
        self.write(VIEW, [(b"a", b"x")], fence=1)
        self.mark(VIEW, b"{}", fence=1)

    def read(self, asked: Sequence[tuple[ViewId, Sequence[EntityKey]]]) -> list[list[Vector | None]]:
        self.reads += 1
        assert self.going.wait(30)
        if self.broken:
            raise StoreError("gone", cure="wait")
        return super().read(asked)


def opened(store: Store, clock: FakeClock, *, inline: bool = False, timeout: float = 0.2) -> FeatureStore:
    return FeatureStore(lambda seconds: store, inline=inline, timeout=timeout, clock=clock)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 3, 1, tzinfo=UTC))


def test_what_the_store_says_is_passed_on(clock: FakeClock) -> None:
    for inline in (False, True):
        reader = opened(Store(), clock, inline=inline, timeout=10.0)
        for _ in range(3):
            assert asyncio.run(reader.read(ASKED)) == KNOWN
        assert reader.trouble == ""


def test_a_store_that_hangs_costs_one_request_a_second_its_patience(clock: FakeClock) -> None:
    store = Store()
    reader = opened(store, clock)

    async def story() -> None:
        reader_says = await opened(Store(), clock, timeout=10.0).read(ASKED)
        assert reader_says == KNOWN
        store.going.clear()
        assert await reader.read(ASKED) == [[(None, False), (None, False)]], "it was never asked before"
        assert "longer than 200 ms" in reader.trouble
        asked = store.reads
        for _ in range(100):
            await reader.read(ASKED)
        assert store.reads == asked, "nobody else waits"
        clock.sleep(1.5)
        await asyncio.gather(*(reader.read(ASKED) for _ in range(20)))
        assert store.reads == asked + 1, "one looks whether it answers again"
        store.going.set()
        for _ in range(100):
            clock.sleep(1.5)
            if await reader.read(ASKED) == KNOWN:
                break
            await asyncio.sleep(0.05)  # those who hung come back
        assert reader.trouble == ""

    asyncio.run(story())


def test_a_store_that_fails_or_has_forgotten_is_answered_for(clock: FakeClock) -> None:
    store = Store()
    reader = opened(store, clock, timeout=10.0)

    async def story() -> None:
        assert await reader.read(ASKED) == KNOWN
        store.broken = True
        assert await reader.read(ASKED) == [[(b"x", False), (None, False)]]
        assert "gone" in reader.trouble
        store.broken = False
        store.drop(VIEW)
        clock.sleep(1.5)
        assert await reader.read(ASKED) == [[(b"x", False), (None, False)]], "it has forgotten the view"
        store.mark(VIEW, b"{}", fence=2)
        clock.sleep(1.5)
        assert await reader.read(ASKED) == [[(None, True), (None, True)]], "the view is there, without them"
        store.broken = True
        assert await reader.read(ASKED) == [[(None, False), (None, False)]], "and so it is forgotten here, too"

    asyncio.run(story())


def test_whoever_is_patient_asks_a_failed_store_once_a_second(clock: FakeClock) -> None:
    store = Store()
    reader = opened(store, clock)
    store.broken = True
    for _ in range(10):
        assert reader.read_patiently(ASKED) == [[(None, False), (None, False)]]
    assert store.reads == 1
    store.broken = False
    clock.sleep(1.5)
    assert reader.read_patiently(ASKED) == KNOWN


def test_a_store_that_does_not_open_is_like_one_that_fails(clock: FakeClock) -> None:
    def refuse(_: float) -> Store:
        raise StoreError("no such place", cure="name another")

    reader = FeatureStore(refuse, inline=True, timeout=1.0, clock=clock)
    assert asyncio.run(reader.read(ASKED)) == [[(None, False), (None, False)]]
    assert "no such place" in reader.trouble
    reader.close()


def test_what_is_kept_is_bounded_and_the_oldest_go_first() -> None:
    kept = KeptVectors(10_000)
    for number in range(1_000):
        kept.put(VIEW, [b"%d" % number], [b"v" * (number % 50)])
    there = [number for number in range(1_000) if kept.get(VIEW, [b"%d" % number])[0] is not None]
    assert there == list(range(there[0], 1_000))
    assert 20 < len(there) < 41
    kept.put(VIEW, [b"%d" % there[0]], [b"again"])
    kept.put(VIEW, [b"new"], [b"v"])
    assert kept.get(VIEW, [b"%d" % there[0], b"%d" % there[1]]) == [b"again", None]
