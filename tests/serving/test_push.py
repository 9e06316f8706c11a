"""`POST /features/{view}` on a real gateway: what is acknowledged is in the view's table, each row once."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mainspring.domain.access import Role
from mainspring.domain.release import RowPromise
from mainspring.domain.schema import Column, Kind, Schema
from mainspring.features.push import MESSAGE, derived_ids, pushed_table, typed_rows
from mainspring.serving.keys import make_key
from mainspring.serving.prediction_frames import DamagedFrame
from mainspring.serving.push_record import PUSH, PushRecord, decode_push, encode_push
from mainspring.serving.push_rows import pushed_rows, read_push
from mainspring.stores.tables_delta import DeltaTables

from .conftest import Running, Shop, start
from .views import CREATIVE, seal

AT = "2026-03-01T09:00:00Z"
MOMENT = datetime(2026, 3, 1, 9, tzinfo=UTC)
AD: dict[str, Any] = {"ad_id": 1, "created_at": AT, "width": 300, "title": "buy"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    shop = Shop(tmp_path_factory.mktemp("pushed"))
    seal(shop, 1)
    shop.promote(1)
    running = start(shop, log={"commit_every": 0.2})
    yield running
    running.stop()
    shop.records.close()


def push(running: Running, body: Any) -> tuple[int, Any]:
    status, _, answer = running.request("POST", "/features/creative", body)
    return status, answer


def stored(running: Running) -> dict[str, tuple[Any, ...]]:
    tables = DeltaTables(str(running.shop.root / "tables"))
    if not tables.exists(pushed_table("creative")):
        return {}
    rows = tables.scan(pushed_table("creative")).collect()
    assert rows[MESSAGE].is_unique().all()
    return {one[0]: one[1:] for one in rows.select(MESSAGE, "ad_id", "created_at", "width", "title").rows()}


def test_rows_are_stored_once_whatever_form_they_come_in(running: Running) -> None:
    status, answer = push(running, AD)
    assert (status, answer["view"], answer["accepted"]) == (202, "creative", 1)
    (first,) = answer["ids"]
    _, again = push(running, [AD, AD])
    assert again["ids"][0] == first, "the same row has the same id"
    assert again["ids"][1] != first, "but two in one request are two events"
    big = {"ad_id": 2**62 + 1, "created_at": "2026-03-01 10:00:00+01:00"}
    _, named = push(running, {"rows": [big], "ids": ["order-1"]})
    assert named["ids"] == ["order-1"]
    _, repeated = push(running, {"rows": [AD | {"ad_id": 9}], "ids": ["order-1"]})
    assert repeated["accepted"] == 1
    _, last = push(running, {"rows": [AD | {"ad_id": 3, "title": None}]})
    ids = {first, again["ids"][1], "order-1", *last["ids"]}
    running.wait_until(lambda: ids <= stored(running).keys())
    found = stored(running)
    assert found[first] == found[again["ids"][1]] == (1, MOMENT, 300, "buy")
    assert found["order-1"] == (2**62 + 1, MOMENT, None, None), "the row that came first holds"
    assert found[last["ids"][0]] == (3, MOMENT, 300, None)


def test_an_id_by_content_is_that_of_the_same_row_in_a_frame(running: Running) -> None:
    import polars as pl

    kinds = {"ad_id": Kind.INTEGER, "created_at": Kind.TIME, "width": Kind.INTEGER, "title": Kind.TEXT}
    schema = Schema(tuple(Column(name, kind) for name, kind in kinds.items()))
    frame = pl.DataFrame({"ad_id": [5], "created_at": [MOMENT], "title": ["ünsëen"]})
    _, answer = push(running, {"ad_id": 5, "created_at": AT, "title": "ünsëen"})
    assert answer["ids"] == derived_ids(typed_rows(frame, schema, ["ad_id"], "creative"))


@pytest.mark.parametrize(
    ("rows", "where", "words"),
    [
        ([AD, {"created_at": AT}], {"row": 1, "field": "ad_id"}, "missing"),
        (AD | {"ad_id": "1"}, {"row": 0, "field": "ad_id"}, "the text '1'"),
        (AD | {"ad_id": 2**63}, {"row": 0, "field": "ad_id"}, "64 bits"),
        (AD | {"created_at": None}, {"row": 0, "field": "created_at"}, "missing"),
        (AD | {"created_at": "yesterday"}, {"row": 0, "field": "created_at"}, "not a time"),
        (AD | {"widht": 1}, {"row": 0, "field": "widht"}, "'width'"),
        (AD | {"title": 7}, {"row": 0, "field": "title"}, "not a text"),
        ([AD, 7], {"row": 1}, "no JSON object"),
        ({"rows": [AD], "ids": ["a", "b"]}, {}, "2 ids of 1 rows"),
        ({"rows": [AD], "ids": [""]}, {"row": 0, "field": "ids"}, "1 to 128"),
    ],
)
def test_rows_that_make_no_sense_are_refused_whole(
    running: Running, rows: Any, where: dict[str, Any], words: str
) -> None:
    before = len(stored(running))
    status, answer = push(running, rows)
    assert (status, answer.get("where", {})) == (422, where)
    assert words in answer["message"] + answer["cure"]
    assert len(stored(running)) == before


def test_a_row_that_breaks_what_its_view_promises_is_refused(shop: Shop) -> None:
    promises = (
        RowPromise("width", nullable=False, minimum=1, maximum=900),
        RowPromise("created_at", minimum="2026-01-01"),
        RowPromise("title", categories=("buy", "sell")),
    )
    rows = (replace(CREATIVE.rows[0], kind=Kind.ID, numerals=True), *CREATIVE.rows[1:])
    seal(shop, 1, view=replace(CREATIVE, rows=rows, promises=promises))
    shop.promote(1)
    running = start(shop, log={"commit_every": 0.2})
    try:
        for change, field, words in [
            ({"width": 0}, "width", "below the minimum 1"),
            ({"width": 901}, "width", "above the maximum 900"),
            ({"width": None}, "width", "where no value may be"),
            ({"created_at": "2025-12-31T23:59:59Z"}, "created_at", "below the minimum 2026-01-01"),
            ({"title": "lease"}, "title", "not among the 2 known values"),
            ({"ad_id": "01"}, "ad_id", "send 1"),
        ]:
            status, answer = push(running, [AD, AD | change])
            assert (status, answer["where"]) == (422, {"row": 1, "field": field}), answer
            assert words in answer["message"] + answer["cure"]
        assert push(running, [AD, AD | {"ad_id": "2", "title": None}])[0] == 202
        running.wait_until(lambda: len(stored(running)) == 2)
        assert sorted(row[0] for row in stored(running).values()) == ["1", "2"], "a number is its text"
    finally:
        running.stop()


def test_pushing_takes_the_role_of_those_who_tell_what_came_true(shop: Shop) -> None:
    """Rows that are pushed change answers to come; whoever may only ask may not."""
    seal(shop, 1)
    shop.promote(1)
    secrets = {}
    for role in Role:
        key, secrets[role] = make_key(str(role), [role], now=datetime.now(UTC))
        shop.records.add_key(key, actor="test")
    running = start(shop, log={"commit_every": 0.2})

    def asked(role: Role | None) -> tuple[int, Any]:
        headers = {} if role is None else {"Authorization": f"Bearer {secrets[role]}"}
        status, _, answer = running.request("POST", "/features/creative", AD, headers)
        return status, answer

    try:
        running.wait_until(lambda: asked(None)[0] == 401)
        for role in (Role.PREDICT, Role.READ, Role.OPERATE):
            status, answer = asked(role)
            assert (status, answer["error"]) == (403, "NotAllowed"), role
            assert "feedback" in answer["message"] + answer["cure"]
        assert stored(running) == {}
        for role in (Role.FEEDBACK, Role.ADMIN):
            assert asked(role)[0] == 202, role
        running.wait_until(lambda: len(stored(running)) == 1)
    finally:
        running.stop()


def test_only_views_that_are_served_take_rows(running: Running) -> None:
    status, _, answer = running.request("POST", "/features/creativ", AD)
    assert (status, answer["error"]) == (404, "UnknownView")
    assert "'creative'" in answer["cure"]
    assert running.request("GET", "/features/creative")[0] == 405


def test_a_gateway_that_is_killed_loses_nothing_that_it_acknowledged(shop: Shop) -> None:
    seal(shop, 1)
    shop.promote(1)
    running = start(shop, log={"commit_every": 600.0})
    _, answer = push(running, [AD | {"ad_id": n} for n in range(50)])
    for pid in (*running.workers(), *running.children("mainspring.serving.drainer"), running.process.pid):
        os.kill(pid, signal.SIGKILL)
    running.process.wait()
    if running.process.stdout is not None:
        running.process.stdout.close()
    again = start(shop, log={"commit_every": 0.2})
    try:
        again.wait_until(lambda: set(answer["ids"]) == set(stored(again)))
    finally:
        again.stop()


def test_a_frame_holds_its_rows_and_a_damaged_one_is_left_out() -> None:
    columns = (("ad_id", Kind.INTEGER), ("at", Kind.TIME))
    record = PushRecord("creative", MOMENT, columns, None, ("a",), ((7, -1),))
    frame = encode_push(record)
    assert decode_push(frame) == record
    rows, damaged = pushed_rows([frame, frame[:-1], encode_push(PushRecord("../x", MOMENT, (), None, (), ()))])
    assert (rows.height, damaged) == (1, 2)
    assert rows["at"][0] == datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)
    for broken in (
        PUSH,
        PUSH + b"\x00",
        encode_push(PushRecord("v", MOMENT, columns, None, ("a", "b"), ((7, 1),))),
    ):
        with pytest.raises(DamagedFrame):
            read_push(broken)
