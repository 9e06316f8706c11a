"""Runs a command and watches the memory of its whole process tree."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

MAINSPRING = str(Path(sys.executable).with_name("mainspring"))
_INTERVAL = 0.1


@dataclass
class Memory:
    """Peaks over a process tree, in MB.

    Attributes:
        rss: the sum of the resident sets; pages that forked processes share count once for each.
        pss: the same with each shared page divided among those who share it (Linux; elsewhere 0).
    """

    rss: float = 0.0
    pss: float = 0.0


@dataclass(frozen=True)
class Measured:
    seconds: float
    memory: Memory
    output: str

    @property
    def document(self) -> Any:
        """The JSON document on standard output."""
        return json.loads(self.output)


class CommandFailed(Exception):
    """The command ended with another code than 0; the message holds the end of what it said."""


def run(command: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None) -> Measured:
    """Run a command to its end.

    Raises:
        CommandFailed: it ended with another code than 0.
    """
    start = time.perf_counter()
    with _started(command, folder, variables) as (process, memory):
        output, complaint = process.communicate()
        seconds = time.perf_counter() - start
    if process.returncode != 0:
        raise CommandFailed(f"{' '.join(command)} ended with {process.returncode}: {(output + complaint)[-2000:]}")
    return Measured(seconds, memory, output)


def mainspring(*arguments: str, folder: Path) -> Measured:
    """Run a verb of the command line with `--json`."""
    return run([MAINSPRING, *arguments, "--json"], folder)


@contextmanager
def running(
    command: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None
) -> Iterator[tuple["subprocess.Popen[str]", Memory]]:
    """A server for as long as the block runs; its output goes to `server.log` in the folder."""
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, text=True, env=_environment(variables)
        )
        try:
            with watched(process.pid) as memory:
                yield process, memory
        finally:
            _stop(process)


@contextmanager
def watched(pid: int) -> Iterator[Memory]:
    """Sample the memory of a process and its descendants until the block ends."""
    memory, ended = Memory(), threading.Event()

    def watch() -> None:
        while not ended.is_set():
            rss, pss = tree_memory(pid)
            memory.rss, memory.pss = max(memory.rss, rss), max(memory.pss, pss)
            ended.wait(_INTERVAL)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        ended.set()
        thread.join()


def tree_memory(pid: int) -> tuple[float, float]:
    """Resident and proportional memory of a process and its descendants now, in MB."""
    try:
        family = [(root := psutil.Process(pid)), *root.children(recursive=True)]
    except psutil.Error:
        return 0.0, 0.0
    rss = pss = 0.0
    for member in family:
        try:
            full = member.memory_full_info()
        except (psutil.Error, OSError):
            continue  # it has just ended
        rss, pss = rss + full.rss, pss + getattr(full, "pss", 0)
    return rss / 1e6, pss / 1e6


@contextmanager
def _started(
    command: Sequence[str], folder: Path, variables: Mapping[str, str] | None
) -> Iterator[tuple["subprocess.Popen[str]", Memory]]:
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(variables),
    )
    try:
        with watched(process.pid) as memory:
            yield process, memory
    finally:
        _stop(process)


def _environment(variables: Mapping[str, str] | None) -> dict[str, str]:
    """Ours, as in an activated environment: tools start each other by name."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "PYTHONWARNINGS": "ignore", **(variables or {})}


def _stop(process: "subprocess.Popen[str]") -> None:
    """End it and what it started."""
    if process.poll() is not None:
        return
    children = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in children:
        if child.is_running():
            child.kill()
