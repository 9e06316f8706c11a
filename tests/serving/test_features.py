"""Features found by key inside `POST /predict`, on real gateways: the answer is that of the whole row."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind, Personal
from mainspring.serving.personal import PersonalMask, digest_of
from mainspring.stores.tables_delta import DeltaTables

from .conftest import ROW, Running, Shop, expected, start
from .views import FIELDS, given, opened, put, seal

DAY = 86_400_000_000  # microseconds
FOUND = "mainspring_feature_rows_total"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """adult@1 takes features of the view `creative`; ad 17 is known, 18 is old, 19 has no brightness."""
    shop = Shop(tmp_path_factory.mktemp("views"))
    seal(shop, 1)
    shop.promote(1)
    with contextlib.closing(opened(shop)) as store:
        put(store, {17: 0.25, 19: None})
        put(store, {18: 0.75}, age=2 * DAY)
    running = start(shop, log={"commit_every": 0.2}, feature_timeout=10.0)
    yield running
    running.stop()
    shop.records.close()


def answer(running: Running, *rows: dict[str, Any], **headers: str) -> list[float]:
    """The probabilities of >50K."""
    status, _, body = running.request("POST", "/predict/adult", list(rows), headers)
    assert status == 200, body
    return [one["probabilities"][">50K"] for one in body["predictions"]]


def wanted(number: int, *rows: dict[str, Any]) -> Any:
    return pytest.approx(expected(number, list(rows), inputs=FIELDS)[:, 1].tolist(), abs=1e-12)


def counted(running: Running) -> dict[str, float]:
    names = ("found", "missing", "expired", "default", "last_known")
    return {name: running.count(FOUND, view="creative", outcome=name) for name in names}


def test_a_row_with_a_key_is_answered_as_the_row_with_its_features(running: Running) -> None:
    before = counted(running)
    assert answer(running, ROW | {"ad_id": 17}) == wanted(1, ROW | given(0.25))
    assert answer(running, ROW | {"ad_id": 99}) == wanted(1, ROW | given(0.5, 0)), "nobody knows it: the default"
    assert answer(running, ROW | {"ad_id": None}) == wanted(1, ROW | given(0.5, 0))
    assert answer(running, ROW | {"ad_id": 19}) == wanted(1, ROW | given(0.5)), "the default is for nulls, too"
    assert answer(running, ROW | {"ad_id": 18}) == wanted(1, ROW | given(0.5, 0)), "older than the ttl"
    running.wait_until(lambda: counted(running)["found"] == before["found"] + 2)
    after = counted(running)
    assert {name: after[name] - before[name] for name in after} == {
        "found": 2,
        "missing": 2,
        "expired": 1,
        "default": 0,
        "last_known": 0,
    }


def test_what_a_request_says_itself_holds(running: Running) -> None:
    before = counted(running)
    assert answer(running, ROW | given(0.9, 7)) == wanted(1, ROW | given(0.9, 7))
    assert answer(running, ROW | given(None, 7) | {"ad_id": 17}) == wanted(1, ROW | given(None, 7))
    assert counted(running) == before, "nothing had to be found"
    part = ROW | {"ad_id": 17, "creative.brightness": 0.9}
    assert answer(running, part) == wanted(1, ROW | given(0.9, 2))


@pytest.mark.parametrize("count", [3, 40, 300])
def test_many_rows_at_once(running: Running, count: int) -> None:
    rows = [
        ROW | {"age": float(n)} | ({"ad_id": (17, 18, 99)[n % 3]} if n % 2 else given(n)) for n in range(count)
    ]
    found = {17: given(0.25), 18: given(0.5, 0), 99: given(0.5, 0)}
    full = [{**row, **found.get(row.get("ad_id"), {})} for row in rows]
    for row in full:
        row.pop("ad_id", None)
    assert answer(running, *rows) == wanted(1, *full)


@pytest.mark.parametrize(
    ("row", "field", "words"),
    [
        ({}, "ad_id", ("'creative.brightness', 'creative.clicks_1h'", "'ad_id'", "the features themselves")),
        ({"creative.brightness": 1.0}, "ad_id", ("'creative.clicks_1h'", "'ad_id'")),
        ({"ad_id": "17"}, "ad_id", ("the text '17'", "without quotes")),
        ({"ad_id": 1.5}, "ad_id", ("not a whole number",)),
        ({"ad_id": 17, "creative.brightnes": 1.0}, "creative.brightnes", ("creative.brightnes",)),
        ({"ad_id": 17, "creative.width": 1.0}, "creative.width", ("creative.width",)),
    ],
)
def test_a_row_that_names_nothing_is_refused(
    running: Running, row: dict[str, Any], field: str, words: tuple[str, ...]
) -> None:
    status, _, body = running.request("POST", "/predict/adult", [ROW | given(1.0), ROW | row])
    assert status == 422
    assert body["where"] == {"row": 1, "field": field}
    assert all(word in body["message"] + body["cure"] for word in words), body


def test_every_dialect_that_names_fields_finds_them(running: Running) -> None:
    row = ROW | {"ad_id": 17}
    whole = wanted(1, ROW | given(0.25))
    status, _, body = running.request("POST", "/v1/models/adult:predict", {"instances": [row]})
    assert (status, [body["predictions"][0]["probabilities"][1]]) == (200, whole)
    kinds = {"age": "FP64", "hours": "INT64", "job": "BYTES", "ad_id": "INT64"}
    inputs = [{"name": name, "shape": [1], "datatype": kinds[name], "data": [row[name]]} for name in kinds]
    status, _, body = running.request("POST", "/v2/models/adult/infer", {"inputs": inputs})
    outputs = {one["name"]: one["data"] for one in body["outputs"]}
    assert (status, [outputs["probabilities"][1]]) == (200, whole)
    text = b"age,hours,job,ad_id\n31.5,40,pilot,17\n"
    status, _, body = running.request("POST", "/invocations", text, {"content-type": "text/csv"})
    assert status == 200, body
    _, _, same = running.request("POST", "/invocations", {"dataframe_records": [ROW | given(0.25)]})
    assert body == same


def test_every_dialect_refuses_a_row_that_names_nothing_by_naming_both_ways(running: Running) -> None:
    kinds = {"age": "FP64", "hours": "INT64", "job": "BYTES"}
    inputs = [{"name": name, "shape": [1], "datatype": kinds[name], "data": [ROW[name]]} for name in kinds]
    csv = {"content-type": "text/csv"}
    for path, body, headers, expected_status in (
        ("/predict/adult", ROW, {}, 422),
        ("/v1/models/adult:predict", {"instances": [ROW]}, {}, 400),
        ("/v2/models/adult/infer", {"inputs": inputs}, {}, 400),
        ("/invocations", {"dataframe_records": [ROW]}, {}, 400),
        ("/invocations", b"age,hours,job\n31.5,40,pilot\n", csv, 400),
    ):
        status, _, said = running.request("POST", path, body, headers)
        assert status == expected_status, (path, said)
        words = json.dumps(said)
        assert "'creative.brightness', 'creative.clicks_1h' of the view 'creative'" in words, (path, said)
        assert "without 'ad_id'" in words, (path, said)
        assert "send the key ('ad_id'), by which features are found, or the features themselves" in words


def test_the_log_has_what_was_found_and_by_which_key(running: Running) -> None:
    answer(running, ROW | {"ad_id": 17}, **{"x-request-id": "by-key"})
    answer(running, ROW | given(0.9), **{"x-request-id": "by-itself"})
    tables = DeltaTables(str(running.shop.root / "tables"))

    def logged() -> dict[str, tuple[Any, ...]]:
        if not tables.exists("predictions/adult"):
            return {}
        names = ("request_id", "input_ad_id", "input_creative.brightness", "input_creative.clicks_1h", "input_age")
        return {one[0]: one[1:] for one in tables.scan("predictions/adult").collect().select(names).rows()}

    running.wait_until(lambda: {"by-key", "by-itself"} <= logged().keys())
    assert logged()["by-key"] == (17, 0.25, 2.0, 31.5)
    assert logged()["by-itself"] == (None, 0.9, 2.0, 31.5)


def test_the_age_of_the_features_is_a_metric(running: Running) -> None:
    answer(running, ROW | {"ad_id": 17})
    running.wait_until(lambda: running.count("mainspring_feature_age_seconds", view="creative") > 0)
    assert running.count("mainspring_feature_age_seconds", view="creative") < 600
    assert running.count("mainspring_feature_read_seconds_count") > 0


def test_the_description_has_keys_and_features(running: Running) -> None:
    _, _, document = running.request("GET", "/openapi.json")
    one = document["components"]["schemas"]["adult.Row"]
    assert one["required"] == ["age", "hours", "job"]
    assert "creative.brightness" in one["properties"]["ad_id"]["description"]
    assert one["allOf"] == [
        {"anyOf": [{"required": ["ad_id"]}, {"required": ["creative.brightness", "creative.clicks_1h"]}]}
    ]
    assert "/features/creative" in document["paths"]


def test_a_key_that_is_a_persons_is_found_by_and_not_kept() -> None:
    field = InputField("age", Kind.NUMBER)
    keys = (InputField("user", Kind.ID, personal=Personal.HASH), InputField("shop", Kind.INTEGER))
    mask = PersonalMask([field], "user", None, b"secret", keys)
    kept = mask([{"age": 3, "user": "ann", "shop": 7, "other": 1}, {"age": 4}])
    assert kept == [{"age": 3, "user": digest_of(b"secret", "user", "ann"), "shop": 7}, {"age": 4}]


def test_a_persons_number_is_hashed_as_its_text() -> None:
    keys = (InputField("user", Kind.ID, personal=Personal.HASH, numerals=True),)
    one, other = PersonalMask([], None, None, b"secret", keys)([{"user": 17}, {"user": "17"}])
    assert one == other == {"user": digest_of(b"secret", "user", "17")}
