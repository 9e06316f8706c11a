"""The drainer: `python -m mainspring.serving.drainer FD`, started by the gateway's parent process only.

It moves what the gateway's processes spooled to the tables, and what former gateways of the workspace left behind.
FD is its end of the socket to the parent; when that ends, it stores what is left, for a limited time, and goes.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import sys
from contextlib import suppress
from pathlib import Path

import msgspec
import pyarrow as pa

from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.domain.ports import Tables
from mainspring.serving.background import EQUAL, Breather, give_way, run_in_background
from mainspring.serving.drain import Drain
from mainspring.serving.drainer_process import DrainerOrders
from mainspring.serving.label_watch import LabelWatch
from mainspring.serving.log_state import SPOOL, write_state
from mainspring.serving.logs import log_to
from mainspring.serving.spool_files import spool_files
from mainspring.serving.upkeep import Upkeep
from mainspring.stores.tables_delta import DeltaTables

_LOG = logging.getLogger("mainspring.gateway")
_STEP = 0.25  # seconds
_LOOK_AROUND = 5.0  # seconds between two looks for what others left behind
_NICE = 10


class Drainer:
    """Args:
    orders: what the parent wants.
    control: the socket to the parent.
    """

    def __init__(self, orders: DrainerOrders, control: socket.socket, tables: Tables, clock: Clock) -> None:
        self._orders = orders
        self._control = control
        self._tables = tables
        self._clock = clock
        self._folder = Path(orders.folder)
        self._upkeep = Upkeep(tables, clock, orders.keep_days)
        self._labels = LabelWatch(tables, clock)
        self._breather = Breather(lambda seconds: select.select([control], [], [], seconds))
        self._own = self._drain(self._folder)
        self._noted = b""

    def run(self) -> None:
        """Until the parent ends the stream; then everything that can be stored is."""
        next_look = 0.0
        while not self._is_over():
            self._labels.step()
            if self._own.take():
                self._own.step()
                self._own.state.labels = self._labels.found
                self._note()
            if self._clock.monotonic() >= next_look:
                self._leftovers()
                next_look = self._clock.monotonic() + _LOOK_AROUND
            self._upkeep.step()
        self._finish()
        self._own.close()

    def _drain(self, folder: Path) -> Drain:
        orders = self._orders
        return Drain(
            folder,
            self._tables,
            self._clock,
            commit_every=orders.commit_every,
            commit_rows=orders.commit_rows,
            durability=orders.durability,
            stored=self._upkeep.written,
            between=self._breather.breathe,
        )

    def _is_over(self) -> bool:
        readable, _, _ = select.select([self._control], [], [], _STEP)
        if not readable:
            return False
        try:
            return not self._control.recv(4096)
        except ConnectionError:
            return True

    def _leftovers(self) -> None:
        """Store what gateways that run no more left in their folders; a live one's drainer holds its lock."""
        for spool in sorted(self._folder.parent.glob(f"*/{SPOOL}")):
            if spool.parent == self._folder or not spool_files(spool):
                continue
            drain = self._drain(spool.parent)
            if not drain.take():
                continue
            try:
                drain.step(at_once=True)
                drain.step(at_once=True)  # what was finished by the first is gone after it
                if drain.state.rows:
                    _LOG.info("%d rows that another gateway had left were stored", drain.state.rows)
                with suppress(OSError):
                    write_state(drain.folder, drain.state)
            finally:
                drain.close()

    def _finish(self) -> None:
        give_way(os.getpid(), EQUAL)
        deadline = self._clock.monotonic() + self._orders.finish_timeout
        while True:
            if self._own.take():
                self._own.step(at_once=True)
                self._note()
                if self._own.idle:
                    return
            if self._clock.monotonic() > deadline:
                _LOG.error("not everything could be stored in time; the next gateway goes on with it")
                return
            self._clock.sleep(0.1)

    def _note(self) -> None:
        content = msgspec.json.encode(self._own.state)
        if content != self._noted:
            with suppress(OSError):  # a full disk costs what `status` shows, and no row
                write_state(self._folder, self._own.state)
                self._noted = content


def main() -> None:
    """Read the orders, then drain."""
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        sys.stderr.write("the drainer is started by the gateway: use `mainspring serve`\n")
        sys.exit(2)
    control = socket.socket(fileno=int(sys.argv[1]))
    line = bytearray()
    while not line.endswith(b"\n"):
        part = control.recv(65536)
        if not part:
            return
        line += part
    orders = msgspec.json.decode(line, type=DrainerOrders)
    log_to(sys.stderr, as_json=orders.json_logs)
    run_in_background(_NICE)
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    Drainer(orders, control, DeltaTables(orders.tables), SYSTEM_CLOCK).run()
    logging.shutdown()
    os._exit(0)  # a library's thread must not keep a process that has done its work


if __name__ == "__main__":
    main()
