"""A Redis server keeps the law of online stores, and what happens when it is slow, full, flushed or gone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from mainspring.errors import DiskFull, SettingsError, StoreError
from mainspring.features.online.redis import RedisStore
from mainspring.testing.contracts.online import ADS, SHOPS, numbered
from mainspring.testing.contracts.online_emptied import EmptiedContract
from mainspring.testing.redis import RedisServer, redis_server


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> RedisServer:
    running.flush()
    return running


@pytest.fixture
def store(server: RedisServer) -> Iterator[RedisStore]:
    store = RedisStore(server.url, timeout=20.0)
    yield store
    store.close()


class TestRedis(EmptiedContract):
    @pytest.fixture
    def open_store(self, server: RedisServer) -> Callable[[], RedisStore]:
        return lambda: RedisStore(server.url, timeout=20.0)

    @pytest.fixture
    def empty(self, server: RedisServer) -> Callable[[], None]:
        return server.flush


def test_a_server_that_came_back_is_taken_up_again(server: RedisServer, store: RedisStore) -> None:
    store.write(ADS, numbered(0, 2), fence=1)
    server.kill()
    with pytest.raises(StoreError, match=r"gave up.*see that it runs"):
        store.read([(ADS, [b"key0"])])
    server.start()
    assert store.read([(ADS, [b"key0"])]) == [[None]]  # this one had kept nothing
    assert store.marked(ADS) is None
    store.write(ADS, numbered(0, 2), fence=1)
    assert store.read([(ADS, [b"key0"])]) == [[b"v0"]]


def test_a_lost_connection_is_taken_up_without_a_word(server: RedisServer, store: RedisStore) -> None:
    store.write(ADS, numbered(0, 2), fence=1)
    for _ in range(2):  # of the first read, and of one that has read before
        server.ask("CLIENT", "KILL", "TYPE", "normal")
        assert store.read([(ADS, [b"key1"])]) == [[b"v1"]]
    server.ask("CLIENT", "KILL", "TYPE", "normal")
    assert store.write(ADS, numbered(0, 2, b"new"), fence=1) == 2


def test_a_server_that_does_not_answer_is_named_in_time(server: RedisServer) -> None:
    store = RedisStore(server.url, timeout=0.1)
    store.write(ADS, numbered(0, 2), fence=1)
    assert store.read([(ADS, [b"key0"])]) == [[b"v0"]]
    server.pause()
    try:
        for _ in range(2):  # on a connection that is open, and on one to be opened
            with pytest.raises(StoreError, match=r"did not answer within 0\.1 s"):
                store.read([(ADS, [b"key0"])])
        with pytest.raises(StoreError, match=r"did not answer within 0\.1 s"):
            store.write(ADS, numbered(0, 2, b"late"), fence=1)
    finally:
        server.resume()
    assert store.read([(ADS, [b"key1", b"nosuch"]), (SHOPS, [b"key0"])])[1] == [None]
    store.write(ADS, numbered(0, 2, b"new"), fence=1)
    assert store.read([(ADS, [b"key0", b"key1"])]) == [[b"new0", b"new1"]]  # no answer meant for another question
    store.close()


def test_after_an_error_no_answer_is_left_for_the_next_question(server: RedisServer, store: RedisStore) -> None:
    store.write(ADS, numbered(0, 2), fence=1)
    server.ask("SET", f"mainspring:features:{SHOPS}", "somebody else's")
    for _ in range(2):
        with pytest.raises(StoreError, match="WRONGTYPE"):
            store.read([(SHOPS, [b"key0"]), (ADS, [b"key0"])])
        assert store.read([(ADS, [b"key1"])]) == [[b"v1"]]


def test_a_killed_writer_leaves_whole_vectors_and_no_mark(server: RedisServer, store: RedisStore) -> None:
    script = (
        "import sys\n"
        "from mainspring.features.online.redis import RedisStore\n"
        "from mainspring.testing.contracts.online import ADS, numbered\n"
        "store = RedisStore(sys.argv[1], timeout=20.0)\n"
        "while True:\n"
        "    store.write(ADS, numbered(0, 20_000, b'old'), fence=1)\n"
        "    print('written', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, server.url], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "written\n"
        store.write(ADS, numbered(0, 10_000, b"new"), fence=1)
        os.kill(writer.pid, signal.SIGKILL)
    store.write(ADS, numbered(0, 10_000, b"new"), fence=2)
    found = store.read([(ADS, [key for key, _ in numbered(0, 20_000)])])[0]
    assert found[:10_000] == [vector for _, vector in numbered(0, 10_000, b"new")]
    assert found[10_000:] == [vector for _, vector in numbered(10_000, 10_000, b"old")]
    assert (store.marked(ADS), store.count(ADS)) == (None, 20_000)


def test_a_flush_between_two_round_trips_of_one_write_is_seen(server: RedisServer, store: RedisStore) -> None:
    def vectors() -> Iterator[tuple[bytes, bytes]]:
        yield from numbered(0, 15_000)
        server.flush()
        yield from numbered(15_000, 15_000)

    with pytest.raises(StoreError, match="emptied while"):
        store.write(ADS, vectors(), fence=1)
    assert store.count(ADS) == 0


def test_a_full_server_is_named() -> None:
    with redis_server("--maxmemory", "3mb", "--maxmemory-policy", "noeviction") as server:
        store = RedisStore(server.url, timeout=5.0)
        store.write(ADS, numbered(0, 10), fence=1)
        with pytest.raises(DiskFull, match=r"no memory left.*maxmemory"):
            store.write(ADS, ((key, vector * 50) for key, vector in numbered(10, 30_000)), fence=1)
        assert store.read([(ADS, [b"key3"])]) == [[b"v3"]]
        assert store.marked(ADS) is None
        store.close()


def test_a_view_that_was_evicted_takes_its_mark_along() -> None:
    with redis_server("--maxmemory", "3mb", "--maxmemory-policy", "allkeys-random") as server:
        store = RedisStore(server.url, timeout=5.0)
        store.write(ADS, numbered(0, 10), fence=1)
        store.mark(ADS, b"m", fence=1)
        for number in range(100_000):
            server.ask("SET", f"other{number}", "x" * 10_000)
            if store.count(ADS) == 0:
                break
        assert store.marked(ADS) is None
        store.close()


def test_a_password_is_asked_for() -> None:
    with redis_server() as server:
        server.ask("CONFIG", "SET", "requirepass", "geheim")
        with pytest.raises(StoreError, match=r"REDIS_PASSWORD") as caught:
            RedisStore(server.url, timeout=5.0).count(ADS)
        with pytest.raises(StoreError, match="mend the user and the password"):
            RedisStore(server.url.replace("unix://", "unix://:falsch@"), timeout=5.0).count(ADS)
        assert RedisStore(server.url.replace("unix://", "unix://:geheim@"), timeout=5.0).count(ADS) == 0
        assert "geheim" not in str(caught.value)


def test_somebody_elses_data_are_named(server: RedisServer, store: RedisStore) -> None:
    server.ask("SET", f"mainspring:features:{ADS}", "a text")
    for use in (lambda: store.read([(ADS, [b"a"])]), lambda: store.write(ADS, numbered(0, 1), fence=1)):
        with pytest.raises(StoreError, match="another database"):
            use()


def test_a_replica_is_named(server: RedisServer, store: RedisStore) -> None:
    server.ask("REPLICAOF", "127.0.0.1", 1)
    try:
        with pytest.raises(StoreError, match="name the primary"):
            store.write(ADS, numbered(0, 1), fence=1)
    finally:
        server.ask("REPLICAOF", "NO", "ONE")


def test_a_server_that_is_not_there_is_named() -> None:
    begun = time.monotonic()
    with pytest.raises(StoreError, match=r"gave up.*see that it runs"):
        RedisStore("unix:///nosuch/socket", timeout=30.0).count(ADS)
    with pytest.raises(StoreError, match=r"gave up.*see that it runs"):
        RedisStore("redis://127.0.0.1:1/0", timeout=30.0).count(ADS)
    assert time.monotonic() - begun < 20  # it says so at once, not after its time limit


@pytest.mark.parametrize(
    "url", ["redis://host:port/0", "redis://host/0?socket_timeout=soon", "redis://host/0?nosuch=1"]
)
def test_a_url_that_makes_no_sense_is_named(url: str) -> None:
    with pytest.raises(SettingsError, match=r"features\.url"):
        RedisStore(url, timeout=1.0)
