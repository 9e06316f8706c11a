"""Heartbeats reach the records, and a database that is locked keeps nobody but their own thread."""

import logging
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mainspring.serving.heartbeats import Heartbeats
from mainspring.serving.reports import Report
from mainspring.stores import records_engine
from mainspring.stores.records import SqlRecords
from mainspring.testing.clock import FakeClock
from mainspring.testing.contracts.records_traffic import NOON
from mainspring.testing.waiting import until


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "records.db"


@pytest.fixture
def records(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqlRecords]:
    monkeypatch.setattr(records_engine, "_BUSY_SECONDS", 1)
    opened = SqlRecords(f"sqlite:///{place}")
    yield opened
    opened.close()


class Counted(SqlRecords):
    """Counts the heartbeats that were written."""

    written = 0

    def heartbeat(self, *given: Any, **named: Any) -> None:
        super().heartbeat(*given, **named)
        self.written += 1


def test_news_are_told_at_once_and_the_rest_now_and_then(place: Path) -> None:
    records, clock = Counted(f"sqlite:///{place}"), FakeClock(NOON)
    heartbeats = Heartbeats(records, "host:1", clock)

    def told(report: Report, *, answers_by: int) -> int:
        """How many heartbeats were written, after as many reports as it took and some more."""

        def is_known() -> bool:
            heartbeats.lives(0, report)
            return records.workers() == {"host:1/0": answers_by}

        until(is_known, "the records know it")
        for _ in range(20):
            time.sleep(0.005)
            heartbeats.lives(0, report)
        return records.written

    assert told(Report(1, ready=True), answers_by=1) == 1
    assert told(Report(2, ready=True), answers_by=2) == 2
    assert told(Report(2, ready=True, behind={"shop": 1}), answers_by=1) == 3
    clock.sleep(2)
    assert told(Report(2, ready=True, behind={"shop": 1}), answers_by=1) == 4, "it still lives"
    heartbeats.ended(0)
    heartbeats.close()
    assert records.workers() == {}
    records.close()


def test_a_locked_database_keeps_nobody_waiting(
    records: SqlRecords, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock(NOON)
    heartbeats = Heartbeats(records, "host:1", clock)
    other = sqlite3.connect(place, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for generation in range(1, 50):
        heartbeats.lives(0, Report(generation, ready=True))  # each would wait for a second
    before = time.monotonic()
    while time.monotonic() - before < 2.5:  # so long that it gives up twice
        heartbeats.lives(0, Report(50, ready=True))
        time.sleep(0.01)
    assert caplog.text.count("a heartbeat was not written") == 1, "once, and not at each"
    other.execute("ROLLBACK")
    other.close()
    heartbeats.lives(0, Report(51, ready=True))
    heartbeats.close()
    assert records.workers() == {"host:1/0": 51}


def test_a_fault_of_ours_is_logged_with_its_place(
    records: SqlRecords, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(records, "heartbeat", broken)
    heartbeats = Heartbeats(records, "host:1", FakeClock(NOON))
    with caplog.at_level(logging.ERROR):
        heartbeats.lives(0, Report(1, ready=True))
        heartbeats.close()
    assert "ZeroDivisionError" in caplog.text
