"""The controller as a process: it trains for a cause, once, however it and its trainings are killed."""

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import polars as pl
import psutil
import pytest

from mainspring.clock import SYSTEM_CLOCK
from mainspring.domain.routing import Arm, Traffic
from mainspring.domain.run import Run, RunState
from mainspring.errors import WorkspaceBusy
from mainspring.loop.processes.child import Child
from mainspring.loop.processes.controller import Controller
from mainspring.project import load_project
from mainspring.stores.lease_keeping import CONTROLLER
from mainspring.testing import waiting
from mainspring.testing.clock import FakeClock
from mainspring.testing.shop import write_rows
from mainspring.workspace import Workspace

pytestmark = pytest.mark.timeout(600)

PATIENCE = 180.0


@pytest.fixture
def retrained(released_shop: Path) -> Path:
    """The shop, retrained when its rows change; its champion is `shop@1`."""
    edit(released_shop, "import Gate, Model, Source", "import Gate, Model, Retrain, Source")
    policy = 'Retrain(on="new_data", cooldown="1s", per_day=100, breaker=100)'
    edit(released_shop, 'task="binary",', f'task="binary", monitors=[], retrain={policy},')
    (released_shop / "mainspring.toml").write_text('name = "shop"\n[run]\nbudget = "1 trial"\n')
    return released_shop


def edit(folder: Path, old: str, new: str) -> None:
    text = (folder / "model.py").read_text()
    assert old in text
    (folder / "model.py").write_text(text.replace(old, new))


@contextmanager
def controller(folder: Path) -> Iterator[Child]:
    child = Child(
        "mainspring.loop.processes.controller_process", {"project": str(folder), "json_logs": False}, SYSTEM_CLOCK
    )
    try:
        yield child
    finally:
        child.kill()


@contextmanager
def workspace_of(folder: Path) -> Iterator[Workspace]:
    with Workspace(load_project(folder, {}).settings) as workspace:
        yield workspace


until = partial(waiting.until, patience=PATIENCE)


def newest(workspace: Workspace) -> Run:
    return workspace.records.runs("shop")[0]


def is_at(workspace: Workspace, stage: str) -> bool:
    run = newest(workspace)
    return run.state is RunState.RUNNING and run.stage == stage


def is_champion(workspace: Workspace, number: int) -> bool:
    route = workspace.records.routes().of("shop")
    return route is not None and route.champion == number and newest(workspace).state.is_final


def trained_once(workspace: Workspace, release: int) -> None:
    """The champion is this release, and came from one trigger, one run and one sealing."""
    kinds = [entry.kind for entry in workspace.records.history("shop")]
    assert kinds.count("trigger") == release - 1
    assert [run.release for run in workspace.records.runs("shop")] == [*range(release, 0, -1)]
    assert {run.state for run in workspace.records.runs("shop")} == {RunState.RELEASED}
    assert [record.number for record in workspace.records.releases("shop")] == [*range(release, 0, -1)]


def descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def test_new_rows_are_trained_on_and_killed_with_all_it_started_it_goes_on(retrained: Path) -> None:
    with workspace_of(retrained) as workspace:
        with controller(retrained) as first:
            until(lambda: first.told == {"began": True}, "the loop runs")
            until(lambda: (workspace.records.loop_state("shop").get("state") or {}).get("source"), "a look")
            write_rows(retrained / "rows.csv", rows=1_600)
            until(lambda: is_at(workspace, "train"), "it trains")
            started = descendants(first.pid)
            os.kill(first.pid, signal.SIGKILL)
            _, alive = psutil.wait_procs(started, timeout=60)
            assert alive == [], "what it started is gone with it"
        assert newest(workspace).state is RunState.RUNNING
        with controller(retrained):
            until(lambda: is_champion(workspace, 2), "the new champion")
        trained_once(workspace, 2)
        trigger = newest(workspace).detail["trigger"]
        assert trigger["reason"] == "the source holds other rows than the newest training read"


def test_a_second_controller_says_who_is_at_work_and_takes_over(
    retrained: Path, caplog: pytest.LogCaptureFixture
) -> None:
    project = load_project(retrained, {})
    began = threading.Event()
    with workspace_of(retrained) as workspace, Workspace(project.settings) as own:
        lease = workspace.records.lease(CONTROLLER, "the first", ttl=60)
        second = Controller(project, own)
        thread = threading.Thread(target=second.run, args=(began.set,))
        thread.start()
        try:
            until(lambda: "waiting: 'controller' is being done by the first" in caplog.text, "it says so")
            assert not began.is_set()
            lease.release()
            assert began.wait(PATIENCE)
            with pytest.raises(WorkspaceBusy, match=f"controller of process {os.getpid()}"):
                workspace.records.lease(CONTROLLER, "a third", ttl=1)
        finally:
            second.stop()
            thread.join()
        assert workspace.records.lease(CONTROLLER, "the next", ttl=1).token == lease.token + 2


def test_a_training_that_takes_too_long_is_ended(
    retrained: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In this process, so that what each turn does can be seen."""
    edit(retrained, "def logistic(trial):\n", "def logistic(trial):\n    import time; time.sleep(600)\n")
    (retrained / "mainspring.toml").write_text('name = "shop"\n[run]\nbudget = "1 trial"\ntimeout = "15s"\n')
    project = load_project(retrained, {})
    with Workspace(project.settings) as workspace, caplog.at_level(logging.INFO, "mainspring"):
        one = Controller(project, workspace)
        one.turn()
        write_rows(retrained / "rows.csv", rows=1_600)

        def gave_up() -> bool:
            one.turn()
            kinds = [entry.kind for entry in workspace.records.history("shop")]
            return kinds.count("trigger") == kinds.count("training given up") == 1

        first = newest(workspace)
        until(gave_up, "the training is given up")
        assert "training, for new data" in caplog.text
        assert "took longer than run.timeout, 15 s" in caplog.text
        one.turn()
        later = [run for run in workspace.records.runs("shop") if run.id != first.id]
        assert {run.state for run in later} <= {RunState.FAILED}, "ended, where it had begun, and not tried again"
        assert is_champion(workspace, 1)


def test_a_training_and_a_score_job_go_side_by_side(retrained: Path, caplog: pytest.LogCaptureFixture) -> None:
    (retrained / "mainspring.toml").write_text(
        'name = "shop"\n[run]\nbudget = "1 trial"\n[[score]]\nname = "often"\nmodel = "shop"\n'
        'input = "new.csv"\noutput = "out.parquet"\nschedule = "* * * * *"\n'
    )
    write_rows(retrained / "new.csv", rows=700, seed=7, first_id=10_000)
    project = load_project(retrained, {})
    clock = FakeClock(SYSTEM_CLOCK.now())
    before = set(descendants(os.getpid()))
    with Workspace(project.settings, clock) as workspace, caplog.at_level(logging.INFO, "mainspring"):
        one = Controller(project, workspace)
        one.turn()
        write_rows(retrained / "rows.csv", rows=1_600)
        one.turn()  # rows that may still be written are read at the next
        clock.sleep(60)
        one.turn()
        assert caplog.text.index("training, for new data") < caplog.text.index("the score job often of")
        assert "is done" not in caplog.text
        assert newest(workspace).release == 1, "neither has come to an end"

        def both_are_done() -> bool:
            one.turn()
            are_gone = set(descendants(os.getpid())) <= before
            return are_gone and "is done" in caplog.text and is_champion(workspace, 2)

        until(both_are_done, "each comes to its end")
        trained_once(workspace, 2)
        kinds = [entry.kind for entry in workspace.records.history("shop")]
        assert kinds.count("score") == 1
    assert pl.read_parquet(retrained / "out.parquet").height == 700


def test_an_ab_test_is_ended_when_its_time_is_over(retrained: Path, caplog: pytest.LogCaptureFixture) -> None:
    project = load_project(retrained, {})
    clock = FakeClock(SYSTEM_CLOCK.now())
    with Workspace(project.settings, clock) as workspace, caplog.at_level(logging.INFO, "mainspring"):
        rules = Traffic(arms=(Arm("blue", 1, 0.5),), arms_end=clock.now() + timedelta(days=14))
        workspace.records.set_traffic("shop", rules, actor="ana", reason="a test")
        one = Controller(project, workspace)
        one.turn()
        assert "is over" not in caplog.text
        clock.sleep(14 * 86_400)
        for _ in range(2):
            one.turn()
        assert caplog.text.count("the A/B test of shop is over") == 1
        route = workspace.records.routes().of("shop")
        assert route is not None
        assert not route.traffic


def test_an_edit_that_does_not_load_changes_nothing_and_one_that_does_ends_the_process(retrained: Path) -> None:
    good = (retrained / "model.py").read_text()
    with controller(retrained) as child:
        until(lambda: child.told, "the loop runs")
        (retrained / "model.py").write_text("this is no Python\n")
        time.sleep(5)
        assert child.poll() is None
        (retrained / "model.py").write_text(good + "# edited\n")
        until(lambda: child.poll() == 0, "it ends, to be started again")


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_killed_at_random_again_and_again_all_happens_once(retrained: Path) -> None:
    import random

    dice = random.Random(1)
    with workspace_of(retrained) as workspace:
        for release in range(2, 12):
            write_rows(retrained / "rows.csv", rows=1_500 + 50 * release)
            while not is_champion(workspace, release):
                with controller(retrained) as child:
                    deadline = time.monotonic() + dice.uniform(2, 40)
                    while time.monotonic() < deadline and not is_champion(workspace, release):
                        time.sleep(0.05)
                    if dice.random() < 0.5:
                        for process in descendants(child.pid):
                            process.kill()  # a part of it, or all
                            if dice.random() < 0.5:
                                break
        trained_once(workspace, 11)
