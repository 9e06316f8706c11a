"""TensorFlow Serving's REST and KServe V1, by the shapes in their published examples."""

from typing import Any

import pytest

from mainspring.domain.release import Alias
from mainspring.domain.task import Task
from mainspring.serving.protocols.tfserving import rows_of

from .conftest import ROW, Running, Shop, expected, start

OTHER = {"age": None, "hours": 3, "job": "baker"}


def test_row_form_of_a_classifier_gives_its_two_outputs(gateway: Running) -> None:
    status, headers, answer = gateway.request(
        "POST", "/v1/models/adult:predict", {"instances": [ROW, OTHER], "signature_name": "serving_default"}
    )
    assert (status, headers["x-release"]) == (200, "adult@2")
    assert "x-prediction-id" in headers
    assert set(answer) == {"predictions"}
    for prediction, outputs in zip(answer["predictions"], expected(2, [ROW, OTHER]).tolist(), strict=True):
        assert prediction["probabilities"] == pytest.approx(outputs, abs=1e-12)
        assert prediction["prediction"] == (">50K" if outputs[1] >= 0.5 else "<=50K")


def test_column_form_gives_outputs_by_name(gateway: Running) -> None:
    inputs = {name: [ROW[name], OTHER[name]] for name in ROW}
    status, _, answer = gateway.request("POST", "/v1/models/adult:predict", {"inputs": inputs})
    assert status == 200
    assert set(answer) == {"outputs"}
    assert set(answer["outputs"]) == {"prediction", "probabilities"}
    assert answer["outputs"]["probabilities"][1] == pytest.approx(expected(2, [OTHER])[0].tolist())


def test_a_single_output_is_a_plain_list(gateway: Running) -> None:
    value = expected(1, [ROW], Task.REGRESSION)[0, 0]
    _, _, answer = gateway.request("POST", "/v1/models/prices:predict", {"instances": [ROW]})
    assert answer == {"predictions": [pytest.approx(value)]}
    _, _, answer = gateway.request(
        "POST", "/v1/models/prices:predict", {"inputs": {name: [value] for name, value in ROW.items()}}
    )
    assert answer == {"outputs": [pytest.approx(value)]}


def test_lists_are_values_in_the_order_of_the_features(gateway: Running) -> None:
    want = expected(2, [ROW])[0].tolist()
    _, _, rows = gateway.request("POST", "/v1/models/adult:predict", {"instances": [[31.5, 40, "pilot"]]})
    assert rows["predictions"][0]["probabilities"] == pytest.approx(want)
    _, _, columns = gateway.request("POST", "/v1/models/adult:predict", {"inputs": [[31.5, 40, "pilot"]]})
    assert columns["outputs"]["probabilities"] == [pytest.approx(want)]


def test_a_version_names_a_release(gateway: Running) -> None:
    for version in (1, 2):
        status, headers, _ = gateway.request(
            "POST", f"/v1/models/adult/versions/{version}:predict", {"instances": [ROW]}
        )
        assert (status, headers["x-release"]) == (200, f"adult@{version}")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/v1/models/nosuch:predict", "Servable not found for request: Latest(nosuch)"),
        ("/v1/models/adult/versions/9:predict", "Servable not found for request: Specific(adult, 9)"),
        ("/v1/models/adult/versions/x:predict", "Servable not found for request: Specific(adult, x)"),
        ("/v1/models/..%2f:predict", "there is nothing at this path"),
    ],
)
def test_what_is_not_there_is_404_in_their_shape(gateway: Running, path: str, message: str) -> None:
    status, _, answer = gateway.request("POST", path, {"instances": [ROW]})
    assert status == 404
    assert set(answer) == {"error"}
    assert answer["error"].startswith(message)


@pytest.mark.parametrize(
    "body",
    [
        b"nonsense",
        b"[]",
        b"{}",
        b'{"instances": 3}',
        b'{"instances": []}',
        b'{"instances": [3]}',
        b'{"instances": [[1, 2]]}',
        b'{"instances": [{"age": 1}]}',
        b'{"instances": [null]}',
        b'{"instances": [], "inputs": {}}',
        b'{"inputs": {}}',
        b'{"inputs": 3}',
        b'{"inputs": {"age": 3}}',
        b'{"inputs": {"age": [3], "hours": [1, 2], "job": []}}',
        b'{"inputs": {"age": [3]}}',
        b'{"inputs": [[[1]]]}',
        b'{"instances": [{"age": NaN}]}',
        b'{"instances": [{"age": 1, "hours": 2, "job": "x"}], "signature_name": "nosuch"}',
        b'{"instances": [{"age": 1, "hours": 2, "job": "x"}], "signature_name": {"a": []}}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_request_is_400_in_their_shape(gateway: Running, body: bytes) -> None:
    status, _, answer = gateway.request("POST", "/v1/models/adult:predict", body)
    assert status == 400
    assert set(answer) == {"error"}
    assert isinstance(answer["error"], str)


def test_status_has_their_shape(gateway: Running) -> None:
    want: dict[str, Any] = {
        "model_version_status": [
            {"version": "2", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ]
    }
    assert gateway.request("GET", "/v1/models/adult/versions/2")[2] == want
    # KServe V1's readiness has the same path; its two fields stand beside theirs.
    assert gateway.request("GET", "/v1/models/adult")[2] == {**want, "name": "adult", "ready": True}
    status, _, answer = gateway.request("GET", "/v1/models/nosuch")
    assert (status, answer) == (404, {"error": "Could not find any versions of model nosuch"})
    status, _, answer = gateway.request("GET", "/v1/models/adult/versions/9")
    assert (status, answer) == (404, {"error": "Could not find version 9 of model adult"})


def test_the_list_of_models_is_kserves(gateway: Running) -> None:
    assert gateway.request("GET", "/v1/models")[2] == {"models": ["adult", "pets", "prices"]}
    assert gateway.request("GET", "/")[2] == {"status": "alive"}


def test_metadata_is_a_signature(gateway: Running) -> None:
    status, _, answer = gateway.request("GET", "/v1/models/adult/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "adult", "signature_name": "", "version": "2"}
    signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["age"] == {
        "dtype": "DT_DOUBLE",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
        "name": "age",
    }
    assert {name: tensor["dtype"] for name, tensor in signature["inputs"].items()} == {
        "age": "DT_DOUBLE",
        "hours": "DT_INT64",
        "job": "DT_STRING",
    }
    assert signature["outputs"]["probabilities"]["tensor_shape"]["dim"][1]["size"] == "2"
    assert answer["metadata"]["classes"] == ["<=50K", ">50K"]
    assert gateway.request("GET", "/v1/models/adult/versions/1/metadata")[2]["model_spec"]["version"] == "1"


@pytest.mark.parametrize(
    ("document", "names", "rows", "by_column"),
    [
        ({"instances": ["foo", "bar", "baz"]}, ["x"], [{"x": "foo"}, {"x": "bar"}, {"x": "baz"}], False),
        ({"instances": [1.0, 2.0, 5.0]}, ["x"], [{"x": 1.0}, {"x": 2.0}, {"x": 5.0}], False),
        ({"inputs": [1.0, 2.0]}, ["x"], [{"x": 1.0}, {"x": 2.0}], True),
        (
            {"instances": [{"tag": "foo", "signal": 1}, {"tag": "bar", "signal": 3}]},
            ["tag", "signal"],
            [{"tag": "foo", "signal": 1}, {"tag": "bar", "signal": 3}],
            False,
        ),
        (
            {"signature_name": "serving_default", "inputs": {"tag": ["foo", "bar"], "signal": [1, 3]}},
            ["tag", "signal"],
            [{"tag": "foo", "signal": 1}, {"tag": "bar", "signal": 3}],
            True,
        ),
    ],
)
def test_the_published_forms_are_read(document: Any, names: list[str], rows: list[Any], by_column: bool) -> None:
    assert rows_of(document, tuple(names)) == (rows, by_column)


def test_labels_name_the_champion_and_the_challenger(shop: Shop) -> None:
    for number in (1, 2):
        shop.seal(number)
    shop.promote(1)
    running = start(shop)
    try:
        path = "/v1/models/adult/labels/{}"
        status, _, answer = running.request("POST", path.format("challenger:predict"), {"instances": [ROW]})
        assert (status, set(answer)) == (404, {"error"})
        assert "Unrecognized servable version label: challenger" in answer["error"]
        shop.records.set_alias("adult", Alias.CHALLENGER, 2, actor="test", reason="test")
        running.wait_until(lambda: running.request("GET", path.format("challenger"))[0] == 200)
        for label, number in (("champion", 1), ("challenger", 2)):
            status, headers, _ = running.request("POST", path.format(f"{label}:predict"), {"instances": [ROW]})
            assert (status, headers["x-release"]) == (200, f"adult@{number}")
            status = running.request("GET", path.format(label))[2]["model_version_status"][0]
            assert (status["version"], status["state"]) == (str(number), "AVAILABLE")
            metadata = running.request("GET", path.format(f"{label}/metadata"))[2]
            assert metadata["model_spec"]["version"] == str(number)
        for odd in ("canary", "..", "1"):
            assert running.request("GET", path.format(odd))[0] == 404
        assert running.request("GET", "/v1/models/nosuch/labels/champion")[0] == 404
        status, headers, _ = running.request("POST", "/predict/adult@challenger", ROW)
        assert (status, headers["x-release"]) == (200, "adult@2")
    finally:
        running.stop()


@pytest.mark.parametrize("verb", ["classify", "regress"])
def test_classify_and_regress_say_that_there_is_no_such_signature(gateway: Running, verb: str) -> None:
    kind = "classification" if verb == "classify" else "regression"
    for which in ("", "/versions/1", "/labels/champion"):
        status, _, answer = gateway.request("POST", f"/v1/models/adult{which}:{verb}", {"examples": [ROW]})
        assert status == 400
        assert answer["error"].startswith(
            f"Expected {kind} signature method_name to be tensorflow/serving/{verb}."
        )
    assert gateway.request("POST", f"/v1/models/nosuch:{verb}", {})[0] == 404


def test_texts_may_be_packed_and_nan_is_missing(gateway: Running) -> None:
    packed = {**ROW, "job": {"b64": "cGlsb3Q="}}
    wanted = gateway.request("POST", "/v1/models/adult:predict", {"instances": [ROW]})[2]
    for body in (
        {"instances": [packed]},
        {"instances": [[ROW["age"], ROW["hours"], {"b64": "cGlsb3Q="}]]},
    ):
        assert gateway.request("POST", "/v1/models/adult:predict", body)[2] == wanted
    by_column = {"inputs": {name: [value] for name, value in packed.items()}}
    assert gateway.request("POST", "/v1/models/adult:predict", by_column)[0] == 200
    for odd in ("nonsense!", "/w==", "cGlsb3Q", 5, None, ["cGlsb3Q="]):
        status, _, answer = gateway.request(
            "POST", "/v1/models/adult:predict", {"instances": [{**ROW, "job": {"b64": odd}}]}
        )
        assert (status, set(answer)) == (400, {"error"})
    missing = b'{"instances": [{"age": NaN, "hours": 40, "job": "pilot"}]}'
    null = {"instances": [{**ROW, "age": None}]}
    assert (
        gateway.request("POST", "/v1/models/adult:predict", missing)[2]
        == gateway.request("POST", "/v1/models/adult:predict", null)[2]
    )
