"""The shadow process: `python -m mainspring.serving.shadow FD`, started by the gateway's parent process only.

It answers what the workers hand over by the releases that wait to be proved, and writes the answers to a spool of
its own; nobody hears them. FD is its end of the socket to the parent; when that ends, it goes. It may be as slow,
as large and as broken as its releases make it: it is ended when a batch takes too long or when it takes too much
memory, and the workers drop what it does not read in time.
"""

import logging
import os
import selectors
import socket
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from mainspring.domain.prediction_log import Role
from mainspring.errors import InvalidInput, MainspringError
from mainspring.release.computed import encoder_of
from mainspring.release.opening import OpenRelease, open_release
from mainspring.release.runtimes.native import NativeRuntime
from mainspring.release.runtimes.onnx import OnnxRuntime
from mainspring.release.signing import trusted_keys
from mainspring.serving.background import run_in_background
from mainspring.serving.features import Features
from mainspring.serving.journal import open_journal
from mainspring.serving.logs import log_to
from mainspring.serving.meters import Meters
from mainspring.serving.orders import ShadowOrders
from mainspring.serving.protocols.body import decode_json, rows_of
from mainspring.serving.reports import Report, encode_report
from mainspring.serving.residents import resident_bytes, views_of
from mainspring.serving.shadow_frames import FrameReader, Sighting
from mainspring.serving.shadow_watch import Watch
from mainspring.serving.table import Table, Target, read_table

if TYPE_CHECKING:
    from mainspring.serving.feature_rows import ReleaseViews

_LOG = logging.getLogger("mainspring.gateway")
_BATCH = 256  # rows that go through a model at once
_READ = 1 << 18  # bytes taken from one worker at a time
_NICE = 19
_TURN = 0.25  # seconds after which it looks around though nothing came

Rows = list[Any]


class Shadow:
    """Args:
    orders: what the parent wants.
    control: the socket to the parent.
    """

    def __init__(self, orders: ShadowOrders, control: socket.socket) -> None:
        self._orders = orders
        self._table_file = Path(orders.table)
        self._control = control
        self._control.setblocking(False)
        self._meters = Meters(self._table_file.parent / "metrics", "shadow")
        self._spool, self._journal = open_journal(
            orders.log, "shadow", logged=self._meters.logged, dropped=self._meters.log_dropped
        )
        self._releases: dict[Target, OpenRelease] = {}
        self._coming: dict[Target, Future[OpenRelease]] = {}
        self._fields: dict[str, tuple[str, ...]] = {}
        self._by_number: dict[tuple[str, int], OpenRelease] = {}
        self._views: dict[tuple[str, int], ReleaseViews | None] = {}
        self._features = Features(orders.features, self._meters)
        self._loading = ThreadPoolExecutor(1, thread_name_prefix="release")
        self._generation = 0
        self._watch = Watch(
            self._say, memory=orders.memory, seconds=orders.timeout, used=self._memory, failed=self._failed
        )
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        for descriptor in orders.streams:
            stream = socket.socket(fileno=descriptor)
            stream.setblocking(False)
            self._selector.register(stream, selectors.EVENT_READ, FrameReader())

    def run(self) -> None:
        """Until the parent ends the stream."""
        self._follow()
        self._watch.start()
        written = monotonic()
        ending = False
        while True:
            seen: list[Sighting] = []
            for key, _ in self._selector.select(0.0 if ending else _TURN):
                if key.data is None:
                    if not self._heard():
                        ending = True
                        self._selector.unregister(self._control)
                else:
                    seen += self._received(key.fileobj, key.data)
            self._take_in()
            self._answer(seen)
            if ending and not seen:  # what the workers handed over last has been answered
                return
            if monotonic() - written > _TURN:
                with suppress(OSError):  # a full disk costs the metrics
                    self._meters.write()
                written = monotonic()

    def close(self) -> None:
        """Make durable what was answered."""
        self._spool.close()
        self._features.close()
        for release in self._releases.values():
            release.close()
        with suppress(OSError):
            self._meters.write()

    def _heard(self) -> bool:
        with suppress(BlockingIOError, ConnectionError):
            if not self._control.recv(65536):
                return False
            self._follow()
        return True

    def _say(self) -> None:
        with suppress(OSError):
            self._control.send(encode_report(Report(self._generation, ready=not self._coming)))

    def _received(self, stream: Any, reader: FrameReader) -> list[Sighting]:
        try:
            part = stream.recv(_READ)
        except BlockingIOError:
            return []
        except OSError as error:
            _LOG.error("a worker cannot be heard: %s", error.strerror)
            part = b""
        if not part:
            self._selector.unregister(stream)
            return []
        return list(reader.read(part))

    # Releases

    def _follow(self) -> None:
        try:
            table = read_table(self._table_file) or Table(0)
        except MainspringError as error:
            _LOG.error("%s", error)
            return
        wanted = {target: rules.fields for rules in table.rules.values() for target in rules.shadows}
        for target in self._releases.keys() - wanted.keys():
            self._releases.pop(target).close()
        for target, release in self._releases.items():
            _accept(release, wanted[target])
        for target in wanted.keys() - self._releases.keys() - self._coming.keys():
            self._coming[target] = self._loading.submit(self._opened, target)
        self._fields = {target.ref: fields for target, fields in wanted.items()}
        self._generation = table.generation
        self._index()

    def _opened(self, target: Target) -> OpenRelease:
        return open_release(
            Path(target.folder), trusted_keys(Path(self._orders.trusted)), expected_digest=target.digest
        )

    def _take_in(self) -> None:
        """What has been loaded meanwhile."""
        done = [target for target, future in self._coming.items() if future.done()]
        for target in done:
            future = self._coming.pop(target)
            error = future.exception()
            if error is not None:
                _LOG.error("the shadow %s is refused: %s", target.ref, error)
                self._meters.loaded(target.model, refused=True)
                continue
            release = future.result()
            if target.ref not in self._fields:
                release.close()
                continue
            _accept(release, self._fields[target.ref])
            self._releases[target] = release
            self._meters.loaded(target.model, refused=False)
            _LOG.info("%s answers as a shadow", target.ref)
        if done:
            self._index()

    def _index(self) -> None:
        held = {(target.model, target.number): held for target, held in self._releases.items()}
        views = {number: self._views.get(number) or views_of(one.manifest) for number, one in held.items()}
        self._by_number, self._views = held, views

    def _memory(self) -> int:
        children = [
            release.runtime.pid
            for release in tuple(self._releases.values())
            if isinstance(release.runtime, NativeRuntime)
        ]
        return resident_bytes() + sum(resident_bytes(pid) for pid in children if pid is not None)

    # Answers

    def _answer(self, sightings: Sequence[Sighting]) -> None:
        queues: dict[tuple[str, int], list[tuple[Sighting, Rows]]] = {}
        for seen in sightings:
            try:
                rows = rows_of(decode_json(seen.rows))
            except MainspringError:
                continue  # the worker's own decoder took it: this cannot be
            for number in seen.numbers:
                queues.setdefault((seen.model, number), []).append((seen, rows))
        for (model, number), queue in queues.items():
            release = self._by_number.get((model, number))
            if release is None:
                self._count(model, number, "absent", sum(len(rows) for _, rows in queue))
                continue
            start = 0
            while start < len(queue):
                end, count = start, 0
                while end < len(queue) and (end == start or count + len(queue[end][1]) <= _BATCH):
                    count += len(queue[end][1])
                    end += 1
                self._batch(release, queue[start:end])
                start = end

    def _batch(self, release: OpenRelease, batch: Sequence[tuple[Sighting, Rows]]) -> None:
        model, number = release.manifest.model, release.manifest.number
        together = [row for _, rows in batch for row in rows]
        began = monotonic()
        self._watch.begin(model, number, len(together))
        views = self._views.get((model, number))
        try:
            found = together if views is None else self._features.found_now(views, together)
            outputs = release.runtime.predict_rows(found)
        except Exception as error:
            if len(batch) > 1:  # one request must not cost its neighbours their answers
                for one in batch:
                    self._batch(release, [one])
                return
            refused = isinstance(error, InvalidInput)
            if not refused:
                _LOG.warning("the shadow %s failed: %s", release.manifest.ref, error)
            self._count(model, number, "refused" if refused else "failed", len(together))
            return
        finally:
            self._watch.end()
        seconds = monotonic() - began
        width = max(1, len(release.manifest.output.classes))
        if getattr(outputs, "shape", None) != (len(together), width):
            self._count(model, number, "nonsense", len(together))
            return
        place = 0
        for seen, rows in batch:
            answers, answered = outputs[place : place + len(rows)], found[place : place + len(rows)]
            place += len(rows)
            if not np.isfinite(answers).all():
                self._count(model, number, "nonsense", len(rows))
                continue
            self._journal.predicted(
                seen.request_id,
                release.manifest,
                answered,
                answers.tolist(),
                seconds,
                role=Role.SHADOW,
                body=seen.rows if found is together else None,
            )
            self._count(model, number, "answered", len(rows))

    def _count(self, model: str, number: int, outcome: str, rows: int) -> None:
        self._meters.shadowed(model, f"{model}@{number}", outcome, rows)

    def _failed(self, model: str, number: int, rows: int) -> None:
        """The last words of a process that is ended in the middle of a batch."""
        self._count(model, number, "timeout", rows)
        with suppress(OSError):
            self._meters.write()


def _accept(release: OpenRelease, fields: Sequence[str]) -> None:
    """Let rows carry what other releases of the model read."""
    if isinstance(release.runtime, OnnxRuntime | NativeRuntime):
        manifest = release.manifest
        release.runtime.encoder = encoder_of(manifest.inputs, (*fields, *manifest.ignored), release.computed)


def main() -> None:
    """Read the orders, then answer."""
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        sys.stderr.write("the shadow process is started by the gateway: use `mainspring serve`\n")
        sys.exit(2)
    control = socket.socket(fileno=int(sys.argv[1]))
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = control.recv(1)  # not a byte more: what follows is news of the table
        if not byte:
            return
        line += byte
    orders = msgspec.json.decode(line, type=ShadowOrders)
    log_to(sys.stderr, as_json=orders.json_logs, worker="shadow")
    run_in_background(_NICE)
    threading.current_thread().name = "shadow"
    shadow = Shadow(orders, control)
    try:
        shadow.run()
    finally:
        shadow.close()
    logging.shutdown()
    os._exit(0)  # a thread stuck in a library must not keep a process that has done its work


if __name__ == "__main__":
    main()
