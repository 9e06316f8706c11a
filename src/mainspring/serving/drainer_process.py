"""The drainer as the gateway's parent sees it: started when there is something to store, restarted, ended."""

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from mainspring.clock import Clock
from mainspring.serving.background import EQUAL, LAST, give_way
from mainspring.serving.log_state import SPOOL
from mainspring.serving.spool_files import spool_files, spooled_bytes

_LOG = logging.getLogger("mainspring.gateway")
_PAUSES = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_STEADY = 60.0  # a drainer that lived so long starts again with the shortest pause
_LOOK = 1.0  # seconds between two looks at what there is to store
# One thread is enough for it, and the gateway's workers need the others.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "TOKIO_WORKER_THREADS": "1", "RAYON_NUM_THREADS": "1"}


class DrainerOrders(msgspec.Struct, frozen=True):
    """What the drainer gets from the parent, as one line of JSON.

    Attributes:
        folder: the gateway's own; its siblings are those of other gateways of the workspace.
        tables: the URL of the tables.
        commit_every, finish_timeout: seconds.
        hurry_bytes: when so much waits in the spool, storing it is as urgent as answering.
    """

    folder: str
    tables: str
    durability: str
    commit_every: float
    commit_rows: int
    keep_days: int | None
    finish_timeout: float
    json_logs: bool
    hurry_bytes: int


class DrainerProcess:
    """The place of the drainer, and the process that holds it."""

    def __init__(self, orders: DrainerOrders, environment: Mapping[str, str], clock: Clock) -> None:
        self.orders = orders
        self._environment = {**environment, **_ENVIRONMENT}
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._started_at = 0.0
        self._start_at = 0.0
        self._next_look = 0.0
        self._failures = 0
        self._hurries = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def tend(self) -> None:
        """Notice when the process is gone, and start it when it is due and there is something to store."""
        now = self._clock.monotonic()
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                if now >= self._next_look:
                    self._next_look = now + _LOOK
                    self._hurry(spooled_bytes(Path(self.orders.folder) / SPOOL) > self.orders.hurry_bytes)
                return
            self._failures = 0 if now - self._started_at > _STEADY else self._failures + 1
            pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)]
            _LOG.error("the drainer of the prediction log ended (%d); another starts in %g s", code, pause)
            self._start_at = now + pause
            self._forget()
        if now < self._start_at or now < self._next_look:
            return
        self._next_look = now + _LOOK
        if self._has_work():
            self._start(now)

    def stop(self) -> None:
        """Tell it to store what is left, and go; starts it for that where it does not run."""
        if self._process is None and spool_files(Path(self.orders.folder) / SPOOL):
            self._start(self._clock.monotonic())
        if self._control is not None:
            with suppress(OSError):
                self._control.shutdown(socket.SHUT_WR)

    def wait(self) -> None:
        """Until it has gone, or by force some seconds after its own deadline."""
        if self._process is None:
            return
        try:
            self._process.wait(self.orders.finish_timeout + 5.0)
        except subprocess.TimeoutExpired:
            _LOG.error("the drainer did not finish in time and is ended; the next gateway goes on with the rest")
            self._process.kill()
            self._process.wait()
        self._forget()

    def _hurry(self, needed: bool) -> None:
        if self._process is not None and needed != self._hurries:
            give_way(self._process.pid, EQUAL if needed else LAST)
            self._hurries = needed

    def _has_work(self) -> bool:
        """Whether any gateway of the workspace has spool files; an empty one is not made."""
        return any(spool_files(spool) for spool in Path(self.orders.folder).parent.glob(f"*/{SPOOL}"))

    def _start(self, now: float) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            os.set_inheritable(theirs.fileno(), True)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mainspring.serving.drainer", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=self._environment,
                start_new_session=True,
            )
        give_way(self._process.pid, LAST)  # its start costs more than a second of work
        self._started_at = now
        self._hurries = False
        self._control = ours
        with suppress(OSError):
            ours.sendall(msgspec.json.encode(self.orders) + b"\n")

    def _forget(self) -> None:
        self._process = None
        if self._control is not None:
            self._control.close()
            self._control = None
