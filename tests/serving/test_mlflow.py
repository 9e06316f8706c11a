"""MLflow's scoring server, by its own client and its own documented requests; SageMaker's contract is the same."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mainspring.domain.task import Task

from .conftest import CLASSES, ROW, Running, Shop, expected, start

OTHER = {"age": None, "hours": 3, "job": "baker"}
ROWS = [ROW, OTHER]


@pytest.fixture(scope="module")
def adult(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway with one model."""
    shop = Shop(tmp_path_factory.mktemp("one"))
    shop.seal(1)
    shop.promote(1)
    running = start(shop)
    yield running
    running.stop()
    shop.records.close()


def labels(rows: list[dict[str, Any]] = ROWS) -> list[str]:
    return [CLASSES[Task.BINARY][place] for place in expected(1, rows).argmax(axis=1)]


def post(running: Running, body: Any, kind: str = "application/json") -> tuple[int, dict[str, str], Any]:
    return running.request("POST", "/invocations", body, {"content-type": kind})


def as_csv(rows: list[dict[str, Any]], *, index: bool = False) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*([""] if index else []), *ROW])
    for number, row in enumerate(rows):
        cells = ["" if row[name] is None else row[name] for name in ROW]
        writer.writerow([*([number] if index else []), *cells])
    return text.getvalue().encode()


@pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning")  # at its import
def test_mlflows_client_works_unchanged(adult: Running) -> None:
    import pandas as pd
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

    client = ScoringServerClient("127.0.0.1", adult.port)
    client.wait_server_ready(timeout=5)
    assert client.get_version()
    frame = pd.DataFrame(ROWS)
    assert np.isnan(frame["age"][1])  # so the client writes NaN, which is no JSON
    for data in (frame, {"dataframe_records": ROWS}, ROWS):
        body = json.dumps(data) if isinstance(data, dict) else data
        assert client.invoke(body).get_predictions(predictions_format="ndarray").tolist() == labels()


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": list(ROW), "data": [list(row.values()) for row in ROWS]}},
        {"dataframe_split": {"columns": list(ROW), "index": [7, 8], "data": [list(row.values()) for row in ROWS]}},
        {"dataframe_split": {"columns": [*ROW][::-1], "data": [list(row.values())[::-1] for row in ROWS]}},
        {"dataframe_split": {"data": [list(row.values()) for row in ROWS]}},
        {"dataframe_records": ROWS},
        {"instances": ROWS},
        {"instances": [list(row.values()) for row in ROWS], "params": {"a": 1}},
        {"inputs": {name: [row[name] for row in ROWS] for name in ROW}},
        {"inputs": ROWS},
    ],
)
def test_every_documented_form_is_answered(adult: Running, body: Any) -> None:
    status, headers, answer = post(adult, body)
    assert (status, answer) == (200, {"predictions": labels()})
    assert headers["x-release"] == "adult@1"
    assert "x-prediction-id" in headers
    assert headers["content-type"] == "application/json"


def test_one_row_as_plain_values_and_probabilities(adult: Running) -> None:
    assert post(adult, {"inputs": ROW})[2] == {"predictions": labels([ROW])}
    body = {"inputs": ROWS, "params": {"predict_method": "predict_proba"}}
    assert np.allclose(post(adult, body)[2]["predictions"], expected(1, ROWS), rtol=1e-12)
    assert post(adult, {**body, "params": {"predict_method": "nosuch"}})[0] == 400
    assert post(adult, {**body, "params": {"predict_method": []}})[0] == 400


@pytest.mark.parametrize("kind", ["text/csv", "text/csv; charset=utf-8", 'Text/CSV;charset="UTF-8"'])
def test_csv_is_answered(adult: Running, kind: str) -> None:
    for body in (
        as_csv(ROWS),
        as_csv(ROWS, index=True),
        b"\xef\xbb\xbf" + as_csv(ROWS),
        as_csv(ROWS) + b"\r\n\r\n",
    ):
        assert post(adult, body, kind)[2] == {"predictions": labels()}
    odd = [{**ROW, "job": 'a "b", c\nd'}, {**ROW, "job": "Ünï\x00"}]
    assert post(adult, as_csv(odd), kind)[2] == {"predictions": labels(odd)}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"31.5,40,pilot\n",
        b"age,hours,job\n",
        b"age,hours\n31.5,40\n",
        b"age,hours,job,job\n31.5,40,pilot,pilot\n",
        b"age,hours,job,x\n31.5,40,pilot,1\n",
        b"age,hours,job\n31.5,40\n",
        b"age,hours,job\n31.5,40,pilot,7\n",
        b'age,hours,job\n31.5,40,"pilot\n',
        b"age,hours,job\nold,40,pilot\n",
        b"age,hours,job\n1_0,40,pilot\n",
        b"age,hours,job\ninf,40,pilot\n",
        b"age,hours,job\n1e999,40,pilot\n",
        b"age,hours,job\n31.5,1e300,pilot\n",
        b"age,hours,job\n31.5,40.5,pilot\n",
        b"age,hours,job\n31.5,40,\xff\n",
        b"age,hours,job\n31.5,40," + b"x" * 1_000_000,
        b"{}",
    ],
)
def test_what_is_no_csv_is_400_in_their_shape(adult: Running, body: bytes) -> None:
    status, _, answer = post(adult, body, "text/csv")
    assert (status, set(answer)) == (400, {"error_code", "message"}), answer


@pytest.mark.parametrize(
    "body",
    [
        b"nonsense",
        b"",
        b"[]",
        b"3",
        b"{}",
        b"\xff",
        {"instances": ROWS, "inputs": ROWS},
        {"instances": 3},
        {"instances": []},
        {"instances": [[1]]},
        {"inputs": 3},
        {"inputs": {}},
        {"inputs": {"age": [1, 2], "hours": [3], "job": []}},
        {"inputs": {"age": [1], "hours": 3, "job": []}},
        {"dataframe_records": {"age": 3}},
        {"dataframe_records": [3]},
        {"dataframe_records": [{**ROW, "x": 3}]},
        {"dataframe_records": [{**ROW, "hours": "40"}]},
        {"dataframe_split": []},
        {"dataframe_split": {"columns": list(ROW)}},
        {"dataframe_split": {"columns": 3, "data": []}},
        {"dataframe_split": {"columns": [["age"]], "data": [[1]]}},
        {"dataframe_split": {"columns": ["age", "age"], "data": [[1, 2]]}},
        {"dataframe_split": {"columns": list(ROW), "data": [[1]]}},
        {"dataframe_split": {"columns": list(ROW), "data": [3]}},
        {"dataframe_split": {"columns": list(ROW), "data": [[1, 2, "x"]], "more": 1}},
        b'{"instances": [{"age": Infinity, "hours": 1, "job": "x"}]}',
        b'{"instances": [{"age": 1e999, "hours": 1, "job": "x"}]}',
        b'{"instances": [{"age": NaN, "hours": 1e999, "job": "x"}]}',
        b'{"instances": [{"age": NaN, "hours": ' + b"9" * 5000 + b', "job": "x"}]}',
        b'{"a": NaN, "instances": ' + b"[" * 100_000,
        b"[" * 100_000,
    ],
)
def test_what_is_no_request_is_400_in_their_shape(adult: Running, body: Any) -> None:
    status, _, answer = post(adult, body)
    assert (status, set(answer)) == (400, {"error_code", "message"}), answer
    assert answer["error_code"] in ("BAD_REQUEST", "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize(
    "kind",
    [
        "application/vnd.apache.parquet", "application/x-www-form-urlencoded", "text/plain", "", ";",
        "application/json; charset=latin-1", "application/json; profile=x", "text/csv; header=absent",
    ],
)  # fmt: skip
def test_other_content_types_are_415(adult: Running, kind: str) -> None:
    status, _, answer = post(adult, {"inputs": ROWS}, kind)
    assert (status, set(answer)) == (415, {"error_code", "message"})


def test_the_content_type_may_be_absent_and_say_utf_8(adult: Running) -> None:
    assert post(adult, {"inputs": ROWS}, "application/json; charset=UTF-8")[0] == 200
    assert adult.request("POST", "/invocations", {"inputs": ROWS})[0] == 200


def test_ping_is_sagemakers(adult: Running) -> None:
    for path in ("/ping", "/health"):
        assert adult.request("GET", path)[0] == 200
    for path in ("/invocations", "/ping/", "/invocations/adult"):
        status, _, answer = adult.request("GET", path)
        assert status == (405 if path == "/invocations" else 404)
        assert set(answer) == {"error_code", "message"}


def test_with_several_models_the_setting_says_which(shop: Shop) -> None:
    shop.seal(1)
    shop.promote(1)
    shop.seal(1, "prices", task=Task.REGRESSION)
    shop.promote(1, "prices")
    running = start(shop)
    try:
        status, _, answer = post(running, {"inputs": ROWS})
        assert status == 400
        assert "gateway.default_model" in answer["message"]
    finally:
        running.stop()
    running = start(shop, default_model="prices")
    try:
        found = post(running, {"inputs": ROWS})
        assert found[0] == 200
        assert found[1]["x-release"] == "prices@1"
        assert np.allclose(found[2]["predictions"], expected(1, ROWS, Task.REGRESSION)[:, 0], rtol=1e-12)
        body = {"inputs": ROWS, "params": {"predict_method": "predict_proba"}}
        assert post(running, body)[0] == 400
    finally:
        running.stop()


def test_without_a_model_it_is_not_ready(shop: Shop) -> None:
    running = start(shop, ready=False)
    try:
        running.wait_until(lambda: running.request("GET", "/healthz")[0] == 200)
        for method, path in (("GET", "/ping"), ("POST", "/invocations")):
            status, _, answer = running.request(method, path, {"inputs": ROWS} if method == "POST" else None)
            assert (status, answer["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    finally:
        running.stop()
