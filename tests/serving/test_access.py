"""Who may ask, and for what."""

import asyncio
import hashlib
import http.client
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mainspring.domain.access import Role
from mainspring.serving.access import Access
from mainspring.serving.grants import EVERYBODY
from mainspring.serving.keyring import KeyRing
from mainspring.serving.keys import known_keys, make_key
from mainspring.serving.rates import Rates, make_rates_file

from .conftest import ROW, Running, Shop, start

TOKEN = "a-token-of-the-tests"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def ring() -> Iterator[KeyRing]:
    with ThreadPoolExecutor(1) as threads:
        yield KeyRing(threads, lambda: 0.0)


def access_of(ring: KeyRing, *, loopback: bool = True, token: str | None = None, now: float = 0.0) -> Access:
    digest = None if token is None else hashlib.sha256(token.encode()).hexdigest()
    access = Access(loopback=loopback, token_digest=digest, ring=ring, now=lambda: now)
    access.need_keys(False)
    return access


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]", "[::1]:8000"],
)
def test_names_of_this_machine_are_taken(ring: KeyRing, host: str) -> None:
    assert access_of(ring).refusal({b"host": host.encode()}) is None


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil", "127.0.0.1:x", "localhost@evil", "0"],
)
def test_other_names_are_refused_on_loopback(ring: KeyRing, host: str) -> None:
    assert access_of(ring).refusal({b"host": host.encode()}) is not None
    assert access_of(ring, loopback=False).refusal({b"host": host.encode()}) is None


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:9", "https://[", "file://", ""]
)
def test_another_origin_is_refused(ring: KeyRing, origin: str) -> None:
    access = access_of(ring)
    assert access.refusal({b"host": b"localhost:8000", b"origin": origin.encode()}) is not None
    assert access.refusal({b"host": b"localhost:8000", b"origin": b"http://localhost:8000"}) is None


def test_a_token_is_asked_for_and_compared(ring: KeyRing) -> None:
    access = access_of(ring, loopback=False, token=TOKEN)
    for good in (b"Bearer " + TOKEN.encode(), b"bearer  " + TOKEN.encode()):
        grant = access.known({b"authorization": good})
        assert grant is not None
        assert grant.roles == frozenset(Role)
    for bad in (b"", b"Bearer", b"Bearer x", b"Basic " + TOKEN.encode(), TOKEN.encode(), b"Bearer \xff"):
        headers = {b"authorization": bad}
        assert access.known(headers) is None
        assert asyncio.run(access.proved(headers)) is None
    assert access.known({}) is None


@pytest.mark.parametrize(
    ("loopback", "token", "keys", "open_to_all"),
    [
        (True, None, False, True),
        (True, None, True, False),
        (True, TOKEN, False, False),
        (False, None, False, False),
        (False, None, True, False),
    ],
)
def test_only_loopback_without_key_and_token_is_open(
    ring: KeyRing, loopback: bool, token: str | None, keys: bool, open_to_all: bool
) -> None:
    access = access_of(ring, loopback=loopback, token=token)
    access.need_keys(keys)
    assert (access.known({}) is EVERYBODY) is open_to_all


def test_until_the_keys_are_known_nobody_is_let_in(ring: KeyRing) -> None:
    access = Access(loopback=True, token_digest=None, ring=ring, now=lambda: 0.0)
    assert access.known({}) is None


def test_a_key_lasts_until_it_ends(ring: KeyRing) -> None:
    key, secret = make_key("web", [Role.PREDICT], now=NOW, expires_at=NOW + timedelta(days=1))
    ring.replace(known_keys([key]))
    headers = {b"authorization": b"Bearer " + secret.encode()}
    end = (NOW + timedelta(days=1)).timestamp()
    before, after = access_of(ring, now=end - 1), access_of(ring, now=end)
    for access in (before, after):
        access.need_keys(True)
    assert before.known(headers) is None  # not proved yet
    grant = asyncio.run(before.proved(headers))
    assert grant is not None
    assert (grant.name, grant.roles) == ("web", {Role.PREDICT})
    assert before.known(headers) == grant
    assert after.known(headers) is None
    assert asyncio.run(after.proved(headers)) is None


def test_a_rate_is_shared_and_comes_back(tmp_path: Path) -> None:
    now = 100.0
    make_rates_file(tmp_path / "rates")
    first, second = (Rates(tmp_path / "rates", 10, lambda: now) for _ in range(2))
    assert [first.allows(1) for _ in range(5)] + [second.allows(1) for _ in range(6)] == [True] * 10 + [False]
    assert first.allows(2), "another account has a rate of its own"
    now += 0.35
    assert [second.allows(1) for _ in range(4)] == [True] * 3 + [False]
    now += 1_000
    assert sum(first.allows(1) for _ in range(50)) == 10, "what was not used is not saved"
    for rates in (first, second):
        rates.close()


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
        status, headers, _ = running.request("POST", "/predict/adult", ROW, {"Authorization": "Bearer nonsense"})
        assert (status, headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
        for given, said in (
            ({}, "carries no key"),
            ({"Authorization": TOKEN}, "no bearer key"),
            ({"Authorization": f"Basic {TOKEN}"}, "no bearer key"),
            ({"Authorization": "Bearer nonsense"}, "no valid key"),
        ):
            answer = running.request("POST", "/predict/adult", ROW, given)[2]
            assert said in answer["message"]
            assert answer["cure"].endswith("mainspring keys create NAME --role predict")
            assert TOKEN not in str(answer)
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert running.request("POST", "/predict/adult", ROW, bearer)[0] == 200
        assert running.request("GET", "/healthz")[0] == 200
        assert running.request("GET", "/readyz")[2] == {"ready": True}
        assert running.request("GET", "/readyz", headers=bearer)[2]["models"] == {"adult": "adult@1"}
    finally:
        assert running.stop() == 0
    assert TOKEN not in running.log.read_text()


def test_roles_over_http(shop: Shop) -> None:
    shop.seal(1)
    shop.seal(2)
    shop.promote(2)
    secrets = {}
    for role in Role:
        key, secrets[role] = make_key(str(role), [role], now=datetime.now(UTC))
        shop.records.add_key(key, actor="test")
    running = start(shop, host="0.0.0.0")  # a key suffices: no token is set

    def status(role: Role, method: str, path: str, body: object = None) -> int:
        found, _, answer = running.request(method, path, body, {"Authorization": f"Bearer {secrets[role]}"})
        if found == 403:
            assert "role" in (answer.get("message") or answer["error"])
        return found

    tf = {"instances": [ROW]}
    try:
        asked = {
            ("POST", "/predict/adult"): {Role.PREDICT, Role.ADMIN},
            ("POST", "/v1/models/adult:predict"): {Role.PREDICT, Role.ADMIN},
            ("POST", "/predict/adult@1"): {Role.ADMIN},
            ("POST", "/predict/adult@2"): {Role.ADMIN},
            ("POST", "/v1/models/adult/versions/1:predict"): {Role.ADMIN},
            ("GET", "/metrics"): {Role.READ, Role.OPERATE, Role.ADMIN},
            ("GET", "/v1/models/adult/metadata"): set(Role),
            ("GET", "/openapi.json"): set(Role),
        }
        for (method, path), may in asked.items():
            body = None if method == "GET" else tf if path.startswith("/v1") else ROW
            found = {role: status(role, method, path, body) for role in Role}
            assert found == {role: 200 if role in may else 403 for role in Role}, path
        # A key of two roles may name a release.
        both, secret = make_key("both", [Role.PREDICT, Role.OPERATE], now=datetime.now(UTC))
        shop.records.add_key(both, actor="test")
        bearer = {"Authorization": f"Bearer {secret}"}
        running.wait_until(lambda: running.request("POST", "/predict/adult", ROW, bearer)[0] == 200)
        answer = running.request("POST", "/predict/adult@1", ROW, bearer)[2]
        assert answer["release"] == "adult@1"
        # What is revoked ends within a second or so, also where it has been proved before.
        shop.records.revoke_key("both", actor="test", reason="test")
        running.wait_until(lambda: running.request("POST", "/predict/adult", ROW, bearer)[0] == 401)
        keys = next((shop.root / "gateway").glob("*/keys.json"))
        assert keys.stat().st_mode & 0o777 == 0o600
        stored = keys.read_text()
    finally:
        assert running.stop() == 0
    log = running.log.read_text()
    for secret in secrets.values():
        assert secret.split("_", 2)[2] not in stored + log


def test_loopback_is_open_until_there_is_a_key_and_never_again(shop: Shop) -> None:
    shop.seal(1)
    shop.promote(1)
    running = start(shop)
    try:
        assert running.request("POST", "/predict/adult@1", ROW)[0] == 200
        key, _ = make_key("web", [Role.PREDICT], now=datetime.now(UTC))
        shop.records.add_key(key, actor="test")
        running.wait_until(lambda: running.request("POST", "/predict/adult", ROW)[0] == 401)
        shop.records.revoke_key("web", actor="test", reason="test")
        running.wait_until(lambda: '"keys":[]' in next((shop.root / "gateway").glob("*/keys.json")).read_text())
        assert running.request("POST", "/predict/adult", ROW)[0] == 401
    finally:
        assert running.stop() == 0


def test_more_requests_than_allowed_are_429_for_that_key_alone(shop: Shop) -> None:
    shop.seal(1)
    shop.promote(1)
    secrets = {}
    for name in ("busy", "calm"):
        key, secrets[name] = make_key(name, [Role.PREDICT], now=datetime.now(UTC))
        shop.records.add_key(key, actor="test")
    running = start(shop, max_requests_per_second=5, token=TOKEN)
    try:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
        found = []
        for _ in range(60):
            headers = {"Authorization": f"Bearer {secrets['busy']}"}
            connection.request("POST", "/predict/adult", json.dumps(ROW), headers)
            response = connection.getresponse()
            response.read()
            found.append((response.status, response.getheader("retry-after")))
        assert set(found) == {(200, None), (429, "1")}
        assert found[:5] == [(200, None)] * 5
        connection.close()
        calm = {"Authorization": f"Bearer {secrets['calm']}"}
        assert running.request("POST", "/predict/adult", ROW, calm)[0] == 200
    finally:
        assert running.stop() == 0


def test_open_requests_and_kept_connections_end_in_order(shop: Shop) -> None:
    """Every request that was sent on a connection that we had not said to close is answered."""
    shop.seal(1)
    shop.promote(1)
    running = start(shop, workers=2)
    lost: list[str] = []
    answered = [0] * 8
    said_close = [0] * 8
    content = json.dumps(ROW)

    def ask(number: int) -> None:
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
            try:
                connection.connect()
                connection.request("POST", "/predict/adult", content)
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                return  # a new connection: nobody had taken it
            while not response.will_close:
                try:
                    connection.request("POST", "/predict/adult", content)
                    response = connection.getresponse()
                    response.read()
                except (OSError, http.client.HTTPException) as error:
                    lost.append(f"{type(error).__name__}: {error}")
                    connection.close()
                    return
                assert response.status == 200
                answered[number] += 1
            said_close[number] += 1
            connection.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    running.wait_until(lambda: min(answered) >= 5)
    assert running.stop() == 0
    for thread in threads:
        thread.join(30)
    assert lost == []
    assert sum(said_close) >= 8, "each connection was told that it ends"
