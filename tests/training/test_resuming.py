"""A search that is killed, or interrupted, in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from mainspring.training.tuning import TuningJob, tune

TEXT = """
@model.candidate
def linear(trial):
    import time
    time.sleep(0.2)
    return make_pipeline(numbers(), LogisticRegression(C=trial.suggest_float("C", 0.01, 10, log=True)))

@model.candidate
def trees(trial):
    return make_pipeline(numbers(), HistGradientBoostingClassifier(
        max_leaf_nodes=trial.suggest_int("leaves", 3, 15), max_iter=10))
"""

PROGRAM = """
import pickle, sys
from mainspring.training.tuning import tune
from mainspring.errors import TrainingStopped
job = pickle.load(open(sys.argv[1], "rb"))
try:
    result = tune(job, on_trial=lambda trial, best: print("trial", trial.number, flush=True))
    print("result", len(result.trials), result.ended_because, flush=True)
except TrainingStopped as error:
    print("stopped:", error, flush=True)
"""


def start(job: TuningJob, tmp_path: Path) -> subprocess.Popen[str]:
    import cloudpickle

    place = tmp_path / "job.pkl"
    place.write_bytes(cloudpickle.dumps(job))
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(place)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdout is not None
    for seen in process.stdout:
        if seen.startswith(line):
            return
    raise AssertionError(process.stderr.read() if process.stderr else "ended")


def essence(result: Any) -> list[tuple[Any, ...]]:
    return [(t.number, t.candidate, t.state, t.params, t.score, t.seeds) for t in result.trials]


def descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def test_a_killed_search_goes_on_to_the_same_result(job: Callable[..., TuningJob], tmp_path: Path) -> None:
    one = job(TEXT, trials=9, cores=2)
    process = start(one, tmp_path)
    wait_for(process, "trial 3")
    below = descendants(process.pid)
    assert below
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    _, alive = psutil.wait_procs(below, timeout=5)
    assert alive == []  # nothing outlives its parent

    kept = sorted((one.folder / "trials").glob("*/trial.json"))
    assert 3 <= len(kept) < 9
    stamps = {place: place.stat().st_mtime_ns for place in kept}
    resumed = tune(one)
    assert {place: place.stat().st_mtime_ns for place in kept} == stamps  # none was done again
    whole = tune(job(TEXT, trials=9, cores=2, name="whole"))
    assert essence(resumed) == essence(whole)
    assert resumed.winner.params == whole.winner.params

    # A half-written trial is no trial, and is done again to the same end.
    (one.folder / "tuning.json").unlink()
    last = one.folder / "trials" / "00008" / "trial.json"
    last.rename(last.with_name(".trial.json.tmp"))
    assert essence(tune(one)) == essence(whole)


def test_ctrl_c_keeps_the_best_so_far(job: Callable[..., TuningJob], tmp_path: Path) -> None:
    process = start(job(TEXT, trials=500, cores=2), tmp_path)
    wait_for(process, "trial 2")
    below = descendants(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert "result" in out, errors
    assert out.rstrip().endswith("stopped")
    assert errors == ""
    assert psutil.wait_procs(below, timeout=5)[1] == []


def test_ctrl_c_before_the_first_trial_ends_cleanly(job: Callable[..., TuningJob], tmp_path: Path) -> None:
    slow = "@model.candidate\ndef slow(trial):\n    import time; time.sleep(60)\n"
    one = job(slow, trials=5)
    process = start(one, tmp_path)
    deadline = time.monotonic() + 30
    while len(descendants(process.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert "stopped: " in out, errors
    assert errors == ""
    assert not list((one.folder / "trials").glob("*"))


def test_a_lost_server_is_replaced(job: Callable[..., TuningJob], tmp_path: Path) -> None:
    one = job(TEXT, trials=6, cores=2)
    process = start(one, tmp_path)
    wait_for(process, "trial 1")
    server = next(p for p in descendants(process.pid) if p.ppid() == process.pid)
    server.kill()
    out, errors = process.communicate(timeout=60)
    assert "result 6 budget" in out, errors
