"""What a process that watches the model costs the gateway whose log it reads."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import psutil

import open_loop
from harness import say
from mainspring.monitoring.hours.window_profile import rows_by_hour
from mainspring.settings import load_settings
from mainspring.workspace import Workspace
from processes import MAINSPRING
from servers import Server
from serving import arena_of
from serving_peers import ALL, MODEL, OURS
from serving_rounds import LOAD_CORE, Arena
from wrk import load

_US = ALL[OURS]
_LOOK_EVERY = "5s"  # twelve times as often as by default
# And each look finds every monitor due, where by default that is so once an hour.
_OFTEN = """
from dataclasses import replace

model.monitors = [replace(monitor, every="10s") for monitor in model.watched]
"""
_SHARE = "the watching process: share of a core"
_TAKEN = "the watching process: rows that it took in meanwhile"
_FIRING = 3  # the exit code where an alert fires


def beside(folder: Path, rounds: int, *, quick: bool) -> dict[str, Any]:
    """The CPU time of a request with and without the watching process, at half of what the gateway can answer.

    Both run by turns on the same gateway, so that a machine that becomes slower hits both.
    """
    arena = arena_of(folder, quick=quick)
    declared = arena.project / "model.py"
    if _OFTEN not in declared.read_text(encoding="utf-8"):
        with declared.open("a", encoding="utf-8") as file:
            file.write(_OFTEN)
    seconds = 25 if quick else 40  # several commits of the log, and several looks
    seen: list[dict[str, float]] = []
    with arena.running(_US, None) as server:
        bodies = arena.bodies(_US, 1)
        load(server.port, _US.path, bodies, connections=16, seconds=2, core=LOAD_CORE)
        rate = load(server.port, _US.path, bodies, connections=16, seconds=3, core=LOAD_CORE).rate / 2
        _requests(arena, server, rate, 5)
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}: the gateway alone, and watched")
            figures: dict[str, float] = {}
            for name in ("alone", "watched") if number % 2 else ("watched", "alone"):
                if name == "alone":
                    figures |= _named(name, _requests(arena, server, rate, seconds))
                    continue
                with _watching(arena.project) as watcher:
                    known = _sketched(arena.project)
                    before, began = _cpu(watcher), time.monotonic()
                    figures |= _named(name, _requests(arena, server, rate, seconds))
                    share = (_cpu(watcher) - before) / (time.monotonic() - began)
                    figures[_SHARE] = share
                    figures[_TAKEN] = _sketched(arena.project) - known
            seen.append(figures)
    return {
        "requests/s": round(rate, 1),
        "watched: times the CPU ms of a request": round(
            median(one["watched: CPU ms"] / one["alone: CPU ms"] for one in seen), 4
        ),
        "watched: times the p99": round(median(one["watched: p99 ms"] / one["alone: p99 ms"] for one in seen), 4),
        _SHARE: round(median(one[_SHARE] for one in seen), 4),
        _TAKEN: sum(one[_TAKEN] for one in seen),
        "failed": sum(one["alone: failed"] + one["watched: failed"] for one in seen),
        "by round": seen,
    }


@contextmanager
def _watching(project: Path) -> Iterator[psutil.Process]:
    """The process, once it has looked at all that is there."""
    command = [MAINSPRING, "monitor", "run"]
    done = subprocess.run([*command, "--once"], cwd=project, capture_output=True, text=True)
    if done.returncode not in (0, _FIRING):
        sys.exit(f"monitor run --once ended with {done.returncode}: {done.stderr[-1000:]}")
    process = subprocess.Popen(
        # Beside the load generator, so that the gateway keeps its core.
        ["taskset", "--cpu-list", str(LOAD_CORE), *command, "--every", _LOOK_EVERY],
        cwd=project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(5)  # it starts, and looks for the first time
    if process.poll() is not None:
        sys.exit(f"the watching process ended with {process.returncode}")
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _requests(arena: Arena, server: Server, rate: float, seconds: float) -> dict[str, float]:
    out = arena.files / "watched.npy"
    before = server.cpu()
    sending = open_loop.start(
        server.port, _US.path, arena.bodies(_US, 1), rate=rate, seconds=seconds, core=LOAD_CORE, out=out
    )
    seen = open_loop.arrivals(sending, out)
    spent = sum(seconds - before.get(pid, 0.0) for pid, seconds in server.cpu().items())
    return {"CPU ms": spent / len(seen.due) * 1e3, "p99 ms": seen.percentile(99), "failed": seen.failed}


def _sketched(project: Path) -> int:
    """How many answers the watching process has taken in so far."""
    with Workspace(load_settings(project, {})) as workspace:
        return sum(rows for _, rows in rows_by_hour(workspace.tables, MODEL))


def _named(name: str, figures: dict[str, float]) -> dict[str, float]:
    return {f"{name}: {key}": value for key, value in figures.items()}


def _cpu(process: psutil.Process) -> float:
    """Seconds that it took, with the children that it has."""
    members = [process, *process.children(recursive=True)]
    return sum(one.cpu_times().user + one.cpu_times().system for one in members)
