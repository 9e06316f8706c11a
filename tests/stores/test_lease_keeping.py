"""A lease is kept while the database is away for a moment, and given up when it is another's or has run out."""

import threading
from collections.abc import Callable, Iterator

import pytest

from mainspring.errors import StoreError, WorkspaceBusy
from mainspring.stores import lease_keeping
from mainspring.stores.lease_keeping import kept
from mainspring.testing.waiting import until

AWAY = StoreError("the records database gave up", cure="see that it runs")
TAKEN = WorkspaceBusy("the lease was lost", cure="start again")


class Scripted:
    """A lease whose renewals go as is said, the last one for ever."""

    token, name = 1, "controller"

    def __init__(self, *renewals: StoreError | None) -> None:
        self._renewals: Iterator[StoreError | None] = iter(renewals)
        self._next: StoreError | None = None
        self.renewed = 0
        self.tried = 0

    def renew(self) -> None:
        self.tried += 1
        self._next = next(self._renewals, self._next)
        if self._next is not None:
            raise self._next
        self.renewed += 1

    def release(self) -> None: ...

    def __enter__(self) -> "Scripted":
        return self

    def __exit__(self, *_: object) -> None: ...


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_keeping, "SECONDS", 0.6)
    monkeypatch.setattr(lease_keeping, "_AGAIN", 0.05)


def holding(lease: Scripted, what: Callable[[], object]) -> bool:
    """Whether the lease was lost before this held."""
    lost = threading.Event()
    with kept(lease, lost.set):
        until(lambda: lost.is_set() or what(), "one of both")
    return lost.is_set()


def test_it_outlives_a_database_that_is_away_for_a_moment() -> None:
    lease = Scripted(None, AWAY, AWAY, AWAY, None)
    assert not holding(lease, lambda: lease.renewed == 4)
    assert lease.tried == 7


def test_one_that_is_another_s_is_lost_at_once() -> None:
    lease = Scripted(None, AWAY, TAKEN)
    assert holding(lease, lambda: False)
    assert lease.tried == 3


def test_one_that_could_not_be_renewed_in_its_time_is_lost() -> None:
    lease = Scripted(AWAY)
    assert holding(lease, lambda: False)
    assert lease.tried > 2
