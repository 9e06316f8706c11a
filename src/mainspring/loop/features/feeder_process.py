"""The process that keeps the feature views fresh, beside the controller that started it.

    python -m mainspring.loop.features.feeder_process

A process of its own: functions of the user's run in it, over as many rows as there are.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import msgspec

from mainspring.loop.processes.parent import Parent, obey

PAUSE = 0.5
"""Seconds between two looks, where nothing was there."""


class FeederOrders(msgspec.Struct, frozen=True):
    """What the process gets from the controller."""

    project: str
    json_logs: bool


def main() -> int:
    """Keep the views fresh until SIGTERM, or until whoever started it is gone."""
    return obey(FeederOrders, "features", _feed, on_gone=signal.SIGKILL)


def _feed(parent: Parent, orders: FeederOrders) -> None:
    from mainspring.loop.features.feeder import Feeder
    from mainspring.project import load_project
    from mainspring.workspace import Workspace

    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    project = load_project(Path(orders.project), os.environ)
    with Workspace(project.settings) as workspace:
        feeder = Feeder(workspace, project)
        parent.tell({"began": True})
        try:
            while not stopping.is_set():
                if not feeder.step():
                    stopping.wait(PAUSE)
        finally:
            feeder.close()


if __name__ == "__main__":
    sys.exit(main())
