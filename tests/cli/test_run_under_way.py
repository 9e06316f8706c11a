"""What happens around a run that is under way: a gateway that takes its release over, Ctrl-C, a second run."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mainspring.clock import SYSTEM_CLOCK
from mainspring.demo.gateway import gateway
from mainspring.testing.shop import make_shop

pytestmark = pytest.mark.timeout(600)


@contextmanager
def started_run(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "mainspring", "run", "--json", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=folder, text=True, **pipes) as running:  # type: ignore[call-overload]
        try:
            yield running
        finally:
            running.kill()


def wait_for(running: subprocess.Popen[str], words: str) -> str:
    """Read its standard error until a line with the words; what was read."""
    assert running.stderr is not None
    read = ""
    for line in running.stderr:
        read += line
        if words in line:
            return read
    raise AssertionError(f"{words!r} was never said:\n{read}")


def test_a_running_gateway_takes_the_new_champion_over_without_dropping_a_request(released_shop: Path) -> None:
    row = {"age": 50, "spend": 20.5, "city": "Ulm"}
    answered: list[str] = []
    failures: list[str] = []
    done = threading.Event()
    with gateway(released_shop, dict(os.environ), SYSTEM_CLOCK, token=None) as client:

        def ask() -> None:
            while not done.is_set():
                try:
                    answered.append(client.predict("shop", [row])["release"])
                except Exception as error:
                    failures.append(repr(error))

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            with started_run(released_shop, "--trials", "1") as running:
                output, errors = running.communicate()
            assert running.returncode == 0, output + errors
            deadline = time.monotonic() + 5
            while answered[-1] != "shop@2" and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            done.set()
            asking.join()
    assert not failures
    assert json.loads(output)["release"]["ref"] == "shop@2"
    switch = answered.index("shop@2")
    assert set(answered[:switch]) == {"shop@1"}
    assert set(answered[switch:]) == {"shop@2"}


def test_ctrl_c_ends_the_search_with_the_best_so_far(tmp_path: Path) -> None:
    with started_run(make_shop(tmp_path / "shop"), "--budget", "10m") as running:
        wait_for(running, "trial 0")
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate(timeout=120)
    assert running.returncode == 0, output + errors
    assert json.loads(output)["release"]["ref"] == "shop@1"


def test_ctrl_c_before_the_first_trial_leaves_nothing(tmp_path: Path) -> None:
    folder = make_shop(tmp_path / "shop")
    with started_run(folder, "--budget", "10m") as running:
        wait_for(running, "snapshot ")
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate(timeout=120)
    assert running.returncode == 1, output + errors
    assert "Traceback" not in errors
    assert json.loads(output)["state"] == "cancelled"
    assert not (folder / ".mainspring" / "releases").exists()


def test_a_second_run_is_told_who_is_at_work(tmp_path: Path) -> None:
    folder = make_shop(tmp_path / "shop")
    with started_run(folder, "--trials", "1") as first:
        wait_for(first, "run ")
        with started_run(folder, "--trials", "1") as second:
            output, errors = second.communicate(timeout=120)
        assert second.returncode == 1
        assert "Traceback" not in errors
        assert str(first.pid) in json.loads(output)["message"]
        output, errors = first.communicate(timeout=120)
    assert first.returncode == 0, output + errors
