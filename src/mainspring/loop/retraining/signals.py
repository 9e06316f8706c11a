"""What triggers look at: alerts, labels, the source, the trainings so far and what became of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.domain.alert import Alert, AlertState
from mainspring.domain.monitor import MonitorKind
from mainspring.domain.prediction_log import labels_table
from mainspring.domain.rollout_state import RolloutEnd, RolloutState
from mainspring.domain.run import Run, RunState
from mainspring.domain.trigger import TriggerKind
from mainspring.domain.trigger_rules import FIRST_ROWS, FOLLOWED
from mainspring.domain.trigger_signals import Change, Fruit, Proving, Signals, Training
from mainspring.errors import MainspringError, WorkspaceBusy
from mainspring.loop.lifecycle.workflow import run_lease
from mainspring.loop.retraining.state import SeenSource, TriggerState

if TYPE_CHECKING:
    from mainspring.domain.model import Model
    from mainspring.workspace import Workspace

_LOG = logging.getLogger("mainspring.controller")
_KINDS = {
    MonitorKind.DRIFT: TriggerKind.DRIFT,
    MonitorKind.PREDICTION: TriggerKind.DRIFT,
    MonitorKind.CONCEPT: TriggerKind.DRIFT,
    MonitorKind.PERFORMANCE: TriggerKind.PERFORMANCE,
    MonitorKind.ESTIMATE: TriggerKind.PERFORMANCE,
}
_TRAININGS = 200  # more than any breaker counts
_COUNT_EVERY = timedelta(seconds=5)  # between two looks at a table of labels
_QUERY_EVERY = timedelta(hours=1)  # a query may be dear, and only running it tells


class SignalReader:
    """Looks at one model; what is dear is counted again only when it may have changed.

    Args:
        root, environ: the project's folder, and where `$NAME` in a database URL is taken from; without a folder
            nobody looks whether the source has changed.
    """

    def __init__(self, workspace: Workspace, model: Model, root: Path | None, environ: Mapping[str, str]) -> None:
        self._workspace = workspace
        self._model = model
        self._root = root
        self._environ = environ
        self._counts: dict[tuple[str, datetime], int] = {}
        self._counted_at: datetime | None = None
        self._version = -1
        self._told = ""

    def read(self, state: TriggerState) -> tuple[Signals, SeenSource | None]:
        """What is seen now, and of the source what to remember.

        Raises:
            StoreError: a store cannot be read.
        """
        records, model = self._workspace.records, self._model
        retrain = model.retrain
        assert retrain is not None, "a model that declares nothing has no triggers"
        now = self._workspace.clock.now()
        runs = [run for run in records.runs(model.name, limit=_TRAININGS) if run.state is not RunState.CANCELLED]
        rollouts = {one.challenger: one for one in reversed(records.rollouts(model.name, limit=_TRAININGS))}
        newest = runs[0] if runs else None
        self._forget_counts(now)
        followed = state.memory.followed
        if followed is not None and followed.times >= FOLLOWED:
            followed = None
        source = self._source(state.source, now) if "new_data" in retrain.on else None
        taken = None if source is None else next((run for run in runs if run.snapshot is not None), None)
        return (
            Signals(
                trainings=tuple(_training(run, rollouts) for run in runs),
                changes=self._changes(now),
                rows_followed=None
                if followed is None
                else self._rows_since(followed.since, now, enough=2 * followed.rows),
                new_labels=self._new_labels(newest, state, now) if retrain.min_new_labels is not None else 0,
                source=source.content if source is not None else None,
                source_trained=None if taken is None else self._read_by(taken),
                source_run=None if taken is None else taken.id,
                proving=_proving(records.rollout(model.name)),
                under_way=_under_way(self._workspace, newest),
            ),
            source,
        )

    def _changes(self, now: datetime) -> tuple[Change, ...]:
        """The firing alerts that are about what answers now."""
        retrain, name = self._model.retrain, self._model.name
        records = self._workspace.records
        route = records.routes().of(name)
        champion = None if route is None else route.champion
        found = []
        for alert in records.alerts(name, states=(AlertState.FIRING,)):
            causes = [one for one in alert.causes if one.release in (None, champion)]
            kind = _KINDS.get(MonitorKind(causes[0].kind)) if causes else None
            if kind is None:
                continue
            rows = None
            if alert.changed_at is not None and retrain is not None and retrain.labelled:
                rows = self._rows_since(alert.changed_at, now, enough=FIRST_ROWS)
            found.append(
                Change(
                    alert=alert.id,
                    kind=kind,
                    monitor=alert.monitor,
                    fired_at=alert.fired_at or alert.since,
                    since=alert.changed_at,
                    rows=rows,
                    reason=_words(alert),
                )
            )
        return tuple(found)

    def _new_labels(self, newest: Run | None, state: TriggerState, now: datetime) -> int:
        from mainspring.data.label_counts import labels_received

        since = newest.started_at if newest is not None else self._adopted_at()
        if since is None:
            return 0
        if since > now:  # by a clock that was ahead: when it was first seen
            is_known = newest is not None and newest.id == state.memory.newest
            since = (state.memory.newest_at if is_known else None) or now
        key = ("received", since)
        if key not in self._counts:
            self._counts[key] = labels_received(self._workspace.tables, self._model.name, since=since)
        return self._counts[key]

    def _adopted_at(self) -> datetime | None:
        """When a champion that nobody trained here came."""
        releases = self._workspace.records.releases(self._model.name)
        return releases[0].created_at if releases else None

    def _rows_since(self, since: datetime, now: datetime, *, enough: int) -> int | None:
        """Labelled rows, `None` where there are no labels at all: then nothing is gained by waiting for them.

        Joining answers with their labels is dear, so as long as not enough labels have come in for it to matter,
        these are counted alone: there are at most so many rows.
        """
        from mainspring.data.label_counts import labelled_answers, labels_received

        tables, name = self._workspace.tables, self._model.name
        if not tables.exists(labels_table(name)):
            return None
        key = ("answered", since)
        if key not in self._counts:
            count = labels_received(tables, name, since=since)
            if count >= enough:
                count = labelled_answers(tables, name, since=since, as_of=now)
            self._counts[key] = count
        return self._counts[key]

    def _forget_counts(self, now: datetime) -> None:
        """When the table of labels has changed."""
        if self._counted_at is not None and timedelta(0) <= now - self._counted_at < _COUNT_EVERY:
            return
        self._counted_at = now
        table = labels_table(self._model.name)
        version = self._workspace.tables.version(table) if self._workspace.tables.exists(table) else -1
        if version != self._version:
            self._counts.clear()
        self._version = version

    def _source(self, seen: SeenSource | None, now: datetime) -> SeenSource | None:
        """The source as it is; one that changed since the last look is read once it stands still."""
        from mainspring.data.source_content import source_content, source_stamp

        if self._root is None:
            return None
        source = self._model.source
        try:
            stamp = source_stamp(source, self._root)
            if seen is not None and seen.stamp == stamp:
                is_due = source.is_sql and not timedelta(0) <= now - seen.at < _QUERY_EVERY
                if seen.content is not None and not is_due:
                    return seen
            elif seen is not None and not source.is_sql:
                return SeenSource(stamp=stamp, content=None, at=now)
            return SeenSource(stamp=stamp, content=source_content(source, self._root, self._environ), at=now)
        except MainspringError as error:
            if str(error) != self._told:
                _LOG.warning("whether the source has changed cannot be said: %s", error)
            self._told = str(error)
            return seen

    def _read_by(self, run: Run) -> str | None:
        """What the training has read of the source."""
        from mainspring.data.source_content import content_of

        snapshot = None if run.snapshot is None else self._workspace.records.snapshot(run.snapshot)
        return None if snapshot is None else content_of(part.digest for part in snapshot.parts)


def is_being_trained(workspace: Workspace, model: str) -> bool:
    """Whether a process is at a run of the model; a run that was killed is nobody's."""
    try:
        with workspace.records.lease(run_lease(model), "a look of the controller", ttl=1.0):
            return False
    except WorkspaceBusy:
        return True


def _under_way(workspace: Workspace, newest: Run | None) -> str | None:
    is_open = newest is not None and newest.state is RunState.RUNNING
    return newest.id if newest is not None and is_open and is_being_trained(workspace, newest.model) else None


def _training(run: Run, rollouts: Mapping[int, RolloutState]) -> Training:
    trigger = run.detail.get("trigger")
    return Training(
        run=run.id,
        began_at=run.started_at,
        trigger=None if trigger is None else str(trigger["id"]),
        fruit=_fruit(run, rollouts.get(run.release or 0)),
    )


def _fruit(run: Run, rollout: RolloutState | None) -> Fruit:
    if run.state is RunState.RUNNING:
        return Fruit.OPEN
    if run.state is not RunState.RELEASED:
        return Fruit.NOTHING
    if rollout is None:  # without a rollout a release becomes champion at once
        return Fruit.CHAMPION
    if rollout.is_open:
        return Fruit.OPEN
    return Fruit.CHAMPION if rollout.end is RolloutEnd.PROMOTED else Fruit.NOTHING


def _proving(rollout: RolloutState | None) -> Proving | None:
    if rollout is None:
        return None
    return Proving(release=f"{rollout.model}@{rollout.challenger}", stage=rollout.stage)


def _words(alert: Alert) -> str:
    """What a firing alert tells, on one line."""
    worst = alert.causes[0]
    subject = f" of {worst.subject}" if worst.subject else ""
    more = f" and {len(alert.causes) - 1} more" if len(alert.causes) > 1 else ""
    since = "" if alert.changed_at is None else f", since {alert.changed_at:%Y-%m-%d %H:%M} UTC"
    return f"the alert {alert.monitor}{subject}{more}{since}"
