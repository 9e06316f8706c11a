"""Hostile requests, in every dialect: each gets the right refusal in that dialect's own shape."""

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from .conftest import ROW, Running

GOOD = {"age": b"31.5", "hours": b"40", "job": b'"pilot"'}


@dataclass(frozen=True)
class Form:
    """A dialect: where it predicts, what its errors hold, which status an unfit row gets."""

    name: str
    path: str
    error: frozenset[str]
    unfit: int = 400
    nan: int = 200  # its clients write NaN for a missing value

    def row(self, cells: dict[str, bytes]) -> bytes:
        row = b"{" + b", ".join(json.dumps(name).encode() + b": " + cell for name, cell in cells.items()) + b"}"
        if self.name == "native":
            return row
        if self.name == "openinference":
            kinds = {"age": "FP64", "hours": "INT64"}
            tensors = [
                f'{{"name": "{name}", "shape": [1], "datatype": "{kinds.get(name, "BYTES")}", "data": ['.encode()
                + cell
                + b"]}"
                for name, cell in cells.items()
            ]
            return b'{"inputs": [' + b", ".join(tensors) + b"]}"
        key = b"instances" if self.name == "tensorflow" else b"dataframe_records"
        return b'{"' + key + b'": [' + row + b"]}"


FORMS = (
    Form("native", "/predict/adult", frozenset({"error", "message", "cure", "where"}), 422, nan=400),
    Form("tensorflow", "/v1/models/adult:predict", frozenset({"error"})),
    Form("openinference", "/v2/models/adult/infer", frozenset({"error"})),
    Form("mlflow", "/invocations", frozenset({"error_code", "message"})),
)


@pytest.fixture(params=FORMS, ids=lambda form: form.name)
def form(request: pytest.FixtureRequest) -> Form:
    found: Form = request.param
    return found


@pytest.fixture(autouse=True)
def _goes_on(gateway: Running) -> Iterator[None]:
    pids = gateway.workers()
    yield
    for form in FORMS:
        assert gateway.request("POST", form.path, form.row(GOOD))[0] == 200
    assert gateway.workers() == pids, "a worker died"


def refused(gateway: Running, form: Form, path: str, body: Any, *, headers: dict[str, str] | None = None) -> int:
    """The status of a refusal, its shape checked."""
    status, found, answer = gateway.request("POST", path, body, headers)
    assert status >= 400, answer
    assert set(answer) == form.error, answer
    assert found["x-prediction-id"]
    assert "Traceback" not in json.dumps(answer)
    assert len(json.dumps(answer)) < 2_000  # nothing hostile is echoed at length
    return status


NO_NUMBERS = [
    b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"9" * 400, b'"old"', b"[]", b"{}", b"true", b"[[31.5]]",
    b"9" * 5_000, b'{"b64": "MzE="}', b'"\xed\xa0\x80"', b'"\xff"', b"nan", b"0x1f", b"", b"31.5]", b"+1",
]  # fmt: skip


def test_values_that_are_no_numbers(gateway: Running, form: Form) -> None:
    for cell in NO_NUMBERS:
        assert refused(gateway, form, form.path, form.row({**GOOD, "age": cell})) in (400, form.unfit), cell


def test_nan_is_a_missing_value_where_clients_write_it(gateway: Running, form: Form) -> None:
    status = gateway.request("POST", form.path, form.row({**GOOD, "age": b"NaN"}))[0]
    assert status == form.nan


def test_fields_that_are_extra_or_absent_or_null(gateway: Running, form: Form) -> None:
    assert refused(gateway, form, form.path, form.row({**GOOD, "x" * 5_000: b"1"})) == form.unfit
    assert refused(gateway, form, form.path, form.row({"age": b"1"})) == form.unfit
    assert refused(gateway, form, form.path, form.row({**GOOD, "job": b"5"})) == form.unfit
    assert gateway.request("POST", form.path, form.row(dict.fromkeys(GOOD, b"null")))[0] == 200


def test_of_a_key_that_comes_twice_the_last_wins(gateway: Running, form: Form) -> None:
    wanted = gateway.request("POST", form.path, form.row(GOOD))[2]
    body = form.row(GOOD)
    if form.name == "openinference":
        twice = body.replace(b"{", b'{"inputs": [], ', 1)
    else:
        twice = body.replace(b'"age": 31.5', b'"age": "nonsense", "age": 31.5')
    assert twice != body
    found = gateway.request("POST", form.path, twice)
    assert found[0] == 200
    for answer in (wanted, found[2]):
        answer.pop("id", None)
        answer.pop("parameters", None)
    assert found[2] == wanted


NO_REQUESTS = [
    b"", b" ", b"null", b"3", b'"x"', b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe{}", b"\x00", b"{}}", b"[3]",
    b'{"rows": 3}', b'{"instances": 3}', b'{"inputs": 3}', b'{"dataframe_split": 3}', b'{"dataframe_records": 3}',
]  # fmt: skip


def test_bodies_that_are_no_requests(gateway: Running, form: Form) -> None:
    for body in NO_REQUESTS:
        assert refused(gateway, form, form.path, body) in (400, form.unfit), body[:80]


def test_too_much_is_413(gateway: Running, form: Form) -> None:
    assert refused(gateway, form, form.path, form.row({**GOOD, "job": b'"' + b"x" * 10_000_000 + b'"'})) == 413
    assert gateway.request("POST", form.path, form.row({**GOOD, "job": b'"' + b"x" * 1_000_000 + b'"'}))[0] == 200


def test_compressed_bodies_are_415(gateway: Running, form: Form) -> None:
    assert refused(gateway, form, form.path, form.row(GOOD), headers={"content-encoding": "gzip"}) == 415


def test_foreign_pages_and_hosts_are_403(gateway: Running, form: Form) -> None:
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://[::"},
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example"},
        {"host": ""},
        {"host": "127.0.0.1:80:80"},
    ):
        assert refused(gateway, form, form.path, form.row(GOOD), headers=headers) == 403


def test_other_methods_are_405_in_the_dialects_shape(gateway: Running, form: Form) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
        status, headers, answer = gateway.request(method, form.path)
        assert (status, headers["allow"], set(answer)) == (405, "POST", form.error)


ODD_NAMES = [
    "..", "../adult", "%2e%2e", "%2e%2e%2fadult", "%252e%252e", "..%2f..%2fetc%2fpasswd", "adult;x", "adult%3bx",
    "adult%23", "adult#x", "adult%00", "%00", "/", "//adult", "adult%0d%0aX:%20y", "adult%20", "ADULT", "%ff",
    "a" * 10_000, "$(id)", "C:%5cx", "%e2%80%ae", "@3", "adult@", "adult@0", "adult@-1", "adult@9999999999",
    "adult@challenger",
]  # fmt: skip


def test_odd_names_of_models_lead_nowhere(gateway: Running, form: Form) -> None:
    for name in ODD_NAMES:
        path = form.path.replace("adult", name) if "adult" in form.path else f"{form.path}/{name}"
        answer = gateway.raw(
            b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
            % path.encode()
        )
        assert re.match(rb"HTTP/1\.1 (404|405|400|422) ", answer), answer[:200]
        assert shape_of(answer) == form.error
        assert len(answer) < 2_000


ODD_VERSIONS = ["0", "-1", "9" * 30, "1.0", "x", "..", "%2e%2e", "%00", "1;x", "1%23", "%d9%a1", "1%20", "%252e"]


@pytest.mark.parametrize(
    ("path", "end"), [("/v1/models/adult/versions/", ":predict"), ("/v2/models/adult/versions/", "/infer")]
)
def test_odd_versions_lead_nowhere(gateway: Running, path: str, end: str) -> None:
    for version in ODD_VERSIONS:
        for method, suffix in (("POST", end), ("GET", "")):
            status, _, answer = gateway.request(method, path + version + suffix, b"{}" if suffix else None)
            assert (status, set(answer)) == (404, {"error"}), version


def head(form: Form, *lines: bytes) -> bytes:
    return b"\r\n".join((b"POST " + form.path.encode() + b" HTTP/1.1", b"Host: 127.0.0.1", *lines, b"", b""))


def shape_of(answer: bytes) -> frozenset[str]:
    return frozenset(json.loads(answer.partition(b"\r\n\r\n")[2]))


def test_what_the_connection_refuses_has_the_dialects_shape(gateway: Running, form: Form) -> None:
    for content, status in (
        (head(form, b"X-A: " + b"a" * 20_000), 431),
        (head(form, b"Content-Length: 100") + b'{"age"', 408),
        (head(form, b"Transfer-Encoding: chunked") + b"zz\r\n", 400),
    ):
        answer = gateway.raw(content, timeout=15)
        assert answer.startswith(b"HTTP/1.1 %d " % status), answer
        assert shape_of(answer) == form.error


def test_pipelined_and_half_closed_requests_are_answered_in_order(gateway: Running, form: Form) -> None:
    good, bad = form.row(GOOD), b"nonsense"
    content = b"".join(head(form, b"Content-Length: %d" % len(body)) + body for body in (good, bad) * 5)
    answer = gateway.raw(content, half_close=True)
    assert re.findall(rb"HTTP/1\.1 (\d{3})", answer) == [b"200", b"400"] * 5


def test_a_million_tiny_chunks_are_one_body(gateway: Running, form: Form) -> None:
    body = form.row(GOOD)
    chunks = b"1\r\n \r\n" * (1_000_000 if form.name == "native" else 10_000)
    chunks += b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    answer = gateway.raw(head(form, b"Transfer-Encoding: chunked") + chunks, timeout=60)
    # A million chunks may take longer to arrive than a request may.
    assert answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 408 ")), answer


def test_a_header_of_400_megabytes_is_cut_off(gateway: Running, form: Form) -> None:
    sent = 0
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(head(form)[:-2] + b"X-Endless: ")
        with pytest.raises(OSError):  # noqa: PT012
            while sent < 400_000_000:
                sent += connection.send(b"a" * 65_536)
    assert sent < 20_000_000


def test_the_plain_row_still_is_the_plain_row(gateway: Running) -> None:
    """The forms above are what they are meant to be."""
    assert json.loads(FORMS[0].row(GOOD)) == ROW
