"""A file on disk → its text: decompressed, without byte order mark, as UTF-8, checked on the way."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from contextlib import suppress
from typing import Any

import pyarrow as pa

from mainspring.data.sources.part import SourceFile, unreadable
from mainspring.errors import SourceFormatError

_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd"}
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FOREIGN = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"SQLite format 3": "an SQLite database",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"%PDF": "a PDF document",
    b"\x7fELF": "a program",
    b"ORC": "an ORC file",
}
_UNPACKING = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, pa.ArrowException)


def mark_of(head: bytes) -> str | None:
    """The encoding that a byte order mark tells."""
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)


class TextFile(io.RawIOBase):
    """The UTF-8 bytes of a text file.

    Args:
        encoding: how the file is written; the byte order mark tells where `None`, else UTF-8.

    Raises:
        SourceNotFound: when opened, it cannot be.
        SourceFormatError: while reading: another encoding, binary content, a broken compression.
    """

    def __init__(self, file: SourceFile, encoding: str | None = None) -> None:
        super().__init__()
        self._file = file
        try:
            self._disk = file.path.open("rb")
        except OSError as error:
            raise unreadable(file.name, error) from error
        try:
            self._begin(encoding)
        except BaseException:
            self.close()
            raise

    def _begin(self, encoding: str | None) -> None:
        file = self._file
        self._raw: Any = _unpacked(self._disk)
        self._head = self._take(16)
        for magic, what in _FOREIGN.items():
            if self._head.startswith(magic):
                raise SourceFormatError(
                    f"{file.name} is {what}, not text",
                    cure="save it as CSV, or give the file its proper ending",
                    where={"file": file.name},
                )
        self.encoding = _known(encoding or mark_of(self._head) or "utf-8", file.name)
        self._transcode = self.encoding not in ("utf-8", "ascii")
        self._offset = 0  # of the bytes that the decoder was given
        if not self._transcode and self._head.startswith(codecs.BOM_UTF8):
            self._head = self._head[3:] or self._take(16)
            self._offset = 3
        self._decoder = codecs.getincrementaldecoder(self.encoding)()
        self._line = 1
        self._ready = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def peek_raw(self, size: int) -> bytes:
        """The first bytes as they are, unpacked but not decoded; nothing can be read afterwards."""
        self._ended = True
        return self._head + self._take(size)

    def read(self, size: int = -1, /) -> bytes:
        if size is None or size < 0:
            pieces = []
            while piece := self.read(1 << 20):
                pieces.append(piece)
            return b"".join(pieces)
        # Arrow takes a short answer for a block of its own, so fill it up.
        while len(self._ready) < size and not self._ended:
            self._ready += self._more(size - len(self._ready))
        data, self._ready = self._ready[:size], self._ready[size:]
        return data

    def close(self) -> None:
        if not self.closed:
            for stream in (getattr(self, "_raw", None), self._disk):
                with suppress(Exception):
                    if stream is not None:
                        stream.close()
        super().close()

    def _more(self, size: int) -> bytes:
        chunk = self._head or self._take(size)
        self._head = b""
        self._ended = not chunk
        held = len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(chunk, final=self._ended)
        except UnicodeDecodeError as error:
            raise self._wrong(error, self._offset - held) from error
        self._offset += len(chunk)
        data = text.encode("utf-8") if self._transcode else chunk
        if (zero := data.find(b"\0")) >= 0:
            line = self._line + data[:zero].count(b"\n")
            raise SourceFormatError(
                f"{self._file.name} is no text: there is a zero byte in line {line:,}",
                cure='save it as CSV in UTF-8, or give its encoding, e.g. Source(…, encoding="utf-16")',
                where={"file": self._file.name, "line": line},
            )
        self._line += data.count(b"\n")
        return data

    def _wrong(self, error: UnicodeDecodeError, base: int) -> SourceFormatError:
        line = self._line + bytes(error.object)[: error.start].count(b"\n")
        return SourceFormatError(
            f"{self._file.name} is not in {self.encoding}: it has the byte 0x{error.object[error.start]:02x} at "
            f"offset {base + error.start:,}, in line {line:,} (row {max(line - 1, 0):,})",
            cure='save it as UTF-8, or give its encoding, e.g. Source(…, encoding="cp1252")',
            where={"file": self._file.name, "row": max(line - 1, 0), "line": line, "offset": base + error.start},
        )

    def _take(self, size: int) -> bytes:
        try:
            return bytes(self._raw.read(size))
        except _UNPACKING as error:
            raise _broken(self._file.name) from error
        except OSError as error:
            if error.errno is None:  # raised by the unpacker, not by the system
                raise _broken(self._file.name) from error
            raise unreadable(self._file.name, error) from error


def _unpacked(disk: io.BufferedReader) -> Any:
    """What the bytes on disk hold; the first of them tell whether and how they are packed."""
    head = disk.peek(8)[:8]
    packing = next((name for magic, name in _PACKED.items() if head.startswith(magic)), None)
    if packing == "gzip":
        return io.BufferedReader(gzip.GzipFile(fileobj=disk))
    if packing == "bz2":
        return bz2.BZ2File(disk)
    if packing == "zstd":
        return pa.CompressedInputStream(pa.PythonFile(disk, mode="r"), "zstd")
    return disk


def _broken(name: str) -> SourceFormatError:
    return SourceFormatError(
        f"{name} ends too early or is damaged: it cannot be unpacked",
        cure="copy it again from where it came from",
        where={"file": name},
    )


def _known(encoding: str, name: str) -> str:
    try:
        known = codecs.lookup(encoding).name
        return "utf-8" if known == "utf-8-sig" else known
    except LookupError as error:
        raise SourceFormatError(
            f"{encoding!r} is no encoding", cure="use e.g. utf-8, utf-16, cp1252 or latin-1", where={"file": name}
        ) from error
