"""Score jobs by schedule: which moment of which job is to be done now, and what became of it.

As with trainings the intent is written down first, and stands until the moment was done or given up.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from mainspring.domain.ports import Records
from mainspring.domain.release import ReleaseRef
from mainspring.domain.scheduled_score import ScheduledScore, ScoreMemory, declared, done, due

if TYPE_CHECKING:
    from mainspring.workspace import Workspace

_LOG = logging.getLogger("mainspring.controller")
_FORMAT = 1
_ATTEMPTS = 8
_FIRST_PAUSE = timedelta(minutes=1)  # doubled each time: rows that come late are waited for, two hours in all


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingScore:
    """A moment that is being done.

    Attributes:
        attempts: how often that was tried in vain.
        not_before: when it is tried again.
    """

    moment: datetime
    attempts: int = 0
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreState:
    """What is remembered of a job through a restart."""

    memory: ScoreMemory = field(default_factory=ScoreMemory)
    pending: PendingScore | None = None


@dataclass(frozen=True, slots=True)
class DueScore:
    """A moment of a job that is to be done now."""

    job: ScheduledScore
    moment: datetime
    attempt: int


class ScheduledScores:
    """The score jobs of a project; the caller holds the controller's lease."""

    def __init__(self, workspace: Workspace, jobs: Sequence[ScheduledScore]) -> None:
        self._workspace = workspace
        self._jobs = jobs

    def next(self) -> DueScore | None:
        """What is to be done now, or to be gone on with; the caller then does it, and says `done` or `put_off`.

        Raises:
            StoreError: the records cannot be read or written.
        """
        records, now = self._workspace.records, self._workspace.clock.now()
        for job in self._jobs:
            before = read_state(records, job.name)
            state = replace(before, memory=declared(before.memory, job, now))
            if state.pending is None:
                moment = due(job, state.memory, now)
                state = replace(state, pending=None if moment is None else PendingScore(moment=moment))
            if state != before:
                _write_state(records, job.name, state)
            pending = state.pending
            if pending is not None and not _must_wait(pending, now):
                return DueScore(job, pending.moment, pending.attempts + 1)
        return None

    def done(self, score: DueScore) -> None:
        """Its moment was done."""
        records = self._workspace.records
        state = read_state(records, score.job.name)
        _write_state(
            records, score.job.name, replace(state, memory=done(state.memory, score.moment), pending=None)
        )

    def put_off(self, score: DueScore, trouble: str) -> None:
        """It has come to no end: it is tried again after a pause, some times, and then given up."""
        records, name = self._workspace.records, score.job.name
        if score.attempt >= _ATTEMPTS:
            _LOG.error("the score job %s of %s is given up: %s", name, score.moment, trouble)
            tell_score(records, score, "failed", trouble, {"attempts": score.attempt})
            self.done(score)
            return
        later = self._workspace.clock.now() + _pause(score.attempt)
        _LOG.error("the score job %s of %s is tried again at %s: %s", name, score.moment, later, trouble)
        state = read_state(records, name)
        pending = PendingScore(moment=score.moment, attempts=score.attempt, not_before=later)
        _write_state(records, name, replace(state, pending=pending))


def tell_score(records: Records, score: DueScore, state: str, reason: str, detail: dict[str, Any]) -> None:
    """Tell the history once what became of a moment."""
    records.record_event(
        ReleaseRef.parse(score.job.model).model,
        "score",
        actor="controller",
        reason=f"{score.job.name}: {reason}",
        detail={"job": score.job.name, "moment": score.moment, "state": state, **detail},
        once=f"{score.job.name} {score.moment.isoformat()}",
    )


def read_state(records: Records, job: str) -> ScoreState:
    """What is remembered of a job; what cannot be read is forgotten."""
    stored = records.loop_state(_place(job))
    try:
        return msgspec.convert(stored["state"], ScoreState) if stored.get("format") == _FORMAT else ScoreState()
    except (msgspec.ValidationError, KeyError) as error:
        _LOG.error("what was remembered of the score job %s cannot be read, and it begins anew: %s", job, error)
        return ScoreState()


def _write_state(records: Records, job: str, state: ScoreState) -> None:
    records.put_loop_state(_place(job), {"format": _FORMAT, "state": msgspec.to_builtins(state)})


def _place(job: str) -> str:
    """Beside what the triggers of models remember: no model has a slash in its name."""
    return f"score/{job}"


def _must_wait(pending: PendingScore, now: datetime) -> bool:
    due_at = pending.not_before
    # A pause that seems longer than it can be was written by a clock that was ahead.
    return due_at is not None and now < due_at <= now + _pause(pending.attempts)


def _pause(attempts: int) -> timedelta:
    return _FIRST_PAUSE * 2.0 ** max(0, attempts - 1)
