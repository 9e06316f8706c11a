"""The online store is killed, slow, flushed or damaged, or the view is another one: never a wrong value."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from mainspring.domain.release import InputField
from mainspring.domain.routing import Share, Traffic
from mainspring.domain.schema import Kind
from mainspring.features.online.opening import open_online
from mainspring.stores.tables_delta import DeltaTables
from mainspring.testing.redis import RedisServer, redis_server

from .conftest import INPUTS, ROW, Running, Shop, expected, start
from .views import CREATIVE, FIELDS, given, opened, put, seal

KNOWN, UNKNOWN = ROW | {"ad_id": 17}, ROW | {"ad_id": 99}


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


def fill(server: RedisServer, brightness: float) -> None:
    with contextlib.closing(open_online(server.url)) as store:
        put(store, {17: brightness})


def answer(running: Running, row: dict[str, Any]) -> float:
    status, _, body = running.request("POST", "/predict/adult", row)
    assert status == 200, body
    found: float = body["predictions"][0]["probabilities"][">50K"]
    return found


def by_law(number: int, **features: float) -> Any:
    return pytest.approx(expected(number, [ROW | given(**features)], inputs=FIELDS)[0, 1], abs=1e-12)


def outcome(running: Running, name: str) -> float:
    return running.count("mainspring_feature_rows_total", view="creative", outcome=name)


def test_redis_is_killed_slow_and_flushed(shop: Shop, redis: RedisServer) -> None:
    fill(redis, 0.25)
    seal(shop, 1)
    shop.promote(1)
    running = start(shop, features=redis.url, feature_timeout=0.5)
    known, nobody = by_law(1, brightness=0.25), by_law(1, brightness=0.5, clicks=0)
    try:
        running.wait_until(lambda: answer(running, KNOWN) == known)
        assert answer(running, UNKNOWN) == nobody
        redis.pause()
        assert answer(running, KNOWN) == known
        assert answer(running, UNKNOWN) == nobody
        running.wait_until(lambda: outcome(running, "last_known") == outcome(running, "default") == 1)
        assert "takes longer than 500 ms" in running.request("GET", "/readyz")[2]["features"]["trouble"]
        redis.resume()
        fill(redis, 0.75)
        running.wait_until(lambda: answer(running, KNOWN) == by_law(1, brightness=0.75))
        assert running.request("GET", "/readyz")[2]["features"]["trouble"] == ""
        redis.flush()
        # What was in the store is not forgotten because the store has forgotten it.
        running.wait_until(lambda: answer(running, UNKNOWN) == nobody and outcome(running, "default") > 1)
        before = outcome(running, "last_known")
        assert answer(running, KNOWN) == by_law(1, brightness=0.75)
        running.wait_until(lambda: outcome(running, "last_known") == before + 1)
        redis.kill()
        assert answer(running, KNOWN) == by_law(1, brightness=0.75)
        assert answer(running, UNKNOWN) == nobody
        redis.start()
        fill(redis, 0.125)
        running.wait_until(lambda: answer(running, KNOWN) == by_law(1, brightness=0.125))
    finally:
        running.stop()


def test_a_gateway_starts_and_answers_without_its_store(shop: Shop) -> None:
    seal(shop, 1)
    shop.promote(1)
    (shop.root / "features.db").write_bytes(b"this is no database, and nobody can read it as one")
    running = start(shop)
    try:
        assert answer(running, KNOWN) == by_law(1, brightness=0.5, clicks=0)
        assert running.request("GET", "/readyz")[2]["features"]["trouble"]
        assert answer(running, ROW | given(0.9, 7)) == by_law(1, brightness=0.9, clicks=7)
        (shop.root / "features.db").unlink()
        with contextlib.closing(opened(shop)) as store:
            put(store, {17: 0.25})
        running.wait_until(lambda: answer(running, KNOWN) == by_law(1, brightness=0.25))
    finally:
        running.stop()


def test_what_training_never_saw_missing_is_no_default(shop: Shop) -> None:
    needed = (*INPUTS, *(replace(field, required=True) for field in FIELDS[len(INPUTS) :]))
    shop.seal(1, inputs=needed, views=(replace(CREATIVE, defaults={}),))
    shop.promote(1)
    with contextlib.closing(opened(shop)) as store:
        put(store, {17: 0.25})
    running = start(shop, feature_timeout=10.0)
    try:
        assert answer(running, KNOWN) == by_law(1, brightness=0.25)
        status, _, body = running.request("POST", "/predict/adult", UNKNOWN)
        assert (status, body["where"]) == (422, {"row": 0, "field": "creative.brightness"})
        assert "'creative'" in body["message"]
        assert "declare a default" in body["cure"]
        for row, field, names in (
            (ROW, "ad_id", ("'creative.brightness', 'creative.clicks_1h'", "'ad_id'", "the features themselves")),
            (ROW | {"creative.clicks_1h": 3}, "ad_id", ("'creative.brightness'", "'ad_id'", "the features them")),
            (ROW | {"ad_id": None}, "creative.brightness", ("'creative'", "send its value")),
            (KNOWN | given(None), "creative.brightness", ("never saw it missing", "send its value")),
        ):
            status, _, body = running.request("POST", "/predict/adult", [ROW | given(0.5), row])
            assert (status, body["where"]) == (422, {"row": 1, "field": field}), body
            assert all(name in body["message"] + body["cure"] for name in names), body
        with contextlib.closing(opened(shop)) as store:
            store.drop(CREATIVE.id)
        running.wait_until(lambda: running.request("POST", "/predict/adult", UNKNOWN)[0] == 503)
        assert answer(running, KNOWN) == by_law(1, brightness=0.25), "the last known"
    finally:
        running.stop()


def test_another_release_takes_another_definition_of_the_view(shop: Shop) -> None:
    other = replace(CREATIVE, id="creative-000000000002", kinds=CREATIVE.kinds[1:], defaults={"brightness": 0.1})
    seal(shop, 1)
    seal(shop, 2, view=other)
    shop.promote(1)
    shop.share(Traffic(shadows=(Share(2, 1.0),)))
    with contextlib.closing(opened(shop)) as store:
        put(store, {17: 0.25})
        put(store, {17: 0.75}, view=other)
    running = start(shop, feature_timeout=10.0, log={"commit_every": 0.2})
    try:
        running.wait_until(lambda: running.count("mainspring_release_loads_total", outcome="loaded") == 2)
        assert answer(running, KNOWN) == by_law(1, brightness=0.25)
        assert answer(running, UNKNOWN) == by_law(1, brightness=0.5, clicks=0)
        running.wait_until(lambda: running.count("mainspring_shadow_rows_total", outcome="answered") == 2)
        generation = shop.promote(2)
        running.wait_until(lambda: running.acknowledged(generation))
        assert answer(running, KNOWN) == by_law(2, brightness=0.75)
        assert answer(running, UNKNOWN) == by_law(2, brightness=0.1, clicks=0)
        running.wait_until(lambda: len(logged(shop)) == 6)
    finally:
        running.stop()
    assert logged(shop) == {
        (1, "champion", 17, 0.25),
        (1, "champion", 99, 0.5),
        (2, "shadow", 17, 0.75),
        (2, "shadow", 99, 0.1),
        (2, "champion", 17, 0.75),
        (2, "champion", 99, 0.1),
    }


def test_a_number_finds_what_its_text_names(shop: Shop) -> None:
    view = replace(CREATIVE, keys=(InputField("ad_id", Kind.ID, numerals=True),))
    seal(shop, 1, view=view)
    shop.promote(1)
    with contextlib.closing(opened(shop)) as store:
        put(store, {"17": 0.25}, view=view)
    running = start(shop, feature_timeout=10.0, log={"commit_every": 0.2})
    try:
        for key in (17, 17.0, "17"):
            assert answer(running, ROW | {"ad_id": key}) == by_law(1, brightness=0.25)
        assert answer(running, UNKNOWN) == by_law(1, brightness=0.5, clicks=0)
        status, _, body = running.request("POST", "/predict/adult", ROW | {"ad_id": "017"})
        assert (status, body["where"], body["cure"]) == (422, {"row": 0, "field": "ad_id"}, "send 17")
        running.wait_until(lambda: len(logged(shop)) == 2)
    finally:
        running.stop()
    assert logged(shop) == {(1, "champion", "17", 0.25), (1, "champion", "99", 0.5)}


def logged(shop: Shop) -> set[tuple[Any, ...]]:
    tables = DeltaTables(str(shop.root / "tables"))
    if not tables.exists("predictions/adult"):
        return set()
    names = ("release", "role", "input_ad_id", "input_creative.brightness")
    return set(tables.scan("predictions/adult").collect().select(names).rows())


def test_a_key_of_several_columns_that_are_inputs_too(shop: Shop) -> None:
    keys = (InputField("job", Kind.CATEGORY), InputField("shop", Kind.INTEGER))
    shop.seal(1, inputs=FIELDS, views=(replace(CREATIVE, keys=keys),))
    shop.promote(1)
    running = start(shop)
    try:
        assert answer(running, ROW | {"shop": 3}) == by_law(1, brightness=0.5, clicks=0)
        status, _, body = running.request("POST", "/predict/adult", ROW)
        assert (status, body["where"]["field"]) == (422, "shop")
        assert "'job', 'shop'" in body["cure"]
    finally:
        running.stop()
