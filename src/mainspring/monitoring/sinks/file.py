"""Adds alerts to a file as lines of JSON, for whoever reads files: a log shipper, a spreadsheet, a person."""

import os
from pathlib import Path

import msgspec

from mainspring.domain.alert import Event
from mainspring.errors import NotDelivered
from mainspring.monitoring.alerts.document import document


class FileSink:
    """Each line is on the disk when `send` returns."""

    name = "file"
    is_limited = False

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, event: Event, *, key: str) -> None:
        line = msgspec.json.encode({"key": key, **document(event)}, enc_hook=str) + b"\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                self._write(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise NotDelivered(
                f"{self._path.name} cannot be written: {error.strerror}",
                cure="free some space, or mend alerts.file",
                where={"file": str(self._path)},
            ) from error

    def _write(self, descriptor: int, line: bytes) -> None:
        # A sender that died while it wrote has left half a line: ours must not become its end.
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line
        while line:
            line = line[os.write(descriptor, line) :]
        os.fsync(descriptor)
