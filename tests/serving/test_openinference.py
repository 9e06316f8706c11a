"""The Open Inference Protocol: with Triton's own client, by the published form, and under bad input."""

import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mainspring.domain.task import Task

from .conftest import CLASSES, ROW, Running, expected

OTHER = {"age": None, "hours": 3, "job": "baker"}


@pytest.fixture(scope="module")
def triton(gateway: Running) -> Iterator[Any]:
    import tritonclient.http as http

    client = http.InferenceServerClient(f"127.0.0.1:{gateway.port}")
    yield client
    client.close()


def tensors(rows: list[dict[str, Any]], *, binary: bool, column: bool = False) -> list[Any]:
    """The rows as Triton's client has them: NaN and the empty text where a value is missing."""
    import tritonclient.http as http

    columns = {
        "age": np.array([np.nan if row["age"] is None else row["age"] for row in rows], np.float64),
        "hours": np.array([row["hours"] for row in rows], np.int64),
        "job": np.array([(row["job"] or "").encode() for row in rows], np.object_),
    }
    found = []
    for name, values in columns.items():
        values = values[:, None] if column else values
        kind = {"f": "FP64", "i": "INT64", "O": "BYTES"}[values.dtype.kind]
        tensor = http.InferInput(name, list(values.shape), kind)
        found.append(tensor.set_data_from_numpy(values, binary_data=binary))
    return found


def test_tritons_client_sees_server_and_models(triton: Any) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("adult")
    assert triton.is_model_ready("adult", "1")
    assert not triton.is_model_ready("adult", "9")
    assert not triton.is_model_ready("nosuch")
    server = triton.get_server_metadata()
    assert server["name"] == "mainspring"
    assert "binary_tensor_data" in server["extensions"]
    metadata = triton.get_model_metadata("adult")
    assert metadata["name"] == "adult"
    assert metadata["versions"] == ["1", "2"]
    assert {tensor["name"]: (tensor["datatype"], tensor["shape"]) for tensor in metadata["inputs"]} == {
        "age": ("FP64", [-1]),
        "hours": ("INT64", [-1]),
        "job": ("BYTES", [-1]),
    }
    assert [tensor["shape"] for tensor in metadata["outputs"]] == [[-1], [-1, 2]]
    assert metadata["outputs"][1]["parameters"]["classes"] == ["<=50K", ">50K"]
    assert triton.get_model_metadata("prices")["outputs"] == [
        {"name": "prediction", "datatype": "FP64", "shape": [-1]}
    ]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("column", [True, False])
@pytest.mark.parametrize("model", ["adult", "pets"])
def test_tritons_client_gets_predictions(triton: Any, model: str, binary: bool, column: bool) -> None:
    import tritonclient.http as http

    rows = [ROW, OTHER, {**ROW, "job": ""}] * 20
    task, number = (Task.BINARY, 2) if model == "adult" else (Task.MULTICLASS, 1)
    wanted = expected(number, [{**row, "job": row["job"] or None} for row in rows], task)
    asked = [
        http.InferRequestedOutput("probabilities", binary_data=binary),
        http.InferRequestedOutput("prediction", binary_data=binary),
    ]
    for outputs in (asked, None):
        answer = triton.infer(model, tensors(rows, binary=binary, column=column), outputs=outputs, request_id="42")
        assert np.allclose(answer.as_numpy("probabilities"), wanted, rtol=1e-12)
        labels = [label.decode() if isinstance(label, bytes) else label for label in answer.as_numpy("prediction")]
        assert labels == [CLASSES[task][place] for place in wanted.argmax(axis=1)]
        document = answer.get_response()
        assert (document["model_name"], document["model_version"], document["id"]) == (model, str(number), "42")
        assert document["parameters"]["prediction_id"]


def test_tritons_client_names_a_version_and_an_output(triton: Any) -> None:
    import tritonclient.http as http

    output = [http.InferRequestedOutput("probabilities", class_count=1)]
    answer = triton.infer("adult", tensors([ROW, OTHER], binary=True), model_version="1", outputs=output)
    probabilities = expected(1, [ROW, OTHER])
    found = [element.decode().split(":") for element in answer.as_numpy("probabilities")[:, 0]]
    assert [(int(place), label) for _, place, label in found] == [
        (place, CLASSES[Task.BINARY][place]) for place in probabilities.argmax(axis=1)
    ]
    assert np.allclose([float(value) for value, *_ in found], probabilities.max(axis=1))
    assert answer.as_numpy("prediction") is None
    prices = triton.infer("prices", tensors([ROW], binary=True))
    assert np.allclose(prices.as_numpy("prediction"), expected(1, [ROW], Task.REGRESSION)[:, 0], rtol=1e-12)


def test_tritons_client_hears_what_is_wrong(triton: Any) -> None:
    import tritonclient.http as http
    from tritonclient.utils import InferenceServerException

    for model, inputs, outputs, message in (
        ("nosuch", tensors([ROW], binary=True), None, "there is no model 'nosuch'"),
        ("adult", tensors([ROW], binary=True)[:2], None, "the field 'job' is absent"),
        ("adult", tensors([ROW], binary=False)[:2], None, "the field 'job' is absent"),
        ("adult", tensors([ROW], binary=True), [http.InferRequestedOutput("x")], "there is no output 'x'"),
    ):
        with pytest.raises(InferenceServerException, match=message):
            triton.infer(model, inputs, outputs=outputs)


def test_every_datatype_is_read(gateway: Running) -> None:
    def ask(name: str, datatype: str, data: bytes) -> tuple[int, Any]:
        rest = {"age": ("FP64", struct.pack("<d", 31.5)), "hours": ("INT64", struct.pack("<q", 40))}
        rest["job"] = ("BYTES", struct.pack("<I", 5) + b"pilot")
        parts = {**rest, name: (datatype, data)}
        inputs = [
            {"name": key, "shape": [1], "datatype": kind, "parameters": {"binary_data_size": len(part)}}
            for key, (kind, part) in parts.items()
        ]
        head = json.dumps({"inputs": inputs}).encode()
        body = head + b"".join(part for _, part in parts.values())
        header = {"Inference-Header-Content-Length": str(len(head))}
        status, _, answer = gateway.request("POST", "/v2/models/adult/infer", body, header)
        return status, answer

    for datatype, kind in (
        ("FP64", "d"), ("FP32", "f"), ("FP16", "e"), ("INT8", "b"), ("INT16", "h"), ("INT32", "i"), ("INT64", "q"),
        ("UINT8", "B"), ("UINT16", "H"), ("UINT32", "I"), ("UINT64", "Q"),
    ):  # fmt: skip
        status, answer = ask("hours", datatype, struct.pack(f"<{kind}", 40))
        assert status == 200, answer
        assert np.allclose(answer["outputs"][1]["data"], expected(2, [ROW])[0], rtol=1e-12)
    for name, datatype, data in (
        ("hours", "FP64", struct.pack("<d", float("inf"))),
        ("hours", "FP64", struct.pack("<d", 1.5)),
        ("hours", "UINT64", struct.pack("<Q", 2**64 - 1)),
        ("hours", "BOOL", b"\1"),
        ("age", "BOOL", b"\2"),
        ("age", "BF16", b"\0\0"),
        ("age", "FP64", b"\0" * 7),
        ("age", "FP64", b"\0" * 16),
        ("age", "BYTES", struct.pack("<I", 5) + b"pilot"),
        ("job", "FP64", struct.pack("<d", 1)),
        ("job", "BYTES", b""),
        ("job", "BYTES", b"\0\0\0"),
        ("job", "BYTES", struct.pack("<I", 2**32 - 1)),
        ("job", "BYTES", struct.pack("<I", 6) + b"pilot"),
        ("job", "BYTES", struct.pack("<I", 4) + b"pilot"),
        ("job", "BYTES", struct.pack("<I", 2) + b"\xff\xfe"),
    ):
        status, answer = ask(name, datatype, data)
        assert (status, set(answer)) == (400, {"error"}), (name, datatype, data, answer)


AGE = {"name": "age", "shape": [1], "datatype": "FP64", "data": [31.5]}
HOURS = {"name": "hours", "shape": [1, 1], "datatype": "INT64", "data": [[40]]}
JOB = {"name": "job", "shape": [1], "datatype": "BYTES", "data": ["pilot"]}


def test_the_published_form_is_answered(gateway: Running) -> None:
    body = {"id": "42", "inputs": [AGE, HOURS, JOB], "outputs": [{"name": "probabilities"}]}
    status, headers, answer = gateway.request("POST", "/v2/models/adult/infer", body)
    assert status == 200
    assert headers["x-release"] == "adult@2"
    assert answer.pop("parameters") == {"prediction_id": headers["x-prediction-id"]}
    (output,) = answer.pop("outputs")
    assert answer == {"model_name": "adult", "model_version": "2", "id": "42"}
    assert np.allclose(output.pop("data"), expected(2, [ROW])[0], rtol=1e-12)
    assert output == {"name": "probabilities", "datatype": "FP64", "shape": [1, 2]}
    status, headers, answer = gateway.request("POST", "/v2/models/adult/infer", {"inputs": [AGE, HOURS, JOB]})
    assert answer["id"] == headers["x-prediction-id"]
    assert [output["name"] for output in answer["outputs"]] == ["prediction", "probabilities"]
    null = {**AGE, "data": [None]}
    status, _, answer = gateway.request("POST", "/v2/models/adult/infer", {"inputs": [null, HOURS, JOB]})
    assert np.allclose(answer["outputs"][1]["data"], expected(2, [{**ROW, "age": None}])[0], rtol=1e-12)


def test_health_and_lists_have_their_shape(gateway: Running) -> None:
    assert gateway.request("GET", "/v2/health/live")[2] == {"live": True}
    assert gateway.request("GET", "/v2/health/ready")[2] == {"ready": True}
    assert gateway.request("GET", "/v2/models")[2] == {"models": ["adult", "pets", "prices"]}
    assert gateway.request("GET", "/v2/models/adult/versions/1/ready")[2] == {"name": "adult", "ready": True}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/models/nosuch/infer", 404),
        ("/v2/models/adult/versions/9/infer", 404),
        ("/v2/models/adult/versions/x/infer", 404),
        ("/v2/models/adult/versions/0/infer", 404),
        ("/v2/models/adult/versions/%2e%2e/infer", 404),
        ("/v2/models/..%2f/infer", 404),
        ("/v2/models/adult%00/infer", 404),
        ("/v2/models/adult", 405),
        ("/v2/nosuch", 404),
    ],
)
def test_what_is_not_there_is_told_in_their_shape(gateway: Running, path: str, status: int) -> None:
    found, headers, answer = gateway.request("POST", path, {"inputs": [AGE, HOURS, JOB]})
    assert (found, set(answer)) == (status, {"error"})
    assert "x-prediction-id" in headers


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        {"inputs": []},
        {"inputs": {}},
        {"inputs": [3]},
        {"inputs": [{"name": "age"}]},
        {"inputs": [{**AGE, "shape": []}]},
        {"inputs": [{**AGE, "shape": [1, 2]}]},
        {"inputs": [{**AGE, "shape": [-1]}]},
        {"inputs": [{**AGE, "shape": [True]}]},
        {"inputs": [{**AGE, "shape": [0], "data": []}]},
        {"inputs": [{**AGE, "shape": [2]}, HOURS, JOB]},
        {"inputs": [AGE, AGE, HOURS, JOB]},
        {"inputs": [AGE, HOURS]},
        {"inputs": [AGE, HOURS, JOB, {**JOB, "name": "jobs"}]},
        {"inputs": [{**AGE, "datatype": "nosuch"}, HOURS, JOB]},
        {"inputs": [{**AGE, "data": ["31"]}, HOURS, JOB]},
        {"inputs": [{**AGE, "data": [[31], 32]}, HOURS, JOB]},
        {"inputs": [{**AGE, "data": [[[31]]]}, HOURS, JOB]},
        {"inputs": [{**AGE, "data": {"a": 1}}, HOURS, JOB]},
        {"inputs": [{**AGE, "data": None}, HOURS, JOB]},
        {"inputs": [AGE, {**HOURS, "data": [40.5]}, JOB]},
        {"inputs": [AGE, {**HOURS, "data": [True]}, JOB]},
        {"inputs": [AGE, {**HOURS, "data": [10**30]}, JOB]},
        {"inputs": [AGE, HOURS, {**JOB, "data": [5]}]},
        {"inputs": [AGE, HOURS, {**JOB, "data": [["pilot", "pilot"]]}]},
        {"inputs": [{**AGE, "parameters": {"binary_data_size": 8}}, HOURS, JOB]},
        {"inputs": [{**AGE, "parameters": {"binary_data_size": -8}}, HOURS, JOB]},
        {"inputs": [{**AGE, "parameters": {"binary_data_size": "8"}}, HOURS, JOB]},
        {"inputs": [{**AGE, "parameters": {"binary_data_size": 2**62}}, HOURS, JOB]},
        {"inputs": [{**AGE, "parameters": {"shared_memory_region": "x"}}, HOURS, JOB]},
        {"inputs": [AGE, HOURS, JOB], "id": 5},
        {"inputs": [AGE, HOURS, JOB], "parameters": {"binary_data_output": 1}},
        {"inputs": [AGE, HOURS, JOB], "outputs": [{"name": "prediction", "parameters": {"binary_data": "yes"}}]},
        {"inputs": [AGE, HOURS, JOB], "outputs": [{"name": "prediction", "parameters": {"classification": 1}}]},
        {
            "inputs": [AGE, HOURS, JOB],
            "outputs": [{"name": "probabilities", "parameters": {"classification": -1}}],
        },
        {"inputs": [AGE, HOURS, JOB], "outputs": [{"name": "prediction"}, {"name": "prediction"}]},
        {
            "inputs": [AGE, HOURS, JOB],
            "outputs": [{"name": "prediction", "parameters": {"shared_memory_region": "x"}}],
        },
        b'{"inputs": [{"name": "age", "shape": [1], "datatype": "FP64", "data": [Infinity]}]}',
    ],
)
def test_what_is_no_request_is_400_in_their_shape(gateway: Running, body: Any) -> None:
    status, _, answer = gateway.request("POST", "/v2/models/adult/infer", body)
    assert (status, set(answer)) == (400, {"error"}), answer
    assert isinstance(answer["error"], str)


@pytest.mark.parametrize("given", ["x", "-1", "99999", "1e3", "", "2", "0", "9" * 30])
def test_a_wrong_length_of_the_json_is_400(gateway: Running, given: str) -> None:
    status, _, answer = gateway.request(
        "POST",
        "/v2/models/adult/infer",
        {"inputs": [AGE, HOURS, JOB]},
        {"Inference-Header-Content-Length": given},
    )
    assert (status, set(answer)) == (400, {"error"})


def test_too_many_rows_are_413_before_they_are_read(gateway: Running) -> None:
    for count in (10_001, 10**30):
        many = {"inputs": [{**AGE, "shape": [count], "data": [None]}]}
        status, _, answer = gateway.request("POST", "/v2/models/adult/infer", many)
        assert (status, set(answer)) == (413, {"error"})
