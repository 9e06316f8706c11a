"""Tables as they were opened last, for as long as nothing was added to them: to open one reads its log."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from deltalake import DeltaTable

from mainspring.stores.delta_files import LOG, log_entry

_MOST = 64  # tables; each holds the list of its files

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Opened:
    """A version of a table.

    Attributes:
        log: of the log's folder: another one where the table was removed and made again.
        entry: of the version's own entry in the log; `None` where it is not known to be that of this table.
    """

    table: DeltaTable
    version: int
    log: int | None
    entry: Stamp | None

    @classmethod
    def of(cls, folder: Path) -> _Opened:
        log = _inode(folder)
        table = DeltaTable(str(folder))
        version = table.version()
        entry = _stamp(folder, version)
        return cls(table, version, log, entry if log == _inode(folder) else None)

    def is_of(self, folder: Path) -> bool:
        """Whether the folder holds this very table."""
        return self.entry is not None and _inode(folder) == self.log and _stamp(folder, self.version) == self.entry

    def is_newest(self, folder: Path) -> bool:
        """Whether the folder holds this very table, and nothing was added to it."""
        return self.is_of(folder) and _stamp(folder, self.version + 1) is None


class NewestVersions:
    """Opens tables at their newest version; what it hands out is shared, and is not to be taken to another one."""

    def __init__(self) -> None:
        self._opened: OrderedDict[Path, _Opened] = OrderedDict()
        self._lock = Lock()

    def exists(self, folder: Path) -> bool:
        """Whether there is a table in this folder; of one that was opened its whole log need not be listed."""
        with self._lock:
            known = self._opened.get(folder)
        return (known is not None and known.is_of(folder)) or DeltaTable.is_deltatable(str(folder))

    def open(self, folder: Path) -> DeltaTable:
        """The table in this folder.

        Raises:
            DeltaError: as `DeltaTable` does.
        """
        with self._lock:
            known = self._opened.get(folder)
        if known is None or not known.is_newest(folder):
            known = _Opened.of(folder)
        with self._lock:
            self._opened[folder] = known
            self._opened.move_to_end(folder)
            while len(self._opened) > _MOST:
                self._opened.popitem(last=False)
        return known.table


def _inode(folder: Path) -> int | None:
    try:
        return (folder / LOG).stat().st_ino
    except OSError:
        return None


def _stamp(folder: Path, version: int) -> Stamp | None:
    try:
        found = log_entry(folder, version).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
