"""The whole gateway: parent, workers, routes that change under load, processes that die."""

import json
import os
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from mainspring.release.signing import signing_key

from .conftest import ROW, Running, Shop, start

BODY = json.dumps(ROW).encode()
REQUEST = b"POST /predict/adult HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


@pytest.mark.parametrize("fault", ["digest", "file", "signature", "lying", "gone", "untrusted", "garbage"])
def test_a_broken_release_is_refused_and_the_old_one_goes_on(shop: Shop, fault: str, tmp_path: Path) -> None:
    shop.seal(1)
    shop.promote(1)
    key = signing_key(tmp_path / "other") if fault == "untrusted" else None
    folder = shop.seal(2, lying=fault == "lying", key=key)
    shop.seal(3)
    if fault == "digest":
        (folder / "manifest.json").write_bytes((folder / "manifest.json").read_bytes() + b" ")
    elif fault == "file":
        (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes() + b"\0")
    elif fault == "signature":
        (folder / "signature").write_bytes(b"AAAA\n")
    elif fault == "gone":
        folder.rename(tmp_path / "elsewhere")
    elif fault == "garbage":
        for name in ("manifest.json", "signature", "model.onnx", "golden.jsonl"):
            (folder / name).write_bytes(os.urandom(1000))
    running = start(shop)
    try:
        shop.promote(2)
        running.wait_until(lambda: bool(running.request("GET", "/readyz")[2]["refused"]))
        status, _, ready = running.request("GET", "/readyz")
        assert status == 200
        assert ready["models"] == {"adult": "adult@1"}
        assert ready["refused"][0]["release"] == "adult@2"
        assert str(shop.root) not in ready["refused"][0]["reason"]
        assert running.request("POST", "/predict/adult", ROW)[2]["release"] == "adult@1"
        assert list(shop.records.workers().values()) == [1], "it must not claim to answer by the new routes"
        shop.promote(3)
        running.wait_until(lambda: list(shop.records.workers().values()) == [3])
        assert running.request("POST", "/predict/adult", ROW)[2]["release"] == "adult@3"
        assert running.request("GET", "/readyz")[2]["refused"] == []
    finally:
        running.stop()
    assert "adult@2 is refused" in running.log.read_text()
    assert "Traceback" not in running.log.read_text()


def test_a_restart_with_a_broken_champion_falls_back_on_what_answered_before(shop: Shop) -> None:
    shop.seal(1)
    folder = shop.seal(2)
    shop.promote(1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start(shop, port=port).stop()
    (folder / "model.onnx").unlink()
    shop.promote(2)
    running = start(shop, port=port)
    try:
        assert running.request("POST", "/predict/adult", ROW)[2]["release"] == "adult@1"
    finally:
        running.stop()


def test_a_release_that_is_mended_is_taken(shop: Shop) -> None:
    folder = shop.seal(1)
    content = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").unlink()
    shop.promote(1)
    running = start(shop, ready=False)
    try:
        running.wait_until(lambda: bool(_ready(running).get("refused")))
        status, headers, answer = running.request("POST", "/predict/adult", ROW)
        assert (status, headers["retry-after"]) == (503, "1")
        assert "model.onnx" in answer["message"]
        assert running.request("GET", "/v1/models/adult")[0] == 503
        (folder / "model.onnx").write_bytes(content)
        running.wait_until(running.answers)
    finally:
        running.stop()


def _ready(running: Running) -> dict[str, object]:
    try:
        answer: dict[str, object] = running.request("GET", "/readyz")[2]
    except OSError:
        return {}
    return answer


def test_without_a_champion_it_lives_but_is_not_ready_until_there_is_one(shop: Shop) -> None:
    running = start(shop, ready=False)
    try:
        running.wait_until(lambda: _ready(running).get("reason") == "no release has been promoted yet")
        assert running.request("GET", "/healthz")[0] == 200
        assert running.request("POST", "/predict/adult", ROW)[0] == 404
        shop.seal(1)
        shop.promote(1)
        running.wait_until(running.answers, 5)
        assert running.request("POST", "/predict/adult", ROW)[0] == 200
    finally:
        running.stop()


def test_a_killed_worker_is_replaced_and_forgets_no_count(shop: Shop) -> None:
    shop.seal(1)
    shop.promote(1)
    running = start(shop, workers=2)
    try:
        running.wait_until(lambda: len(shop.records.workers()) == 2)
        for _ in range(10):
            assert running.request("POST", "/predict/adult", ROW)[0] == 200
        time.sleep(0.6)  # counts are written four times a second
        before = running.workers()
        os.kill(before[0], signal.SIGKILL)
        running.wait_until(lambda: len(running.workers()) == 2 and running.workers() != before)
        running.wait_until(lambda: len(shop.records.workers()) == 2)
        assert running.request("POST", "/predict/adult", ROW)[0] == 200
        time.sleep(0.6)
        metrics = running.request("GET", "/metrics")[2]
        assert 'mainspring_requests_total{model="adult",release="adult@1",status="200"} 11.0' in metrics
    finally:
        running.stop()


def test_metrics_that_cannot_be_written_hold_up_no_answer(shop: Shop) -> None:
    """Opening a pipe for writing waits until somebody reads it: a disk that hangs."""
    shop.seal(1)
    shop.promote(1)
    running = start(shop)
    try:
        draft = next(shop.root.rglob("metrics")) / "0.draft"
        running.wait_until(lambda: _made_a_pipe(draft))
        for _ in range(10):
            assert running.request("POST", "/predict/adult", ROW)[0] == 200
            time.sleep(0.1)
        assert draft.is_fifo(), "the metrics were to hang"
    finally:
        running.stop()


def _made_a_pipe(place: Path) -> bool:
    with suppress(FileExistsError):  # it is being written at this moment
        os.mkfifo(place)
    return place.is_fifo()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_go_with_their_parent(shop: Shop, number: signal.Signals) -> None:
    shop.seal(1)
    shop.promote(1)
    running = start(shop, workers=2)
    workers = [psutil.Process(pid) for pid in running.workers()]
    assert len(workers) == 2
    running.process.send_signal(number)
    code = running.process.wait(15)
    gone, alive = psutil.wait_procs(workers, timeout=10)
    assert (len(gone), alive) == (2, [])
    assert running.process.stdout is not None
    running.process.stdout.close()
    if number != signal.SIGKILL:
        assert code == 0
        assert shop.records.workers() == {}
        assert "Traceback" not in running.log.read_text()


def test_shutting_down_answers_what_was_taken(shop: Shop) -> None:
    shop.seal(1)
    shop.promote(1)
    running = start(shop, read_timeout=5.0)
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
        connection.sendall(REQUEST[:-10])
        time.sleep(0.3)  # the worker has taken it
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", running.port), timeout=2).close()
        connection.sendall(REQUEST[-10:])
        answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"connection: close" in answer
    assert running.stop() == 0


def test_a_taken_port_and_an_open_address_are_usage_errors(shop: Shop) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = start(shop, ready=False, port=taken.getsockname()[1])
        assert refused.process.wait(15) == 2
        assert "taken by another program" in refused.address
        assert "--port" in refused.address
        refused.stop()
    for host in ("0.0.0.0", "::"):
        refused = start(shop, ready=False, host=host)
        assert refused.process.wait(15) == 2
        assert "no token is set" in refused.address
        refused.stop()


def test_too_many_at_once_are_told_to_come_back(shop: Shop) -> None:
    shop.seal(1)
    shop.promote(1)
    running = start(shop, max_waiting=1)
    rows = json.dumps([ROW] * 9_000).encode()
    statuses: list[tuple[int, str | None]] = []

    def ask() -> None:
        status, headers, _ = running.request("POST", "/predict/adult", rows)
        statuses.append((status, headers.get("retry-after")))

    try:
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (200, None) in statuses
        assert set(statuses) <= {(200, None), (503, "1")}
        assert (503, "1") in statuses
        assert running.request("POST", "/predict/adult", ROW)[0] == 200
    finally:
        running.stop()


def test_metrics_and_openapi_tell_of_the_releases(gateway: Running) -> None:
    gateway.request("POST", "/predict/prices", ROW)
    gateway.request("POST", "/predict/nosuch", ROW)
    _, headers, text = gateway.request("GET", "/metrics")
    assert headers["content-type"].startswith("text/plain")
    for line in (
        'mainspring_requests_total{model="prices",release="prices@1",status="200"} 1.0',
        'mainspring_requests_total{model="",release="",status="404"} 1.0',
        'mainspring_release_loads_total{model="adult",outcome="loaded"} 1.0',
        "mainspring_requests_in_flight 1.0",
    ):
        assert line in text
    assert "nosuch" not in text
    _, _, document = gateway.request("GET", "/openapi.json")
    assert set(document["paths"]) >= {"/predict/adult", "/predict/pets", "/predict/prices"}
    row = document["components"]["schemas"]["adult.Row"]
    assert row["required"] == ["age", "hours", "job"]
    assert row["properties"]["job"] == {"type": ["string", "null"], "examples": ["clerk", "pilot"]}
