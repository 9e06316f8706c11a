"""A gateway asks the first look until a worker lives, or for some seconds, and the records from then on."""

from pathlib import Path

import pytest

from mainspring.domain.ports import Records
from mainspring.domain.release import Alias
from mainspring.serving.gateway_records import RecordsAfterFirstLook
from mainspring.stores.records import SqlRecords
from mainspring.stores.records_first_look import first_look
from mainspring.testing.clock import FakeClock
from mainspring.testing.contracts.records import a_release
from mainspring.testing.contracts.records_traffic import NOON


class Opener:
    """Opens the records of a place, and counts how often it is asked."""

    def __init__(self, place: Path) -> None:
        self.url = f"sqlite:///{place}"
        self.records = SqlRecords(self.url)
        self.records.put_release(a_release(1))
        self.records.put_release(a_release(2))
        self.champion(1)
        self.asked = 0

    def __call__(self) -> Records:
        self.asked += 1
        return self.records

    def champion(self, number: int) -> None:
        self.records.set_alias("adclick", Alias.CHAMPION, number, actor="ana", reason="better")


def champion_of(records: RecordsAfterFirstLook) -> int:
    (route,) = records.routes().routes
    return route.champion


@pytest.fixture
def opener(tmp_path: Path) -> Opener:
    return Opener(tmp_path / "records.db")


def test_the_records_are_opened_when_the_first_worker_lives(opener: Opener) -> None:
    records = RecordsAfterFirstLook(first_look(opener.url), opener, FakeClock(NOON))
    opener.champion(2)
    assert (champion_of(records), list(records.api_keys()), opener.asked) == (1, [], 0)
    records.heartbeat("host:1/0", "host:1", 3, ttl=10)
    assert (champion_of(records), list(records.api_keys()), opener.asked) == (2, [], 3)
    assert len(opener.records.workers()) == 1
    records.forget_worker("host:1/0")
    assert not opener.records.workers()


def test_a_worker_that_never_lives_keeps_no_change_back(opener: Opener) -> None:
    clock = FakeClock(NOON)
    records = RecordsAfterFirstLook(first_look(opener.url), opener, clock)
    opener.champion(2)
    clock.sleep(4.9)
    assert champion_of(records) == 1
    clock.sleep(0.2)
    assert champion_of(records) == 2


def test_a_gateway_that_stops_before_any_worker_lives_forgets_it(opener: Opener) -> None:
    records = RecordsAfterFirstLook(first_look(opener.url), opener, FakeClock(NOON))
    records.forget_worker("host:1/0")
    assert opener.asked == 1


def test_without_a_first_look_they_are_opened_at_once(opener: Opener) -> None:
    records = RecordsAfterFirstLook(None, opener, FakeClock(NOON))
    assert (champion_of(records), list(records.api_keys()), opener.asked) == (1, [], 2)
