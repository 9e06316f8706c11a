"""One server, one round: started, warmed, measured case by case, stopped."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from environments import Environment
from pipeline import free_port
from servers import Server, ask, serving
from serving_peers import FAST, Peer, short
from wrk import Load, load, write_bodies

SERVER_CORE, LOAD_CORE = 0, 1
MANY = 100  # rows of a large request
_ONE_ROW_BODIES, _MANY_ROWS_BODIES = 1_000, 64
_SETTLE = 3.0  # seconds after the first answer, in which what starts in the background starts
_COMPARED = 200  # rows whose probabilities are compared


@dataclass(frozen=True)
class Case:
    """What is asked of a server.

    Attributes:
        seconds: of the measurement; a peer that takes milliseconds for each request gets half of it.
    """

    name: str
    rows: int
    connections: int
    seconds: float


CASES = (
    Case("one row, 16 connections", 1, 16, 6),
    Case("one row, 1 connection", 1, 1, 3),
    Case("100 rows, 16 connections", MANY, 16, 5),
    Case("100 rows, 1 connection", MANY, 1, 2),
)
ONE_16, _ONE_1, MANY_16, _MANY_1 = (case.name for case in CASES)


@dataclass(frozen=True)
class Arena:
    """Where the servers meet.

    Attributes:
        project: the folder of the project whose release all serve.
        files: the folder of the model's files, as the peers read them, and of the requests.
        rows: by feature.
        quick: short cases, to see that all works.
    """

    project: Path
    files: Path
    rows: Sequence[Mapping[str, Any]]
    quick: bool

    def bodies(self, peer: Peer, rows: int) -> Path:
        """The requests with so many rows as this server takes them, one a line."""
        place = self.files / f"{short(peer.name)}-{rows}.jsonl"
        if not place.exists():
            count = _ONE_ROW_BODIES if rows == 1 else _MANY_ROWS_BODIES
            parts = (self.rows[first * rows : (first + 1) * rows] for first in range(count))
            write_bodies(place, [peer.body(part) for part in parts])
        return place

    @contextmanager
    def running(self, peer: Peer, environment: Environment | None) -> Iterator[Server]:
        """The server, once it has answered. Raises `NoAnswer`."""
        port = free_port()
        with serving(
            peer.command(environment, port, self.files),
            port,
            (peer.path, _document(peer, self.rows[:1])),
            self.project if peer.ours else self.files,
            core=SERVER_CORE,
            variables=peer.variables(self.files),
            log=self.files / f"{short(peer.name)}.log",
        ) as server:
            yield server

    def difference(self, peer: Peer, server: Server, expected: np.ndarray) -> float:
        """The greatest difference of a probability from the original estimator's, one row at a time and many."""
        if peer.probabilities is None:
            return 0.0
        found = []
        for first, rows in ((0, _COMPARED // 2), *((at, 1) for at in range(_COMPARED // 2, _COMPARED))):
            answer = ask(server.port, peer.path, _document(peer, self.rows[first : first + rows]))
            found += peer.probabilities(json.loads(answer))
        return float(np.abs(np.array(found) - expected[:_COMPARED]).max())

    def keep_answers(self, peer: Peer, server: Server) -> None:
        """As files, for the server that only echoes."""
        for rows in (1, MANY):
            answer = ask(server.port, peer.path, _document(peer, self.rows[:rows]))
            (self.files / f"answer-{rows}.json").write_bytes(answer)

    def measure(self, peer: Peer, environment: Environment | None) -> dict[str, float]:
        """One round of one server. Raises `NoAnswer`, `LoadFailed`."""
        fast = peer.name in FAST
        figures: dict[str, float] = {}
        failed = 0
        with self.running(peer, environment) as server:
            time.sleep(_SETTLE)
            for rows in (1, MANY):
                self._load(peer, server, rows, 16, 1)
            for case in CASES:
                seconds = 2 if self.quick else case.seconds if fast else max(2, case.seconds / 2)
                before = server.cpu()
                seen = self._load(peer, server, case.rows, case.connections, seconds)
                spent = sum(seconds - before.get(pid, 0.0) for pid, seconds in server.cpu().items())
                failed += seen.refused + seen.broken
                figures |= {
                    f"{case.name}: requests/s": seen.rate,
                    f"{case.name}: rows/s": seen.rate * case.rows,
                    f"{case.name}: p50 ms": seen.p50,
                    f"{case.name}: p99 ms": seen.p99,
                    f"{case.name}: CPU ms": spent / seen.requests * 1e3 if seen.requests else 0.0,
                }
            server.sample()
            figures |= {
                "failed": failed,
                "first answer s": server.first_answer,
                "worker MB": server.worker_mb(),
                "tree MB": server.tree_mb,
                "processes": server.processes,
            }
        return figures

    def _load(self, peer: Peer, server: Server, rows: int, connections: int, seconds: float) -> Load:
        bodies = self.bodies(peer, rows)
        return load(server.port, peer.path, bodies, connections=connections, seconds=seconds, core=LOAD_CORE)


def _document(peer: Peer, rows: Sequence[Mapping[str, Any]]) -> bytes:
    return json.dumps(peer.body(rows), separators=(",", ":")).encode()
