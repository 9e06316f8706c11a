"""The controller as a process of a simulated week: it hardly rests, and notes each turn that is over."""

import json
import os
import sys
from datetime import datetime
from pathlib import Path

import msgspec

from mainspring.loop.processes import controller
from mainspring.loop.processes.parent import Parent, obey
from mainspring.project import load_project
from mainspring.workspace import Workspace

# The clock is put on by minutes at a time, and a lease that lives for seconds would be lost at each step. The one
# over the monitors lives as long as this.
LEASE_SECONDS = 300.0


class Orders(msgspec.Struct, frozen=True):
    """What the process gets from the test."""

    project: str
    notes: str
    json_logs: bool = False


class Noted(controller.Controller):
    """A controller that can be seen to have nothing left to do.

    Args:
        notes: the file that tells the newest turn that is over.
    """

    def __init__(self, notes: Path, workspace: Workspace, project: Path) -> None:
        super().__init__(load_project(project, os.environ), workspace, pause=0.02)
        self._notes = notes
        self._count = 0

    def _train(self) -> None:
        """In an hour's first half only: one that began among the customers would learn from some of them."""
        if self._training is not None or self._workspace.clock.now().minute < 30:
            super()._train()

    def turn(self) -> None:
        began: datetime = self._workspace.clock.now()
        super().turn()
        self._count += 1
        note = {"pid": os.getpid(), "turn": self._count, "at": began.isoformat(), "trains": bool(self._training)}
        draft = self._notes.with_suffix(".draft")
        draft.write_text(json.dumps(note))
        draft.replace(self._notes)


def _control(_: Parent, orders: Orders) -> None:
    controller.SECONDS = LEASE_SECONDS
    project = Path(orders.project)
    with Workspace(load_project(project, os.environ).settings) as workspace:
        Noted(Path(orders.notes), workspace, project).run()


if __name__ == "__main__":
    sys.exit(obey(Orders, "controller", _control))
