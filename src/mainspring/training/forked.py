"""What a forked child does before and around the user's code."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from mainspring.errors import MainspringError

_PR_SET_PDEATHSIG = 1
_SPARE = 2  # the kernel's limit is a backstop at twice the watched one, for a leap between two looks
_LIBC = ctypes.CDLL(None, use_errno=True)

Send = Callable[[Mapping[str, Any]], None]


def die_with_parent(parent: int) -> None:
    """Be killed as soon as the parent is gone, however it ends (Linux; elsewhere its closed pipe must do)."""
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def run_forked(
    work: Callable[[Send], Mapping[str, Any]],
    *,
    channel: socket.socket,
    output: int,
    memory: int,
    environment: Mapping[str, str],
    parent: int,
    explain: Callable[[BaseException], MainspringError],
) -> None:
    """Run the work in this freshly forked process, send what came of it, and end the process.

    Args:
        channel: takes messages as JSON lines.
        output: the descriptor that takes what the user's code prints.
        memory: bytes.
        explain: makes an error of whatever was raised.
    """
    code = 1
    try:
        os.setsid()  # a group of its own, so that whatever it starts can be ended with it
        die_with_parent(parent)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.dup2(output, 1)
        os.dup2(output, 2)
        faulthandler.enable(file=2)
        _limit_memory(memory)
        os.environ.update(environment)

        def send(message: Mapping[str, Any]) -> None:
            channel.sendall(msgspec.json.encode(message) + b"\n")

        try:
            send({"done": work(send)})
            code = 0
        except BaseException as error:
            traceback.print_exc()
            failure = explain(error)
            send({"error": failure.to_dict()})
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:
        # No clean-up of the server's state that this process inherited: it ends here.
        os._exit(code)


def _limit_memory(memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    used = _data_bytes()
    if used is not None:
        limit = used + _SPARE * memory
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard == resource.RLIM_INFINITY or limit < hard:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def _data_bytes() -> int | None:
    """The private writable memory mapped so far: what RLIMIT_DATA counts."""
    try:
        with open("/proc/self/status") as status:  # noqa: PTH123 - no path object in a process about to be limited
            for line in status:
                if line.startswith("VmData:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None
