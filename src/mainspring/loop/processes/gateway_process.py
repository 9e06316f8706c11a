"""The gateway as a process of `mainspring up`.

python -m mainspring.loop.processes.gateway_process
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import msgspec

from mainspring.errors import MainspringError
from mainspring.loop.processes.parent import Parent, log_as


class GatewayOrders(msgspec.Struct, frozen=True):
    """What the process gets from `up`; what is not given here stands in the project's settings."""

    project: str
    json_logs: bool
    host: str
    port: int
    workers: int


def main() -> int:
    """Serve until SIGTERM, or until whoever started it is gone; open requests are answered first."""
    from mainspring.project import open_project
    from mainspring.serving.gateway import run_gateway
    from mainspring.serving.options import GatewayOptions
    from mainspring.workspace import Workspace

    parent = Parent()
    orders = parent.orders(GatewayOrders)
    log_as("gateway", as_json=orders.json_logs)
    try:
        settings = open_project(Path(orders.project), os.environ).settings
        gateway = replace(settings.gateway, host=orders.host, port=orders.port, workers=orders.workers)
        with Workspace(settings) as workspace:
            run_gateway(
                GatewayOptions(
                    settings=gateway,
                    releases=settings.releases,
                    trusted=workspace.keys / "trusted",
                    folder=workspace.gateway_folder,
                    tables=settings.tables_url,
                    features=settings.features_url,
                    log=settings.log,
                ),
                workspace.records,
                workspace.clock,
                announce=lambda address: parent.tell({"address": address}),
            )
    except MainspringError as error:
        return parent.tell_error(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
