from datetime import UTC, datetime

import pytest

from mainspring.demo.waiting import NotInTime, Waiting
from mainspring.testing.clock import FakeClock

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def test_what_comes_is_given_back_as_soon_as_it_is_there():
    clock = FakeClock(NOW)
    begun = clock.monotonic()
    waiting = Waiting(clock, lambda: True)
    found = waiting.until("a bus", lambda: "bus" if clock.monotonic() - begun >= 7 else None, patience=60.0)
    assert found == "bus"
    assert 7 <= clock.monotonic() - begun < 8


def test_what_does_not_come_in_time_is_said():
    clock = FakeClock(NOW)
    with pytest.raises(NotInTime, match="there was not a bus within 60 s"):
        Waiting(clock, lambda: True).until("a bus", lambda: None, patience=60.0)


def test_what_cannot_come_any_more_is_not_waited_for():
    clock = FakeClock(NOW)
    begun = clock.monotonic()
    with pytest.raises(NotInTime, match="mainspring up has ended"):
        Waiting(clock, lambda: False).until("a bus", lambda: None, patience=60.0)
    assert clock.monotonic() == begun
