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
    """What the process gets from the test.

    Attributes:
        notes: the file that tells the newest turn that is over.
        due: the file that is there at the times at which a training may begin.
    """

    project: str
    notes: str
    due: str
    json_logs: bool = False


class Noted(controller.Controller):
    """A controller that can be seen to have nothing left to do."""

    def __init__(self, orders: Orders, workspace: Workspace) -> None:
        super().__init__(load_project(Path(orders.project), os.environ), workspace, pause=0.02)
        self._notes = Path(orders.notes)
        self._due = Path(orders.due)
        self._count = 0

    def _train(self) -> None:
        """At the full hours only: what is learnt from must not hang on the minutes that a kill has cost."""
        if self._training is not None or self._due.exists():
            super()._train()

    def turn(self) -> None:
        began: datetime = self._workspace.clock.now()
        super().turn()
        self._count += 1
        note = {"pid": os.getpid(), "turn": self._count, "at": began.isoformat(), "trains": bool(self._training)}
        draft = self._notes.with_name(f"{self._notes.name}.draft")
        draft.write_text(json.dumps(note))
        draft.replace(self._notes)


def _control(_: Parent, orders: Orders) -> None:
    controller.SECONDS = LEASE_SECONDS
    with Workspace(load_project(Path(orders.project), os.environ).settings) as workspace:
        Noted(orders, workspace).run()


if __name__ == "__main__":
    sys.exit(obey(Orders, "controller", _control))
