"""A process of the gateway that says nothing is ended; one that nobody listened to is not."""

import os
import time
from pathlib import Path

import pytest

from mainspring.serving.supervisor import ChildProcess
from mainspring.testing.clock import FakeClock
from mainspring.testing.contracts.records_traffic import NOON
from mainspring.testing.waiting import until

_TALKER = """
import socket, sys, time
end = socket.socket(fileno=int(sys.argv[1]))
while True:
    end.sendall(b'{"generation": 1, "ready": true}\\n')
    time.sleep(float("PAUSE"))
"""


@pytest.mark.parametrize(("pause", "lives"), [(0.01, True), (1_000, False)])
def test_what_was_said_while_nobody_listened_counts(tmp_path: Path, pause: float, lives: bool) -> None:
    (tmp_path / "talker.py").write_text(_TALKER.replace("PAUSE", str(pause)))
    clock = FakeClock(NOON)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    child = ChildProcess("talker", "worker 0", b"{}", (), environment, clock, silent=30)
    assert child.start_if_due()
    until(child.hear, "it speaks")
    clock.sleep(31)
    time.sleep(0.5)  # what it says meanwhile lies in the socket
    assert child.check() is not lives
    assert child.alive is lives
    child.wait(clock.monotonic())
