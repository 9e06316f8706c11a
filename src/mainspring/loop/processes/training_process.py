"""The process of a training that a trigger started.

    python -m mainspring.loop.processes.training_process

A process of its own, so that a model that takes all the memory, or never ends, takes nothing else with it. Its run
is durable: killed at any moment, the next process goes on with it.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import msgspec

from mainspring.domain.trigger import Trigger
from mainspring.loop.processes.parent import Parent, obey


class TrainingOrders(msgspec.Struct, frozen=True):
    """What the process gets from the controller."""

    project: str
    trigger: Trigger
    json_logs: bool


def main() -> int:
    """Run to the end of the run; 0 also where it was refused or has failed, which stands in its record."""
    return obey(TrainingOrders, "training", _train, on_gone=signal.SIGKILL)


def _train(_: Parent, orders: TrainingOrders) -> None:
    from mainspring.loop.lifecycle.logged_progress import LoggedProgress
    from mainspring.loop.lifecycle.workflow import run
    from mainspring.project import load_project

    project = load_project(Path(orders.project), os.environ)
    run(project, budget=project.settings.budget, progress=LoggedProgress(), trigger=orders.trigger)


if __name__ == "__main__":
    sys.exit(main())
