"""Whatever comes, nothing is a fault of ours, no worker dies, and memory stays flat."""

import json
from collections import Counter
from typing import Any

import psutil
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

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
    [
        "/predict/adult",
        "/predict/pets",
        "/predict/prices",
        "/v1/models/adult:predict",
        "/v1/models/prices:predict",
        "/v2/models/adult/infer",
        "/v2/models/prices/infer",
        "/invocations",
    ]
)
near_tensors = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["age", "hours", "job", "x"]),
        "shape": st.lists(st.integers(-1, 3), max_size=3),
        "datatype": st.sampled_from(["FP64", "INT64", "BYTES", "BOOL", "UINT8", "x"]),
    },
    optional={
        "data": st.lists(scalars, max_size=3),
        "parameters": st.dictionaries(st.sampled_from(["binary_data_size", "x"]), scalars, max_size=2),
    },
)
bodies = st.one_of(
    values,
    near_rows,
    st.lists(near_rows, max_size=20),
    st.builds(lambda rows: {"instances": rows}, st.lists(near_rows | values, max_size=4)),
    st.builds(lambda inputs: {"inputs": inputs}, values),
    st.builds(lambda tensors: {"inputs": tensors}, st.lists(near_tensors, min_size=3, max_size=3)),
    st.builds(lambda rows: {"dataframe_records": rows}, st.lists(near_rows, max_size=4)),
    st.builds(
        lambda columns, data: {"dataframe_split": {"columns": columns, "data": data}},
        st.permutations([*ROW]),
        st.lists(st.lists(scalars, min_size=3, max_size=3) | values, max_size=3),
    ),
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
        assert answer.get("error") or answer["message"]
        assert "Traceback" not in json.dumps(answer)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=st.binary(max_size=300), headers=st.lists(st.binary(max_size=60), max_size=5))
def test_no_bytes_are_a_fault(gateway: Running, line: bytes, headers: list[bytes]) -> None:
    answer = gateway.raw(
        b"POST /" + line + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"\r\n".join(headers) + b"\r\n\r\n",
        half_close=True,
    )
    assert b"HTTP/1.1 5" not in answer


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tensors=st.lists(near_tensors, max_size=4),
    binary=st.binary(max_size=60),
    length=st.none() | st.integers(-1, 400),
)
def test_no_binary_tensor_is_a_fault(
    gateway: Running, tensors: list[Any], binary: bytes, length: int | None
) -> None:
    head = json.dumps({"inputs": tensors}).encode()
    status, _, answer = gateway.request(
        "POST",
        "/v2/models/adult/infer",
        head + binary,
        {"Inference-Header-Content-Length": str(len(head) if length is None else length)},
    )
    assert status in (200, 400), answer


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=100)
    | st.lists(st.lists(st.text(max_size=6), max_size=5).map(",".join), max_size=4).map(
        lambda lines: "\n".join(("age,hours,job", *lines)).encode()
    )
)
def test_no_csv_is_a_fault(gateway: Running, body: bytes) -> None:
    status, _, answer = gateway.request("POST", "/invocations", body, {"content-type": "text/csv"})
    assert status in (200, 400), answer


def ask_every_route(gateway: Running, examples: int) -> Counter[int]:
    """Generate requests for each operation of `/openapi.json`, fitting and unfit ones; check what comes back
    against the document. Gives the number of answers by status."""
    document = gateway.request("GET", "/openapi.json")[2]
    statuses: Counter[int] = Counter()
    with requests.Session() as session:
        for found in schemathesis.openapi.from_dict(document).get_all_operations():
            operation = found.ok()
            cases = [operation.as_strategy(GenerationMode.POSITIVE)]
            for name, value in (("version", 1), ("label", "champion")):
                if f"{{{name}}}" in operation.path:  # else hardly any would name a release that there is
                    cases.append(operation.as_strategy(GenerationMode.POSITIVE, path_parameters={name: value}))
            if operation.body or operation.path_parameters:
                cases.append(operation.as_strategy(GenerationMode.NEGATIVE))

            @settings(
                max_examples=examples,
                derandomize=True,
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate],
            )
            @given(case=st.one_of(cases))
            def ask(case: schemathesis.Case) -> None:
                answer = case.call(base_url=gateway.address, session=session, timeout=30)
                statuses[answer.status_code] += 1
                case.validate_response(answer, checks=CHECKS)
                assert "x-prediction-id" in answer.headers

            ask()
    return statuses


CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def test_every_route_keeps_to_its_description(gateway: Running) -> None:
    pids = gateway.workers()
    statuses = ask_every_route(gateway, 5)
    assert min(statuses[200], statuses[400], statuses[404]) >= 20, statuses
    assert gateway.workers() == pids


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_20_000_requests_are_no_fault_and_leave_memory_flat(gateway: Running) -> None:
    (pid,) = gateway.workers()
    worker = psutil.Process(pid)
    asked = sum(ask_every_route(gateway, 30).values())
    before = worker.memory_info().rss
    for examples in (120, 150, 180):
        asked += sum(ask_every_route(gateway, examples).values())
    assert asked >= 20_000
    assert worker.memory_info().rss - before < 30_000_000
    assert gateway.workers() == [pid]


DIALECTS = ("/predict/adult", "/v1/models/adult:predict", "/v2/models/adult/infer", "/invocations")


def test_memory_stays_flat_under_bad_requests(gateway: Running) -> None:
    (pid,) = gateway.workers()
    worker = psutil.Process(pid)
    hostile = [b"[" * 100_000, b'{"age": NaN}', b"x" * 1_000_000, json.dumps({"job": "y" * 1_000_000}).encode()]

    def ask() -> None:
        for number in range(60):
            gateway.request("POST", DIALECTS[number % len(DIALECTS)], hostile[number % len(hostile)])
            gateway.request("POST", DIALECTS[number // 4 % len(DIALECTS)], hostile[number % len(hostile)])
            gateway.request("POST", f"/predict/nosuch{number}", b"{}")

    ask()
    before = worker.memory_info().rss
    for _ in range(3):
        ask()
    assert worker.memory_info().rss - before < 10_000_000
