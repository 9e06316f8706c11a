"""Spool files as their readers see them: what they are called, which frames they hold, and whether more will come.

A file is a row of frames: length and CRC-32 of the payload, four bytes each, little-endian, then the payload. Its
name says who writes it and at which position of that writer's stream it begins, so that a frame's end is one
number that only ever grows: `<writer>-<position>.spool`. A writer holds a lock on its file until it is done with
it, or dead; what stands behind the last whole frame of a file that nobody holds is torn, and cut.
"""

import fcntl
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

HEAD = struct.Struct("<II")
LARGEST = 1 << 30  # bytes of a payload
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]{0,79})-(\d{18})\.spool")
_READ = 1 << 20


def frame(payload: bytes) -> bytes:
    """The payload as it stands in a file.

    Examples:
        >>> frame(b"Phello").hex()
        '06000000cff87e4d5068656c6c6f'
    """
    return HEAD.pack(len(payload), crc32(payload)) + payload


@dataclass(frozen=True, slots=True, order=True)
class SpoolFile:
    """One file of a writer.

    Attributes:
        base: the position of its first byte in the writer's stream.
    """

    writer: str
    base: int
    path: Path

    @classmethod
    def name(cls, writer: str, base: int) -> str:
        return f"{writer}-{base:018d}.spool"


def spool_files(folder: Path) -> list[SpoolFile]:
    """The spool files of a folder, each writer's in their order; what is named otherwise is not ours."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                named = _NAME.fullmatch(entry.name)
                if named and entry.is_file(follow_symlinks=False):
                    found.append(SpoolFile(named[1], int(named[2]), Path(entry.path)))
    except FileNotFoundError:
        return []
    return sorted(found)


def spooled_bytes(folder: Path) -> int:
    """The size of all files in a spool folder."""
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    total += entry.stat(follow_symlinks=False).st_size
                except FileNotFoundError:
                    continue  # drained in between
    except FileNotFoundError:
        pass
    return total


class SpoolReader:
    """Reads one file frame by frame, while it grows and after its writer's end.

    Attributes:
        offset: behind the last frame that was read, in bytes of the file.
        finished: nobody writes the file any more, and all of it was read.
        damaged: bytes that were no frame, and were passed over.
    """

    def __init__(self, file: SpoolFile) -> None:
        self.file = file
        self.offset = 0
        self.finished = False
        self.damaged = 0
        self.stopped = False  # before bytes that may still become a frame
        self._passed: set[int] = set()
        self._descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        self._abandoned = False

    def read(self, budget: int) -> Iterator[tuple[int, bytes]]:
        """The whole frames from here on: position of the end in the writer's stream, payload.

        Args:
            budget: stop when so many bytes were given.
        """
        abandoned = self._is_abandoned()  # asked first: what is there after that is all that there will ever be
        size = os.fstat(self._descriptor).st_size
        given = 0
        buffer, start = b"", self.offset
        self.stopped = False
        while self.offset < size:
            if given >= budget:
                return
            place = self.offset - start
            have = len(buffer) - place
            need = HEAD.size if have < HEAD.size else HEAD.size + HEAD.unpack_from(buffer, place)[0]
            if have < need and start + len(buffer) < size and self.offset + need <= size and need <= LARGEST + 8:
                buffer, start = os.pread(self._descriptor, max(_READ, need), self.offset), self.offset
                if not buffer:
                    break
                continue
            payload = _payload(buffer, place) if have >= need else None
            if payload is None:
                if not abandoned:
                    self.stopped = True
                    return
                self._pass_damage(size)
                buffer, start = b"", self.offset
                continue
            self.offset += need
            given += need
            yield self.file.base + self.offset, payload
        self.finished = abandoned

    def rewind(self) -> None:
        """Read the file from its start again."""
        self.offset = 0
        self.finished = False

    def close(self) -> None:
        os.close(self._descriptor)

    def _is_abandoned(self) -> bool:
        if not self._abandoned:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return False
            self._abandoned = True
        return True

    def _pass_damage(self, size: int) -> None:
        """Go behind a broken frame: to the next one where its length led there, else to the end of the file."""
        here = self.offset
        head = os.pread(self._descriptor, HEAD.size, here)
        behind = size
        if len(head) == HEAD.size:
            claimed = here + HEAD.size + HEAD.unpack(head)[0]
            if claimed + HEAD.size < size and self._is_frame(claimed, size):
                behind = claimed
        if here not in self._passed:
            self._passed.add(here)
            self.damaged += behind - here
        self.offset = behind

    def _is_frame(self, place: int, size: int) -> bool:
        length = HEAD.unpack(os.pread(self._descriptor, HEAD.size, place))[0]
        if place + HEAD.size + length > size or length > LARGEST:
            return False
        return _payload(os.pread(self._descriptor, HEAD.size + length, place), 0) is not None


def _payload(buffer: bytes, place: int) -> bytes | None:
    """The payload of the frame at this place, where it is whole. Zeros, which a crash may leave, are no frame."""
    if len(buffer) - place < HEAD.size:
        return None
    length, digest = HEAD.unpack_from(buffer, place)
    payload = buffer[place + HEAD.size : place + HEAD.size + length]
    return payload if 0 < length <= LARGEST and len(payload) == length and crc32(payload) == digest else None
