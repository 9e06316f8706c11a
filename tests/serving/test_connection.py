"""Hostile bytes on a raw socket: each gets the right refusal, and the gateway goes on."""

import json
import re
import socket
import time
from collections.abc import Iterator

import pytest

from .conftest import ROW, Running, Shop, start

BODY = json.dumps(ROW).encode()


def post(
    body: bytes = BODY, *, extra: bytes = b"", path: bytes = b"/predict/adult", length: int | None = None
) -> bytes:
    size = len(body) if length is None else length
    return b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n%s\r\n%s" % (path, size, extra, body)


def statuses(answer: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3})", answer)]


@pytest.fixture(autouse=True)
def _goes_on(gateway: Running) -> Iterator[None]:
    pids = gateway.workers()
    yield
    assert gateway.request("POST", "/predict/adult", ROW)[0] == 200
    assert gateway.workers() == pids, "a worker died"


@pytest.mark.parametrize(
    "content",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"POST /predict/adult HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /predict/adult HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /predict/adult HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n123456",
        b"POST /predict/adult HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /predict/adult HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nBad Header: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_in_json(gateway: Running, content: bytes) -> None:
    answer = gateway.raw(content)
    assert statuses(answer)[:1] in ([400], [404]), answer
    assert b'"message"' in answer


@pytest.mark.parametrize(
    "target",
    [
        b"//", b"/..", b"/../../etc/passwd", b"/predict//adult", b"/predict/adult/", b"/%00", b"/predict/..%2f..",
        b"/predict/%2e%2e/adult", b"/predict/a;b", b"/v1/models/%2e%2e",
    ],
)  # fmt: skip
def test_odd_paths_lead_nowhere(gateway: Running, target: bytes) -> None:
    answer = gateway.raw(post(path=target))
    assert statuses(answer)[0] in (404, 405), answer


def test_large_headers_are_431(gateway: Running) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: " + b"a" * 20_000 + b"\r\n\r\n"
    many = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X-A: b\r\n" * 5_000 + b"\r\n"
    url = b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    for content in (one, many, url):
        assert statuses(gateway.raw(content)) == [431]
    just_under = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: " + b"a" * 15_000 + b"\r\n\r\n"
    assert statuses(gateway.raw(just_under)) == [200]


@pytest.mark.parametrize("name", [b"X-Endless: ", b""])
def test_an_endless_header_is_cut_off_long_before_it_fills_the_memory(gateway: Running, name: bytes) -> None:
    sent = 0
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n" + name)
        with pytest.raises(OSError):  # noqa: PT012
            while sent < 50_000_000:
                sent += connection.send(b"a" * 65_536)
    assert sent < 20_000_000


def test_endless_trailers_are_cut_off(gateway: Running) -> None:
    head = b"POST /predict/adult HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(head + b"X-Trailer: ")
        sent = 0
        with pytest.raises(OSError):  # noqa: PT012
            while sent < 50_000_000:
                sent += connection.send(b"a" * 65_536)
    assert sent < 20_000_000


def test_a_slow_head_and_a_slow_body_are_408(gateway: Running) -> None:
    for content in (b"POST /predict/adult HTT", post(b'{"age"', length=100)):
        started = time.monotonic()
        answer = gateway.raw(content, timeout=6)
        assert statuses(answer) == [408]
        assert 0.7 < time.monotonic() - started < 5
        assert b"connection: close" in answer


def test_a_trickle_does_not_extend_the_time(gateway: Running) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=6) as connection:
        started = time.monotonic()
        answer = b""
        connection.settimeout(0.2)
        while not answer and time.monotonic() - started < 6:
            try:
                connection.sendall(b"G" if time.monotonic() == started else b"E")
                answer = connection.recv(1000)
            except TimeoutError:
                continue
            except ConnectionError:
                break
    assert time.monotonic() - started < 5


def test_a_silent_connection_is_closed(gateway: Running) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=6) as connection:
        assert connection.recv(10) == b""


def test_pipelined_requests_are_answered_in_order(gateway: Running) -> None:
    content = b"".join(post(extra=b"x-request-id: r%d\r\n" % i) for i in range(50))
    answer = gateway.raw(content)
    assert statuses(answer) == [200] * 50
    assert re.findall(rb"x-prediction-id: (\S+)", answer) == [b"r%d" % i for i in range(50)]


def test_pipelined_with_a_bad_one_in_between(gateway: Running) -> None:
    answer = gateway.raw(post() + post(b"nonsense") + post())
    assert statuses(answer) == [200, 400, 200]


def test_a_half_closed_connection_gets_its_answers(gateway: Running) -> None:
    assert statuses(gateway.raw(post(), half_close=True)) == [200]
    assert statuses(gateway.raw(post() * 3, half_close=True)) == [200, 200, 200]
    assert statuses(gateway.raw(post(b'{"age": 1', length=50), half_close=True)) == []


def test_a_client_that_goes_away_while_it_is_answered_hurts_nobody(gateway: Running) -> None:
    for content in (post(), post(length=1000), post() * 20):
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", gateway.port)) as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                connection.sendall(content)


def test_many_tiny_chunks_are_one_body(gateway: Running) -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n"
    head = b"POST /predict/adult HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert statuses(gateway.raw(head + chunks)) == [200]
    blanks = b"1\r\n \r\n" * 200_000
    assert statuses(gateway.raw(head + blanks + chunks)) == [200]


def test_an_announced_and_an_unannounced_large_body_are_413(gateway: Running) -> None:
    assert statuses(gateway.raw(post(b"", length=10_000_000))) == [413]
    head = b"POST /predict/adult HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    piece = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    assert statuses(gateway.raw(head + piece * 4 + b"0\r\n\r\n")) == [413]


def test_expect_continue_is_met(gateway: Running) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        connection.sendall(post(b"", extra=b"Expect: 100-continue\r\n", length=len(BODY)))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(BODY)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")


def test_http_1_0_and_close_end_the_connection(gateway: Running) -> None:
    old = b"POST /predict/adult HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
    assert b"connection: close" in gateway.raw(old)
    assert b"connection: close" in gateway.raw(post(extra=b"Connection: close\r\n"))


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
def test_an_upgrade_is_ignored_and_the_body_read(gateway: Running, protocol: bytes) -> None:
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEA\r\nUpgrade: " + protocol + b"\r\n"
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (BODY[:9], BODY[9:])) + b"0\r\n\r\n"
    head = b"POST /predict/adult HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
    alive = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n" + upgrade + b"\r\n"
    answer = gateway.raw(
        post(extra=upgrade) + head + upgrade + b"\r\n" + chunked + alive + post(extra=upgrade) + post()
    )
    assert statuses(answer) == [200] * 5
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        whole = post(extra=upgrade)
        connection.sendall(whole[:-10])  # the body in two parts
        time.sleep(0.1)
        connection.sendall(whole[-10:])
        assert statuses(connection.recv(65536)) == [200]


def test_methods_that_a_path_does_not_take_are_405(gateway: Running) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        status, headers, answer = gateway.request(method, "/predict/adult")
        assert (status, headers["allow"]) == (405, "POST")
        assert answer["error"] == "RequestRefused"
        assert answer["cure"] == "send it as POST"
    status, headers, _ = gateway.request("HEAD", "/healthz")
    assert status == 200


def test_compressed_bodies_are_refused(gateway: Running) -> None:
    assert gateway.request("POST", "/predict/adult", BODY, {"content-encoding": "gzip"})[0] == 415


def test_more_connections_than_allowed_are_told_to_come_back(shop: Shop) -> None:
    shop.seal(1)
    shop.promote(1)
    running = start(shop, max_connections=3, read_timeout=30.0)
    held: list[socket.socket] = []
    try:

        def full() -> bool:
            held.append(socket.create_connection(("127.0.0.1", running.port), timeout=1.0))
            try:
                answer = held[-1].recv(65536)
            except TimeoutError:
                return False  # it was taken, and we are expected to speak
            assert statuses(answer) == [503]
            assert b"\r\nretry-after: 1\r\n" in answer
            return True

        running.wait_until(full)
        assert len(held) == 4
        for connection in held:
            connection.close()
        running.wait_until(running.answers)
    finally:
        for connection in held:
            connection.close()
        assert running.stop() == 0


@pytest.mark.parametrize("depth", [100, 10_000, 900_000])
@pytest.mark.parametrize("path", [b"/predict/adult", b"/v1/models/adult:predict", b"/v2/models/adult/infer"])
def test_deep_nesting_is_a_refusal(gateway: Running, path: bytes, depth: int) -> None:
    for content in (b"[" * depth + b"]" * depth, b'{"instances":' * depth + b"1" + b"}" * depth):
        if len(content) < 1_900_000:
            assert statuses(gateway.raw(post(content, path=path))) in ([400], [422])
