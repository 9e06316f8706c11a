"""Trainings within a simulation: each in a process of its own, which leaves nothing behind."""

import _thread
import os
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import polars as pl
import psutil
import pytest

from mainspring.clock import SYSTEM_CLOCK
from mainspring.domain.budget import Budget
from mainspring.domain.run import RunState
from mainspring.domain.trigger import Trigger, TriggerKind
from mainspring.errors import TrainingError
from mainspring.loop.simulation.scratch import Scratch, scratch_project
from mainspring.loop.simulation.training_process import SimulatedTrainingOrders, train
from mainspring.project import load_project
from mainspring.settings import load_settings
from mainspring.workspace import Workspace

AT = datetime(2031, 4, 5, 6, tzinfo=UTC)


def orders(scratch: Scratch) -> SimulatedTrainingOrders:
    why = Trigger(id="drift-1", kind=TriggerKind.DRIFT, at=AT, reason="they changed", evidence={"rows": 3})
    return SimulatedTrainingOrders(scratch, why, Budget(trials=1), AT)


def scratch_of(folder: Path, place: Path, *, more: str = "") -> Scratch:
    """A copy whose model file goes on with these lines."""
    project = load_project(folder, {})
    scratch = Scratch.of(project, place)
    scratch_project(project, scratch, pl.read_csv(folder / "start.csv"))
    model = place / "model.py"
    model.write_text(model.read_text() + more)
    return scratch


def saying_who(told: Path, then: str = "") -> str:
    """Lines that write down which process loads them, and what it was given."""
    return f"""
import os, pathlib, time
pathlib.Path({str(told)!r}).write_text(f"{{os.getpid()}} {{os.environ.get('GIVEN')}}")
{then}
"""


def test_a_training_is_of_the_simulated_time_and_of_another_process(visits: Path, tmp_path: Path) -> None:
    told = tmp_path / "told"
    scratch = scratch_of(visits, tmp_path / "scratch", more=saying_who(told))
    train(orders(scratch), clock=SYSTEM_CLOCK, environ={"GIVEN": "to it alone"})
    with Workspace(load_settings(tmp_path / "scratch", {})) as workspace:
        (run,) = workspace.records.runs("visits")
    assert (run.state, run.release, run.started_at) == (RunState.RELEASED, 1, AT)
    assert run.detail["trigger"]["reason"] == "they changed"
    process, _, given = told.read_text().partition(" ")
    assert int(process) != os.getpid()
    assert given == "to it alone"


def test_a_process_that_dies_is_told_of(visits: Path, tmp_path: Path) -> None:
    scratch = scratch_of(visits, tmp_path / "scratch", more="\nimport os\nos._exit(7)\n")
    with pytest.raises(TrainingError, match="06:00 UTC came to no end: its process ended with exit code 7"):
        train(orders(scratch), clock=SYSTEM_CLOCK, environ={})


def test_a_model_file_that_does_not_load_is_told_of(visits: Path, tmp_path: Path) -> None:
    scratch = scratch_of(visits, tmp_path / "scratch", more="\n1 / 0\n")
    with pytest.raises(TrainingError, match=r"came to no end: model\.py, line \d+ raised ZeroDivisionError"):
        train(orders(scratch), clock=SYSTEM_CLOCK, environ={})


def test_who_stops_the_simulation_stops_the_training(visits: Path, tmp_path: Path) -> None:
    told = tmp_path / "told"
    scratch = scratch_of(visits, tmp_path / "scratch", more=saying_who(told, "time.sleep(600)"))

    def interrupt() -> None:
        until = monotonic() + 60
        while not (told.exists() and told.read_text()) and monotonic() < until:
            sleep(0.05)
        _thread.interrupt_main()

    Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        train(orders(scratch), clock=SYSTEM_CLOCK, environ={})
    assert not psutil.pid_exists(int(told.read_text().split()[0]))
