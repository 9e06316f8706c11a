"""The gateway's processes as their parent sees them: started, heard, restarted with growing pauses, ended."""

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress

import msgspec

from mainspring.clock import Clock
from mainspring.domain.saying import manner
from mainspring.serving.orders import WorkerOrders
from mainspring.serving.reports import TABLE_CHANGED, Report, decode_report

_LOG = logging.getLogger("mainspring.gateway")
_SILENT = 30.0  # seconds without a report after which a process is taken for dead
_PAUSES = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY = 60.0  # one that lived so long starts again with the shortest pause


class ChildProcess:
    """One place for a process, and the process that holds it.

    Args:
        module: of its program, which takes the number of its end of the socket to us.
        name: for the log.
        orders: the first line that it is told.
        inherited: file descriptors that it gets.
        environment: of the process.
        silent: seconds without a report after which it is taken for dead.

    Attributes:
        report: the last one of the present process; `None` before the first.
    """

    def __init__(
        self,
        module: str,
        name: str,
        orders: bytes,
        inherited: tuple[int, ...],
        environment: Mapping[str, str],
        clock: Clock,
        *,
        silent: float = _SILENT,
    ) -> None:
        self.name = name
        self.report: Report | None = None
        self.control: socket.socket | None = None
        self._module = module
        self._orders = orders
        self._inherited = inherited
        self._silent = silent
        self._environment = dict(environment)
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._received = bytearray()
        self._heard_at = 0.0
        self._started_at = 0.0
        self._start_at = 0.0
        self._failures = 0
        self._told_to_go = False

    @property
    def alive(self) -> bool:
        return self._process is not None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start_if_due(self) -> bool:
        """Start the process when there is none and its pause is over; says whether it did."""
        now = self._clock.monotonic()
        if self.alive or now < self._start_at:
            return False
        ours, theirs = socket.socketpair()
        with theirs:
            os.set_inheritable(theirs.fileno(), True)
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), *self._inherited),
                env=self._environment,
                start_new_session=True,  # Ctrl-C is for the parent, which ends its workers in order
            )
        ours.setblocking(False)
        self.control = ours
        self.report = None
        self._received.clear()
        self._heard_at = self._started_at = now
        self._send(self._orders + b"\n")
        return True

    def table_changed(self) -> None:
        self._send(TABLE_CHANGED)

    def hear(self) -> bool:
        """Take in what the worker said; says whether there was a report."""
        assert self.control is not None
        heard = False
        with suppress(BlockingIOError, ConnectionError):
            while part := self.control.recv(65536):
                self._received += part
        while (end := self._received.find(b"\n")) >= 0:
            line = bytes(self._received[:end])
            del self._received[: end + 1]
            self.report = decode_report(line)
            self._heard_at = self._clock.monotonic()
            heard = True
        return heard

    def check(self) -> bool:
        """End a silent process; says whether the process is gone, in which case a start is planned."""
        if self._process is None:
            return False
        if self._clock.monotonic() - self._heard_at > self._silent:
            self.hear()  # it may be we who did not listen: this process was stopped, or waited for a disk
        now = self._clock.monotonic()
        if now - self._heard_at > self._silent:
            _LOG.error("%s has been silent for %g s and is ended", self.name, self._silent)
            self._process.kill()
            self._process.wait()
        code = self._process.poll()
        if code is None:
            return False
        if self._told_to_go and code == 0:
            _LOG.info("%s ended", self.name)
            self._start_at = now
            self._forget()
            return True
        self._failures = 0 if now - self._started_at > _STEADY else self._failures + 1
        pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        _LOG.error("%s ended %s; another starts in %g s", self.name, manner(code), pause)
        self._start_at = now + pause
        self._forget()
        return True

    def stop(self) -> None:
        """Tell it to finish what it took, and go."""
        self._told_to_go = True
        if self.control is not None:
            with suppress(OSError):
                self.control.shutdown(socket.SHUT_WR)

    def wait(self, deadline: float) -> None:
        """Until the process has gone, or by force at the deadline (of the clock's `monotonic`)."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline - self._clock.monotonic()))
        except subprocess.TimeoutExpired:
            _LOG.error("%s did not finish in time and is ended", self.name)
            self._process.kill()
            self._process.wait()
        self._forget()

    def _forget(self) -> None:
        self._process = None
        self._told_to_go = False
        self.report = None
        if self.control is not None:
            self.control.close()
            self.control = None

    def _send(self, line: bytes) -> None:
        # One too busy to read is found by its silence; the next change reaches it as well as this one.
        if self.control is not None:
            with suppress(OSError):
                self.control.send(line)


class WorkerProcess(ChildProcess):
    """One place for a worker.

    Args:
        orders: what the worker is told.
    """

    def __init__(self, orders: WorkerOrders, environment: Mapping[str, str], clock: Clock) -> None:
        inherited = (orders.listener,) if orders.shadow is None else (orders.listener, orders.shadow)
        super().__init__(
            "mainspring.serving.worker",
            f"worker {orders.slot}",
            msgspec.json.encode(orders),
            inherited,
            environment,
            clock,
        )
        self.orders = orders
