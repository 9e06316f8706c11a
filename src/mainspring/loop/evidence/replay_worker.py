"""The process of a replay: it opens a release as a gateway does and answers the rows that it is given.

    python -m mainspring.loop.evidence.replay_worker DESCRIPTOR

A release that crashes, hangs or takes all memory does so here, and what is left of the replay says so.
"""

import os
import resource
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from mainspring.release.runtimes.frames import Answer, receive, send
from mainspring.release.runtimes.orphans import end_with_parent

if TYPE_CHECKING:
    from mainspring.release.opening import OpenRelease


class Opening(msgspec.Struct):
    """The release that is to be opened.

    Attributes:
        trusted: the folder of the public keys.
        memory: bytes that the process may take beyond what it has at its beginning.
    """

    folder: str
    trusted: str
    digest: str
    memory: int


class Rows(msgspec.Struct):
    """Typed rows with the release's inputs, as an Arrow stream."""

    stream: bytes


def main(descriptor: int) -> None:
    """Answer until the other end is gone."""
    os.dup2(2, 1)  # what the release's libraries print is no answer
    end_with_parent()
    channel = socket.socket(fileno=descriptor)
    with suppress(EOFError, ConnectionError, KeyboardInterrupt):
        opening = receive(channel, Opening)
        try:
            release = _opened(opening)
        except Exception as error:
            send(channel, Answer(problem=_words(error)))
            return
        send(channel, Answer())
        while True:
            send(channel, _answer(release, receive(channel, Rows)))


def _opened(opening: Opening) -> "OpenRelease":
    import polars  # noqa: F401 - it maps much memory at once, which must not count

    from mainspring.release.opening import open_release
    from mainspring.release.signing import trusted_keys

    _limit_memory(opening.memory)
    keys = trusted_keys(Path(opening.trusted))
    return open_release(Path(opening.folder), keys, expected_digest=opening.digest)


def _answer(release: "OpenRelease", rows: Rows) -> Answer:
    import polars as pl

    try:
        frame = pl.read_ipc_stream(rows.stream)
        outputs = np.asarray(release.runtime.predict_frame(frame), dtype=np.float64)
    except Exception as error:  # whatever the release does is what is asked
        return Answer(problem=_words(error))
    return Answer(np.ascontiguousarray(outputs).tobytes(), outputs.shape[1])


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:300]}" if str(error) else type(error).__name__


def _limit_memory(memory: int) -> None:
    with suppress(OSError, ValueError):
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted = mapped + memory
        resource.setrlimit(
            resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )


if __name__ == "__main__":
    main(int(sys.argv[1]))
