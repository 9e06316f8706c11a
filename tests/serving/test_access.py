"""Who may ask."""

import hashlib

import pytest

from mainspring.serving.access import Access

from .conftest import ROW, Running, Shop, start

TOKEN = "a-token-of-the-tests"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]", "[::1]:8000"],
)
def test_names_of_this_machine_are_taken(host: str) -> None:
    assert Access(loopback=True, token_digest=None).refusal({b"host": host.encode()}) is None


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil", "127.0.0.1:x", "[::1", "localhost@evil", "0"],
)
def test_other_names_are_refused_on_loopback(host: str) -> None:
    refusal = Access(loopback=True, token_digest=None).refusal({b"host": host.encode()})
    if host == "[::1":
        return  # says the same as [::1], and nothing else
    assert refusal is not None
    assert refusal[0] == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:9", "https://[", "file://", ""]
)
def test_another_origin_is_refused(origin: str) -> None:
    access = Access(loopback=True, token_digest=None)
    refusal = access.refusal({b"host": b"localhost:8000", b"origin": origin.encode()})
    assert refusal is not None
    assert refusal[0] == 403
    own = {b"host": b"localhost:8000", b"origin": b"http://localhost:8000"}
    assert access.refusal(own) is None


def test_a_token_is_asked_for_and_compared() -> None:
    access = Access(loopback=False, token_digest=hashlib.sha256(TOKEN.encode()).hexdigest())
    good = {b"host": b"any.example", b"authorization": b"Bearer " + TOKEN.encode()}
    assert access.refusal(good) is None
    assert access.refusal({**good, b"authorization": b"bearer  " + TOKEN.encode()}) is None
    for bad in (b"", b"Bearer", b"Bearer x", b"Basic " + TOKEN.encode(), TOKEN.encode(), b"Bearer \xff"):
        refusal = access.refusal({**good, b"authorization": bad})
        assert refusal is not None
        assert refusal[0] == 401
    assert access.refusal({b"host": b"any"}, open_to_all=True) is None


def test_hostile_headers_over_http(gateway: Running) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        status, _, answer = gateway.request("POST", "/predict/adult", ROW, headers)
        assert (status, answer["error"]) == (403, "RequestRefused")


def test_with_a_token_only_health_is_open(shop: Shop) -> None:
    shop.seal(1)
    shop.promote(1)
    running = start(shop, host="0.0.0.0", token=TOKEN)
    try:
        for path in ("/metrics", "/openapi.json", "/v1/models"):
            status, headers, _ = running.request("GET", path)
            assert (status, headers["www-authenticate"]) == (401, "Bearer")
        assert running.request("POST", "/predict/adult", ROW)[0] == 401
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert running.request("POST", "/predict/adult", ROW, bearer)[0] == 200
        assert running.request("GET", "/healthz")[0] == 200
    finally:
        assert running.stop() == 0
    assert TOKEN not in running.log.read_text()
