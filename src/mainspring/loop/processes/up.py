"""Keeps a project's processes running: the gateway that answers and the controller that runs the loop."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

import msgspec

from mainspring import errors
from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.domain.saying import manner
from mainspring.loop.processes.child import Child
from mainspring.loop.processes.controller_process import ControllerOrders
from mainspring.loop.processes.gateway_process import GatewayOrders

if TYPE_CHECKING:
    from mainspring.project import Project
    from mainspring.settings import GatewaySettings

_LOG = logging.getLogger("mainspring.up")
_PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_STEADY = 60.0  # a process that lived so long starts again after the shortest pause
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
        self._gateway = _Place(
            "gateway", "mainspring.loop.processes.gateway_process", msgspec.to_builtins(orders), clock
        )
        watching = msgspec.to_builtins(ControllerOrders(root, json_logs))
        self._controller = _Place("controller", "mainspring.loop.processes.controller_process", watching, clock)

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


class _Place:
    """Where one of the processes runs."""

    def __init__(self, name: str, module: str, orders: Mapping[str, Any], clock: Clock) -> None:
        self.orders = dict(orders)
        self.told: dict[str, Any] | None = None
        self._name = name
        self._module = module
        self._clock = clock
        self._child: Child | None = None
        self._was_well = False
        self._failures = 0
        self._started_at = self._start_at = 0.0

    def tend(self) -> None:
        """Start the process when it is due, and notice when it has gone.

        Raises:
            UsageError, ProjectError: it has never come up, and starting it again would not help.
        """
        now = self._clock.monotonic()
        if self._child is None:
            if now >= self._start_at:
                self._started_at = now
                self._child = Child(self._module, self.orders, self._clock)
            return
        code = self._child.poll()
        told = self._child.told
        if told is not None and "error" not in told:
            self.told, self._was_well = told, True
        if code is None:
            return
        self._child.kill()
        self._child = None
        error = _error(told)
        if isinstance(error, errors.UsageError | errors.ProjectError) and not self._was_well:
            raise error
        self._failures = 0 if code == 0 or now - self._started_at > _STEADY else self._failures + 1
        pause = 0.0 if code == 0 else _PAUSES[min(self._failures, len(_PAUSES)) - 1]
        self._start_at = now + pause
        if code != 0:
            why = f": {error}" if error is not None else ""
            _LOG.error("the %s ended %s%s; it starts again in %g s", self._name, manner(code), why, pause)

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()

    def wait(self, deadline: float) -> None:
        if self._child is None:
            return
        if self._child.wait(deadline) is None:
            _LOG.warning("the %s did not end in time and is killed; it goes on at the next start", self._name)
            self._child.kill()
        self._child = None


def _error(told: Mapping[str, Any] | None) -> errors.MainspringError | None:
    """What a process said when it ended."""
    stored = (told or {}).get("error")
    if stored is None:
        return None
    kind = getattr(errors, stored["error"], errors.MainspringError)
    found: errors.MainspringError = kind(stored["message"], cure=stored["cure"], where=stored["where"])
    return found
