"""`POST /feedback/{model}` on real gateways: what is acknowledged is in the labels, exactly once."""

import json
import os
import signal
import socket
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mainspring.data.predictions import predictions
from mainspring.domain.feedback import message
from mainspring.domain.schema import Personal
from mainspring.domain.task import Task
from mainspring.serving.drain import Drain
from mainspring.serving.feedback_record import FeedbackRecord, decode_feedback, encode_feedback
from mainspring.serving.label_rows import label_rows, read_feedback
from mainspring.serving.prediction_frames import DamagedFrame
from mainspring.stores.tables_delta import DeltaTables

from .conftest import ROW, Running, Shop, start

LOG = {"commit_every": 0.2}


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """adult@1 with the event's key `visit`, prices@1 without one."""
    shop = Shop(tmp_path_factory.mktemp("fed"))
    shop.seal(1, event_key="visit")
    shop.seal(1, "prices", task=Task.REGRESSION)
    shop.promote(1)
    shop.promote(1, "prices")
    running = start(shop, log=LOG)
    yield running
    running.stop()
    shop.records.close()


def send(gateway: Running, *messages: Any, model: str = "adult", **headers: str) -> tuple[int, Any]:
    body = messages[0] if len(messages) == 1 else list(messages)
    status, _, answer = gateway.request("POST", f"/feedback/{model}", body, headers)
    return status, answer


def stored(gateway: Running, model: str = "adult") -> pl.DataFrame:
    tables = DeltaTables(str(gateway.shop.root / "tables"))
    if not tables.exists(f"labels/{model}"):
        return pl.DataFrame(schema={"prediction_id": pl.String, "key": pl.String})
    return tables.scan(f"labels/{model}").collect()


def truth(gateway: Running, *ids: str, model: str = "adult") -> list[Any]:
    """The labels of predictions, once all of them are stored."""
    tables = DeltaTables(str(gateway.shop.root / "tables"))

    def read() -> dict[str, Any]:
        found = predictions(tables, model).collect()
        return dict(found.select("id", pl.coalesce("label", pl.col("label_value").cast(pl.String))).rows())

    gateway.wait_until(lambda: set(ids) <= set(read()), 30)
    found = read()
    return [found[each] for each in ids]


def stored_about(gateway: Running, column: str, values: set[str], model: str = "adult") -> None:
    def there() -> bool:
        return values <= set(stored(gateway, model).get_column(column).to_list())

    gateway.wait_until(there, 90)


def test_a_label_joins_its_prediction_before_and_after_it(fed: Running) -> None:
    early, late = f"early-{uuid.uuid4()}", f"late-{uuid.uuid4()}"
    assert send(fed, {"prediction_id": f"{early}/1", "label": ">50K"}) == (
        200,
        {"model": "adult", "accepted": 1, "duplicates": 0},
    )
    for request in (early, late):
        assert fed.request("POST", "/predict/adult", [ROW, ROW], {"x-request-id": request})[0] == 200
    assert send(fed, {"prediction_id": late, "label": "<=50K."})[0] == 200
    stored_about(fed, "prediction_id", {f"{early}/1", f"{late}/0"})
    assert truth(fed, f"{early}/0", f"{early}/1", f"{late}/0", f"{late}/1") == [None, ">50K", "<=50K", None]


def test_the_events_key_in_a_row_is_enough(fed: Running) -> None:
    request, visit = f"r-{uuid.uuid4()}", uuid.uuid4().int % 10**12
    assert fed.request("POST", "/predict/adult", {**ROW, "visit": visit}, {"x-request-id": request})[0] == 200
    assert send(fed, {"key": str(visit), "label": ">50K"}, {"key": visit, "name": "revenue", "value": 2})[0] == 200
    stored_about(fed, "key", {str(visit)})
    assert truth(fed, f"{request}/0") == [">50K"]


def test_corrections_hold_and_repetitions_change_nothing(fed: Running) -> None:
    request = f"r-{uuid.uuid4()}"
    fed.request("POST", "/predict/adult", ROW, {"x-request-id": request})
    no, yes = ({"prediction_id": request, "label": label} for label in ("<=50K", ">50K"))
    marker = {"prediction_id": f"{request}/9", "label": ">50K"}
    assert send(fed, no, yes, no, no, marker) == (200, {"model": "adult", "accepted": 3, "duplicates": 2})
    assert send(fed, yes)[0] == 200
    assert send(fed, {**no, "feedback_id": "late-1"}, {**no, "feedback_id": "late-1"})[1]["duplicates"] == 1
    assert send(fed, yes)[0] == 200
    assert send(fed, {**no, "feedback_id": "late-1"})[0] == 200  # a retry that was held up
    assert send(fed, {**marker, "prediction_id": f"{request}/10"})[0] == 200
    stored_about(fed, "prediction_id", {f"{request}/9", f"{request}/10"})
    assert truth(fed, f"{request}/0") == [">50K"]
    assert send(fed, {"prediction_id": request, "withdraw": True}, {**marker, "prediction_id": f"{request}/11"})
    stored_about(fed, "prediction_id", {f"{request}/11"})
    assert truth(fed, f"{request}/0") == [None]


def test_a_regressions_truth_is_a_number(fed: Running) -> None:
    request = f"r-{uuid.uuid4()}"
    fed.request("POST", "/predict/prices", ROW, {"x-request-id": request})
    assert send(fed, {"prediction_id": request, "label": 12.5}, model="prices")[0] == 200
    stored_about(fed, "prediction_id", {f"{request}/0"}, "prices")
    assert truth(fed, f"{request}/0", model="prices") == ["12.5"]
    assert send(fed, {"prediction_id": request, "label": "12.5"}, model="prices")[0] == 422
    status, answer = send(fed, {"key": "a", "label": 12.5}, model="prices")
    assert (status, answer["where"]) == (422, {"row": 0, "field": "key"})


def test_what_makes_no_sense_is_named_and_nothing_of_the_request_is_kept(fed: Running) -> None:
    request = f"bad-{uuid.uuid4()}"
    good = {"prediction_id": request, "label": ">50K"}
    for bad, field in (
        ({**good, "label": "50K"}, "label"),
        ({**good, "lable": 1}, "lable"),
        ({**good, "key": "a"}, "key"),
        ({**good, "happened_at": "soon"}, "happened_at"),
        ({"label": ">50K"}, "prediction_id"),
    ):
        status, answer = send(fed, good, good, bad)
        assert (status, answer["where"]) == (422, {"row": 2, "field": field})
        assert answer["cure"]
    after = {"prediction_id": f"{request}-after", "label": ">50K"}
    assert send(fed, after)[0] == 200
    stored_about(fed, "prediction_id", {f"{request}-after/0"})
    assert f"{request}/0" not in stored(fed).get_column("prediction_id").to_list()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/feedback/adult", b"", 400),
        ("/feedback/adult", b"nonsense", 400),
        ("/feedback/adult", b"3", 400),
        ("/feedback/adult", b'"text"', 400),
        ("/feedback/adult", b"null", 400),
        ("/feedback/adult", b"[]", 422),
        ("/feedback/adult", b"{}", 422),
        ("/feedback/adult", b"[[]]", 422),
        ("/feedback/adult", b"[null]", 422),
        ("/feedback/adult", b"[" * 100_000, 400),
        ("/feedback/adult", b'{"key": "a", "label": 1e999}', 400),
        ("/feedback/adult", b'{"key": "a", "label": NaN}', 400),
        ("/feedback/adult", b'{"key": "a", "label": 123456789012345678901234567890}', 422),
        ("/feedback/adult", b'{"key": "\xff", "label": ">50K"}', 400),
        ("/feedback/adult", b'{"key": "\\udc00x", "label": ">50K"}', 400),
        ("/feedback/adult", b'{"key": "a\\u0000", "label": "\\u0000"}', 422),
        ("/feedback/adult", json.dumps({"key": "x" * 1_500_000, "label": ">50K"}).encode(), 422),
        ("/feedback/adult", json.dumps([{"key": "a", "label": ">50K"}] * 10_001).encode(), 413),
        ("/feedback/adult", b" " * 2_000_001, 413),
        ("/feedback/nobody", b'{"key": "a", "label": ">50K"}', 404),
        ("/feedback/adult@1", b'{"key": "a", "label": ">50K"}', 404),
        ("/feedback/..%2f..%2fx", b'{"key": "a", "label": ">50K"}', 404),
        ("/feedback/", b'{"key": "a", "label": ">50K"}', 404),
    ],
)
def test_hostile_bodies_and_names_get_the_right_refusal(fed: Running, path: str, body: bytes, status: int) -> None:
    got, _, answer = fed.request("POST", path, body)
    assert got == status, answer
    assert len(json.dumps(answer)) < 2_000
    assert send(fed, {"key": "a", "label": ">50K"})[0] == 200


def test_other_methods_are_refused_and_the_route_is_described(fed: Running) -> None:
    assert fed.request("GET", "/feedback/adult")[0] == 405
    described = fed.request("GET", "/openapi.json")[2]["paths"]["/feedback/adult"]["post"]
    assert "prediction_id" in json.dumps(described["requestBody"])


def test_many_messages_are_kept_in_their_order_and_counted(fed: Running) -> None:
    request = f"many-{uuid.uuid4()}"
    many = [{"prediction_id": f"{request}/{n}", "label": ">50K" if n % 2 else "<=50K"} for n in range(9_000)]
    assert send(fed, *many) == (200, {"model": "adult", "accepted": 9_000, "duplicates": 0})
    stored_about(fed, "prediction_id", {f"{request}/8999"})
    found = stored(fed).filter(pl.col("prediction_id").str.starts_with(request)).sort("at")
    assert found.get_column("prediction_id").to_list() == [m["prediction_id"] for m in many]
    fed.wait_until(lambda: fed.count("mainspring_feedback_total", model="adult", kind="label") >= 9_000)


@pytest.mark.parametrize("durability", ["batch", "strict"])
def test_kill_nine_loses_no_acknowledged_label_and_stores_none_twice(shop: Shop, durability: str) -> None:
    """Workers and drainers are killed while labels come in; whatever was acknowledged is there once."""
    shop.seal(1)
    shop.promote(1)
    gateway = start(shop, workers=2, log={"commit_every": 0.05, "durability": durability})
    acknowledged: list[str] = []
    try:
        for number in range(30):
            if number in (8, 20):
                for module in ("mainspring.serving.drainer", "mainspring.serving.worker"):
                    for pid in gateway.children(module)[:1]:
                        os.kill(pid, signal.SIGKILL)
            place = f"r{number}/0"
            try:
                status, _ = send(gateway, {"prediction_id": place, "label": ">50K", "feedback_id": f"m{number}"})
            except OSError:
                continue  # the worker died with the request: nothing was acknowledged
            if status == 200:
                acknowledged.append(place)
            time.sleep(0.02)
        stored_about(gateway, "prediction_id", set(acknowledged))
    finally:
        gateway.stop()
    assert len(acknowledged) > 10
    found = stored(gateway).get_column("prediction_id").to_list()
    assert len(found) == len(set(found))
    assert set(acknowledged) <= set(found)


def test_a_drainer_that_is_killed_between_commit_and_tidying_stores_nothing_twice(
    shop: Shop, tmp_path: Path
) -> None:
    """Law 1 at the narrowest place: a second drainer reads the same files from the start."""
    from mainspring.clock import SYSTEM_CLOCK
    from mainspring.serving.spool import Spool

    folder = tmp_path / "gateway"
    spool = Spool(folder / "spool", "worker-0", limit=10**8)
    tables = DeltaTables(str(tmp_path / "tables"))
    for number in range(5):
        said = message(
            prediction_id=f"r{number}/0", key=None, name="label", label="yes", value=None, happened_at=None
        )
        spool.append(encode_feedback(FeedbackRecord("adult", datetime.now(UTC), (said,))), must_keep=True)
    for _ in range(3):
        drain = Drain(folder, tables, SYSTEM_CLOCK, commit_every=0.01, commit_rows=10)
        assert drain.take()
        drain.step(at_once=True)
        drain.close()  # without another step no file is dropped: as if it had been killed
    spool.close()
    assert tables.scan("labels/adult").select(pl.len()).collect().item() == 5


def test_the_role_feedback_is_needed_and_enough(shop: Shop) -> None:
    shop.seal(1)
    shop.promote(1)
    gateway = start(shop, ready=True, token="t" * 32)
    try:
        body = {"prediction_id": "a", "label": ">50K"}
        assert gateway.request("POST", "/feedback/adult", body)[0] == 401
        allowed = {"authorization": "Bearer " + "t" * 32}
        assert gateway.request("POST", "/feedback/adult", body, allowed)[0] == 200
    finally:
        gateway.stop()


def test_a_personal_key_is_stored_as_the_log_has_it() -> None:
    from mainspring.serving.kept_key import kept_key
    from mainspring.serving.personal import PersonalMask
    from mainspring.testing.releases import a_manifest

    secret = b"s" * 32
    plain = a_manifest(key="visit")
    assert kept_key(plain, "17", secret) == "17"
    hashed = a_manifest(key="visit", key_personal=Personal.HASH)
    mask = PersonalMask((), "visit", Personal.HASH, secret)
    assert (
        kept_key(hashed, "17", secret) == mask([{"visit": 17}])[0]["visit"] == mask([{"visit": "17"}])[0]["visit"]
    )
    assert kept_key(hashed, "17", secret) != kept_key(hashed, "18", secret) != "18"
    for tag in (Personal.MASK, Personal.OMIT):
        assert kept_key(a_manifest(key="visit", key_personal=tag), "17", secret) is None
    assert kept_key(a_manifest(key=None), "17", secret) is None


def test_damaged_records_are_told_from_whole_ones() -> None:
    said = message(prediction_id="a/0", key=None, name="label", label="yes", value=None, happened_at=None)
    record = FeedbackRecord("adult", datetime(2026, 3, 1, tzinfo=UTC), (said,))
    whole = encode_feedback(record)
    assert decode_feedback(whole) == record
    rows, damaged = label_rows([whole, b"F", b"F\xc1", whole[:-3], b"F\x93\xa5adult\x01\x90"])
    assert (rows.height, damaged) == (1, 4)
    for length in range(len(whole)):
        with pytest.raises(DamagedFrame):
            read_feedback(whole[:length])
    with pytest.raises(DamagedFrame):
        read_feedback(encode_feedback(FeedbackRecord("../x", record.at, (said,))))


def test_a_request_cut_off_is_not_acknowledged(fed: Running) -> None:
    with socket.create_connection(("127.0.0.1", fed.port)) as connection:
        connection.sendall(
            b'POST /feedback/adult HTTP/1.1\r\nhost: localhost\r\ncontent-length: 900\r\n\r\n{"key"'
        )
    assert send(fed, {"key": "a", "label": ">50K"})[0] == 200
