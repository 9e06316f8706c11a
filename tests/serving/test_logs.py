"""Logs: one JSON object a line, with the request that it belongs to, and nothing that is nobody's business."""

import io
import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from mainspring.domain.access import Role
from mainspring.serving.exchange import Request, Response
from mainspring.serving.grants import Grant
from mainspring.serving.keys import make_key
from mainspring.serving.logs import ANSWERING, AnswerLog, JsonLines, TextLines, place_of
from mainspring.serving.tracing import Trace

from .conftest import ROW, Shop, start

LOG = logging.getLogger("mainspring.tests.logs")
TRACE = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "01")


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    yield from capture(JsonLines(3))


@pytest.fixture
def text() -> Iterator[io.StringIO]:
    yield from capture(TextLines(None))


def capture(formatter: logging.Formatter) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    loggers = [LOG, logging.getLogger("mainspring.answers")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    yield stream
    for logger in loggers:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
        logger.propagate = True


def request_of(path: str = "/predict/adult", *, trace: Trace | None = None) -> Request:
    return Request("POST", path, {}, b"", "request-1", Grant("web", frozenset()), trace)


def test_a_line_has_what_machines_look_for(lines: io.StringIO) -> None:
    before = datetime.now(UTC)
    LOG.warning("three of %d\nfailed: é %s", 7, '"x"')
    line = json.loads(lines.getvalue())
    assert lines.getvalue().count("\n") == 1
    assert before <= datetime.fromisoformat(line.pop("time")) <= datetime.now(UTC)
    assert line == {
        "level": "warning",
        "logger": "mainspring.tests.logs",
        "message": 'three of 7\nfailed: é "x"',
        "worker": 3,
    }


def test_a_line_names_its_request_and_trace(lines: io.StringIO) -> None:
    for request in (request_of(trace=TRACE), request_of()):
        token = ANSWERING.set(request)
        LOG.error("failed")
        ANSWERING.reset(token)
    LOG.error("of no request")
    traced, untraced, other = map(json.loads, lines.getvalue().splitlines())
    assert (traced["request_id"], traced["trace_id"]) == ("request-1", TRACE.trace_id)
    assert untraced["request_id"] == "request-1"
    assert "trace_id" not in untraced
    assert "request_id" not in other


@pytest.mark.parametrize("message", ["\ud800 \x00 \x1b[31m", "x" * 1_000_000, "\u2028\x85\r\n", ""])
def test_no_message_breaks_a_line(message: str) -> None:
    # By hand and not through a logger: what pytest captures of one must be text that can be sent.
    record = logging.LogRecord(LOG.name, logging.INFO, __file__, 1, "%s", (message,), None)
    line = JsonLines(3).format(record)
    assert "\n" not in line
    assert isinstance(json.loads(line)["message"], str)
    assert len(line) < 150_000
    assert TextLines(None).format(record).isprintable()


def test_an_exception_is_told_on_the_same_line(lines: io.StringIO) -> None:
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        LOG.exception("failed")
    line = json.loads(lines.getvalue())
    assert lines.getvalue().count("\n") == 1
    assert line["exception"].endswith("RuntimeError: broken")


def test_where_an_exception_happened_without_what_it_says() -> None:
    def inner() -> None:
        int("my secret")

    try:
        inner()
    except ValueError as error:
        told = place_of(error)
    assert re.fullmatch(r"ValueError at test_logs\.py:\d+ inner < test_logs\.py:\d+ test_where.*", told)
    assert "secret" not in told


def test_answers_are_logged_so_many_a_second(lines: io.StringIO) -> None:
    now = 10.0
    log = AnswerLog(3, lambda: now)
    answer = Response(200, b"{}", model="adult", release="adult@2")
    for _ in range(10):
        log.answered(request_of(), answer, 0.0015)
    now += 1.5
    log.answered(request_of("/" + "a" * 5_000 + "\x1b\ud800"), Response(404, b""), 0.1)
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert len(told) == 4
    first, last = told[0], told[-1]
    assert {name: first[name] for name in first if name not in ("time", "level", "logger", "worker")} == {
        "message": "answered",
        "method": "POST",
        "path": "/predict/adult",
        "status": 200,
        "milliseconds": 1.5,
        "release": "adult@2",
        "key": "web",
    }
    assert last["left_out"] == 7
    assert len(last["path"]) == 200


SECRETS = ("hush-hush", "Zanzibar", "s3cr3t-token-of-mine", "q-u-e-r-y")


def test_nothing_secret_is_logged_by_a_gateway(shop: Shop) -> None:
    shop.seal(1)
    shop.promote(1)
    key, secret = make_key("web", [Role.PREDICT], now=datetime.now(UTC))
    shop.records.add_key(key, actor="test")
    running = start(shop, log_format="json", access_log=1_000, token="s3cr3t-token-of-mine")
    bearer = {"Authorization": f"Bearer {secret}", "X-Request-Id": "mine-1", "X-Other": "hush-hush"}
    traced = {**bearer, "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    try:
        bodies = (
            ROW,
            {**ROW, "job": "Zanzibar"},
            {**ROW, "Zanzibar": 1},
            {**ROW, "age": "Zanzibar"},
            b'{"Zanzibar',
        )
        for body in bodies:
            running.request("POST", "/predict/adult?token=q-u-e-r-y", body, traced)
        running.request("POST", "/predict/adult", ROW, {"Authorization": "Bearer s3cr3t-token-of-mine"})
        running.request("POST", "/predict/adult", ROW, {"Authorization": f"Bearer {secret[:-1]}B"})
        running.request("GET", "/nosuch", None, bearer)
        running.wait_until(lambda: '"/nosuch"' in running.log.read_text())
    finally:
        assert running.stop() == 0
    log = running.log.read_text()
    for wrong in (*SECRETS, secret, secret.removeprefix(f"ms_{key.id}_")[:20], key.digest):
        assert wrong not in log
    told = [json.loads(line) for line in log.splitlines()]
    assert all(datetime.fromisoformat(line["time"]).tzinfo == UTC for line in told)
    answers = [line for line in told if line["logger"] == "mainspring.answers" and line["path"] != "/readyz"]
    assert [line["status"] for line in answers] == [200, 200, 422, 422, 400, 200, 401, 404]
    assert {line["worker"] for line in answers} == {0}
    assert answers[0]["request_id"] == "mine-1"
    assert answers[0]["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert [line.get("key") for line in answers] == ["web"] * 5 + ["token", None, None]
    assert any("worker" not in line and "listening" in line["message"] for line in told), "the parent's lines too"
