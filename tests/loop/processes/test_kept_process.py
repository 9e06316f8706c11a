"""A process that ends is started again: soon at first, later where it goes on failing, soon once it was well."""

import logging
import re
from functools import partial

import psutil
import pytest

from mainspring.loop.processes.kept_process import PAUSES, STEADY, KeptProcess
from mainspring.testing import waiting
from mainspring.testing.clock import FakeClock
from mainspring.testing.fortnight import END

until = partial(waiting.until, patience=60)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(END)


@pytest.fixture
def failing(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> KeptProcess:
    caplog.set_level(logging.INFO, "mainspring")
    return KeptProcess("gateway", "mainspring.no_such_module", {}, clock)


def pauses(caplog: pytest.LogCaptureFixture) -> list[float]:
    return [float(pause) for pause in re.findall(r"it starts again in ([0-9.]+) s", caplog.text)]


def fail(kept: KeptProcess, clock: FakeClock, caplog: pytest.LogCaptureFixture, *, after: float = 0.0) -> float:
    """Let it start, live so long, and fail: the pause that is told."""
    known = len(pauses(caplog))
    clock.sleep(PAUSES[-1])
    kept.tend()
    clock.sleep(after)

    def is_told() -> bool:
        kept.tend()
        return len(pauses(caplog)) > known

    until(is_told, "its end")
    return pauses(caplog)[-1]


def test_the_pauses_grow_and_one_that_was_steady_starts_soon_again(
    failing: KeptProcess, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    assert [fail(failing, clock, caplog) for _ in range(8)] == [*PAUSES, PAUSES[-1], PAUSES[-1]]
    assert fail(failing, clock, caplog, after=STEADY + 1) == PAUSES[0]
    assert fail(failing, clock, caplog) == PAUSES[1]
    assert "the gateway ended with exit code 1" in caplog.text


def test_nothing_starts_during_the_pause(
    failing: KeptProcess, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    pause = fail(failing, clock, caplog)
    before = set(psutil.Process().children())
    clock.sleep(pause - 0.01)
    failing.tend()
    assert set(psutil.Process().children()) == before
    clock.sleep(0.02)
    failing.tend()
    assert set(psutil.Process().children()) > before
    failing.wait(clock.monotonic() + 60)
