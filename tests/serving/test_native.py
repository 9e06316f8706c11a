"""`POST /predict/{model}` over HTTP, with real releases."""

import json
import uuid
from typing import Any

import pytest

from mainspring.domain.task import Task
from mainspring.serving.protocols.native import rows_of

from .conftest import ROW, Running, expected


def test_one_row_many_rows_and_the_wrapped_form_get_the_original_answers(gateway: Running) -> None:
    rows = [ROW, {"age": None, "hours": 3, "job": "baker"}, {"age": 1e300, "hours": -5, "job": None}]
    for body, sent in ((ROW, [ROW]), (rows, rows), ({"rows": rows}, rows)):
        status, headers, answer = gateway.request("POST", "/predict/adult", body)
        assert status == 200
        assert answer["model"] == "adult"
        assert answer["release"] == headers["x-release"] == "adult@2"
        assert answer["id"] == headers["x-prediction-id"]
        assert uuid.UUID(answer["id"]).version == 7
        for prediction, (no, yes) in zip(answer["predictions"], expected(2, sent).tolist(), strict=True):
            assert prediction["probabilities"] == pytest.approx({"<=50K": no, ">50K": yes}, abs=1e-12)
            assert prediction["prediction"] == (">50K" if yes >= 0.5 else "<=50K")


def test_a_number_names_a_release_that_is_not_the_champion(gateway: Running) -> None:
    for name, number in (("adult@1", 1), ("adult@2", 2), ("adult@champion", 2), ("adult%401", 1)):
        status, headers, answer = gateway.request("POST", f"/predict/{name}", ROW)
        assert (status, headers["x-release"]) == (200, f"adult@{number}")
        assert answer["predictions"][0]["probabilities"][">50K"] == pytest.approx(expected(number, [ROW])[0, 1])


def test_a_regression_gives_a_number_and_many_classes_a_probability_each(gateway: Running) -> None:
    _, _, answer = gateway.request("POST", "/predict/prices", ROW)
    assert answer["predictions"] == [{"prediction": pytest.approx(expected(1, [ROW], Task.REGRESSION)[0, 0])}]
    _, _, answer = gateway.request("POST", "/predict/pets", {**ROW, "age": 300})
    assert list(answer["predictions"][0]["probabilities"]) == ["bird", "cat", "dog"]
    assert answer["predictions"][0]["prediction"] == "bird"  # the first of equals


def test_many_rows_take_the_thread_and_agree(gateway: Running) -> None:
    rows = [{"age": float(i), "hours": i % 60, "job": "clerk" if i % 2 else "pilot"} for i in range(3000)]
    status, _, answer = gateway.request("POST", "/predict/adult", rows)
    assert status == 200
    got = [prediction["probabilities"][">50K"] for prediction in answer["predictions"]]
    assert got == pytest.approx(expected(2, rows)[:, 1].tolist(), abs=1e-12)


@pytest.mark.parametrize(
    ("body", "field", "status"),
    [
        ({**ROW, "agee": 3}, "agee", 422),
        ({"age": 1, "hours": 2}, "job", 422),
        ({**ROW, "age": "31"}, "age", 422),
        ({**ROW, "age": True}, "age", 422),
        ({**ROW, "hours": 1.5}, "hours", 422),
        ({**ROW, "job": 7}, "job", 422),
        ({**ROW, "job": ["pilot"]}, "job", 422),
        ({**ROW, "age": {"a": 1}}, "age", 422),
        ({**ROW, "hours": 10**30}, "hours", 422),
        ({**ROW, "age": 10**400}, "age", 422),
    ],
)
def test_a_row_that_does_not_fit_names_row_and_field(gateway: Running, body: Any, field: str, status: int) -> None:
    for sent, row in ((body, 0), ([ROW, body], 1), ([ROW] * 40 + [body], 40), ([ROW] * 400 + [body], 400)):
        got, headers, answer = gateway.request("POST", "/predict/adult", sent)
        assert got == status, answer
        assert answer["where"] == {"row": row, "field": field}
        assert answer["error"] == "InvalidInput"
        assert answer["cure"]
        assert "x-prediction-id" in headers


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"  ", 400),
        (b"nonsense", 400),
        (b'{"age": NaN, "hours": 1, "job": "x"}', 400),
        (b'{"age": Infinity, "hours": 1, "job": "x"}', 400),
        (b'{"age": 1e999, "hours": 1, "job": "x"}', 400),
        (b'{"age": 1, "hours": ' + b"9" * 5000 + b', "job": "x"}', 400),
        (b'{"age": "\xff"}', 400),
        (b'"\\ud800"', 400),
        (b"[" * 100_000, 400),
        (b'{"a":' * 100_000, 400),
        (b"[" * 500 + b"]" * 500, 422),
        (b"3", 400),
        (b'"row"', 400),
        (b"null", 400),
        (b"[]", 422),
        (b'{"rows": []}', 422),
        (b"[null]", 422),
        (b"[[1, 2, 3]]", 422),
        (b"[3]", 422),
        (b"{}", 422),
        (b'{"age":1,"hours":2,"job":"pilot"} trailing', 400),
        (b"\x00\x01\x02", 400),
        (b"\xef\xbb\xbf{}", 400),
    ],
)
def test_what_is_no_row_is_refused(gateway: Running, body: bytes, status: int) -> None:
    got, _, answer = gateway.request("POST", "/predict/adult", body)
    assert got == status, answer
    assert answer["message"]


def test_of_a_key_that_comes_twice_the_last_value_counts(gateway: Running) -> None:
    body = b'{"age": 1, "hours": 40, "job": "pilot", "age": 31.5}'
    status, _, answer = gateway.request("POST", "/predict/adult", body)
    assert status == 200
    assert answer["predictions"][0]["probabilities"][">50K"] == pytest.approx(expected(2, [ROW])[0, 1])


def test_a_long_text_is_an_unknown_category(gateway: Running) -> None:
    status, _, answer = gateway.request("POST", "/predict/adult", {**ROW, "job": "x" * 1_900_000})
    assert status == 200
    unknown = expected(2, [{**ROW, "job": "baker"}])[0, 1]
    assert answer["predictions"][0]["probabilities"][">50K"] == pytest.approx(unknown)


def test_too_many_rows_and_too_large_a_body_are_413(gateway: Running) -> None:
    small = {"age": 1, "hours": 2, "job": "x"}
    status, _, answer = gateway.request("POST", "/predict/adult", [small] * 10_001)
    assert (status, answer["error"]) == (413, "RequestTooLarge")
    status, _, answer = gateway.request("POST", "/predict/adult", b"x" * 2_000_001)
    assert (status, answer["error"]) == (413, "RequestTooLarge")


@pytest.mark.parametrize(
    "name",
    [
        "nosuch", "adult@9", "adult@0", "adult@-1", "adult@1.0", "adult@challenger", "adult@latest", "Adult",
        "..", "%2e%2e", "%252e%252e", "..%2f..%2fetc%2fpasswd", "adult%00", "adult;x", "adult%23",
        "adult@99999999999999999999", "%ff%fe", "a" * 5000, "%F0%9F%98%80", "adult%0d%0ax-evil:1", "adult@%D9%A3",
    ],
)  # fmt: skip
def test_a_name_that_means_no_release_is_404(gateway: Running, name: str) -> None:
    status, headers, answer = gateway.request("POST", f"/predict/{name}", ROW)
    assert status == 404, answer
    assert "x-evil" not in headers
    assert "/" not in answer["message"] or "etc" not in answer["message"] or len(answer["message"]) < 200


def test_a_misspelt_model_gets_a_suggestion(gateway: Running) -> None:
    _, _, answer = gateway.request("POST", "/predict/adlt", ROW)
    assert "did you mean 'adult'" in answer["cure"]


def test_a_sane_request_id_is_kept_and_another_replaced(gateway: Running) -> None:
    _, headers, answer = gateway.request("POST", "/predict/adult", ROW, {"x-request-id": "order-17.a"})
    assert headers["x-prediction-id"] == answer["id"] == "order-17.a"
    for bad in ("a/b", "x" * 101, "a b", "é", ""):
        _, headers, _ = gateway.request("POST", "/predict/adult", ROW, {"x-request-id": bad})
        assert uuid.UUID(headers["x-prediction-id"]).version == 7


def test_rows_of_takes_a_lone_key_rows_only_with_an_array() -> None:
    assert rows_of({"rows": 3}) == [{"rows": 3}]
    assert rows_of({"rows": [1], "age": 2}) == [{"rows": [1], "age": 2}]
    assert rows_of(json.loads('{"rows": []}')) == []
