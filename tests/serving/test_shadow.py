"""Shadows see what they are to see, and whatever happens to them, live answers are as they were."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mainspring.domain.routing import Shadowing, Share, Traffic
from mainspring.serving.exposition import exposition
from mainspring.serving.meters import Meters
from mainspring.serving.shadow_feed import ShadowFeed
from mainspring.serving.shadow_frames import FrameReader, Sighting

from .conftest import ROW, Running, Shop, expected, start

ROWS = "mainspring_shadow_rows_total"
KEYS = [f"user-{number}" for number in range(100)]
SHADOW = "mainspring.serving.shadow"


def ask(running: Running, key: str, row: dict[str, Any] = ROW) -> None:
    """One live answer, which has to be the champion's."""
    status, got, answer = running.request("POST", "/predict/adult", row, {"x-routing-key": key})
    assert (status, got["x-release"]) == (200, "adult@1")
    probability = answer["predictions"][0]["probabilities"][">50K"]
    assert probability == pytest.approx(expected(1, [row])[0, 1], abs=1e-9)


def rows(running: Running, outcome: str, number: int = 2) -> float:
    return running.count(ROWS, outcome=outcome, release=f"adult@{number}")


def shadow_pid(running: Running) -> int | None:
    found = running.children(SHADOW)
    return found[0] if found else None


@pytest.fixture
def running(shop: Shop) -> Iterator[Running]:
    """Release 2 sees everything, beside the champion 1."""
    shop.seal(1)
    shop.seal(2)
    shop.promote(1)
    shop.share(Traffic(shadows=(Share(2, 1.0),)))
    gateway = start(shop, workers=2, shadow_timeout=2.0)
    gateway.wait_until(lambda: gateway.count("mainspring_release_loads_total", outcome="loaded") == 3)
    yield gateway
    gateway.stop()
    assert "Traceback" not in gateway.log.read_text()


def test_several_shadows_see_their_shares_and_are_in_the_log(shop: Shop) -> None:
    for number in (1, 2, 3):
        shop.seal(number)
    shop.seal(4, nonsense_above=1000.0)
    shop.promote(1)
    rules = Traffic(canary=Share(3, 0.2), shadows=(Share(2, 0.1), Share(3, 1.0), Share(4, 1.0)))
    shop.share(rules)
    gateway = start(shop, workers=2)
    try:
        gateway.wait_until(lambda: gateway.count("mainspring_release_loads_total", outcome="loaded") == 7)
        answered_by = {}
        for key in KEYS:
            body = [ROW | {"age": float(n)} for n in range(3)]
            _, got, _ = gateway.request(
                "POST", "/predict/adult", body, {"x-routing-key": key, "x-request-id": key}
            )
            answered_by[key] = int(got["x-release"].partition("@")[2])
        _, _, odd = gateway.request(
            "POST", "/predict/adult", ROW | {"age": 2000.0}, {"x-routing-key": "old", "x-request-id": "old"}
        )
        answered_by["old"] = int(odd["release"].partition("@")[2])
        wanted = {
            key: Shadowing(rules, "adult").of(key.encode(), but=number) for key, number in answered_by.items()
        }
        for number in (2, 3, 4):
            sent = sum((1 if key == "old" else 3) for key, numbers in wanted.items() if number in numbers)
            gateway.wait_until(
                lambda number=number, sent=sent: (  # type: ignore[misc]
                    rows(gateway, "answered", number) + rows(gateway, "nonsense", number) == sent
                )
            )
        assert 3 <= rows(gateway, "answered", 2) <= 90
        assert rows(gateway, "answered", 3) < 300, "what the canary answers it does not see as a shadow"
        assert rows(gateway, "nonsense", 4) == 1
        assert gateway.count(ROWS, outcome="dropped") == 0
    finally:
        gateway.stop()
    from mainspring.stores.tables_delta import DeltaTables

    log = DeltaTables(str(shop.root / "tables")).scan("predictions/adult").collect()
    shadows = log.filter(log["role"] == "shadow")
    live = log.filter(log["role"] != "shadow")
    assert live.height == 301
    assert set(live["role"]) == {"champion", "canary"}
    found = {(key, number) for key, number in zip(shadows["request_id"], shadows["release"], strict=True)}
    assert found == {(key, n) for key, numbers in wanted.items() for n in numbers if (key, n) != ("old", 4)}
    assert log.select("id", "release").is_duplicated().sum() == 0
    third = shadows.filter((shadows["release"] == 3) & (shadows["row"] == 2)).row(0, named=True)
    assert third["value"] == pytest.approx(expected(3, [ROW | {"age": 2.0}])[0, 1], abs=1e-9)


def test_a_shadow_that_is_killed_comes_back_and_nobody_notices(running: Running) -> None:
    for key in KEYS[:20]:
        ask(running, key)
    running.wait_until(lambda: rows(running, "answered") == 20)
    before = shadow_pid(running)
    assert before is not None
    os.kill(before, signal.SIGKILL)
    for key in KEYS[:50]:
        ask(running, key)
    running.wait_until(lambda: shadow_pid(running) not in (None, before))
    ask(running, "afterwards")
    # What came while nobody was there waited in the sockets; the counts of the one that died go on.
    running.wait_until(lambda: rows(running, "sent") == 71)
    running.wait_until(lambda: rows(running, "answered") + rows(running, "absent") >= 60)
    assert rows(running, "dropped") == 0
    assert "the shadow process ended by SIGKILL" in running.log.read_text()


def test_a_shadow_that_stands_still_costs_only_its_own_rows(running: Running) -> None:
    pid = shadow_pid(running)
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    body = [ROW | {"job": "x" * 20_000}] * 20  # four hundred kilobytes: the sockets and the queues are soon full
    for _ in range(120):
        status, got, answer = running.request("POST", "/predict/adult", body)
        assert (status, got["x-release"], len(answer["predictions"])) == (200, "adult@1", 20)
    running.wait_until(lambda: rows(running, "dropped") > 0)
    memory = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 for pid in running.workers()]
    assert max(memory) < 400_000_000
    ask(running, "while it stands")
    running.wait_until(lambda: shadow_pid(running) not in (None, pid), 60)  # silent for too long, it was ended
    answered = rows(running, "answered")
    ask(running, "afterwards")
    running.wait_until(lambda: rows(running, "answered") > answered, 60)
    assert "the shadow process has been silent" in running.log.read_text()


def test_a_shadow_that_grows_is_ended_and_tried_again(shop: Shop) -> None:
    """With its memory limited to less than it needs it is too large at once, again and again."""
    shop.seal(1)
    shop.seal(2)
    shop.promote(1)
    shop.share(Traffic(shadows=(Share(2, 1.0),)))
    gateway = start(shop, shadow_memory=1_000_000)
    try:
        gateway.wait_until(lambda: gateway.log.read_text().count("more than 1000000") >= 2, 60)
        for key in KEYS[:20]:
            ask(gateway, key)
        assert gateway.request("GET", "/readyz")[0] == 200
    finally:
        gateway.stop()
    assert "the shadow process ended with exit code 75" in gateway.log.read_text()


def test_without_shadows_there_is_no_process(running: Running) -> None:
    assert shadow_pid(running) is not None
    running.shop.share(Traffic())
    running.wait_until(lambda: shadow_pid(running) is None)
    ask(running, "alone")
    assert rows(running, "sent") == 0
    running.shop.share(Traffic(shadows=(Share(2, 1.0),)))
    running.wait_until(lambda: shadow_pid(running) is not None)
    for key in KEYS[:5]:
        ask(running, key)
    running.wait_until(lambda: rows(running, "answered") + rows(running, "absent") == 5)


def test_a_broken_shadow_is_refused_and_nothing_else_happens(shop: Shop) -> None:
    shop.seal(1)
    shop.seal(2, lying=True)
    (shop.seal(3) / "model.onnx").unlink()
    shop.promote(1)
    generation = shop.share(Traffic(shadows=(Share(2, 1.0), Share(3, 1.0))))
    gateway = start(shop)
    try:
        gateway.wait_until(lambda: "the shadow adult@2 is refused" in gateway.log.read_text())
        for key in KEYS[:5]:
            ask(gateway, key)
        gateway.wait_until(lambda: rows(gateway, "absent") == 5)
        assert rows(gateway, "sent", 3) == 0
        assert not gateway.acknowledged(generation, "adult"), "not all of the rules are followed"
        assert [one["release"] for one in gateway.request("GET", "/readyz")[2]["refused"]] == ["adult@3"]
    finally:
        gateway.stop()


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("watch.begin('adult', 2, 7); time.sleep(30)", 74),
        ("hoard = [b'x' * 10_000_000 for _ in range(40)]; time.sleep(30)", 75),
        ("watch.begin('adult', 2, 7); watch.end(); time.sleep(1)", 0),
    ],
)
def test_the_watch_ends_what_takes_too_long_or_too_much(program: str, code: int, tmp_path: Path) -> None:
    script = f"""
import os, time
from mainspring.serving.residents import resident_bytes
from mainspring.serving.shadow_watch import Watch
def failed(model, number, rows):
    open({str(tmp_path / "failed")!r}, "w").write(f"{{model}}@{{number}} {{rows}}")
watch = Watch(lambda: None, memory=resident_bytes() + 200_000_000, seconds=0.5, used=resident_bytes, failed=failed)
watch.start()
{program}
"""
    done = subprocess.run([sys.executable, "-c", script], timeout=60, check=False, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert (tmp_path / "failed").exists() == (code == 74)
    if code == 74:
        assert (tmp_path / "failed").read_text() == "adult@2 7"


def test_the_feed_never_blocks_and_counts_what_it_drops(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    meters = Meters(tmp_path, 0)
    body = json.dumps([ROW] * 100).encode()

    async def go() -> list[Sighting]:
        feed = ShadowFeed(ours, meters, most_bytes=1_000_000)
        for number in range(2_000):
            feed.offer("adult", (2, 3), f"r{number}", body if number % 2 else [ROW] * 100, 100, len(body))
            if number % 50 == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0.1)
        reader, found = FrameReader(), []
        theirs.setblocking(False)
        silent = 0
        while silent < 50:
            try:
                found += reader.read(theirs.recv(1 << 20))
                silent = 0
            except BlockingIOError:
                silent += 1
            await asyncio.sleep(0.005)
        assert reader.damaged == reader.waiting == 0
        feed.close()
        return found

    found = asyncio.run(go())
    assert 0 < len(found) < 2_000
    assert [int(seen.request_id[1:]) for seen in found] == sorted(int(seen.request_id[1:]) for seen in found)
    assert all(json.loads(seen.rows) == [ROW] * 100 and seen.numbers == (2, 3) for seen in found)
    counted = {
        (sample.labels["release"], sample.labels["outcome"]): sample.value
        for family in text_string_to_metric_families(exposition(meters.everything(), tmp_path).decode())
        for sample in family.samples
        if sample.name == ROWS
    }
    for release in ("adult@2", "adult@3"):
        assert counted[release, "sent"] == 100 * len(found)
        assert counted[release, "sent"] + counted[release, "dropped"] == 200_000
    theirs.close()


def test_the_shadow_process_is_started_by_the_gateway_only() -> None:
    done = subprocess.run([sys.executable, "-m", SHADOW], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "mainspring serve" in done.stderr
    assert "Traceback" not in done.stderr
