"""The process of a training within a simulation.

    python -m mainspring.loop.simulation.training_process

As in production it is a process of its own: what a training takes of memory, several times that of its rows, is
the system's again when it ends, and the simulation, which may go on for a year, keeps none of it.
"""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Mapping
from datetime import datetime

import msgspec

from mainspring.clock import Clock
from mainspring.domain.budget import Budget
from mainspring.domain.trigger import Trigger
from mainspring.errors import MainspringError, TrainingError
from mainspring.loop.processes.child import Child
from mainspring.loop.processes.parent import Parent
from mainspring.loop.simulation.clock import SimulatedClock
from mainspring.loop.simulation.scratch import Scratch


class SimulatedTrainingOrders(msgspec.Struct, frozen=True):
    """What the process gets from the simulation.

    Attributes:
        at: the stream's time, which stands still meanwhile.
    """

    scratch: Scratch
    trigger: Trigger
    budget: Budget
    at: datetime


def train(orders: SimulatedTrainingOrders, *, clock: Clock, environ: Mapping[str, str]) -> None:
    """Run the training to the end of its run, well or badly: how it ended stands in its record.

    Args:
        environ: of the project.

    Raises:
        TrainingError: its process ended before its run did.
    """
    child = Child("mainspring.loop.simulation.training_process", msgspec.to_builtins(orders), clock, environ)
    try:
        child.wait(math.inf)
    finally:
        code = child.kill()
    if code != 0:
        raise TrainingError(
            f"the training of {orders.at:%Y-%m-%d %H:%M} UTC came to no end: {child.why(code)}",
            cure="mend what it names or said above, and simulate again",
        )


def main() -> int:
    """Run to the end of the run; 0 also where it was refused or has failed."""
    parent = Parent(on_gone=signal.SIGKILL)
    try:
        _train(parent.orders(SimulatedTrainingOrders))
    except MainspringError as error:
        return parent.tell_error(error)
    return 0


def _train(orders: SimulatedTrainingOrders) -> None:
    from mainspring.loop.lifecycle.workflow import run

    project = orders.scratch.opened(os.environ)
    run(project, budget=orders.budget, clock=SimulatedClock(orders.at), trigger=orders.trigger)


if __name__ == "__main__":
    sys.exit(main())
