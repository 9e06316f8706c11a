"""wrk, the load generator, on a core of its own: many different bodies, and figures instead of text."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCRIPT = Path(__file__).with_name("wrk.lua")


class LoadFailed(Exception):
    """wrk is absent, or ended badly."""


@dataclass(frozen=True)
class Load:
    """What wrk saw.

    Attributes:
        p50, p99: milliseconds.
        refused: answers with a status over 399.
        broken: connections that failed, and requests that took over ten seconds.
    """

    requests: int
    seconds: float
    p50: float
    p99: float
    refused: int
    broken: int

    @property
    def rate(self) -> float:
        """Requests answered in a second."""
        return self.requests / self.seconds


def write_bodies(place: Path, documents: Sequence[Any]) -> None:
    """One body a line."""
    lines = [json.dumps(document, separators=(",", ":")) for document in documents]
    place.write_text("\n".join(lines) + "\n", encoding="utf-8")


def load(port: int, path: str, bodies: Path, *, connections: int, seconds: float, core: int) -> Load:
    """Keep so many connections busy for so long.

    Raises:
        LoadFailed: wrk is absent, or ended badly.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise LoadFailed("wrk is missing: install the system package `wrk`")
    options = ["--threads", "1", "--connections", str(connections), "--duration", f"{max(1, round(seconds))}s"]
    command = [wrk, *options, "--timeout", "10s", "--script", str(_SCRIPT), f"http://127.0.0.1:{port}"]
    done = subprocess.run(
        ["taskset", "--cpu-list", str(core), *command, "--", path, str(bodies)],
        capture_output=True,
        text=True,
        timeout=seconds + 60,
    )
    place = done.stdout.rfind('{"requests"')
    if done.returncode or place < 0:
        raise LoadFailed(f"wrk ended with {done.returncode}: {(done.stdout + done.stderr)[-500:]}")
    return Load(**json.loads(done.stdout[place:].splitlines()[0]))
