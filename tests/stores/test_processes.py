"""A process that is gone is told from one that lives."""

import dataclasses
import subprocess
import sys
import time

from mainspring.stores.processes import ProcessIdentity


def test_this_process_lives() -> None:
    assert not ProcessIdentity.mine().is_gone()


def test_a_number_that_is_used_again_is_another_process() -> None:
    mine = ProcessIdentity.mine()
    assert dataclasses.replace(mine, start=mine.start + "1").is_gone()


def test_a_process_of_another_host_is_never_declared_gone() -> None:
    assert not dataclasses.replace(ProcessIdentity.mine(), host="elsewhere", start="x").is_gone()


def test_a_process_that_ended_is_gone_even_before_it_is_reaped() -> None:
    script = (
        "from mainspring.stores.processes import ProcessIdentity\n"
        "me = ProcessIdentity.mine(); print(me.pid, me.start, flush=True); input()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    pid, start = child.stdout.readline().split()
    theirs = dataclasses.replace(ProcessIdentity.mine(), pid=int(pid), start=start)
    assert not theirs.is_gone()
    child.kill()
    deadline = time.monotonic() + 30
    while not theirs.is_gone():  # its end of the pipe closes shortly before it counts as ended
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.communicate()
    assert theirs.is_gone()
