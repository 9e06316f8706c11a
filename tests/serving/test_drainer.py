"""The whole way of a prediction into its table, by a gateway in its own processes that are killed on the way."""

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from mainspring.stores.tables_delta import DeltaTables
from mainspring.testing.full_disk import small_disk

from .conftest import ROW, Running, Shop, expected, start

TABLE = "predictions/adult"
SOON = {"commit_every": 0.3}


class Clients:
    """Threads that ask without pause and remember which requests were answered; a refused connection is tried
    again, since processes die."""

    def __init__(self, running: Running, count: int = 3) -> None:
        self.running = running
        self.acknowledged: set[str] = set()
        self.unexpected: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(count)]

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, client: int) -> None:
        tag = os.urandom(4).hex()
        number = 0
        while not self._stop.is_set():
            number += 1
            request_id = f"{tag}-{client}-{number}"
            try:
                status, _, answer = self.running.request(
                    "POST", "/predict/adult", ROW, {"x-request-id": request_id}
                )
            except (OSError, ValueError, EOFError) as error:
                if type(error).__name__ == "JSONDecodeError":
                    self.unexpected.append(repr(error))
                time.sleep(0.02)
                continue
            except Exception:  # http.client's own errors for a connection that was cut off
                time.sleep(0.02)
                continue
            if status == 200:
                self.acknowledged.add(request_id)
            elif status != 503:
                self.unexpected.append(f"{status} {answer}")
            time.sleep(0.003)  # the machine has other work, too


def stored(shop: Shop, table: str = TABLE) -> pl.DataFrame:
    tables = DeltaTables(str(shop.root / "tables"))
    return tables.scan(table).collect() if tables.exists(table) else pl.DataFrame()


def rows_of(shop: Shop, table: str = TABLE) -> int:
    return stored(shop, table).height


def check_each_once(shop: Shop, acknowledged: set[str]) -> None:
    counts = Counter(stored(shop).get_column("request_id").to_list())
    lost = acknowledged - counts.keys()
    assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged predictions are lost: {sorted(lost)[:5]}"
    twice = {name: count for name, count in counts.items() if count > 1}
    assert not twice, f"{len(twice)} predictions are stored more than once"


@pytest.fixture
def adult(shop: Shop) -> Shop:
    shop.seal(1)
    shop.promote(1)
    return shop


def test_every_answer_is_stored_with_all_that_belongs_to_it(adult: Shop) -> None:
    running = start(adult, log=SOON)
    try:
        before = time.time()
        running.request("POST", "/predict/adult", ROW, {"x-request-id": "one"})
        other = {"age": None, "hours": 7, "job": "baker"}
        running.request("POST", "/predict/adult", {"rows": [ROW, other]}, {"x-request-id": "two"})
        running.request("POST", "/predict/adult@1", [other], {"x-request-id": "three"})
        running.request("POST", "/v1/models/adult:predict", {"instances": [ROW]}, {"x-request-id": "four"})
        assert running.request("POST", "/predict/adult", {"age": 1})[0] == 422
        running.wait_until(lambda: rows_of(adult) == 5)
    finally:
        assert running.stop() == 0
    rows = {row["id"]: row for row in stored(adult).to_dicts()}
    assert set(rows) == {"one/0", "two/0", "two/1", "three/0", "four/0"}
    for name, row in rows.items():
        asked = other if name in ("two/1", "three/0") else ROW
        probabilities = expected(1, [asked])[0]
        assert row["outputs"] == pytest.approx(probabilities, abs=1e-9)
        assert row["value"] == pytest.approx(probabilities[1], abs=1e-9)
        assert row["prediction"] == (">50K" if probabilities[1] >= 0.5 else "<=50K")
        assert {field: row[f"input_{field}"] for field in ROW} == asked
        assert row["release"] == 1
        assert row["role"] == ("pinned" if name == "three/0" else "champion")
        assert row["arm"] is None
        assert 0 < row["latency_us"] < 60e6
        assert before - 1 < row["at"].timestamp() < time.time() + 1
        assert row["day"] == row["at"].date()
        assert (row["request_id"], row["row"]) == (name.partition("/")[0], int(name.partition("/")[2]))
    assert spool_of(running) == []


def spool_of(running: Running) -> list[Path]:
    return sorted(running.shop.root.glob("gateway/*/spool/*.spool"))


@pytest.mark.parametrize(("durability", "kills"), [("batch", 6), ("strict", 3)])
def test_whoever_is_killed_each_acknowledged_prediction_is_stored_once(
    adult: Shop, durability: str, kills: int
) -> None:
    kill_under_load(adult, durability, kills)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("durability", ["batch", "strict"])
def test_fifty_kills(adult: Shop, durability: str) -> None:
    kill_under_load(adult, durability, kills=50)


def stored_ids(shop: Shop) -> set[str]:
    """Of the requests whose predictions are in the table, which need not be there yet."""
    rows = stored(shop)
    return set(rows["request_id"].to_list()) if rows.width else set()


def kill_under_load(shop: Shop, durability: str, kills: int) -> None:
    rng = random.Random(kills)
    victims = ["worker", "drainer", "parent"]
    acknowledged: set[str] = set()
    log = {"durability": durability, "commit_every": 0.2}
    running = start(shop, log=log)
    try:
        for kill in range(kills):
            with Clients(running) as clients:
                # A drainer is there as soon as there is something to store.
                running.wait_until(lambda now=running: bool(now.children("mainspring.serving.drainer")), 30)  # type: ignore[misc]
                time.sleep(0.2 + rng.random() * 0.6)
                match victims[kill % 3]:
                    case "worker":
                        os.kill(running.workers()[0], signal.SIGKILL)
                    case "drainer":
                        for pid in running.children("mainspring.serving.drainer"):
                            os.kill(pid, signal.SIGKILL)
                    case "parent":
                        running.process.kill()
                time.sleep(0.3)
            assert clients.unexpected == []
            acknowledged |= clients.acknowledged
            if victims[kill % 3] == "parent":
                running.stop()
                running = start(shop, log=log)
            else:
                running.wait_until(running.answers, 30)
        assert len(acknowledged) > 20 * kills
        shop_of = running.shop
        running.wait_until(lambda: acknowledged <= stored_ids(shop_of), 30)
    finally:
        running.stop()
    check_each_once(shop, acknowledged)
    DeltaTables(str(shop.root / "tables")).compact(TABLE, str(stored(shop)["day"][0]))
    check_each_once(shop, acknowledged)


def dropped(running: Running) -> int:
    return int(running.request("GET", "/readyz")[2]["log"]["dropped"])


def test_what_a_former_gateway_left_is_stored_by_the_next_one(adult: Shop) -> None:
    running = start(adult, log={"commit_every": 3600})
    for number in range(30):
        running.request("POST", "/predict/adult", ROW, {"x-request-id": f"left-{number}"})
    for pid in running.children("mainspring.serving.drainer"):
        os.kill(pid, signal.SIGSTOP)  # so that it does not store them when its parent is gone
    stopped = running.children("mainspring.serving.drainer")
    running.process.kill()
    running.stop()
    for pid in stopped:
        os.kill(pid, signal.SIGKILL)
    assert rows_of(adult) == 0
    again = start(adult, log=SOON)  # on another port
    try:
        assert again.port != running.port
        again.wait_until(lambda: rows_of(adult) == 30, 30)
        again.wait_until(lambda: spool_of(again) == [], 30)
    finally:
        again.stop()
    check_each_once(adult, {f"left-{number}" for number in range(30)})


def test_two_releases_of_a_model_come_to_one_table(adult: Shop) -> None:
    adult.seal(2)
    running = start(adult, log=SOON)
    try:
        for number in (1, 2, 1):
            generation = adult.promote(number)
            running.wait_until(lambda want=generation: list(adult.records.workers().values()) == [want])  # type: ignore[misc]
            for _ in range(3):
                running.request("POST", "/predict/adult", ROW)
    finally:
        running.stop()
    assert sorted(stored(adult).get_column("release").to_list()) == [1, 1, 1, 1, 1, 1, 2, 2, 2]


def test_without_a_log_nothing_is_written(adult: Shop) -> None:
    running = start(adult, log={"durability": "off"})
    assert running.request("POST", "/predict/adult", ROW)[0] == 200
    assert running.stop() == 0
    assert spool_of(running) == []
    assert rows_of(adult) == 0


@pytest.mark.parametrize("durability", ["batch", "strict"])
def test_a_full_disk_costs_records_in_batch_and_answers_in_strict(
    tmp_path: Path, shop: Shop, durability: str
) -> None:
    """The gateway's own folder is on a disk of its own; the tables are not."""
    shop.seal(1)
    shop.promote(1)
    note = json.dumps([ROW] * 300).encode()
    with small_disk(shop.root / "gateway", 2_000_000) as disk:
        running = start(shop, log={"durability": durability, "commit_every": 3600})
        try:
            statuses = Counter(running.request("POST", "/predict/adult", note)[0] for _ in range(250))
            if durability == "batch":
                assert statuses == {200: 250}
                running.wait_until(lambda: dropped(running) > 100)
                metrics = running.request("GET", "/metrics")[2]
                assert 'mainspring_log_dropped_total{reason="full"}' in metrics
            else:
                assert set(statuses) == {200, 503}
            kept = 250 - (dropped(running) if durability == "batch" else statuses[503])
            assert 10 < kept < 150
        finally:
            running.stop()
        assert rows_of(shop) == 300 * kept
        assert list(disk.glob("*/spool/*.spool")) == []
    assert "Traceback" not in running.log.read_text()


def test_tables_that_take_nothing_cost_no_answer_and_no_disk(adult: Shop) -> None:
    (adult.root / "tables").write_bytes(b"a file where the folder should be")
    running = start(adult, log={"commit_every": 0.2, "max_spool_bytes": 1_000_000})
    try:
        many = json.dumps([ROW] * 300).encode()
        for _ in range(120):
            assert running.request("POST", "/predict/adult", many)[0] == 200
        assert dropped(running) > 20
        running.wait_until(lambda: running.request("GET", "/readyz")[2]["log"]["trouble"] != "", 30)
        assert sum(file.stat().st_size for file in spool_of(running)) < 1_100_000
        (adult.root / "tables").unlink()
        kept = 120 - dropped(running)
        running.wait_until(lambda: rows_of(adult) == 300 * kept, 60)
        running.wait_until(lambda: running.request("GET", "/readyz")[2]["log"]["trouble"] == "", 30)
    finally:
        running.stop()
