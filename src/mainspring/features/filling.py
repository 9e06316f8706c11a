"""Keeps the online store of a project's views filled: one at a time, and told to the records."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from mainspring.clock import Clock
from mainspring.domain.feature_view import FeatureView
from mainspring.domain.instants import microseconds, moment_of
from mainspring.domain.materialised import MaterialisationState, Materialised
from mainspring.domain.ports import Lease, Records, Tables
from mainspring.domain.ports_features import OnlineStore, ViewId
from mainspring.errors import MainspringError, StoreError, WorkspaceBusy
from mainspring.features.freshness import Mark, Rows, decode_mark
from mainspring.stores.lease_keeping import SECONDS, kept

if TYPE_CHECKING:  # who only waits for something to do needs no frames
    from mainspring.features.definition import Definition
    from mainspring.features.rows import Offline, Taken


def _nothing(entities: int) -> None:
    """Told how many entities were written."""


@dataclass(frozen=True, slots=True)
class Filler:
    """Fills the online store from the offline rows.

    Args:
        needed: the definitions that sealed releases name: what the store has of these stays.
    """

    offline: Offline
    online: OnlineStore
    records: Records
    tables: Tables
    clock: Clock
    needed: Callable[[], Collection[ViewId]]

    def fill(
        self,
        view: FeatureView,
        *,
        full: bool = False,
        only_pushed: bool = False,
        written: Callable[[int], object] = _nothing,
    ) -> Materialised:
        """Bring the view up to now. May be killed at any moment and done again.

        Args:
            full: look at every entity, whatever is known of earlier materialisations.
            only_pushed: take the source to be as it was at the last time, and look at pushed rows alone.
            written: told by how many more the entities that were written are, now and then.

        Raises:
            WorkspaceBusy: another process fills the view.
            DataError, FeatureError: the rows are not what they should be; the store stays as it was.
            StoreError: a store does not answer; the next one goes on.
        """
        owner = f"materialisation in process {os.getpid()}"
        with self.records.lease(f"features/{view.name}", owner, ttl=SECONDS) as lease, kept(lease, _lost):
            return self._fill(view, lease, full=full, only_pushed=only_pushed, written=written)

    def _fill(
        self,
        view: FeatureView,
        lease: Lease,
        *,
        full: bool,
        only_pushed: bool,
        written: Callable[[int], object],
    ) -> Materialised:
        from mainspring.features.changes import change_since
        from mainspring.features.materialise import materialise

        started = self.clock.now()  # what becomes known from now on belongs to the next one
        known: Materialised | None = None
        self.offline.told()  # what was seen before is another one's
        try:
            taken = self._taken_before(view) if only_pushed and not full else None
            taken = taken or self.offline.take(view)
            definition = self.offline.definition(view, taken)
            known = self._told(view, definition, taken, started)
            self.records.put_feature_view(known)
            self.offline.check(view, taken)
            before = self._before(definition, full=full, fence=lease.token)
            source = Rows(taken.snapshot, taken.pushed, taken.pictures)
            done = materialise(
                definition,
                self.offline.rows(view, taken),
                self.online,
                source=source,
                until=_until(started, before),
                before=before,
                change=change_since(self.records, self.offline, view, definition, before, taken, full=full),
                fence=lease.token,
                written=written,
            )
        except MainspringError as error:
            self._tell_failure(view, known, error)
            raise
        mark = done.mark
        found = replace(
            known,
            state=MaterialisationState.DONE,
            ended_at=self.clock.now(),
            until=_moment(mark.until),
            newest_event=_moment(mark.newest_event),
            keys=mark.keys,
            read=done.read,
            written=done.written,
            removed=done.removed,
            trouble="",
            remarks=tuple(one.told() for one in self.offline.told()),
        )
        self.records.put_feature_view(found)
        self._drop_others(view, definition)
        if not only_pushed:  # which may be every second
            self.offline.sweep(view)
        return found

    def _taken_before(self, view: FeatureView) -> Taken | None:
        """The rows of the last materialisation and those pushed since; `None` where none of this definition came
        to its end."""
        newest = next(iter(self.records.feature_views(view.name)), None)
        if newest is None:
            return None
        try:
            mark = decode_mark(self.online.marked(newest.id))
        except StoreError:
            return None
        if mark is None or mark.rows is None:
            return None
        taken = self.offline.take_pushed(view, mark.rows.snapshot)
        return taken if self.offline.definition(view, taken).id == newest.id else None

    def _before(self, definition: Definition, *, full: bool, fence: int) -> Mark | None:
        """The store's mark. Where all is filled anew, one that nobody can read or go on from is dropped."""
        try:
            stored = self.online.marked(definition.id)
            before = decode_mark(stored)
            if full and stored is not None:
                self.online.mark(definition.id, stored, fence=fence)
            return before
        except StoreError:
            if not full:
                raise
            self.online.drop(definition.id)
            return None

    def _told(self, view: FeatureView, definition: Definition, taken: Taken, started: datetime) -> Materialised:
        """What the records say while it goes on: what was known before still holds."""
        fresh = Materialised(
            id=definition.id, view=view.name, state=MaterialisationState.RUNNING, started_at=started
        )
        before = next((one for one in self.records.feature_views(view.name) if one.id == definition.id), fresh)
        return replace(
            before,
            state=MaterialisationState.RUNNING,
            started_at=started,
            ended_at=None,
            snapshot=taken.snapshot,
            freshness=view.freshness,
        )

    def _tell_failure(self, view: FeatureView, known: Materialised | None, error: MainspringError) -> None:
        told = known or next(iter(self.records.feature_views(view.name)), None)
        if told is not None and not isinstance(error, WorkspaceBusy):
            failed = MaterialisationState.FAILED
            now = self.clock.now()
            self.records.put_feature_view(replace(told, state=failed, ended_at=now, trouble=str(error)))

    def _drop_others(self, view: FeatureView, definition: Definition) -> None:
        """Forget earlier definitions of the view, once no release needs them."""
        others = [one for one in self.records.feature_views(view.name) if one.id != definition.id]
        if not others:
            return
        needed = self.needed()
        for one in others:
            if one.id not in needed:
                self.online.drop(one.id)
                self.records.forget_feature_view(one.id)


def _until(started: datetime, before: Mark | None) -> int:
    """The store never goes back in time, though this machine's clock may."""
    now = microseconds(started)
    return now if before is None or before.until is None else max(now, before.until)


def _moment(since_1970: int | None) -> datetime | None:
    return None if since_1970 is None else moment_of(since_1970)


def _lost() -> None:
    """Nothing to do: the store refuses the writes of one whose lease was lost."""
