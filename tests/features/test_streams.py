"""Rows that come by a real Redis stream: none is lost, each is stored once, and nonsense is put aside."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from mainspring.domain.feature_stream import FeatureStream
from mainspring.domain.schema import Column, Kind, Schema
from mainspring.errors import SettingsError, StoreError
from mainspring.features.push import MESSAGE, Pushed, Target, pushed_table
from mainspring.features.streams import AT_ONCE, StreamReader
from mainspring.stores.tables_delta import DeltaTables
from mainspring.testing.redis import RedisServer, redis_server

pytestmark = pytest.mark.timeout(120)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SCHEMA = Schema(
    (Column("user", Kind.INTEGER), Column("at", Kind.TIME, time_format="iso"), Column("amount", Kind.NUMBER))
)
TARGET = Target("spending", SCHEMA, ("user", "at"), None)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def redis(server: RedisServer) -> RedisServer:
    server.flush()
    return server


@pytest.fixture
def tables(tmp_path: Path) -> DeltaTables:
    return DeltaTables(str(tmp_path / "tables"))


def stream_of(server: RedisServer, dead_after: int = 60_000) -> FeatureStream:
    return FeatureStream(view="spending", name="purchases", url=server.url, dead_after=dead_after)


@pytest.fixture
def opened(redis: RedisServer) -> Iterator[Callable[..., StreamReader]]:
    readers: list[StreamReader] = []

    def open_one(consumer: str = "c1", dead_after: int = 60_000) -> StreamReader:
        readers.append(StreamReader(stream_of(redis, dead_after), consumer, timeout=2.0))
        return readers[-1]

    yield open_one
    for reader in readers:
        reader.close()


def send(server: RedisServer, **fields: object) -> None:
    pairs = [part for name, value in fields.items() for part in (name, str(value))]
    server.ask("XADD", "purchases", "*", *pairs)


def purchase(server: RedisServer, user: int, amount: float = 1.0, **more: object) -> None:
    send(server, user=user, at=NOON.isoformat(), amount=amount, **more)


def stored(tables: DeltaTables) -> list[tuple[int, float | None]]:
    if not tables.exists(pushed_table("spending")):
        return []
    found: pl.DataFrame = tables.scan(pushed_table("spending")).sort("__number").collect()
    assert found.get_column(MESSAGE).n_unique() == found.height
    return found.select("user", "amount").rows()


def pending(server: RedisServer) -> int:
    answer = server.ask("XPENDING", "purchases", "mainspring")
    return answer[0] if isinstance(answer, list) else answer["pending"]  # type: ignore[index, no-any-return]


def test_entries_become_rows_and_are_acknowledged(redis, opened, tables) -> None:
    purchase(redis, 1, 2.5)
    send(redis, json=json.dumps({"user": 2, "at": "2026-03-01T12:00:00Z", "amount": None}))
    reader = opened()
    assert reader.take(TARGET, tables, NOON).pushed == Pushed(2, 0)
    assert stored(tables) == [(1, 2.5), (2, None)]
    assert pending(redis) == 0
    assert reader.take(TARGET, tables, NOON).entries == 0
    purchase(redis, 3)
    assert reader.take(TARGET, tables, NOON).pushed == Pushed(1, 0)


def test_a_stream_that_is_not_there_yet_is_waited_for(redis, opened, tables) -> None:
    reader = opened()
    assert reader.take(TARGET, tables, NOON).entries == 0
    purchase(redis, 1)
    assert reader.take(TARGET, tables, NOON).entries == 1


def test_an_entry_that_was_sent_twice_by_its_own_id_counts_once(redis, opened, tables) -> None:
    for amount in (1.0, 9.0):
        purchase(redis, 1, amount, __message="order-7")
    assert opened().take(TARGET, tables, NOON).pushed == Pushed(1, 1)
    assert stored(tables) == [(1, 1.0)]


@pytest.mark.parametrize(
    "fields",
    [
        {"user": "1"},
        {"user": "x", "at": "2026-03-01"},
        {"user": "1", "at": "noon"},
        {"user": "1", "at": "2026-03-01", "color": "red"},
        {"json": "{"},
        {"json": "[1]"},
        {"user": "1", "at": "2026-03-01", "__message": "x" * 200},
    ],
)
def test_an_entry_that_makes_no_sense_is_put_aside_and_holds_up_no_other(redis, opened, tables, fields) -> None:
    purchase(redis, 1)
    send(redis, **fields)
    purchase(redis, 2)
    taken = opened().take(TARGET, tables, NOON)
    assert (taken.entries, taken.refused) == (3, 1)
    assert stored(tables) == [(1, 1.0), (2, 1.0)]
    assert pending(redis) == 0
    ((_, aside),) = redis.ask("XRANGE", "purchases:refused", "-", "+")
    assert b"why" in (aside if isinstance(aside, dict) else aside[2::3] + aside)


def test_what_a_killed_consumer_had_read_is_taken_over(redis, opened, tables) -> None:
    for user in range(5):
        purchase(redis, user)
    dead = opened("dead")
    dead._make_group()
    assert len(dead._new()) == 5  # and killed before it stored them
    purchase(redis, 5)
    alive = opened("alive", dead_after=0)
    assert alive.take(TARGET, tables, NOON).pushed == Pushed(6, 0)
    assert [user for user, _ in stored(tables)] == [0, 1, 2, 3, 4, 5]
    assert pending(redis) == 0


class Deaf:
    """A reader's connection that is lost before the acknowledgement."""

    def __init__(self, redis: object) -> None:
        self._redis = redis

    def __getattr__(self, name: str) -> object:
        if name == "xack":
            raise KeyboardInterrupt
        return getattr(self._redis, name)


def test_stored_but_not_acknowledged_it_is_stored_once(redis, opened, tables) -> None:
    purchase(redis, 1)
    reader = opened()
    reader._redis = Deaf(reader._redis)
    with pytest.raises(KeyboardInterrupt):
        reader.take(TARGET, tables, NOON)
    assert pending(redis) == 1
    assert opened("next", dead_after=0).take(TARGET, tables, NOON).pushed == Pushed(0, 1)
    assert stored(tables) == [(1, 1.0)]
    assert pending(redis) == 0


def test_a_stream_that_redis_lost_begins_anew_and_stores_nothing_twice(redis, opened, tables) -> None:
    reader = opened()
    purchase(redis, 1, __message="a")
    reader.take(TARGET, tables, NOON)
    redis.flush()
    purchase(redis, 1, __message="a")
    purchase(redis, 2, __message="b")
    assert reader.take(TARGET, tables, NOON).pushed == Pushed(1, 1)
    assert stored(tables) == [(1, 1.0), (2, 1.0)]


def test_many_are_read_in_pieces(redis, opened, tables) -> None:
    script = "for i = 1, ARGV[1] do redis.call('XADD', 'purchases', '*', 'user', i, 'at', '2026-03-01') end"
    redis.ask("EVAL", script, 0, AT_ONCE + 10)
    reader = opened()
    assert [reader.take(TARGET, tables, NOON).entries for _ in range(3)] == [AT_ONCE, 10, 0]
    assert len(stored(tables)) == AT_ONCE + 10


def test_a_server_that_is_slow_or_gone_is_told_and_taken_up_again(redis, tables) -> None:
    reader = StreamReader(stream_of(redis), "c1", timeout=0.2)
    purchase(redis, 1)
    redis.pause()
    try:
        with pytest.raises(StoreError, match="the stream 'purchases' cannot be read"):
            reader.take(TARGET, tables, NOON)
    finally:
        redis.resume()
    redis.kill()
    with pytest.raises(StoreError, match="check that Redis runs"):
        reader.take(TARGET, tables, NOON)
    redis.start()
    purchase(redis, 2)
    assert reader.take(TARGET, tables, NOON).pushed.new == 1
    reader.close()


def test_a_url_that_is_none_of_redis_is_named() -> None:
    with pytest.raises(SettingsError, match="none of Redis"):
        StreamReader(FeatureStream(view="spending", name="purchases", url="sqlite:///x.db"), "c1")


# What a process that may be killed at any moment does.
CONSUMER = """
import sys
from datetime import UTC, datetime
from mainspring.domain.feature_stream import FeatureStream
from mainspring.domain.schema import Column, Kind, Schema
from mainspring.features.push import Target
from mainspring.features.streams import StreamReader
from mainspring.stores.tables_delta import DeltaTables
url, folder, consumer = sys.argv[1:]
columns = (Column("user", Kind.INTEGER), Column("at", Kind.TIME, time_format="iso"), Column("amount", Kind.NUMBER))
target = Target("spending", Schema(columns), ("user", "at"), None)
reader = StreamReader(FeatureStream(view="spending", name="purchases", url=url, dead_after=50), consumer)
while True:
    reader.take(target, DeltaTables(folder), datetime.now(UTC))
"""


def test_consumers_that_are_killed_again_and_again_lose_and_double_nothing(redis, tables, tmp_path) -> None:
    sent = 0
    for life in range(3):
        folder = str(tmp_path / "tables")
        process = subprocess.Popen([sys.executable, "-c", CONSUMER, redis.url, folder, f"c{life}"])
        deadline = time.monotonic() + 60
        before = len(stored(tables))
        while len(stored(tables)) < before + 20 and time.monotonic() < deadline:
            for _ in range(7):
                purchase(redis, sent)
                sent += 1
            time.sleep(0.05)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    reader = StreamReader(stream_of(redis, dead_after=0), "last")
    while reader.take(TARGET, tables, NOON).entries:
        pass
    reader.close()
    assert sorted(user for user, _ in stored(tables)) == list(range(sent))
    assert pending(redis) == 0
