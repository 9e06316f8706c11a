"""A server on a core of its own: started, asked until it answers, watched, and stopped. Linux only."""

import contextlib
import http.client
import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

_PATIENCE = 120.0  # seconds to the first answer
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SAMPLE = 0.25


class NoAnswer(Exception):
    """The server ended, or never answered with 200; the message ends with what it said."""


@dataclass
class Server:
    """A running server.

    Attributes:
        first_answer: seconds from its start to its first answer.
        tree_mb: the peak of the resident memory of all its processes together, in MB.
        processes: the peak of the number of its processes.
    """

    port: int
    pid: int
    log: Path
    first_answer: float = 0.0
    tree_mb: float = 0.0
    processes: int = 0

    def family(self) -> list[int]:
        """The process and its descendants."""
        try:
            root = psutil.Process(self.pid)
            return [self.pid, *(child.pid for child in root.children(recursive=True))]
        except psutil.Error:
            return []

    def cpu(self) -> dict[int, float]:
        """Seconds of user and system time that each of its processes took so far."""
        return {pid: seconds for pid in self.family() if (seconds := _cpu(pid)) is not None}

    def busiest(self) -> int:
        """The process that took most time: the one that answers."""
        return max(self.cpu().items(), key=lambda one: one[1])[0]

    def worker_mb(self) -> float:
        """The peak of the resident memory of the process that answers, in MB."""
        return _peak_mb(self.busiest())

    def sample(self) -> None:
        family = self.family()
        self.tree_mb = max(self.tree_mb, sum(map(_resident_mb, family)))
        self.processes = max(self.processes, len(family))


@contextmanager
def serving(
    command: Sequence[str],
    port: int,
    question: tuple[str, bytes],
    folder: Path,
    *,
    core: int,
    variables: Mapping[str, str],
    log: Path,
) -> Iterator[Server]:
    """A server that has answered once, for as long as the block runs.

    Args:
        question: the path and body that it is asked with.
        folder: that it runs in.
        core: that all of its processes run on.

    Raises:
        NoAnswer: it did not answer.
    """
    # What the tools of the environment start by name must be the environment's own.
    path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1", **variables}
    with log.open("w") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            ["taskset", "--cpu-list", str(core), *command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        server = Server(port, process.pid, log)
        ended = threading.Event()
        watcher = threading.Thread(target=_watch, args=(server, ended), daemon=True)
        try:
            _ask_until_answered(process, port, question, log)
            server.first_answer = time.perf_counter() - started
            watcher.start()
            yield server
        finally:
            ended.set()
            _stop(process, server.family())
            if watcher.is_alive():
                watcher.join()


def ask(port: int, path: str, body: bytes) -> bytes:
    """The answer's body. Raises `NoAnswer` for any status but 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", path, body, {"content-type": "application/json"})
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise NoAnswer(f"{path} answered {response.status}: {content[:300]!r}")
    return content


def _ask_until_answered(
    process: "subprocess.Popen[bytes]", port: int, question: tuple[str, bytes], log: Path
) -> None:
    deadline = time.monotonic() + _PATIENCE
    refusal = "it does not listen"
    while time.monotonic() < deadline and process.poll() is None:
        try:
            ask(port, *question)
            return
        except NoAnswer as error:
            refusal = str(error)
        except (OSError, http.client.HTTPException):
            pass  # it does not listen yet
        time.sleep(0.01)
    raise NoAnswer(f"{refusal}; the server said: {log.read_text(errors='replace')[-1500:]}")


def _watch(server: Server, ended: threading.Event) -> None:
    while not ended.is_set():
        server.sample()
        ended.wait(_SAMPLE)


def _stop(process: "subprocess.Popen[bytes]", family: Sequence[int]) -> None:
    """End it and what it started."""
    members = []
    for pid in family:
        with contextlib.suppress(psutil.Error):
            members.append(psutil.Process(pid))
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _, alive = psutil.wait_procs(members, timeout=2)
    for member in alive:
        with contextlib.suppress(psutil.Error):
            member.kill()


def _cpu(pid: int) -> float | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None  # it has just ended
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def _resident_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1]) * _PAGE / 1e6
    except OSError:
        return 0.0


def _peak_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0
