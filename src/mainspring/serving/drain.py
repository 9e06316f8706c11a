"""From spool files to tables: reads every writer's frames in order, and stores each exactly once.

Nothing is remembered but in the tables: with the rows of a commit stands, for each writer, the place in its stream
up to which that table has its frames. Whoever reads a file again skips what is before that place.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mainspring.clock import Clock
from mainspring.domain.ports import Tables
from mainspring.errors import MainspringError
from mainspring.serving.drain_handlers import HANDLERS, Handler
from mainspring.serving.log_state import SPOOL, LogState
from mainspring.serving.prediction_frames import RELEASE, DamagedFrame, Description, read_description
from mainspring.serving.spool_files import SpoolFile, SpoolReader, spool_files

_LOG = logging.getLogger("mainspring.gateway")
_WAITING_BYTES = 64 << 20  # of frames in memory
_READ_BYTES = 1 << 20
_LONGEST_PAUSE = 60.0  # seconds between two attempts at a table that cannot be written
_LOCK = "drainer.lock"


@dataclass(slots=True)
class _Source:
    """A spool file that is being read."""

    reader: SpoolReader
    known: dict[str, Description] = field(default_factory=dict)
    waits_for: set[str] = field(default_factory=set)  # tables that could not take frames of it

    @property
    def file(self) -> SpoolFile:
        return self.reader.file


@dataclass(slots=True)
class _Waiting:
    """Frames of one table that are in memory."""

    handler: Handler
    frames: list[tuple[bytes, Description | None]] = field(default_factory=list)
    rows: int = 0
    places: dict[str, int] = field(default_factory=dict)  # of each writer, behind its last frame here


class Drain:
    """Moves the frames of one gateway's spool folder, while holding its lock.

    Args:
        folder: the gateway's, which has `spool/`.
        commit_every: seconds that a frame waits at most, while the tables can be written.
        commit_rows: so many rows are not kept waiting.
        stored: told the table when rows were committed to it.
        between: called between pieces of work.
    """

    def __init__(
        self,
        folder: Path,
        tables: Tables,
        clock: Clock,
        *,
        commit_every: float,
        commit_rows: int,
        durability: str = "batch",
        stored: Callable[[str], object] = lambda table: None,  # noqa: ARG005
        between: Callable[[], object] = lambda: None,
    ) -> None:
        self.folder = folder
        self.state = LogState(durability=durability, stored={})
        self._tables = tables
        self._clock = clock
        self._commit_every = commit_every
        self._commit_rows = commit_rows
        self._stored = stored
        self._between = between
        self._sources: dict[Path, _Source] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._since: float | None = None  # when the oldest waiting frame was read
        self._bytes = 0
        self._places: dict[tuple[str, str], int] = {}  # table, writer → place that the table has
        self._stuck: dict[str, float] = {}  # tables that could not be written, and when to try again
        self._failures: dict[str, int] = {}  # in a row
        self._troubles: dict[str, str] = {}
        self._lock: int | None = None

    def take(self) -> bool:
        """Become the only one who drains the folder; whether that was possible."""
        if self._lock is not None:
            return True
        place = self.folder / SPOOL / _LOCK
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            self._tell("", f"the spool cannot be locked: {error.strerror}")
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._lock = descriptor
        return True

    def close(self) -> None:
        """Let go of the folder; what was not stored stays in its files."""
        for source in self._sources.values():
            source.reader.close()
        self._sources.clear()
        self._forget_waiting()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def step(self, *, at_once: bool = False) -> None:
        """Read what is new, and store what is due.

        Args:
            at_once: store everything, and try again what could not be stored.
        """
        self._try_again(at_once)
        for source in self._found():
            while self._read(source):
                self._between()
                if self._is_due(by_size_only=True):
                    self._store()
        if self._waiting and (at_once or self._is_due()):
            self._store()
        self._drop_finished()
        self._note()

    @property
    def idle(self) -> bool:
        """Whether all files are stored and gone, as far as `step` has seen."""
        return not self._sources

    def _found(self) -> Iterable[_Source]:
        """The sources in the order in which they are to be read: of each writer the earlier file first."""
        blocked: set[str] = set()
        for file in spool_files(self.folder / SPOOL):
            if file.writer in blocked:
                continue
            source = self._sources.get(file.path)
            if source is None:
                try:
                    source = self._sources[file.path] = _Source(SpoolReader(file))
                except FileNotFoundError:
                    continue
                except OSError as error:
                    # What this writer wrote later must wait: places in its stream only grow.
                    self._tell(file.path.name, f"{file.path.name} cannot be read: {error.strerror}")
                    blocked.add(file.writer)
                    continue
            yield source
            if source.reader.stopped:
                blocked.add(file.writer)

    def _read(self, source: _Source) -> bool:
        """Take in a source's next frames; whether there may be more at once."""
        if source.reader.finished:
            return False
        writer, more = source.file.writer, False
        damaged = source.reader.damaged
        try:
            for place, frame in source.reader.read(_READ_BYTES):
                more = True
                self._take_in(source, writer, place, frame)
        except OSError as error:
            self._tell(source.file.path.name, f"{source.file.path.name} cannot be read: {error.strerror}")
            source.reader.stopped = True
            return False
        if source.reader.damaged > damaged:
            lost = source.reader.damaged - damaged
            self.state.damaged_bytes += lost
            _LOG.error("%d bytes of %s are torn or damaged, and left out", lost, source.file.path.name)
        return more

    def _take_in(self, source: _Source, writer: str, place: int, frame: bytes) -> None:
        kind = frame[:1]
        try:
            if kind == RELEASE:
                description = read_description(frame)
                source.known[description.ref] = description
                return
            handler = HANDLERS.get(kind)
            if handler is None:
                raise DamagedFrame(f"there is no record of the kind {kind!r}")
            table, about, rows = handler.place(frame, source.known)
        except DamagedFrame as error:
            self._count_damaged(1, str(error))
            return
        if table in self._stuck:
            source.waits_for.add(table)
            return
        if place <= self._place(table, writer):
            return
        waiting = self._waiting.setdefault(table, _Waiting(handler))
        waiting.frames.append((frame, about))
        waiting.rows += rows
        waiting.places[writer] = place
        self._bytes += len(frame)
        self._since = self._clock.monotonic() if self._since is None else self._since

    def _place(self, table: str, writer: str) -> int:
        found = self._places.get((table, writer))
        if found is None:
            try:
                found = self._tables.offset(table, writer)
            except Exception as error:
                self._fail(table, error)
                return 0
            self._places[table, writer] = found
        return found

    def _is_due(self, *, by_size_only: bool = False) -> bool:
        if self._bytes >= _WAITING_BYTES or sum(w.rows for w in self._waiting.values()) >= self._commit_rows:
            return True
        if by_size_only or self._since is None:
            return False
        return self._clock.monotonic() - self._since >= self._commit_every

    def _store(self) -> None:
        """Commit what waits, table by table. A table that fails is left for later, and holds up no other."""
        for table, waiting in self._waiting.items():
            if table in self._stuck:
                self._mark_waiting(table, waiting)
                continue
            try:
                self._commit(table, waiting)
            except Exception as error:
                self._fail(table, error)
                self._mark_waiting(table, waiting)
            else:
                self._troubles.pop(table, None)
                self._failures.pop(table, None)
                self.state.committed_at = self._clock.now().timestamp()
                self._stored(table)
        self._forget_waiting()
        self._between()

    def _commit(self, table: str, waiting: _Waiting) -> None:
        present = self._tables.columns(table) if self._tables.exists(table) else {}
        try:
            rows, damaged = waiting.handler.rows(waiting.frames, present)
        except Exception:
            # One frame that nobody thought of must not hold up the others for ever.
            _LOG.exception("%d records of %s are looked at one by one", len(waiting.frames), table)
            good = [frame for frame in waiting.frames if _makes_sense(waiting.handler, frame, present)]
            rows, damaged = waiting.handler.rows(good, present)
            damaged += len(waiting.frames) - len(good)
        offsets = {
            writer: (self._places.get((table, writer), 0), place) for writer, place in waiting.places.items()
        }
        stored = waiting.handler.store(self._tables, table, rows, offsets, exists=bool(present))
        self._places.update({(table, writer): place for writer, (_, place) in offsets.items()})
        self.state.rows += stored
        if damaged:
            self._count_damaged(damaged, f"records for {table} make no sense")

    def _fail(self, table: str, error: Exception) -> None:
        failures = self._failures[table] = self._failures.get(table, 0) + 1
        pause = min(self._commit_every * 2 ** min(failures - 1, 10), _LONGEST_PAUSE)
        self._stuck[table] = self._clock.monotonic() + pause
        for key in [key for key in self._places if key[0] == table]:
            del self._places[key]  # another process may have gone on from there
        known = isinstance(error, MainspringError | OSError)
        self._tell(table, f"{table} cannot be written: {error}", None if known else error)

    def _mark_waiting(self, table: str, waiting: _Waiting) -> None:
        for source in self._sources.values():
            if source.file.writer in waiting.places:
                source.waits_for.add(table)

    def _try_again(self, at_once: bool) -> None:
        now = self._clock.monotonic()
        due = {table for table, again_at in self._stuck.items() if at_once or now >= again_at}
        if not due:
            return
        if self._waiting:
            self._store()  # or what is read again would be in memory twice
        for source in self._sources.values():
            if source.waits_for & due:
                source.waits_for.clear()
                source.reader.rewind()
        for table in due:
            del self._stuck[table]

    def _drop_finished(self) -> None:
        waiting = {writer for each in self._waiting.values() for writer in each.places}
        for path, source in list(self._sources.items()):
            if not source.reader.finished or source.waits_for or source.file.writer in waiting:
                continue
            with suppress(FileNotFoundError):
                path.unlink()
            source.reader.close()
            del self._sources[path]
            self._troubles.pop(path.name, None)

    def _forget_waiting(self) -> None:
        self._waiting.clear()
        self._bytes = 0
        self._since = None

    def _count_damaged(self, frames: int, why: str) -> None:
        if not self.state.damaged_frames:
            _LOG.error("records of the spool make no sense and are left out: %s", why)
        self.state.damaged_frames += frames

    def _tell(self, place: str, trouble: str, error: Exception | None = None) -> None:
        if self._troubles.get(place) != trouble:
            _LOG.error("%s", trouble, exc_info=error)
        self._troubles[place] = trouble

    def _note(self) -> None:
        waiting = {writer for each in self._waiting.values() for writer in each.places}
        stored = self.state.stored
        for name in stored.keys() - {path.name for path in self._sources}:
            del stored[name]
        writers = {source.file.writer for source in self._sources.values()}
        for key in [key for key in self._places if key[1] not in writers]:
            del self._places[key]
        for path, source in self._sources.items():
            if not source.waits_for and source.file.writer not in waiting:
                stored[path.name] = source.reader.offset
        self.state.waiting_rows = sum(each.rows for each in self._waiting.values())
        self.state.trouble = next(iter(self._troubles.values()), "")


def _makes_sense(handler: Handler, frame: tuple[bytes, Description | None], present: Mapping[str, str]) -> bool:
    try:
        handler.rows([frame], present)
    except Exception:
        return False
    return True
