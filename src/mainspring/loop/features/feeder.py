"""Keeps a project's views fresh while the loop runs: schedules, rows that were pushed, streams.

It only decides what is to be done now; `features.filling` and `features.streams` do it, and may be killed at any
moment. Nothing is remembered here that could be lost.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mainspring.clock import Clock
from mainspring.connection_features import Features
from mainspring.domain.materialised import Materialised
from mainspring.errors import MainspringError, UsageError, WorkspaceBusy
from mainspring.features.push import APPLICATION, Target, pushed_table
from mainspring.features.streams import StreamReader
from mainspring.loop.features.due import by_schedule, pause_after
from mainspring.serving.upkeep import Upkeep

if TYPE_CHECKING:
    from mainspring.domain.feature_stream import FeatureStream
    from mainspring.domain.feature_view import FeatureView
    from mainspring.domain.ports_features import ViewId
    from mainspring.project import Project
    from mainspring.workspace import Workspace

_LOG = logging.getLogger("mainspring.controller")


@dataclass(slots=True)
class _Trouble:
    """Of a view or stream that failed."""

    failures: int = 0
    not_before: float = 0.0
    told: str = ""


class Feeder:
    """Args:
    project: whose views and streams.
    """

    def __init__(self, workspace: Workspace, project: Project) -> None:
        self._workspace = workspace
        self._features = Features(workspace, project)
        self._streams = project.settings.streams
        # Pushed rows are kept for ever: they are what releases were learnt from.
        self._upkeep = Upkeep(workspace.tables, workspace.clock, None, folders=(pushed_table("").rstrip("/"),))
        self._readers: dict[str, StreamReader] = {}
        self._targets: dict[str, Target] = {}
        self._ids: dict[str, ViewId] = {}  # by view that of its definition; after an edit we are started anew
        self._versions: dict[str, int] = {}  # by view the version of its table that was looked at
        self._troubles: dict[str, _Trouble] = {}
        for stream in self._streams:
            self._features.view(stream.view)  # a wrong name is told at once

    @property
    def _clock(self) -> Clock:
        return self._workspace.clock

    def step(self) -> bool:
        """Do once what is due; whether there may be more at once."""
        more = False
        for stream in self._streams:
            more |= self._attempt(f"stream {stream.name}", partial(self._read, stream))
        for view in self._features.views.values():
            more |= self._attempt(f"view {view.name}", partial(self._fill, view))
        self._upkeep.step()
        return more

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()

    def _read(self, stream: FeatureStream) -> bool:
        """Store what a stream has; whether it may have more."""
        reader = self._readers.get(stream.name)
        if reader is None:
            consumer = f"{socket.gethostname()}:{os.getpid()}"
            reader = self._readers[stream.name] = StreamReader(stream, consumer)
        target = self._targets.get(stream.view)
        if target is None:
            target = self._targets[stream.view] = self._features.target(stream.view)
        taken = reader.take(target, self._workspace.tables, self._clock.now())
        if taken.pushed.new:
            _LOG.info("%d rows came by the stream %s", taken.pushed.new, stream.name)
            self._upkeep.written(pushed_table(stream.view))
        return taken.entries > 0

    def _fill(self, view: FeatureView) -> bool:
        """Bring a view up to date, where that is due."""
        if view.name not in self._ids:
            self._ids[view.name] = self._features.offline.definition(view).id
        present = self._workspace.records.feature_views(view.name)
        known = next((one for one in present if one.id == self._ids[view.name]), None)
        if by_schedule(view, known, self._clock.now()):
            done = self._features.filler.fill(view)
        elif self._was_pushed_to(view, known):
            done = self._features.filler.fill(view, only_pushed=True)
        else:
            return False
        for remark in done.remarks:
            if known is None or remark not in known.remarks:
                _LOG.warning("%s", remark)
        _LOG.info("the view %s: %d entities written, %d removed", view.name, done.written, done.removed)
        return False

    def _was_pushed_to(self, view: FeatureView, known: Materialised | None) -> bool:
        """Whether there are pushed rows that the store has not got yet."""
        tables, table = self._workspace.tables, pushed_table(view.base.name)
        if not tables.has_grown(table, self._versions.get(view.name, -1)):
            return False
        version, pushed = tables.version(table), tables.offset(table, APPLICATION)
        if known is None or pushed > self._filled(known):
            return True
        self._versions[view.name] = version
        return False

    def _filled(self, known: Materialised) -> int:
        from mainspring.features.freshness import decode_mark

        mark = decode_mark(self._workspace.online.marked(known.id))
        return -1 if mark is None or mark.rows is None else mark.rows.pushed

    def _attempt(self, what: str, work: Callable[[], bool]) -> bool:
        trouble = self._troubles.setdefault(what, _Trouble())
        now = self._clock.monotonic()
        if now < trouble.not_before:
            return False
        try:
            more = work()
        except WorkspaceBusy:
            trouble.not_before = now + pause_after(1).total_seconds()
            return False
        except UsageError:
            raise
        except Exception as error:  # also one that nobody thought of holds up no other view
            trouble.failures += 1
            trouble.not_before = now + pause_after(trouble.failures).total_seconds()
            if trouble.told != str(error):
                _LOG.error("%s: %s", what, error, exc_info=not isinstance(error, MainspringError))
            trouble.told = str(error)
            return False
        self._troubles[what] = _Trouble()
        return more
