"""What the live gateways of a workspace count, read from their own files: no request, no key."""

from __future__ import annotations

import socket

from mainspring.workspace import Workspace


def gateway_metrics(workspace: Workspace) -> str | None:
    """The metrics in Prometheus' text format, those of several gateways one after another.

    Returns:
        `None` where no gateway of this machine lives.
    """
    from mainspring.serving.exposition import exposition
    from mainspring.serving.meters import Meters

    here = socket.gethostname()
    gateways = {worker.rpartition("/")[0].rpartition(":") for worker in workspace.records.workers()}
    ports = sorted(port for host, _, port in gateways if host == here)
    folders = [workspace.gateway_folder / port / "metrics" for port in ports]
    living = [folder for folder in folders if folder.is_dir()]
    told = [exposition(Meters(folder, "monitors").everything(), folder).decode() for folder in living]
    return "".join(told) or None
