"""What shadows and swaps cost those who are being answered."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import open_loop
from harness import say
from mainspring.domain.routing import Share, Traffic
from mainspring.settings import load_settings
from mainspring.workspace import Workspace
from servers import Server
from serving_peers import ALL, MODEL, OURS
from serving_rounds import LOAD_CORE, Arena
from wrk import load

_US = ALL[OURS]
_LOG_INTERVAL = 10  # seconds between two commits of the prediction log
_OTHER = 2  # the release that is shadow, and that is swapped with the first


@contextmanager
def _workspace(arena: Arena) -> Iterator[Workspace]:
    with Workspace(load_settings(arena.project, {})) as workspace:
        yield workspace


def shadows(arena: Arena, rounds: int) -> dict[str, Any]:
    """The cost of a shadow, for a tenth of the traffic and for all of it."""
    seconds = 2 if arena.quick else _LOG_INTERVAL  # so that each case bears the cost of storing the log
    bodies = arena.bodies(_US, 1)
    shares: list[dict[str, float]] = []
    open_rounds: list[dict[str, float]] = []
    with _workspace(arena) as workspace, arena.running(_US, None) as server:

        def rate(share: float) -> float:
            _set_share(workspace, share)
            return load(server.port, _US.path, bodies, connections=16, seconds=seconds, core=LOAD_CORE).rate

        rate(0)  # warms it
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}: a shadow for a tenth")
            order = (("none", 0.0), ("a tenth", 0.1))
            shares.append({name: rate(share) for name, share in (order if number % 2 else reversed(order))})
        capacity = median(one["none"] for one in shares)
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}: a shadow for all, at half the capacity")
            both = {}
            order = (("none", 0.0), ("all", 1.0))
            for name, share in order if number % 2 else reversed(order):
                _set_share(workspace, share)
                both |= {f"{name}: {key}": value for key, value in _at_rate(arena, server, capacity / 2).items()}
            open_rounds.append(both)
        _set_share(workspace, 0)
    return {
        "capacity requests/s": round(capacity, 1),
        "a tenth: share of throughput kept": _middle(one["a tenth"] / one["none"] for one in shares),
        "all: times the CPU ms of a request": _middle(
            one["all: CPU ms"] / one["none: CPU ms"] for one in open_rounds
        ),
        "all: times the p99": _middle(one["all: p99 ms"] / one["none: p99 ms"] for one in open_rounds),
        "failed": sum(one["none: failed"] + one["all: failed"] for one in open_rounds),
        "closed loop": shares,
        "open loop": open_rounds,
    }


def swaps(arena: Arena, promotions: int, rollbacks: int) -> dict[str, Any]:
    """Promotions and rollbacks while requests arrive at half the capacity."""
    bodies = arena.bodies(_US, 1)
    stories = arena.files / "swaps.json"
    out = arena.files / "swaps.npy"
    with arena.running(_US, None) as server:
        load(server.port, _US.path, bodies, connections=16, seconds=1, core=LOAD_CORE)
        capacity = load(server.port, _US.path, bodies, connections=16, seconds=2, core=LOAD_CORE).rate
        script = str(Path(__file__).with_name("serving_swaps.py"))
        arguments = [str(arena.project), str(promotions), str(rollbacks), str(stories)]
        swapping = subprocess.Popen(
            # Beside the load generator, and giving way to it, so that it disturbs neither side.
            ["taskset", "--cpu-list", str(LOAD_CORE), "nice", "-n", "15", sys.executable, script, *arguments]
        )
        parts = []
        while swapping.poll() is None:
            sending = open_loop.start(
                server.port, _US.path, bodies, rate=capacity / 2, seconds=10, core=LOAD_CORE, out=out
            )
            parts.append(open_loop.arrivals(sending, out))
        if swapping.returncode:
            raise RuntimeError(f"the swaps ended with {swapping.returncode}")
    seen = open_loop.Arrivals(
        np.concatenate([part.due for part in parts]), np.concatenate([part.latency for part in parts])
    )
    changes = json.loads(stories.read_text(encoding="utf-8"))
    during = _seconds_of(changes, seen.due)
    within, outside = seen.percentile(99, during), seen.percentile(99, ~during)
    return {
        "promotions": sum(not change["rollback"] for change in changes),
        "rollbacks": sum(change["rollback"] for change in changes),
        "taken over by all workers": sum(change["acknowledged"] for change in changes),
        "requests": len(seen.due),
        "rate requests/s": round(capacity / 2, 1),
        "failed": seen.failed,
        "seconds of a swap, median": _middle(change["end"] - change["begin"] for change in changes),
        "p99 ms in seconds with a swap": round(within, 3),
        "p99 ms in the other seconds": round(outside, 3),
        "share of requests in seconds with a swap": round(float(during.mean()), 3),
    }


def _seconds_of(changes: list[dict[str, float]], due: np.ndarray) -> np.ndarray:
    """Which requests were due in a second in which a change was under way."""
    busy = {second for one in changes for second in range(int(one["begin"]), int(one["end"]) + 1)}
    return np.isin(due.astype(np.int64), list(busy))


def _at_rate(arena: Arena, server: Server, rate: float) -> dict[str, float]:
    out = arena.files / "arrivals.npy"
    _settle(server)
    before, shadow_before = server.cpu(), _shadow_rows(server)
    sending = open_loop.start(
        server.port,
        _US.path,
        arena.bodies(_US, 1),
        rate=rate,
        seconds=_LOG_INTERVAL,
        core=LOAD_CORE,
        out=out,
    )
    seen = open_loop.arrivals(sending, out)
    spent = sum(seconds - before.get(pid, 0.0) for pid, seconds in server.cpu().items())
    rows = {name: now - shadow_before.get(name, 0) for name, now in _shadow_rows(server).items()}
    return {
        "p50 ms": seen.percentile(50),
        "p99 ms": seen.percentile(99),
        "CPU ms": spent / len(seen.due) * 1e3,
        "requests": len(seen.due),
        "failed": seen.failed,
        **{f"shadow rows {name}": number for name, number in rows.items()},
    }


def _set_share(workspace: Workspace, share: float) -> None:
    """Give the shadow its share, and wait until it sees it."""
    champion = next(route.champion for route in workspace.records.routes().routes if route.model == MODEL)
    other = _OTHER if champion != _OTHER else 1
    traffic = Traffic(shadows=(Share(other, share),) if share else ())
    generation = workspace.records.set_traffic(MODEL, traffic, actor="benchmark", reason="measured")
    deadline = time.monotonic() + 30
    while any(seen < generation for seen in workspace.records.workers(MODEL).values()):
        if time.monotonic() > deadline:
            raise RuntimeError("the gateway did not follow the routes within 30 seconds")
        time.sleep(0.05)
    time.sleep(2.0 if share else 1.0)  # its process starts, or ends


def _shadow_rows(server: Server) -> dict[str, int]:
    """The shadow's rows by what became of them, as the gateway counts them."""
    found: dict[str, int] = {}
    for labels, value in _metric(server, "mainspring_shadow_rows_total"):
        outcome = labels.partition('outcome="')[2].partition('"')[0]
        found[outcome] = found.get(outcome, 0) + int(value)
    return found


def _settle(server: Server) -> None:
    """Wait until all that was logged is stored."""
    deadline = time.monotonic() + 3 * _LOG_INTERVAL
    while time.monotonic() < deadline and any(
        value for _, value in _metric(server, "mainspring_log_waiting_bytes")
    ):
        time.sleep(0.25)


def _metric(server: Server, name: str) -> list[tuple[str, float]]:
    """The labels and values of a metric."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    parts = [line.rpartition(" ") for line in lines if line.startswith((f"{name}{{", f"{name} "))]
    return [(labels, float(value)) for labels, _, value in parts]


def _middle(values: Any) -> float:
    return round(median(values), 4)
