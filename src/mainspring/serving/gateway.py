"""The gateway's parent process: follows the routes, checks what was promoted, and keeps its workers alive."""

import errno
import logging
import os
import selectors
import shutil
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from mainspring.clock import Clock
from mainspring.domain.ports_gateway import GatewayRecords
from mainspring.errors import MainspringError, StoreError, UsageError
from mainspring.serving.drainer_process import DrainerOrders, DrainerProcess
from mainspring.serving.heartbeats import Heartbeats
from mainspring.serving.judge import Judge
from mainspring.serving.keys import KnownKeys, known_keys, write_keys
from mainspring.serving.logs import is_json
from mainspring.serving.options import GatewayOptions
from mainspring.serving.orders import WorkerOrders
from mainspring.serving.personal import personal_secret
from mainspring.serving.rates import make_rates_file
from mainspring.serving.shadow_process import ShadowProcess
from mainspring.serving.supervisor import ChildProcess, WorkerProcess
from mainspring.serving.table import Table, read_table, write_table
from mainspring.serving.tls import server_context
from mainspring.stores.atomic import naming_a_full_disk

_LOG = logging.getLogger("mainspring.gateway")
_POLL = 0.25  # seconds between two looks at the routes
_SHADOW_END = 2.0  # seconds for the shadow process to write down what it answered; nobody waits for the rest


def run_gateway(
    options: GatewayOptions,
    records: GatewayRecords,
    clock: Clock,
    *,
    announce: Callable[[str], object] = str,
) -> None:
    """Serve until SIGTERM or Ctrl-C; then answer what was taken, and return.

    Args:
        records: read for the routes, written for the workers' heartbeats.
        announce: told the address, e.g. `http://127.0.0.1:8000`, as soon as it is open.

    Raises:
        UsageError: the address is taken or cannot be had, or is open to others without a key.
        SettingsError: the files of TLS are not usable.
    """
    options.check(has_keys=bool(records.api_keys()))
    gateway = Gateway(options, records, clock)
    handlers = {number: signal.signal(number, gateway.on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        announce(gateway.address)
        gateway.run()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        gateway.close()


class Gateway:
    """Args:
    options: checked by the caller.
    """

    def __init__(self, options: GatewayOptions, records: GatewayRecords, clock: Clock) -> None:
        self._options = options
        self._records = records
        self._clock = clock
        certificate, key = options.settings.tls_certificate, options.settings.tls_key
        if certificate and key:  # so that what is wrong with them is told here, and not by each worker
            server_context(certificate, key, options.settings.tls_client_ca)
        self._listener = _listen(options.settings.host, options.settings.port)
        port = self._listener.getsockname()[1]
        host = options.settings.host
        self.address = f"{'https' if certificate else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
        self._heartbeats = Heartbeats(records, f"{socket.gethostname()}:{port}", clock)
        self._folder = options.folder / str(port)
        self._table_file = self._folder / "routes.json"
        self._stopping = False
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._judge = Judge(options.releases, options.trusted, clock)
        self._table: Table | None = None
        self._keys: KnownKeys | None = None
        self._trouble = ""
        metrics = self._folder / "metrics"
        shutil.rmtree(metrics, ignore_errors=True)
        with naming_a_full_disk("the gateway's folder"):
            metrics.mkdir(parents=True)
            make_rates_file(self._folder / "rates")
        try:
            personal_secret(options.trusted.parent)
        except (StoreError, OSError) as error:  # the keys' folder may be read-only, and most models need none
            _LOG.warning("there is no key for personal values: %s", error)
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
        }
        self._shadow = ShadowProcess(options, self._table_file, environment, clock)
        self._workers = [
            WorkerProcess(
                WorkerOrders.of(
                    options,
                    slot=slot,
                    listener=self._listener.fileno(),
                    table=self._table_file,
                    shadow=self._shadow.end_of(slot),
                ),
                environment,
                clock,
            )
            for slot in range(options.settings.workers)
        ]
        self._drainer = DrainerProcess(
            DrainerOrders(
                folder=str(self._folder),
                tables=options.tables,
                durability=options.log.durability,
                commit_every=options.log.commit_every,
                commit_rows=options.log.commit_rows,
                keep_days=options.log.keep_days,
                finish_timeout=options.settings.drain_timeout,
                json_logs=is_json(options.settings.log_format),
                hurry_bytes=options.log.max_spool_bytes // 2,
            ),
            environment,
            clock,
        )

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Make `run` return; may be called from a signal handler or another thread."""
        self._stopping = True
        with suppress(OSError):
            self._wake.send(b".")

    def run(self) -> None:
        """Until stopped."""
        _LOG.info("listening on %s", self.address)
        with suppress(MainspringError):
            self._judge.remember(read_table(self._table_file))
        next_look = 0.0
        while not self._stopping:
            now = self._clock.monotonic()
            if now >= next_look:
                self._follow_routes()
                next_look = now + _POLL
            self._tend_workers()
            for key, _ in self._selector.select(max(0.0, next_look - self._clock.monotonic())):
                child = key.data
                if child is not None and child.control is not None and child.hear():
                    self._tell(child)
        self._drain()

    def close(self) -> None:
        """Give everything back; workers still alive are ended."""
        for worker in self._workers:
            worker.wait(self._clock.monotonic())
        self._shadow.wait(self._clock.monotonic())
        self._shadow.close()
        if self._drainer.pid is not None:
            self._drainer.stop()
            self._drainer.wait()
        self._heartbeats.close()
        self._selector.close()
        for end in (self._wake, self._woken, self._listener):
            end.close()

    def _follow_routes(self) -> None:
        try:
            keys = known_keys(self._records.api_keys())
            if keys != self._keys:
                write_keys(self._folder / "keys.json", keys)
                self._keys = keys
                for worker in self._workers:
                    worker.table_changed()
            routes = self._records.routes()
            table = self._judge.table(routes)
            if table is not None and table != self._table:
                write_table(self._table_file, table)
                self._table = table
                self._shadow.follow(table)
                for child in (*self._workers, self._shadow):
                    child.table_changed()
        except MainspringError as error:
            # The database or the disk fails: what is served goes on being served.
            if str(error) != self._trouble:
                _LOG.error("the routes cannot be followed: %s", error)
            self._trouble = str(error)
        else:
            self._trouble = ""

    def _tend_workers(self) -> None:
        for child in (*self._workers, self._shadow):
            control = child.control
            if child.check():
                if control is not None:
                    self._selector.unregister(control)
                if isinstance(child, WorkerProcess):
                    self._heartbeats.ended(child.orders.slot)
            if child.start_if_due():
                assert child.control is not None
                self._selector.register(child.control, selectors.EVENT_READ, child)
        if all(worker.report is not None for worker in self._workers):  # answers come first
            self._drainer.tend()

    def _tell(self, child: ChildProcess) -> None:
        if isinstance(child, WorkerProcess) and child.report is not None:
            self._heartbeats.lives(child.orders.slot, child.report)

    def _drain(self) -> None:
        _LOG.info("shutting down: open requests are answered first")
        self._listener.close()  # what comes from now on is refused by the system
        for worker in self._workers:
            worker.stop()
        deadline = self._clock.monotonic() + self._options.settings.drain_timeout + 5.0
        for worker in self._workers:
            worker.wait(deadline)
            self._heartbeats.ended(worker.orders.slot)
        # After the workers, so that it sees what they handed over last.
        self._shadow.stop()
        self._shadow.wait(self._clock.monotonic() + _SHADOW_END)
        self._drainer.stop()
        self._drainer.wait()


def _listen(host: str, port: int) -> socket.socket:
    """The listening socket, which every worker inherits.

    Raises:
        UsageError: the address is taken, or is none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"the port {port} on {host} is taken by another program",
                cure="give another one with --port, or stop that program",
                where={"host": host, "port": port},
            ) from error
        why = "needs more rights" if error.errno == errno.EACCES else f"cannot be opened ({error.strerror})"
        raise UsageError(
            f"the address {host}:{port} {why}",
            cure="give another one with --host and --port",
            where={"host": host, "port": port},
        ) from error
    listener.set_inheritable(True)
    listener.setblocking(False)
    return listener
