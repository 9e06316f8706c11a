"""Keeps a project's processes running: the gateway that answers and the controller that runs the loop."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

import msgspec

from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.loop.processes.controller_process import ControllerOrders
from mainspring.loop.processes.gateway_process import GatewayOrders
from mainspring.loop.processes.kept_process import KeptProcess

if TYPE_CHECKING:
    from mainspring.project import Project
    from mainspring.settings import GatewaySettings

_LOG = logging.getLogger("mainspring.up")
_LOOK = 0.2  # seconds between two looks at the processes
_CONTROLLER_END = 10.0  # seconds for the controller to finish its turn; it is safe to kill at any moment
_SPARE = 15.0  # seconds for the gateway beside its own time for open requests


@dataclass(frozen=True, slots=True)
class Up:
    """What is up.

    Attributes:
        address: the gateway's, e.g. `http://127.0.0.1:8000`.
    """

    address: str


def up(
    project: Project,
    gateway: GatewaySettings,
    *,
    json_logs: bool,
    announce: Callable[[Up], object],
    clock: Clock = SYSTEM_CLOCK,
) -> None:
    """Run gateway and controller until SIGTERM or Ctrl-C; then answer what was taken, and return.

    A process that ends is started again, after a pause that grows. Where another controller has the workspace,
    ours waits for it, and the gateway serves meanwhile.

    Args:
        gateway: address and workers; its other settings are the project's.
        announce: told once the gateway listens.

    Raises:
        UsageError: the address is taken, or is open to others without a key.
        ProjectError: the project or its settings keep the gateway or the controller from ever starting.
    """
    supervisor = Supervisor(project, gateway, json_logs=json_logs, announce=announce, clock=clock)
    handlers = {number: signal.signal(number, supervisor.on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        supervisor.run()
    finally:
        supervisor.close()
        for number, handler in handlers.items():
            signal.signal(number, handler)


class Supervisor:
    """See `up`."""

    def __init__(
        self,
        project: Project,
        gateway: GatewaySettings,
        *,
        json_logs: bool,
        announce: Callable[[Up], object],
        clock: Clock,
    ) -> None:
        self._announce = announce
        self._clock = clock
        self._stopping = threading.Event()
        self._drain = gateway.drain_timeout
        root = str(project.root)
        orders = GatewayOrders(root, json_logs, gateway.host, gateway.port, gateway.workers)
        self._gateway = KeptProcess(
            "gateway", "mainspring.loop.processes.gateway_process", msgspec.to_builtins(orders), clock
        )
        watching = msgspec.to_builtins(ControllerOrders(root, json_logs))
        self._controller = KeptProcess(
            "controller", "mainspring.loop.processes.controller_process", watching, clock
        )

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Make `run` return; may be called from a signal handler or another thread."""
        self._stopping.set()

    def run(self) -> None:
        """Until stopped."""
        is_told = False
        while not self._stopping.is_set():
            for place in (self._gateway, self._controller):
                place.tend()
            told = self._gateway.told
            if not is_told and told is not None:
                is_told = True
                address = str(told["address"])
                # Started again it must listen where its clients know it to, also where it had chosen a free port.
                self._gateway.orders["port"] = int(address.rpartition(":")[2])
                self._announce(Up(address))
            self._stopping.wait(_LOOK)

    def close(self) -> None:
        """End both: the gateway answers what it took."""
        now = self._clock.monotonic()
        for place in (self._controller, self._gateway):
            place.stop()
        self._controller.wait(now + _CONTROLLER_END)
        self._gateway.wait(now + self._drain + _SPARE)
