"""Who gives way to whom, as the system sees it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mainspring.serving.background import EQUAL, LAST, Breather, give_way

from .conftest import ROW, Shop, start

GROUPS = Path("/proc/self/autogroup").exists()
needs_groups = pytest.mark.skipif(not GROUPS, reason="the system has no scheduling groups of sessions")


def group_nice(pid: int) -> int:
    """`/autogroup-31 nice 19` → 19."""
    return int(Path(f"/proc/{pid}/autogroup").read_text().split()[-1])


@needs_groups
def test_a_process_in_the_background_gives_way_and_may_be_hurried() -> None:
    script = "from mainspring.serving.background import run_in_background as r; r(10); print('ready'); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == os.getpriority(os.PRIO_PROCESS, 0) + 10
        assert group_nice(process.pid) == LAST
        give_way(process.pid, EQUAL)
        assert group_nice(process.pid) == EQUAL
        process.communicate("\n")


def test_to_hurry_a_process_that_is_gone_is_no_error() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    give_way(process.pid, LAST)


@needs_groups
def test_the_drainer_gives_way_until_too_much_waits(shop: Shop) -> None:
    shop.seal(1)
    shop.promote(1)
    running = start(shop, log={"commit_every": 3_600, "max_spool_bytes": 1_000_000})
    try:
        running.request("POST", "/predict/adult", ROW)
        running.wait_until(lambda: bool(running.children("mainspring.serving.drainer")))
        (drainer,) = running.children("mainspring.serving.drainer")
        running.wait_until(lambda: group_nice(drainer) == LAST)
        for _ in range(20):  # 600 KB, more than half of the limit
            assert running.request("POST", "/predict/adult", [ROW] * 500)[0] == 200
        running.wait_until(lambda: group_nice(drainer) == EQUAL)
    finally:
        assert running.stop() == 0


def test_a_breather_pauses_only_while_others_want_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = iter([(1.0, 0.5), (1.1, 0.6), (1.2, 5.0), (1.2, 5.0), (1.3, 5.1), (1.3, 5.105)])
    monkeypatch.setattr("mainspring.serving.background._turns", lambda: next(turns))
    pauses: list[float] = []
    breather = Breather(pauses.append)
    breather.breathe()
    assert pauses == [], "it waited no longer than it ran"
    breather.breathe()
    assert len(pauses) == 1
    breather.breathe()
    breather.breathe()
    assert len(pauses) == 1, "a moment's waiting is nothing"


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the system does not tell of waiting")
def test_who_shares_a_core_with_others_and_comes_last_pauses() -> None:
    core = min(os.sched_getaffinity(0))
    script = f"""
import os, time
os.sched_setaffinity(0, [{core}])
from mainspring.serving.background import Breather
os.nice(19)
pauses = []
breather = Breather(pauses.append)
end = time.monotonic() + 60
print("ready", flush=True)
while not pauses and time.monotonic() < end:
    sum(range(100_000))
    breather.breathe()
print(len(pauses))
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as last:
        assert last.stdout is not None
        assert last.stdout.readline() == "ready\n"
        busy = f"import os\nos.sched_setaffinity(0, [{core}])\nwhile True: pass"
        with subprocess.Popen([sys.executable, "-c", busy]) as other:
            try:
                assert last.stdout.readline() == "1\n"
            finally:
                other.kill()
