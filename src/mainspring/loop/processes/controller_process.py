"""The controller as a process of `mainspring up`.

python -m mainspring.loop.processes.controller_process
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import msgspec

from mainspring.loop.processes.parent import Parent, obey


class ControllerOrders(msgspec.Struct, frozen=True):
    """What the process gets from `up`."""

    project: str
    json_logs: bool


def main() -> int:
    """Run the loop until SIGTERM, or until whoever started it is gone."""
    return obey(ControllerOrders, "controller", _control)


def _control(parent: Parent, orders: ControllerOrders) -> None:
    from mainspring.loop.processes.controller import Controller
    from mainspring.project import load_project
    from mainspring.workspace import Workspace

    project = load_project(Path(orders.project), os.environ)
    with Workspace(project.settings) as workspace:
        controller = Controller(project, workspace, json_logs=orders.json_logs)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: controller.stop())
        controller.run(lambda: parent.tell({"began": True}))


if __name__ == "__main__":
    sys.exit(main())
