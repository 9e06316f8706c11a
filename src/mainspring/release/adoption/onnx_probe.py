"""Tries a foreign ONNX graph in a process of its own, with little memory: what crashes, crashes there.

    python -m mainspring.release.adoption.onnx_probe BYTES < model.onnx

Prints nothing where all is well, else why not.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from typing import Any

from mainspring.errors import MainspringError, ReleaseError

_MEMORY = 6_000_000_000  # bytes of address space, and as many times the file as loading copies it
_COPIES = 4
_SECONDS = 120


def probe(content: bytes, name: str) -> None:
    """Load the model and let it answer two rows of zeros, in a child process.

    Raises:
        ReleaseError: it does not load, does not answer, crashes, or takes too much memory or time.
    """
    limit = _MEMORY + _COPIES * len(content)
    command = [sys.executable, "-m", "mainspring.release.adoption.onnx_probe", str(limit)]
    try:
        done = subprocess.run(
            command,
            input=content,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired as error:
        raise _refused(name, f"does not load and answer within {_SECONDS} s") from error
    if done.returncode:
        how = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit code {done.returncode}"
        raise _refused(name, f"crashes ONNX Runtime ({how})")
    if problem := done.stdout.decode("utf-8", "replace").strip():
        raise _refused(name, f"is of no use to ONNX Runtime: {problem[:400]}")


def main(limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.dup(1)
    os.dup2(2, 1)  # what the runtime prints is not an answer
    try:
        _try(sys.stdin.buffer.read())
    except MainspringError as error:
        os.write(answers, error.message.encode())
    except MemoryError:
        os.write(answers, b"it needs too much memory")
    except Exception as error:  # whatever onnxruntime raises
        os.write(answers, f"{type(error).__name__}: {str(error)[:400]}".encode())


def _try(content: bytes) -> None:
    import numpy as np

    from mainspring.release.adoption.onnx_session import TYPES, OnnxSession

    session = OnnxSession(content)
    feeds: dict[str, Any] = {}
    for port in session.inputs:
        if port.type not in TYPES or len(port.shape) not in (1, 2):
            return  # told in better words by the one that asks
        shape = (2, *(extent if extent is not None else 1 for extent in port.shape[1:]))
        empty = "" if TYPES[port.type] == "object" else 0
        feeds[port.name] = np.full(shape, empty, dtype=TYPES[port.type])
    if all(port.shape[0] in (None, 2) and (len(port.shape) < 2 or port.shape[1]) for port in session.inputs):
        session.run(feeds)


def _refused(name: str, problem: str) -> ReleaseError:
    return ReleaseError(f"{name} {problem}", cure="export the model again", where={"file": name})


if __name__ == "__main__":
    main(int(sys.argv[1]))
