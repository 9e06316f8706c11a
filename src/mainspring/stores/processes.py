"""Who a process is, so that one that is gone can be told from one that lives."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

_ENDED = "ZXx"  # a zombie and two letters for dead, of proc(5)


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process, once and for ever: numbers are used again, so its start belongs to it.

    Attributes:
        host: the machine, and on Linux the container's own numbering of processes.
        start: when it started, in a form that a change of the clock does not move.
    """

    host: str
    pid: int
    start: str

    @classmethod
    def mine(cls) -> "ProcessIdentity":
        pid = os.getpid()
        return cls(_host(), pid, _start_of(pid) or "")

    def is_gone(self) -> bool:
        """Whether the process has surely ended. `False` where it cannot be known: on another host."""
        return self.host == _host() and _start_of(self.pid) != self.start


def _host() -> str:
    namespace = Path("/proc/self/ns/pid")
    numbering = namespace.readlink() if namespace.exists() else ""
    return f"{socket.gethostname()} {numbering}".strip()


def _start_of(pid: int) -> str | None:
    """The start of a living process, `None` for one that is gone or only waits to be reaped."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    if not boot.exists():
        return _start_without_proc(pid)
    try:
        # Of proc(5): the state is field 3; field 22 is the start in ticks since the boot, which no change of the
        # clock moves. The name before them may hold blanks.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, ticks = fields[0], fields[19]
    return None if state in _ENDED else f"{boot.read_text().strip()}:{ticks}"


def _start_without_proc(pid: int) -> str | None:
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return None
        return f"{process.create_time():.2f}"
    except psutil.NoSuchProcess:
        return None
