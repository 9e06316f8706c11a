"""Canaries, arms and pinned releases over HTTP: who answers, as what, and what happens when one does not."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from mainspring.domain.release import InputField
from mainspring.domain.routing import Arm, Share, Traffic, assign
from mainspring.domain.schema import Kind
from mainspring.serving.router import event_of, routing_key

from .conftest import INPUTS, ROW, Running, Shop, expected, start

KEYS = [f"user-{number}" for number in range(40)]


@pytest.fixture
def running(shop: Shop) -> Iterator[Running]:
    shop.seal(1)
    shop.seal(2)
    shop.seal(3)
    shop.promote(1)
    gateway = start(shop, workers=2)
    yield gateway
    gateway.stop()


def share(running: Running, traffic: Traffic, model: str = "adult") -> None:
    generation = running.shop.share(traffic, model)
    running.wait_until(lambda: running.acknowledged(generation, model))


def number_of(
    running: Running, key: str | None = None, row: dict[str, Any] = ROW, path: str = "/predict/adult"
) -> int:
    """The release that answers; its answer is checked to be its own."""
    headers = {} if key is None else {"x-routing-key": key}
    status, got, answer = running.request("POST", path, row, headers)
    assert status == 200, answer
    assert answer["release"] == got["x-release"]
    number = int(answer["release"].partition("@")[2])
    probability = answer["predictions"][0]["probabilities"][">50K"]
    plain = {name: row.get(name) for name in ROW}
    assert probability == pytest.approx(expected(number, [plain])[0, 1], abs=1e-9)
    return number


def test_shares_are_kept_by_key_in_every_worker_and_change_with_the_route(running: Running) -> None:
    traffic = Traffic(canary=Share(2, 0.3), arms=(Arm("grey", 3, 0.3),))
    share(running, traffic)
    for _ in range(2):
        for key in KEYS:
            assert number_of(running, key) == assign(traffic, 1, key.encode(), salt="adult").number
    had = {key for key in KEYS if assign(traffic, 1, key.encode(), salt="adult").number == 2}
    assert 3 <= len(had) <= 30
    share(running, Traffic(canary=Share(2, 1.0)))
    assert {number_of(running, key) for key in KEYS} == {2}
    share(running, Traffic())
    assert {number_of(running, key) for key in KEYS} == {1}
    roles = Counter({role: running.count("mainspring_answers_total", role=role) for role in ("canary", "arm")})
    assert roles["canary"] >= len(KEYS)
    assert running.count("mainspring_answers_total", model="adult", release="adult@2", role="canary") > len(KEYS)
    assert running.count("mainspring_challenger_fallbacks_total") == 0


def test_a_pinned_release_is_no_matter_of_shares(running: Running) -> None:
    share(running, Traffic(canary=Share(2, 1.0)))
    for number in (1, 2, 3):
        assert number_of(running, "user-1", path=f"/predict/adult@{number}") == number
    assert number_of(running, "user-1") == 2
    running.wait_until(lambda: running.count("mainspring_answers_total", role="pinned") == 3)


def test_a_promoted_canary_answers_everybody_and_a_rollback_brings_back_the_old_one(running: Running) -> None:
    share(running, Traffic(canary=Share(2, 0.2), arms=(Arm("grey", 3, 0.2),)))
    generation = running.shop.promote(2)
    running.wait_until(lambda: running.acknowledged(generation, "adult"))
    assert {number_of(running, key) for key in KEYS} == {2, 3}
    generation = running.shop.promote(3)
    running.wait_until(lambda: running.acknowledged(generation, "adult"))
    assert {number_of(running, key) for key in KEYS} == {3}
    generation = running.shop.promote(1)
    running.wait_until(lambda: running.acknowledged(generation, "adult"))
    assert {number_of(running, key) for key in KEYS} == {1}


@pytest.mark.parametrize("fault", ["file", "lying"])
def test_a_broken_challenger_gets_no_traffic_and_moves_nobody(shop: Shop, fault: str) -> None:
    shop.seal(1)
    folder = shop.seal(2, lying=fault == "lying")
    shop.seal(3)
    shop.seal(1, "pets")
    shop.seal(2, "pets")
    shop.promote(1)
    shop.promote(1, "pets")
    if fault == "file":
        (folder / "model.onnx").write_bytes(b"nothing")
    gateway = start(shop)
    try:
        before = gateway.shop.records.routes().generation
        gateway.wait_until(lambda: gateway.acknowledged(before))
        traffic = Traffic(canary=Share(2, 0.4), arms=(Arm("grey", 3, 0.4),))
        broken = shop.share(traffic)
        whole = shop.share(Traffic(canary=Share(2, 1.0)), "pets")
        gateway.wait_until(lambda: gateway.acknowledged(whole, "pets"))
        assert not gateway.acknowledged(broken, "adult"), "it must not claim to follow rules that it cannot"
        assert gateway.request("POST", "/predict/pets", ROW)[2]["release"] == "pets@2"
        ready = gateway.request("GET", "/readyz")
        assert ready[0] == 200
        assert [refusal["release"] for refusal in ready[2]["refused"]] == ["adult@2"]
        wanted = {key: assign(traffic, 1, key.encode(), salt="adult").number for key in KEYS}
        assert set(wanted.values()) == {1, 2, 3}
        assert {key: number_of(gateway, key) for key in KEYS} == {
            key: 1 if number == 2 else number for key, number in wanted.items()
        }
        outcome = "refused" if fault == "lying" else "loaded"
        assert gateway.count("mainspring_release_loads_total", model="adult", outcome=outcome) >= 1
    finally:
        gateway.stop()
    assert "adult@2 is refused" in gateway.log.read_text()
    assert "Traceback" not in gateway.log.read_text()


def test_a_challenger_that_refuses_a_request_is_replaced_by_the_champion(shop: Shop) -> None:
    careful = (replace(INPUTS[0], required=True), *INPUTS[1:])
    shop.seal(1)
    shop.seal(2, inputs=careful)
    shop.promote(1)
    shop.share(Traffic(canary=Share(2, 1.0)))
    gateway = start(shop)
    try:
        assert number_of(gateway) == 2
        assert number_of(gateway, row=ROW | {"age": None}) == 1
        gateway.wait_until(lambda: gateway.count("mainspring_answers_total", role="champion") == 1)
        assert (
            gateway.count("mainspring_challenger_fallbacks_total", release="adult@2", reason="InvalidInput") == 1
        )
        status, _, refused = gateway.request("POST", "/predict/adult", ROW | {"hours": "many"})
        assert (status, refused["where"]) == (422, {"row": 0, "field": "hours"})
    finally:
        gateway.stop()


def test_releases_with_other_fields_take_each_others_rows(shop: Shop) -> None:
    """The key of an event goes along too, and routes where no header does."""
    wider = (*INPUTS, InputField("mood", Kind.NUMBER))
    shop.seal(1, event_key="user")
    shop.seal(2, inputs=wider)
    shop.promote(1)
    rules = Traffic(canary=Share(2, 0.5))
    shop.share(rules)
    gateway = start(shop)
    try:
        rows = [ROW | {"mood": 0.5, "user": key} for key in KEYS]
        for key, row in zip(KEYS, rows, strict=True):
            wanted = assign(rules, 1, key.encode(), salt="adult").number
            _, _, answer = gateway.request("POST", "/predict/adult", row)
            assert answer["release"] == f"adult@{wanted}", answer
            if wanted == 2:
                plain = {name: row[name] for name in (*ROW, "mood")}
                probability = answer["predictions"][0]["probabilities"][">50K"]
                assert probability == pytest.approx(expected(2, [plain], inputs=wider)[0, 1], abs=1e-9)
            # The header is stronger than the row, and a number is as good as its text.
            _, _, other = gateway.request("POST", "/predict/adult", row, {"x-routing-key": "user-0"})
            assert other["release"] == f"adult@{assign(rules, 1, b'user-0', salt='adult').number}"
        assert gateway.request("POST", "/predict/adult", ROW | {"moood": 1})[0] == 422
        narrow = [ROW | {"user": key} for key in KEYS]  # what the canary needs and did not get, it refuses
        assert {gateway.request("POST", "/predict/adult", row)[2]["release"] for row in narrow} == {"adult@1"}
        generation = shop.share(Traffic())
        gateway.wait_until(lambda: gateway.acknowledged(generation))
        assert gateway.request("POST", "/predict/adult", rows[0])[0] == 422, "nobody knows that field any more"
    finally:
        gateway.stop()


@pytest.mark.parametrize(
    ("headers", "rows", "key"),
    [
        ({b"x-routing-key": b"u1"}, [{"user": "u2"}], b"u1"),
        ({b"x-routing-key": b""}, [{"user": "u2"}, {"user": "u3"}], b"u2"),
        ({}, [{"user": 17}], b"17"),
        ({}, [{"user": 1.5}], b"1.5"),
        ({}, [{"user": "\ud800"}], b"\xed\xa0\x80"),
        ({}, [{"user": ""}], b"request"),
        ({}, [{"user": None}], b"request"),
        ({}, [{}], b"request"),
        ({}, ["no row"], b"request"),
        ({}, [{"user": [1]}], b"[1]"),
    ],
)
def test_the_routing_key_of_a_request(headers: dict[bytes, bytes], rows: list[Any], key: bytes) -> None:
    assert routing_key(headers, event_of(rows, "user"), "request") == key


def test_without_a_key_the_request_itself_is_routed() -> None:
    assert routing_key({}, event_of([{"user": "u1"}], None), "request") == b"request"
