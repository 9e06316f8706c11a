"""A gateway worker: `python -m mainspring.serving.worker FD`, started by the gateway's parent process only.

It answers requests from the shared listening socket and never opens the database. FD is its end of the socket to
the parent; when that ends, the worker finishes what it took and goes.
"""

import asyncio
import gc
import logging
import math
import os
import resource
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import monotonic

import msgspec
import uvicorn
import uvloop

from mainspring.clock import SYSTEM_CLOCK
from mainspring.errors import MainspringError
from mainspring.serving.access import Access
from mainspring.serving.app import App
from mainspring.serving.connection import GuardedProtocol, guarded
from mainspring.serving.dataplane import Dataplane
from mainspring.serving.direct import DirectPath
from mainspring.serving.exchange import HttpProtocol
from mainspring.serving.features import Features, ids_of
from mainspring.serving.feedback import FeedbackIntake
from mainspring.serving.health import Health
from mainspring.serving.journal import open_journal
from mainspring.serving.kept_key import kept_key
from mainspring.serving.keyring import KeyRing
from mainspring.serving.keys import read_keys
from mainspring.serving.logs import AnswerLog, log_to
from mainspring.serving.meters import Meters
from mainspring.serving.openapi import OpenApi
from mainspring.serving.orders import WorkerOrders
from mainspring.serving.pool import ReleasePool
from mainspring.serving.protocols.features import FeaturesProtocol
from mainspring.serving.protocols.feedback import FeedbackProtocol
from mainspring.serving.protocols.mlflow import MlflowProtocol
from mainspring.serving.protocols.native import NativeProtocol
from mainspring.serving.protocols.openinference import OpenInference
from mainspring.serving.protocols.openinference_status import OpenInferenceStatus
from mainspring.serving.protocols.tfserving import TensorFlowPredict
from mainspring.serving.protocols.tfserving_status import TensorFlowStatus
from mainspring.serving.push import PushIntake
from mainspring.serving.rates import Rates
from mainspring.serving.reports import Report, encode_report
from mainspring.serving.residents import ReleaseLoader
from mainspring.serving.server import GatewayServer
from mainspring.serving.shadow_feed import ShadowFeed
from mainspring.serving.table import read_table
from mainspring.serving.tls import RenewedCertificate, server_context

_LOG = logging.getLogger("mainspring.gateway")
_WARM_UP = 5.0  # seconds after which a worker listens though its releases are still loading
_REPORT_EVERY = 1.0
_TEND_EVERY = 0.25
_COUNT_EVERY = 0.25
_LOOK_AT_VIEWS = 5.0  # seconds


class Worker:
    """Args:
    orders: what the parent wants.
    control: the socket to the parent.
    """

    def __init__(self, orders: WorkerOrders, control: socket.socket) -> None:
        self._orders = orders
        self._control = control
        self._table = Path(orders.table)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="large")
        self._loading = ThreadPoolExecutor(2, thread_name_prefix="release")
        self._meters = meters = Meters(self._table.parent / "metrics", orders.slot)
        self._proving = ThreadPoolExecutor(1, thread_name_prefix="key")
        self._noting = ThreadPoolExecutor(1, thread_name_prefix="metrics")
        self._ring = KeyRing(self._proving, monotonic)
        self._access = Access(
            loopback=orders.loopback, token_digest=orders.token_digest, ring=self._ring, now=_seconds
        )
        self._features = Features(orders.features, meters)
        loader = ReleaseLoader(
            Path(orders.trusted),
            alone=lambda: len(self._server.server_state.tasks) <= 1,
            threads=self._threads,
            batched=meters.batched,
            warm=self._features.warm,
        )
        self.pool = ReleasePool(
            loader,
            threads=self._loading,
            loaded=lambda model, refused: meters.loaded(model, refused=refused),
            unloaded=meters.unloaded,
            budget=orders.memory_budget,
        )
        feed = ShadowFeed(socket.socket(fileno=orders.shadow), meters) if orders.shadow is not None else None
        self._spool, journal = open_journal(
            orders.log, f"worker-{orders.slot}", logged=meters.logged, dropped=meters.log_dropped
        )
        plane = Dataplane(
            self.pool,
            max_rows=orders.max_rows,
            meters=meters,
            journal=journal,
            shadows=feed,
            features=self._features,
        )
        intake = FeedbackIntake(
            plane,
            self._spool,
            clock=SYSTEM_CLOCK,
            key_kept=lambda manifest, key: kept_key(manifest, key, journal.secret),
            received=meters.fed_back,
        )
        described: tuple[HttpProtocol, ...] = (
            NativeProtocol(plane),
            TensorFlowPredict(plane),
            TensorFlowStatus(plane),
            OpenInference(plane),
            OpenInferenceStatus(plane),
            FeedbackProtocol(intake),
            FeaturesProtocol(PushIntake(plane, self._spool, clock=SYSTEM_CLOCK)),
            MlflowProtocol(plane, default_model=orders.default_model, open_to_all=orders.open_invocations),
            Health(self.pool, meters, self._features),
        )
        protocols = (*described, OpenApi(self.pool, described))
        rates = Rates(orders.rates, most) if (most := orders.max_requests_per_second) else None
        app = App(
            [route for protocol in protocols for route in protocol.routes()],
            access=self._access,
            meters=meters,
            max_body=orders.max_body_bytes,
            max_waiting=orders.max_waiting,
            rates=rates,
            log=AnswerLog(orders.access_log) if orders.access_log else None,
            is_routed=plane.is_routed,
        )
        # An answer that waits for the disk, or is logged, goes the usual way.
        direct = None
        if orders.log.durability != "strict" and not orders.access_log:
            direct = DirectPath(
                self.pool,
                access=self._access,
                meters=meters,
                journal=journal,
                rates=rates,
                max_body=orders.max_body_bytes,
                max_waiting=orders.max_waiting,
                max_rows=orders.max_rows,
                shadows=feed,
            )
        self._tls = _tls(orders)
        self._server = GatewayServer(
            uvicorn.Config(
                app,
                http=guarded(
                    max_header_bytes=orders.max_header_bytes,
                    read_timeout=orders.read_timeout,
                    max_connections=orders.max_connections,
                    direct=direct,
                ),
                loop="uvloop",
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=math.ceil(orders.drain_timeout),
            ),
            tls=None if self._tls is None else self._tls.context,
            handshake_timeout=orders.read_timeout,
        )

    async def run(self) -> None:
        """Until the parent ends the stream or a signal comes; then open requests are answered first."""
        reader, writer = await asyncio.open_connection(sock=self._control)
        listener = socket.socket(fileno=self._orders.listener)
        loading = asyncio.create_task(self._apply())
        # A worker that is not warm would refuse what its neighbours could answer.
        await asyncio.wait([loading], timeout=_WARM_UP)
        gc.collect()
        gc.freeze()  # what is loaded by now stays: no need to look through it again and again
        tasks = [
            loading,
            asyncio.create_task(self._listen(reader, writer)),
            asyncio.create_task(self._report(writer)),
            asyncio.create_task(self._tend()),
            asyncio.create_task(self._count()),
            asyncio.create_task(self._watch_features()),
        ]
        try:
            await self._server.serve(sockets=[listener])
        finally:
            for task in tasks:
                task.cancel()
            self._spool.close()
            self._features.close()
            await self.pool.close()
            self._loading.shutdown(wait=True)
            writer.close()

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while await reader.readline():
                await self._apply()
                writer.write(encode_report(self._state()))
        self._server.should_exit = True

    async def _apply(self) -> None:
        self._apply_keys()
        try:
            table = read_table(self._table)
            if table is not None:
                await self.pool.apply(table)
        except MainspringError as error:
            _LOG.error("%s", error)
        except Exception:  # what is served goes on being served, and the next change is heard
            _LOG.exception("the routing table was not applied")

    def _apply_keys(self) -> None:
        try:
            known = read_keys(self._orders.keys)
        except MainspringError as error:  # those before stay in force
            _LOG.error("%s", error)
            return
        self._ring.replace(known)
        self._access.need_keys(known.needed)

    async def _report(self, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while True:
                writer.write(encode_report(self._state()))
                await writer.drain()
                await asyncio.sleep(_REPORT_EVERY)

    def _state(self) -> Report:
        return Report(self.pool.generation, self.pool.ready, self.pool.refused, self.pool.behind)

    async def _tend(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TEND_EVERY)
            if self._tls is not None:
                self._tls.refresh()
            for connection in list(self._server.server_state.connections):
                if isinstance(connection, GuardedProtocol):
                    self._sweep(connection, loop.time())

    async def _count(self) -> None:
        """Show the metrics; a disk that is full or slow costs them alone.

        Where a file system trims what it frees at once, each rename waits for the device.
        """
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_COUNT_EVERY)
            self._meters.connected(len(self._server.server_state.connections))
            self._meters.resident(self.pool.size)
            try:
                await loop.run_in_executor(self._noting, self._meters.write, self._meters.content())
            except OSError as error:
                _LOG.error("the metrics cannot be written: %s", error.strerror)

    async def _watch_features(self) -> None:
        """Say now and then how fresh the views of what is served are."""
        while True:
            await asyncio.sleep(_LOOK_AT_VIEWS)
            views = ids_of(held.views for held in self.pool.routed)
            if not views:
                continue
            try:
                self._meters.features_known(await asyncio.to_thread(self._features.known_until, views))
            except MainspringError as error:
                _LOG.warning("the age of features is not known: %s", error)

    def _sweep(self, connection: GuardedProtocol, now: float) -> None:
        try:
            connection.sweep(now)
        except Exception:  # one odd connection must not cost all others their limits
            _LOG.exception("a connection could not be swept")


def main() -> None:
    """Read the orders, then serve."""
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        sys.exit(_usage())
    control = socket.socket(fileno=int(sys.argv[1]))
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = control.recv(1)  # not a byte more: what follows belongs to the event loop
        if not byte:
            return
        line += byte
    orders = msgspec.json.decode(line, type=WorkerOrders)
    log_to(sys.stderr, as_json=orders.json_logs, worker=orders.slot)
    _allow_files(orders.max_connections + 256)
    control.setblocking(False)
    # Releases are proved in threads, and a request must not wait the usual 5 ms for its turn of the interpreter.
    sys.setswitchinterval(0.001)

    async def serve() -> None:
        await Worker(orders, control).run()

    uvloop.run(serve())
    logging.shutdown()
    os._exit(0)  # a thread stuck in a library must not keep a worker that has done its work


def _seconds() -> float:
    return SYSTEM_CLOCK.now().timestamp()


def _tls(orders: WorkerOrders) -> RenewedCertificate | None:
    if orders.tls_certificate is None or orders.tls_key is None:
        return None
    files = orders.tls_certificate, orders.tls_key
    return RenewedCertificate(server_context(*files, orders.tls_client_ca), *files)


def _allow_files(wanted: int) -> None:
    """Raise the number of files that this process may have open, as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < enough:
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))


def _usage() -> int:
    sys.stderr.write("a gateway worker is started by its parent: use `mainspring serve`\n")
    return 2


if __name__ == "__main__":
    main()
