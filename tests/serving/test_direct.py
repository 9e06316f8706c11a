"""The direct path answers what the application would, byte by byte, and takes only what it should."""

import asyncio
import json
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import uvicorn
from uvicorn.server import ServerState

from mainspring.domain.ids import digest_bytes
from mainspring.domain.routing import Arm, Share, Traffic
from mainspring.domain.schema import Personal
from mainspring.domain.task import Task
from mainspring.serving.access import Access
from mainspring.serving.batcher import CompiledBatcher
from mainspring.serving.connection import GuardedProtocol, guarded
from mainspring.serving.direct import DirectPath
from mainspring.serving.journal import Journal
from mainspring.serving.keyring import KeyRing
from mainspring.serving.meters import Meters
from mainspring.serving.pool import ReleasePool
from mainspring.serving.prediction_frames import read_prediction
from mainspring.serving.rates import Rates, make_rates_file
from mainspring.serving.residents import ReleaseLoader
from mainspring.serving.spool import Spool
from mainspring.serving.spool_files import SpoolReader, spool_files
from mainspring.serving.table import Rules, Table, Target
from mainspring.stores.tables_delta import DeltaTables

from .conftest import INPUTS, ROW, Running, Shop, expected, start

USUAL = b"content-encoding: identity\r\n"  # says nothing, and is out of the ordinary
NAMED = b"x-request-id: order-17\r\n"
TRACE = b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"
ODD_TRACE = b"traceparent: nonsense\r\ntracestate: a=b\r\n"
STATE = b"tracestate: a=b, c=d\r\n"


def body_of(rows: Any) -> bytes:
    return json.dumps(rows).encode()


def rows_of(count: int) -> list[dict[str, Any]]:
    jobs = ("clerk", "pilot", "baker", "", None)
    return [
        {"age": None if n % 7 == 3 else 20 + n / 3, "hours": n % 60, "job": jobs[n % len(jobs)]}
        for n in range(count)
    ]


def post(
    body: bytes = b"",
    extra: bytes = b"",
    *,
    path: bytes = b"/predict/adult",
    version: bytes = b"1.1",
    chunk: int = 0,
    host: bytes = b"127.0.0.1",
) -> bytes:
    if chunk:
        parts = [body[at : at + chunk] for at in range(0, len(body), chunk)]
        content = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        framing = b"transfer-encoding: chunked"
    else:
        content, framing = body, b"content-length: %d" % len(body)
    return b"POST %s HTTP/%s\r\nHost: %s\r\n%s%s\r\n\r\n%s" % (path, version, host, extra, framing, content)


def one_answer(content: bytes) -> tuple[bytes, bytes]:
    """The first answer of these bytes, and what follows it; nothing and all while it is not complete."""
    head, found, rest = content.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    if not found or length is None or len(rest) < int(length[1]):
        return b"", content
    end = len(head) + 4 + int(length[1])
    return content[:end], content[end:]


def ask(port: int, pieces: list[bytes], count: int, *, half_close: bool = False) -> tuple[list[bytes], bool]:
    """So many answers, and whether the connection is open after the last."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        answers: list[bytes] = []
        got = b""
        while len(answers) < count:
            answer, got = one_answer(got)
            if answer:
                answers.append(answer)
            elif part := connection.recv(65536):
                got += part
            else:
                break
        assert not got
        if half_close:
            return answers, connection.recv(1) != b""
        try:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            return answers, connection.recv(65536) != b""
        except ConnectionError:
            return answers, False


def plain(answer: bytes) -> bytes:
    """Without what is another in each answer."""
    answer = re.sub(rb"\bdate: [^\r]+", b"date: now", answer)
    answer = re.sub(rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", b"ID", answer)
    return re.sub(rb"(traceparent: 00-[0-9a-f]{32}-)[0-9a-f]{16}", rb"\1span", answer)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    shop = Shop(tmp_path_factory.mktemp("shop"))
    shop.seal(1, event_key="visit")
    shop.seal(1, "pets", task=Task.MULTICLASS)
    shop.seal(1, "prices", task=Task.REGRESSION)
    for model in ("adult", "pets", "prices"):
        shop.promote(1, model)
    running = start(shop)
    yield running
    running.stop()
    shop.records.close()
    shutil.rmtree(shop.root, ignore_errors=True)


BODIES = {
    "one row": body_of(ROW),
    "in an array": body_of([ROW]),
    "wrapped": body_of({"rows": [ROW, ROW]}),
    "two": body_of(rows_of(2)),
    "255": body_of(rows_of(255)),
    "256": body_of(rows_of(256)),
    "with a key": body_of([{**ROW, "visit": f"v{n}"} for n in range(3)]),
    "with a key of another kind": body_of({**ROW, "visit": 17}),
    "with null": body_of({**ROW, "age": None, "job": None}),
    "in another order": body_of(dict(reversed(ROW.items()))),
    "another spelling": b' {"age" : 3.1e1, "hours": 40.0, "job":"pil\\u006ft"} ',
    "a field twice": b'{"age": 1, "hours": 40, "job": "pilot", "age": 2}',
    "a text that cannot be encoded": b'{"age": 1, "hours": 40, "job": "\\ud800"}',
    "nothing": b"",
    "blank": b"  ",
    "no JSON": b"nonsense",
    "cut off": b'{"age": 1',
    "NaN": b'{"age": NaN, "hours": 40, "job": "pilot"}',
    "no rows": b"[]",
    "a number": b"3",
    "rows of numbers": b"[1, 2]",
    "not UTF-8": b'{"age": 1, "hours": 40, "job": "\xff"}',
    "too deep": b"[" * 5_000,
    "out of range": b'{"age": 1e999, "hours": 40, "job": "pilot"}',
    "a large integer": b'{"age": 1, "hours": 99999999999999999999, "job": "pilot"}',
    "a field is absent": body_of({"age": 1.0, "job": "pilot"}),
    "a field too many": body_of({**ROW, "wage": 3}),
    "a text for a number": body_of([ROW, {**ROW, "age": "31"}]),
    "a boolean for a number": body_of({**ROW, "hours": True}),
    "a fraction for an integer": body_of({**ROW, "hours": 1.5}),
    "a number for a text": body_of({**ROW, "job": 3}),
    "an array for a key": body_of({**ROW, "visit": [1]}),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_every_body_gets_the_same_answer_on_both_paths(both: Running, body: bytes) -> None:
    direct = ask(both.port, [post(body, NAMED)], 1)
    usual = ask(both.port, [post(body, NAMED + USUAL)], 1)
    assert [plain(one) for one in direct[0]] == [plain(one) for one in usual[0]]
    assert direct[1] is usual[1] is True


REQUESTS: dict[str, dict[str, Any]] = {
    "a new id": {},
    "an id that is not sane": {"extra": b"x-request-id: a b\r\n"},
    "a trace": {"extra": TRACE},
    "a trace with a state": {"extra": TRACE + STATE},
    "a trace that is none": {"extra": ODD_TRACE},
    "two traces": {"extra": TRACE + TRACE},
    "close": {"extra": b"Connection: close\r\n"},
    "keep-alive": {"extra": b"Connection: keep-alive\r\n"},
    "HTTP/1.0": {"version": b"1.0"},
    "HTTP/1.0, keep-alive": {"version": b"1.0", "extra": b"Connection: keep-alive\r\n"},
    "chunks": {"chunk": 7},
    "a foreign host": {"host": b"evil.example"},
    "no host": {"host": b""},
    "a foreign origin": {"extra": b"Origin: http://evil.example\r\n"},
    "its own origin": {"extra": b"Origin: http://127.0.0.1\r\n"},
    "a key that nobody needs": {"extra": b"Authorization: Bearer nonsense\r\n"},
    "another content type": {"extra": b"Content-Type: text/plain\r\n"},
    "a query": {"path": b"/predict/adult?x=1"},
    "an escape": {"path": b"/predict/%61dult"},
    "a number": {"path": b"/predict/adult@1"},
    "another number": {"path": b"/predict/adult@9"},
    "no such model": {"path": b"/predict/adul"},
    "many classes": {"path": b"/predict/pets"},
    "a regression": {"path": b"/predict/prices"},
    "an upgrade": {"extra": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"},
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS.keys())
def test_every_head_gets_the_same_answer_on_both_paths(both: Running, request_: dict[str, Any]) -> None:
    given = dict(request_)
    extra = given.pop("extra", b"")
    direct = ask(both.port, [post(body_of(ROW), extra, **given)], 1)
    usual = ask(both.port, [post(body_of(ROW), extra + USUAL, **given)], 1)
    assert [plain(one) for one in direct[0]] == [plain(one) for one in usual[0]]
    assert direct[1] is usual[1]


@pytest.mark.parametrize("size", [1, 3, 50])
def test_however_it_is_cut_it_gets_the_same_answer(both: Running, size: int) -> None:
    found = []
    for extra in (NAMED, NAMED + USUAL):
        content = post(body_of(ROW), extra)
        pieces = [content[at : at + size] for at in range(0, len(content), size)]
        found.append(ask(both.port, pieces, 1))
    assert [plain(one) for one in found[0][0]] == [plain(one) for one in found[1][0]]


def test_a_large_body_in_pieces_gets_the_same_answer(both: Running) -> None:
    found = []
    for extra in (NAMED, NAMED + USUAL):
        content = post(body_of([{**row, "visit": "x" * 400} for row in rows_of(200)]), extra, chunk=5_000)
        assert len(content) > 65_536
        pieces = [content[at : at + 9_000] for at in range(0, len(content), 9_000)]
        found.append(ask(both.port, pieces, 1))
    assert plain(found[0][0][0]) == plain(found[1][0][0])
    assert b" 200 OK" in found[0][0][0]


@pytest.mark.parametrize("half_close", [False, True])
def test_pipelined_requests_get_the_same_answers_in_their_order(both: Running, half_close: bool) -> None:
    found = []
    for usual in (b"", USUAL):
        bodies = [body_of(ROW), b"nonsense", body_of(rows_of(3)), body_of(rows_of(300)), body_of(ROW)]
        content = b"".join(
            post(body, b"x-request-id: r%d\r\n%s" % (n, usual)) for n, body in enumerate(bodies * 3)
        )
        found.append(ask(both.port, [content], 15, half_close=half_close))
    # The last answer may know by then that the client has ended.
    direct, usual = ([plain(one).replace(b"connection: close\r\n", b"") for one in seen] for seen, _ in found)
    assert direct == usual
    ids = [re.findall(rb"x-prediction-id: (\S+)", one) for one in found[0][0]]
    assert ids == [[b"r%d" % n] for n in range(15)]
    assert found[0][1] is found[1][1] is (not half_close)


def test_a_good_one_before_nonsense_gets_the_same_as_ever(both: Running) -> None:
    found = [
        ask(both.port, [post(body_of(ROW), extra) + b"nonsense\r\n\r\n"], 2) for extra in (NAMED, NAMED + USUAL)
    ]
    assert [plain(one) for one in found[0][0]] == [plain(one) for one in found[1][0]]


def test_both_paths_count_and_log_alike(both: Running) -> None:
    names: tuple[tuple[str, dict[str, str]], ...] = (
        ("mainspring_requests_total", {"model": "adult", "status": "200"}),
        ("mainspring_requests_total", {"status": "422"}),
        ("mainspring_request_seconds_count", {"model": "adult"}),
        ("mainspring_stage_seconds_count", {"model": "adult"}),
        ("mainspring_answers_total", {"model": "adult", "role": "champion"}),
        ("mainspring_batch_rows_sum", {}),
        ("mainspring_log_rows_total", {}),
    )

    def counts() -> list[float]:
        return [both.count(name, **labels) for name, labels in names]

    grown = []
    for extra in (b"", USUAL):
        before = counts()
        for body in (body_of(ROW), body_of(rows_of(5)), body_of({"wrong": 1})):
            ask(both.port, [post(body, extra)], 1)
        grown.append([after - was for after, was in zip(counts(), before, strict=True)])
    assert grown[0] == grown[1]
    assert grown[0][:3] == [2, 1, 3], "a refusal counts with its model too"
    assert grown[0][4] == 2
    assert grown[0][5] >= 6
    assert grown[0][6] == 6
    assert both.count("mainspring_requests_in_flight") == 1, "this one"


def test_shared_traffic_falls_alike_on_both_paths(shop: Shop) -> None:
    shop.seal(1, event_key="visit")
    for number in (2, 3, 4):
        shop.seal(number, event_key="visit")
    shop.promote(1)
    rules = Traffic(canary=Share(2, 0.3), arms=(Arm("blue", 3, 0.3),), shadows=(Share(4, 1.0),))
    generation = shop.share(rules)
    running = start(shop, log={"commit_every": 0.2})
    try:
        running.wait_until(lambda: running.acknowledged(generation, "adult"))
        running.wait_until(lambda: "adult@4 answers as a shadow" in running.log.read_text())
        cases: list[tuple[bytes, Any]] = []
        for n in range(12):
            cases += [
                (b"x-routing-key: user-%d\r\n" % n, ROW),
                (b"x-routing-key: user-%d\r\n" % n, {**ROW, "visit": "not asked"}),
                (b"", [{**ROW, "visit": f"v{n}"}, {**ROW, "visit": "second"}]),
                (b"", {**ROW, "visit": n}),
                (b"", {**ROW, "visit": n + 0.5}),
                (b"x-routing-key: \r\n", {**ROW, "visit": None}),
                (b"", {"rows": [ROW]}),
            ]
        chosen: list[list[bytes]] = [[], []]
        for path, extra in enumerate((b"", USUAL)):
            # Its own id routes a request that has no key: the same on both paths, and other names in the log.
            for n, (header, body) in enumerate(cases):
                name = b"x-request-id: case-%d\r\n" % n
                answer = ask(running.port, [post(body_of(body), header + name + extra)], 1)[0][0]
                chosen[path].append(re.findall(rb"x-release: (\S+)", answer)[0])
        assert chosen[0] == chosen[1]
        assert set(chosen[0]) == {b"adult@1", b"adult@2", b"adult@3"}
        tables = DeltaTables(str(shop.root / "tables"))
        rows = 2 * sum(len(body) if isinstance(body, list) else 1 for _, body in cases)

        def stored() -> pl.DataFrame:
            found = tables.scan("predictions/adult").collect() if tables.exists("predictions/adult") else None
            return pl.DataFrame() if found is None else found

        running.wait_until(lambda: stored().height == 2 * rows)
        told = stored().group_by("id", "release", "role", "arm").len()
        assert told.get_column("len").to_list() == [2] * told.height, "each path logged the same, once"
        roles = {(number, role, arm) for _, number, role, arm, _ in told.rows()}
        assert roles == {
            (1, "champion", None),
            (2, "canary", None),
            (3, "arm", "blue"),
            (4, "shadow", None),
        }
    finally:
        assert running.stop() == 0


def test_many_at_once_each_get_their_own(both: Running) -> None:
    failed = []

    def client(number: int) -> None:
        rows = [{**ROW, "age": float(number)}]
        probability = expected(1, rows)[0, 1]
        for turn in range(50):
            name = b"x-request-id: c%d-%d\r\n" % (number, turn)
            wrong = turn % 10 == 9
            answer = ask(both.port, [post(b"{}" if wrong else body_of(rows), name)], 1)[0][0]
            found = json.loads(answer.partition(b"\r\n\r\n")[2])
            if wrong and found.get("error") == "InvalidInput":
                continue
            got = found["predictions"][0]["probabilities"][">50K"]
            if wrong or found["id"] != f"c{number}-{turn}" or abs(got - probability) > 1e-9:
                failed.append(found)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


# From here on in this process, before an application that answers 206: each answer tells which path it took.


async def application(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 206, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@dataclass
class Desk:
    """A direct path over a real pool, and a socket before it."""

    pool: ReleasePool
    meters: Meters
    spool: Spool
    path: DirectPath
    port: int
    connections: set[Any]
    drops: list[str] = field(default_factory=list)

    async def statuses(self, *contents: bytes) -> list[int]:
        """Of what is sent at the same moment on a connection each."""
        opened = [await asyncio.open_connection("127.0.0.1", self.port) for _ in contents]
        for (_, writer), content in zip(opened, contents, strict=True):
            writer.write(content)
        found = []
        for reader, writer in opened:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
            found.append(int(head.split()[1]))
            writer.close()
        return found

    def logged(self) -> list[str]:
        """The ids that the log's files hold now."""
        found = []
        for file in spool_files(self.spool._folder):
            reader = SpoolReader(file)
            found += [read_prediction(frame).request_id for _, frame in reader.read(1 << 20) if frame[:1] == b"P"]
            reader.close()
        return found


@asynccontextmanager
async def desk(shop: Shop, tmp_path: Path, *, limit: int = 1 << 30, token: str | None = None, **options: Any):  # type: ignore[no-untyped-def]
    with ThreadPoolExecutor(2) as threads:
        loader = ReleaseLoader(
            shop.root / "keys" / "trusted", alone=lambda: False, threads=threads, batched=lambda rows: None
        )
        pool = ReleasePool(loader, threads=threads, loaded=lambda model, refused: None)
        await pool.apply(Table(1, (target(shop, 1),)))
        access = Access(
            loopback=True,
            token_digest=None if token is None else digest_bytes(token.encode()),
            ring=KeyRing(threads, lambda: 0.0),
            now=lambda: 0.0,
        )
        access.need_keys(False)
        drops: list[str] = []
        meters = Meters(tmp_path, 0)
        spool = Spool(tmp_path / "spool", "worker-0", limit=limit, dropped=drops.append)
        given: dict[str, Any] = {"max_body": 100_000, "max_waiting": 100, "max_rows": 10_000, "rates": None}
        path = DirectPath(
            pool,
            access=access,
            meters=meters,
            journal=Journal(spool, bytes(32), logged=meters.logged, dropped=drops.append),
            **given | options,
        )
        config = uvicorn.Config(
            application,
            http=guarded(max_header_bytes=16_384, read_timeout=10.0, max_connections=100, direct=path),
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
        )
        config.load()
        state = ServerState()

        def connection() -> GuardedProtocol:
            made: GuardedProtocol = config.http_protocol_class(config=config, server_state=state, app_state={})  # type: ignore[call-arg, assignment]
            return made

        server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            yield Desk(pool, meters, spool, path, port, state.connections, drops)
        finally:
            server.close()
            for one in list(state.connections):
                one.transport.abort()
            await asyncio.sleep(0)
            spool.close()
            await pool.close()


def target(shop: Shop, number: int) -> Target:
    folder = shop.root / "releases" / "adult" / str(number)
    return Target("adult", number, str(folder), digest_bytes((folder / "manifest.json").read_bytes()))


@pytest.fixture
def sealed(shop: Shop) -> Shop:
    shop.seal(1, event_key="visit")
    shop.seal(2)
    return shop


GOOD = post(body_of(ROW))


def test_it_takes_what_is_plain_and_nothing_else(sealed: Shop, tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(sealed, tmp_path) as at:
            plain = [post(BODIES[name]) for name in ("one row", "in an array", "wrapped", "255", "with a key")]
            plain += [post(body_of(ROW), TRACE), post(body_of(ROW), version=b"1.0"), post(body_of(ROW), chunk=9)]
            assert await at.statuses(*plain) == [200] * len(plain)
            odd = [post(BODIES[name]) for name in ("256", "no rows", "a field is absent", "NaN", "nothing")]
            odd += [post(body_of(ROW), extra) for extra in (USUAL, b"Origin: http://evil.example\r\n")]
            odd += [post(body_of(ROW), path=path) for path in (b"/predict/adult@1", b"/v1/models/adult:predict")]
            odd += [GOOD.replace(b"POST", b"PUT"), post(body_of(ROW), host=b"evil.example")]
            odd += [post(body_of([ROW] * 20) + b" " * 100_000)]
            assert await at.statuses(*odd) == [206] * len(odd)
            assert at.meters.in_flight == 0

    asyncio.run(run())


def test_a_client_that_waits_to_be_asked_for_the_body_is_asked(sealed: Shop, tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(sealed, tmp_path) as at:
            reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
            head, _, body = post(body_of(ROW), b"Expect: 100-continue\r\n").partition(b"\r\n\r\n")
            writer.write(head + b"\r\n\r\n")
            assert b" 100 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
            writer.write(body)
            assert b" 206 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
            writer.close()

    asyncio.run(run())


def test_a_full_gateway_takes_the_usual_way(sealed: Shop, tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(sealed, tmp_path, max_waiting=2) as at:
            assert await at.statuses(GOOD) == [200]
            at.meters.taken()
            at.meters.taken()
            assert await at.statuses(GOOD) == [206]
            at.meters.left()
            at.meters.left()
            assert await at.statuses(GOOD) == [200]

    asyncio.run(run())


def test_challengers_are_asked_as_the_champion_is(sealed: Shop, tmp_path: Path) -> None:
    visits = [post(body_of(ROW), b"x-routing-key: user-%d\r\n" % n) for n in range(20)]

    async def run() -> None:
        async with desk(sealed, tmp_path) as at:
            one, two = target(sealed, 1), target(sealed, 2)
            rules = Rules(Traffic(canary=Share(2, 0.5)), (two,), (), ())
            await at.pool.apply(Table(2, (one,), (two,), rules={"adult": rules}))
            assert await at.statuses(*visits) == [200] * 20
            challengers = at.pool.routers["adult"].challengers
            challengers[2].batcher = object()  # type: ignore[assignment]
            found = await at.statuses(*visits)
            assert set(found) == {200, 206}, "the champion answers here, and a release that did not compile there"
            challengers.clear()
            assert await at.statuses(*visits) == [200] * 20, (
                "a challenger that is refused, and the champion answers"
            )
            await at.pool.apply(Table(3, (two,), (one,)))
            assert await at.statuses(GOOD, GOOD) == [200, 200]

    asyncio.run(run())


def test_only_a_key_that_is_known_passes(sealed: Shop, tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(sealed, tmp_path, token="secret-of-the-tests") as at:
            right, wrong = (
                post(body_of(ROW), b"Authorization: Bearer %s\r\n" % key) for key in (b"secret-of-the-tests", b"x")
            )
            assert await at.statuses(right, wrong, GOOD) == [200, 206, 206]

    asyncio.run(run())


def test_an_account_over_its_rate_takes_the_usual_way(sealed: Shop, tmp_path: Path) -> None:
    make_rates_file(tmp_path / "rates")
    rates = Rates(tmp_path / "rates", 3, clock=lambda: 100.0)

    async def run() -> None:
        async with desk(sealed, tmp_path, rates=rates) as at:
            bad = post(b"{}")
            assert await at.statuses(bad, bad, bad, bad) == [206] * 4, "which count at the application"
            found = [(await at.statuses(GOOD))[0] for _ in range(5)]
            assert found == [200, 200, 200, 206, 206]

    asyncio.run(run())
    rates.close()


def test_what_one_breaks_the_others_get(sealed: Shop, tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(sealed, tmp_path) as at:
            release = at.pool.champions["adult"]
            batcher = release.batcher
            assert isinstance(batcher, CompiledBatcher)
            predict, seen = batcher.predict, []

            def brittle(matrix: Any) -> Any:
                seen.append(len(matrix))
                if np.any(matrix[:, 0] == 13.0):
                    raise RuntimeError("broken by a row")
                return predict(matrix)

            batcher.predict = brittle
            bad = post(body_of({**ROW, "age": 13.0}))
            found = await at.statuses(*[GOOD] * 5, bad, *[GOOD] * 5)
            assert set(found) <= {200, 206}, "each is answered, by this path or by the application"
            assert found[5] == 206
            assert await at.statuses(GOOD, GOOD) == [200, 200]
            assert (at.meters.in_flight, release.users) == (0, 0)

    asyncio.run(run())


def test_the_answer_is_in_the_log_before_it_is_sent(sealed: Shop, tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(sealed, tmp_path) as at:
            names = [f"r{n}" for n in range(40)]
            contents = [post(body_of(ROW), f"x-request-id: {name}\r\n".encode()) for name in names]
            opened = [await asyncio.open_connection("127.0.0.1", at.port) for _ in names]
            for (_, writer), content in zip(opened, contents, strict=True):
                writer.write(content)
            for (reader, writer), name in zip(opened, names, strict=True):
                assert b" 200 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
                assert name in at.logged()
                writer.close()
            assert sorted(at.logged()) == sorted(names)

    asyncio.run(run())


def test_what_is_personal_never_reaches_the_disk(shop: Shop, tmp_path: Path) -> None:
    shop.seal(1, inputs=(*INPUTS[:2], replace(INPUTS[2], personal=Personal.HASH)))

    async def run() -> None:
        async with desk(shop, tmp_path) as at:
            secret = post(body_of({**ROW, "job": "a-secret-occupation"}))
            assert await at.statuses(secret, GOOD, secret) == [200] * 3
            assert len(at.logged()) == 3
            kept = b"".join(file.path.read_bytes() for file in spool_files(at.spool._folder))
            assert b"occupation" not in kept

    asyncio.run(run())


def test_a_log_that_is_full_costs_the_record_and_not_the_answer(sealed: Shop, tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(sealed, tmp_path, limit=3_000) as at:
            assert await at.statuses(*[GOOD] * 30) == [200] * 30
            kept = len(at.logged())
            assert 0 < kept < 30
            assert at.drops == ["limit"] * (30 - kept)

    asyncio.run(run())


def test_who_went_away_leaves_nothing_behind(sealed: Shop, tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(sealed, tmp_path) as at:
            release = at.pool.champions["adult"]
            for end in (len(GOOD), len(GOOD) - 5, 30):
                for _ in range(20):
                    _, writer = await asyncio.open_connection("127.0.0.1", at.port)
                    writer.write(GOOD[:end])
                    await writer.drain()
                    writer.transport.abort()
            while at.connections:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            assert (at.meters.in_flight, release.users) == (0, 0)
            assert await at.statuses(GOOD) == [200]

    asyncio.run(run())


def test_a_release_is_held_until_its_last_answer(sealed: Shop, tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(sealed, tmp_path) as at:
            first = at.pool.champions["adult"]

            async def asking() -> None:
                for _ in range(100):
                    assert await at.statuses(GOOD, GOOD, GOOD) == [200] * 3

            task = asyncio.ensure_future(asking())
            for generation in range(2, 12):
                await at.pool.apply(Table(generation, (target(sealed, 1 + generation % 2),)))
            await task
            assert first.users == 0

    asyncio.run(run())


def test_the_last_request_before_the_end_is_answered_and_closes(sealed: Shop, tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(sealed, tmp_path) as at:
            for end in (0, 40, len(GOOD) - 3):
                reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
                writer.write(GOOD[:end])
                while not at.connections:
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.05)
                (connection,) = at.connections
                connection.last_request()
                writer.write(GOOD[end:])
                answer = await asyncio.wait_for(reader.read(), 20)
                assert answer.startswith(b"HTTP/1.1 200 OK")
                assert b"\r\nconnection: close\r\n" in answer
                writer.close()

    asyncio.run(run())


def test_one_who_does_not_read_is_not_written_to_without_end(sealed: Shop, tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(sealed, tmp_path) as at:
            content = post(body_of(rows_of(255)))
            with socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.setblocking(False)
                await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", at.port))
                loop = asyncio.get_running_loop()
                await loop.sock_sendall(client, content)
                while not at.connections:
                    await asyncio.sleep(0.01)
                (connection,) = at.connections
                while not connection.flow.write_paused:  # one after the other, none of them read
                    total = connection.server_state.total_requests
                    await loop.sock_sendall(client, content)
                    while connection.server_state.total_requests == total:
                        await asyncio.sleep(0)
                client.send(content * 3)
                await asyncio.sleep(0.1)
                assert connection.transport.get_write_buffer_size() < 1_000_000
            while at.connections:
                await asyncio.sleep(0.01)
            assert at.meters.in_flight == 0

    asyncio.run(run())
