"""A writer's spool: what must not be lost is handed to the system in one write before the answer goes out.

In `batch` a thread makes it durable every 100 ms, and what cannot be written is dropped and counted; in `strict`
the answer waits until a sync that all waiting requests share has made it durable, and what cannot be written is
refused. See `spool_files` for what the files hold.
"""

import asyncio
import fcntl
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from zlib import crc32

from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.domain.ids import uuid7
from mainspring.errors import Unavailable
from mainspring.serving.spool_files import HEAD, LARGEST, SpoolFile, spooled_bytes
from mainspring.stores.atomic import FULL, sync_folder

_LOG = logging.getLogger("mainspring.gateway")
SYNC_EVERY = 0.1  # seconds: what a power cut may cost in `batch`
_MEASURE_EVERY = 10  # syncs between two looks at the size of the folder
_TELL_EVERY = 60.0  # seconds between two alerts
_FILE_BYTES = 32 << 20
_FILE_AGE = 60.0  # seconds; a drained file can only go when its writer has let go of it


class Spool:
    """The files of one writer. `append` belongs to one thread, that of the event loop.

    Args:
        folder: shared with other writers; made where absent.
        writer: what kind of writer it is, e.g. `worker-0`; its name is made unique for all time.
        limit: bytes that all files of the folder together may have.
        strict: see above.
        dropped: told why something was dropped: `full` (disk), `limit`, `size` or `error`.

    Attributes:
        generation: counts the files; what a reader needs to know for a file has to be said anew in each.
        position: in the stream of all its files: bytes of whole frames that were written.
    """

    def __init__(
        self,
        folder: Path,
        writer: str,
        *,
        limit: int,
        strict: bool = False,
        dropped: Callable[[str], object] = lambda why: None,  # noqa: ARG005
        clock: Clock = SYSTEM_CLOCK,
        file_bytes: int = _FILE_BYTES,
        file_age: float = _FILE_AGE,
    ) -> None:
        self.strict = strict
        self.generation = 0
        self.position = 0
        self._folder = folder
        self._writer = f"{writer}-{uuid7(clock)}"
        self._limit = limit
        self._dropped = dropped
        self._clock = clock
        self._file_bytes = file_bytes
        self._file_age = file_age
        self._descriptor: int | None = None
        self._size = 0  # of the present file: whole frames only
        self._opened_at = 0.0
        self._old = False  # the present file's time is over; set by the thread
        self._room = limit
        self._measure()
        self._drops = 0
        self._why = ""
        self._left: deque[int] = deque()  # descriptors that the thread syncs and closes; nobody else closes one
        self._named = False  # a file was named since the folder was last synced
        self._synced = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._wake = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._keep_synced, name="spool", daemon=True)
        self._thread.start()

    def append(self, payload: bytes, *, must_keep: bool = False) -> "asyncio.Future[None] | None":
        """Hand the payload to the system.

        Args:
            must_keep: raise where it cannot be written, in `batch` too.

        Returns:
            In `strict` a future that ends when the payload is durable (it raises `Unavailable` where it cannot
            be): await it before the answer. In `batch` `None`.

        Raises:
            Unavailable: in `strict`, or with `must_keep`, when it cannot be written.
        """
        length = len(payload)
        size = length + HEAD.size
        if size > self._room or length > LARGEST:
            self._refuse("limit" if length <= LARGEST else "size", must_keep)
            return None
        try:
            descriptor = self._descriptor
            if descriptor is None:
                descriptor = self._open()
            written = os.write(descriptor, HEAD.pack(length, crc32(payload)) + payload)
        except OSError as error:
            self._why = error.strerror or str(error)
            self._mend()
            self._refuse("error" if error.errno not in FULL else "full", must_keep)
            return None
        if written != size:
            self._why = "the disk is full"
            self._mend()
            self._refuse("full", must_keep)
            return None
        future = None
        if self.strict:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append((self.position + size, future))
        self._count(size)
        if future is not None:
            self._wake.set()
        return future

    def append_together(self, payloads: Sequence[bytes]) -> bool:
        """In `batch`, hand all payloads to the system in one write, into one file.

        Returns:
            Whether that was done. Where not, none was written: `append` each, and hear what is wrong.
        """
        if self.strict:
            return False
        parts: list[bytes] = []
        for payload in payloads:
            length = len(payload)
            if length > LARGEST:
                return False
            parts += (HEAD.pack(length, crc32(payload)), payload)
        content = b"".join(parts)
        if len(content) > self._room:
            return False
        try:
            descriptor = self._descriptor
            if descriptor is None:
                descriptor = self._open()
            written = os.write(descriptor, content)
        except OSError:
            written = -1
        if written != len(content):
            self._mend()
            return False
        self._count(written)
        return True

    def _count(self, size: int) -> None:
        """So much was written."""
        self._room -= size
        self._size += size
        self.position += size
        if self._old or self._size >= self._file_bytes:
            self._turn()

    def close(self) -> None:
        """Make everything durable, and let go of the file."""
        if self._ending:
            return
        if self._descriptor is not None:
            self._turn()
        self._ending = True
        self._wake.set()
        self._thread.join()

    def _open(self) -> int:
        """A new file, locked before it has its name: a file without a lock is one whose writer is gone."""
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".{self._writer}.draft"
        draft.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(draft, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft.rename(self._folder / SpoolFile.name(self._writer, self.position))
        except BaseException:
            os.close(descriptor)
            raise
        self._size = 0
        self._opened_at = self._clock.monotonic()
        self._old = False
        self._named = True
        self._descriptor = descriptor
        return descriptor

    def _turn(self) -> None:
        assert self._descriptor is not None
        self._left.append(self._descriptor)
        self._descriptor = None
        self.generation += 1

    def _mend(self) -> None:
        """Cut what a failed write left of its frame; where that fails too, readers will find and cut it."""
        if self._descriptor is not None:
            try:
                os.ftruncate(self._descriptor, self._size)
            except OSError:
                self._turn()

    def _refuse(self, why: str, must_keep: bool) -> None:
        if why == "limit":
            self._why = f"{self._limit:,} bytes wait to be stored"
        if self.strict or must_keep:
            raise Unavailable(
                "the prediction log cannot take more, and nothing may go unrecorded",
                cure="ask again in a moment; the operator finds the reason in the gateway's log",
                where={"reason": why},
            )
        self._drops += 1
        self._dropped(why)

    def _keep_synced(self) -> None:
        """The thread: makes durable what was written, and looks how much room there is."""
        rounds, told_drops, told_at = 0, 0, -_TELL_EVERY
        while not self._ending:
            self._wake.wait(SYNC_EVERY)
            self._wake.clear()
            self._sync()
            rounds += 1
            if rounds % _MEASURE_EVERY == 0:
                self._measure()
            now = self._clock.monotonic()
            if self._size and now - self._opened_at > self._file_age:
                self._old = True
            if self._drops > told_drops and now - told_at > _TELL_EVERY:
                count = self._drops - told_drops
                _LOG.error("%d records of the prediction log were dropped: %s", count, self._why)
                told_drops, told_at = self._drops, now
        self._sync()

    def _measure(self) -> None:
        with suppress(OSError):  # where the folder cannot be read, writing says so
            self._room = self._limit - spooled_bytes(self._folder)

    def _sync(self) -> None:
        """Sync what is not durable yet. The order of the reads lets a file turn at any point."""
        target = self.position
        present = self._descriptor
        left = [self._left.popleft() for _ in range(len(self._left))]
        error: OSError | None = None
        if target > self._synced or left:
            try:
                for descriptor in {*left, *(() if present is None else (present,))}:
                    os.fsync(descriptor)
                if self._named:
                    self._named = False
                    sync_folder(self._folder)
                self._synced = target
            except OSError as fault:
                # What the system still holds of the file is not known any more: go on with a new one.
                error = fault
                self._why = fault.strerror or str(fault)
                self._old = True
                self._synced = target
                _LOG.error("the prediction log could not be made durable: %s", self._why)
        for descriptor in left:
            with suppress(OSError):
                os.close(descriptor)
        done = []
        while self._waiting and self._waiting[0][0] <= target:
            done.append(self._waiting.popleft()[1])
        if done:
            with suppress(RuntimeError):  # the loop has ended, and nobody waits
                done[0].get_loop().call_soon_threadsafe(_tell, done, error)


def _tell(waiting: "list[asyncio.Future[None]]", error: OSError | None) -> None:
    for future in waiting:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(
                Unavailable(
                    "the prediction log could not be made durable, and nothing may go unrecorded",
                    cure="ask again in a moment; the operator finds the reason in the gateway's log",
                    where={"reason": "error"},
                )
            )
