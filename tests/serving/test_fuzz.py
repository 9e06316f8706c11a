"""Whatever comes, nothing is a fault of ours, no worker dies, and memory stays flat."""

import json
from typing import Any

import psutil
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import ROW, Running

names = st.one_of(
    st.sampled_from(["age", "hours", "job", "rows", "instances", "inputs", "signature_name"]), st.text()
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.text(),
    st.sampled_from(["pilot", "NaN", "1e999", "\x00", "\ud83d\ude00", "null", "2026-01-01"]),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4), max_leaves=12
)
near_rows = st.fixed_dictionaries(
    {},
    optional={"age": scalars, "hours": scalars, "job": scalars},
).map(lambda changes: {**ROW, **changes})
paths = st.sampled_from(
    ["/predict/adult", "/predict/pets", "/predict/prices", "/v1/models/adult:predict", "/v1/models/prices:predict"]
)
bodies = st.one_of(
    values,
    near_rows,
    st.lists(near_rows, max_size=20),
    st.builds(lambda rows: {"instances": rows}, st.lists(near_rows | values, max_size=4)),
    st.builds(lambda inputs: {"inputs": inputs}, values),
).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=paths, body=bodies)
def test_no_body_is_a_fault(gateway: Running, path: str, body: bytes) -> None:
    status, headers, answer = gateway.request("POST", path, body)
    assert status in (200, 400, 413, 422), answer
    assert "x-prediction-id" in headers
    if status == 200:
        found: Any = answer.get("predictions", answer.get("outputs"))
        assert found
    else:
        assert answer["error"]
        assert "Traceback" not in json.dumps(answer)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=st.binary(max_size=300), headers=st.lists(st.binary(max_size=60), max_size=5))
def test_no_bytes_are_a_fault(gateway: Running, line: bytes, headers: list[bytes]) -> None:
    answer = gateway.raw(
        b"POST /" + line + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"\r\n".join(headers) + b"\r\n\r\n",
        half_close=True,
    )
    assert b"HTTP/1.1 5" not in answer


def test_memory_stays_flat_under_bad_requests(gateway: Running) -> None:
    (pid,) = gateway.workers()
    worker = psutil.Process(pid)
    hostile = [b"[" * 100_000, b'{"age": NaN}', b"x" * 1_000_000, json.dumps({"job": "y" * 1_000_000}).encode()]

    def ask() -> None:
        for number in range(60):
            gateway.request("POST", "/predict/adult", hostile[number % len(hostile)])
            gateway.request("POST", f"/predict/nosuch{number}", b"{}")

    ask()
    before = worker.memory_info().rss
    for _ in range(3):
        ask()
    assert worker.memory_info().rss - before < 10_000_000
