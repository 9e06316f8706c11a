"""What starts a training by itself, and what becomes of it.

The intent is written down before anything is begun: a controller that is killed finds it, and goes on with the
very same training. It stands until the training's run has come to its end.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from mainspring import errors
from mainspring.domain.run import Run, RunState
from mainspring.domain.trigger import Trigger
from mainspring.domain.trigger_rules import decide, fruitless, noticed, started
from mainspring.domain.trigger_signals import Held
from mainspring.loop.lifecycle.context import end_run
from mainspring.loop.lifecycle.workflow import run_lease
from mainspring.loop.retraining.signals import SignalReader, is_being_trained
from mainspring.loop.retraining.state import Pending, TriggerState, read_state, write_state

if TYPE_CHECKING:
    from mainspring.domain.model import Model
    from mainspring.workspace import Workspace

_LOG = logging.getLogger("mainspring.controller")
ACTOR = "controller"
_ATTEMPTS = 4
_FIRST_PAUSE = timedelta(seconds=30)  # eight times as long each time: 30 s, 4 min, 32 min
_RUNS = 200


class Triggers:
    """The triggers of one model; the caller holds the controller's lease.

    Args:
        root, environ: see `SignalReader`; without a root the source itself is not looked at.
    """

    def __init__(
        self,
        workspace: Workspace,
        model: Model,
        root: Path | None = None,
        environ: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._workspace = workspace
        self._model = model
        self._reader = SignalReader(workspace, model, root, environ)

    def next(self) -> Trigger | Held | None:
        """Look once.

        Returns:
            why a training is to start now, or one that was started is to go on (the caller then runs
            `lifecycle.run` with it, to its end); or what is held and why; or `None`.

        Raises:
            StoreError: a store cannot be read or written.
        """
        retrain = self._model.retrain
        if retrain is None or not retrain.is_automatic:
            return None
        records, name = self._workspace.records, self._model.name
        before = read_state(records, name)
        state = self._settled(before)
        now = self._workspace.clock.now()
        if state.pending is not None:
            if state != before:
                write_state(records, name, state)
            return self._resumed(state.pending, now)
        signals, source = self._reader.read(state)
        memory = noticed(state.memory, signals, retrain, now)
        found = decide(signals, memory, retrain, now)
        lost = fruitless(signals.trainings)
        stopped = lost if lost >= retrain.breaker else 0
        state = replace(state, memory=memory, source=source, held=None, stopped=stopped)
        if isinstance(found, Held):
            state = replace(state, held=replace(found, trigger=_as_before(found.trigger, before.held)))
        elif found is not None:
            state = replace(state, memory=started(memory, found, now), pending=Pending(trigger=found))
        if state != before:
            write_state(records, name, state)
        if isinstance(found, Trigger):
            return self._begun(found)
        return state.held

    @property
    def stopped(self) -> int:
        """After how many trainings in a row for nothing the breaker holds; 0 where it does not."""
        return read_state(self._workspace.records, self._model.name).stopped

    def put_off(self, trouble: str) -> None:
        """The training's process ended without an end of its run: it is tried again after a pause, some times."""
        records, name = self._workspace.records, self._model.name
        state = read_state(records, name)
        if state.pending is None:
            return
        pending = _later(state.pending, trouble, self._workspace.clock.now())
        if pending.attempts >= _ATTEMPTS:
            self.give_up(f"it was tried {pending.attempts} times: {trouble}")
            return
        _LOG.error("the training was interrupted, and goes on at %s: %s", pending.not_before, trouble)
        write_state(records, name, replace(state, pending=pending))

    def give_up(self, why: str) -> None:
        """End the training that is under way, whose process is gone, as one that failed.

        Raises:
            WorkspaceBusy: its run is being done after all.
        """
        records, name = self._workspace.records, self._model.name
        state = read_state(records, name)
        if state.pending is None:
            return
        _LOG.error("the training failed: %s", why)
        with records.lease(run_lease(name), ACTOR, ttl=30.0):
            run = self._run_of(state.pending)
            if run is not None and not run.state.is_final:
                told = errors.TrainingError(f"the training was ended: {why}", cure="see the controller's log")
                detail = {**run.detail, "error": told.to_dict()}
                ended = replace(run, state=RunState.FAILED, ended_at=self._workspace.clock.now(), detail=detail)
                end_run(self._workspace, ended)
        trigger = state.pending.trigger
        records.record_event(  # its process may have ended before there was a run that could tell
            name, "training given up", actor=ACTOR, reason=why, detail={"trigger": trigger.id}, once=trigger.id
        )
        write_state(records, name, replace(state, pending=None))

    def _begun(self, trigger: Trigger) -> Trigger:
        """The trigger, once the history knows of it."""
        self._workspace.records.record_event(
            self._model.name,
            "trigger",
            actor=ACTOR,
            reason=f"{trigger.kind}: {trigger.reason}",
            detail={"trigger": trigger.id, "since": trigger.since, "evidence": dict(trigger.evidence)},
            once=trigger.id,
        )
        return trigger

    def _resumed(self, pending: Pending, now: datetime) -> Trigger | Held:
        due = pending.not_before
        # A pause that seems longer than it can be was written by a clock that was ahead.
        if due is not None and now < due <= now + _pause(pending.attempts):
            return Held(trigger=pending.trigger, because=f"it is tried again; {pending.trouble}", until=due)
        if is_being_trained(self._workspace, self._model.name):
            return Held(trigger=pending.trigger, because="another run of the model is under way")
        return self._begun(pending.trigger)

    def _settled(self, state: TriggerState) -> TriggerState:
        """What is remembered once the run of the pending training, if it has ended, is taken note of."""
        pending = state.pending
        run = self._run_of(pending) if pending is not None else None
        if pending is None or run is None or not run.state.is_final:
            return state
        error = run.detail.get("error") or {}
        if run.state is RunState.FAILED and _may_pass(error) and pending.attempts + 1 < _ATTEMPTS:
            later = _later(pending, str(error["message"]), self._workspace.clock.now())
            return replace(state, pending=replace(later, failed=(*pending.failed, run.id)))
        _LOG.info("the training %s ended: %s", run.id, error.get("message") or run.state)
        return replace(state, pending=None)

    def _run_of(self, pending: Pending) -> Run | None:
        """The newest run of a training that was not one of its attempts in vain."""
        for run in self._workspace.records.runs(self._model.name, limit=_RUNS):
            is_its = (run.detail.get("trigger") or {}).get("id") == pending.trigger.id
            if is_its and run.id not in pending.failed:
                return run
        return None


def _may_pass(error: Mapping[str, object]) -> bool:
    """Whether what ended a run may be over when it is tried again: a store that was busy or full, say."""
    kind = getattr(errors, str(error.get("error")), None)
    return isinstance(kind, type) and issubclass(kind, errors.StoreError)


def _later(pending: Pending, trouble: str, now: datetime) -> Pending:
    attempts = pending.attempts + 1
    return replace(pending, attempts=attempts, not_before=now + _pause(attempts), trouble=trouble)


def _pause(attempts: int) -> timedelta:
    return _FIRST_PAUSE * 8.0 ** max(0, attempts - 1)


def _as_before(trigger: Trigger, held: Held | None) -> Trigger:
    """The trigger as it was first held, so that a wait is written down once and not at every look."""
    return held.trigger if held is not None and held.trigger.id == trigger.id else trigger
