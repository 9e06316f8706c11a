"""The controller as a process of `mainspring up`.

python -m mainspring.loop.processes.controller_process
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import msgspec

from mainspring.errors import MainspringError
from mainspring.loop.processes.parent import Parent, log_as


class ControllerOrders(msgspec.Struct, frozen=True):
    """What the process gets from `up`."""

    project: str
    json_logs: bool


def main() -> int:
    """Run the loop until SIGTERM, or until whoever started it is gone."""
    from mainspring.loop.processes.controller import Controller
    from mainspring.project import load_project
    from mainspring.workspace import Workspace

    parent = Parent()
    orders = parent.orders(ControllerOrders)
    log_as("controller", as_json=orders.json_logs)
    try:
        project = load_project(Path(orders.project), os.environ)
        with Workspace(project.settings) as workspace:
            controller = Controller(project, workspace, json_logs=orders.json_logs)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: controller.stop())
            controller.run(lambda: parent.tell({"began": True}))
    except MainspringError as error:
        return parent.tell_error(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
