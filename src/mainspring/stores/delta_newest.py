"""Tables as they were opened last, for as long as nothing was added to them: to open one reads its log."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from deltalake import DeltaTable

_LOG = "_delta_log"
_MOST = 64  # tables; each holds the list of its files

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Opened:
    """A version of a table.

    Attributes:
        log: of the log's folder: another one where the table was removed and made again.
        entry: of the version's own entry in the log.
    """

    table: DeltaTable
    version: int
    log: int
    entry: Stamp


class NewestVersions:
    """Opens tables at their newest version; what it hands out is shared, and is not to be taken to another one."""

    def __init__(self) -> None:
        self._opened: OrderedDict[Path, _Opened] = OrderedDict()
        self._lock = Lock()

    def open(self, folder: Path) -> DeltaTable:
        """The table in this folder.

        Raises:
            DeltaError: as `DeltaTable` does.
        """
        with self._lock:
            known = self._opened.get(folder)
        if known is not None and _is_newest(folder, known):
            with self._lock:
                if folder in self._opened:
                    self._opened.move_to_end(folder)
            return known.table
        log = _inode(folder)
        table = DeltaTable(str(folder))
        version = table.version()
        entry = _stamp(folder, version)
        with self._lock:
            self._opened.pop(folder, None)
            if log is not None and entry is not None and log == _inode(folder):
                self._opened[folder] = _Opened(table, version, log, entry)
            while len(self._opened) > _MOST:
                self._opened.popitem(last=False)
        return table


def _is_newest(folder: Path, known: _Opened) -> bool:
    """Each version has an entry of its own in the log."""
    return (
        _inode(folder) == known.log
        and _stamp(folder, known.version) == known.entry
        and _stamp(folder, known.version + 1) is None
    )


def _inode(folder: Path) -> int | None:
    try:
        return (folder / _LOG).stat().st_ino
    except OSError:
        return None


def _stamp(folder: Path, version: int) -> Stamp | None:
    try:
        found = (folder / _LOG / f"{version:020d}.json").stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
