"""The gateway as a process of `mainspring up`.

python -m mainspring.loop.processes.gateway_process
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import msgspec

from mainspring.loop.processes.parent import Parent, obey


class GatewayOrders(msgspec.Struct, frozen=True):
    """What the process gets from `up`; what is not given here stands in the project's settings."""

    project: str
    json_logs: bool
    host: str
    port: int
    workers: int


def main() -> int:
    """Serve until SIGTERM, or until whoever started it is gone; open requests are answered first."""
    return obey(GatewayOrders, "gateway", _serve)


def _serve(parent: Parent, orders: GatewayOrders) -> None:
    from mainspring.loop.releases.served_folder import Served
    from mainspring.project import open_project
    from mainspring.serving.gateway import run_gateway
    from mainspring.workspace import Workspace

    settings = open_project(Path(orders.project), os.environ).settings
    gateway = replace(settings.gateway, host=orders.host, port=orders.port, workers=orders.workers)
    with Workspace(settings) as workspace:
        run_gateway(
            Served.of(workspace).options(gateway),
            workspace.gateway_records(),
            workspace.clock,
            announce=lambda address: parent.tell({"address": address}),
        )


if __name__ == "__main__":
    sys.exit(main())
