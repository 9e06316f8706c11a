"""Takes challengers up: begins a rollout, and at each turn gathers evidence, decides, and does the decided."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from mainspring.domain.durations import parse_duration
from mainspring.domain.ids import uuid7
from mainspring.domain.release import ReleaseRef
from mainspring.domain.rollout_rules import failed, promoted, steps_of, superseded, tick
from mainspring.domain.rollout_state import Decision, RolloutStage, RolloutState, StepEvidence
from mainspring.domain.run import RunState
from mainspring.errors import UsageError, WorkspaceBusy
from mainspring.loop.evidence.gathering import gather, told
from mainspring.loop.evidence.known import Known
from mainspring.loop.rollout.promotion import make_champion, mirror_champion
from mainspring.loop.rollout.routes import settle, share
from mainspring.workspace import Workspace

if TYPE_CHECKING:
    from mainspring.domain.model import Model
    from mainspring.domain.release import ReleaseRecord

_LOG = logging.getLogger("mainspring.controller")
_ATTEMPTS = 5
_WRITE_EVERY = timedelta(minutes=1)  # where nothing is new but the time
_MOST = 1_000  # rollouts and changes of a model that are looked through
_HEARD = (RolloutStage.CANARY, RolloutStage.BAKE)


def begin_rollout(workspace: Workspace, model: Model, record: ReleaseRecord, *, actor: str) -> str:
    """Let a release that passed its gates begin its way up; what came of it, in words.

    The first release of a model has no champion to be proved against, and becomes it. An open rollout that has not
    answered anybody yet gives way to a newer release; another one is waited for. Beginning the same again changes
    nothing.

    Raises:
        WorkspaceBusy: the rollout is being changed by others all the time.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return _begin(workspace, model, record, actor)
        except (WorkspaceBusy, UsageError):  # another process was faster: with what it wrote, once more
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def advance_rollouts(workspace: Workspace, model: Model, *, actor: str = "controller") -> list[Decision]:
    """One turn: what is new of the model's open rollout, what it decides, and what follows.

    Returns:
        the moves that were made: a new stage or step, or an end; empty where it holds.

    Raises:
        WorkspaceBusy: another process has taken over (its lease is held by another one).
        StoreError: a store cannot be read or written; the next turn goes on from where this one came.
    """
    records = workspace.records
    state = records.rollout(model.name)
    if state is None:
        waiting = _waiting(workspace, model)
        if waiting is None:
            return []
        begin_rollout(workspace, model, waiting, actor=actor)
        begun = records.rollout(model.name)
        return [] if begun is None else [Decision(state=begun)]
    try:
        return _turn(workspace, model, state, actor)
    except WorkspaceBusy:
        present = records.rollout(model.name)
        if present is not None and present.id == state.id and present.version == state.version:
            raise  # it is the lease that is lost
        return []  # a person has paused or ended it in the middle of the turn: the next one sees that


def _turn(workspace: Workspace, model: Model, state: RolloutState, actor: str) -> list[Decision]:
    records = workspace.records
    if state.ending is not None or not state.settled:
        state = settle(workspace, state, actor=actor)
        if not state.is_open:
            return [Decision(state=state)]
    adopted = _adopted(workspace, state)
    if adopted is not None:
        return [_carried_out(workspace, adopted, actor)]
    now = workspace.clock.now()
    if state.paused_at is not None:
        _keep_clock(workspace, state, tick(state, _NO_EVIDENCE, now).state, actor)
        return []
    share(workspace, state, actor=actor)
    known = Known.of(state)

    def keep() -> None:
        nonlocal state
        state = records.put_rollout(replace(state, progress=known.to_dict()), actor=actor)

    delay = None if model.label_delay is None else parse_duration(model.label_delay)
    evidence = gather(workspace, state, known, delay, keep)
    decision = tick(state, evidence, workspace.clock.now())
    seen = replace(decision.state, evidence=told(state, known, evidence), progress=known.to_dict())
    if _is_move(state, seen):
        return [_carried_out(workspace, replace(decision, state=seen), actor)]
    if seen.progress != state.progress:
        records.put_rollout(seen, actor=actor)
    else:
        _keep_clock(workspace, state, seen, actor)
    return []


_NO_EVIDENCE = StepEvidence(requests=0, quality=None)


def _carried_out(workspace: Workspace, decision: Decision, actor: str) -> Decision:
    written = workspace.records.put_rollout(decision.state, actor=actor)
    settled = settle(workspace, written, actor=actor)
    where = f"ended: {settled.end}" if settled.end is not None else place_of(settled)
    _LOG.info("%s@%d: %s (%s)", settled.model, settled.challenger, where, settled.note)
    return replace(decision, state=settled)


def place_of(state: RolloutState) -> str:
    """Where a rollout stands, in words.

    Examples:
        >>> from datetime import datetime
        >>> from mainspring.domain.rollout import Rollout
        >>> now = datetime(2026, 3, 1)
        >>> place_of(RolloutState(id="1", model="m", challenger=4, before=3, plan=Rollout(), started_at=now,
        ...     entered_at=now, stage=RolloutStage.CANARY, step=1))
        'canary 25%'
    """
    steps = steps_of(state.plan)
    where = f"{state.stage} {steps[state.step]:g}%" if state.stage is RolloutStage.CANARY else str(state.stage)
    return f"{where}, paused" if state.paused_at is not None else where


def _is_move(before: RolloutState, after: RolloutState) -> bool:
    return (after.stage, after.step, after.ending) != (before.stage, before.step, before.ending)


def _keep_clock(workspace: Workspace, before: RolloutState, after: RolloutState, actor: str) -> None:
    """Where only time has passed, write it now and then."""
    last = before.looked_at or before.entered_at
    if not timedelta(0) <= (after.looked_at or last) - last < _WRITE_EVERY:
        workspace.records.put_rollout(after, actor=actor)


def _adopted(workspace: Workspace, state: RolloutState) -> Decision | None:
    """What follows from a change of the champion that was made past the rollout; `None` where there was none."""
    route = workspace.records.routes().of(state.model)
    champion = None if route is None else route.champion
    is_bake = state.stage is RolloutStage.BAKE
    if champion == (state.challenger if is_bake else state.before):
        return None
    changes = workspace.records.audit(state.model, limit=_MOST)
    last = next((one for one in changes if one["alias"] == "champion"), None)
    why = "the champion was changed" if last is None else f"{last['reason']} (by {last['actor']})"
    if champion == state.challenger:
        return promoted(state, workspace.clock.now(), f"promoted: {why}")
    if champion == state.before:
        return failed(state, why)
    return superseded(state, f"{state.model}@{champion} is champion: {why}")


def _begin(workspace: Workspace, model: Model, record: ReleaseRecord, actor: str) -> str:
    records, now = workspace.records, workspace.clock.now()
    plan = model.rollout
    assert plan is not None, "without a rollout a release becomes champion at once"
    route = records.routes().of(model.name)
    if route is None or route.champion == record.number:
        reason = "passed its gates, and there was no champion"
        make_champion(records, record, actor=actor, reason=reason, clock=workspace.clock)
        mirror_champion(workspace.tracking, record)
        return f"{record.ref} is champion"
    known = next((one for one in records.rollouts(model.name, _MOST) if one.challenger == record.number), None)
    if known is not None:
        if known.is_open and not known.settled:
            known = settle(workspace, known, actor=actor)
        return f"{record.ref}: {place_of(known) if known.is_open else known.end}"
    waits_for = _made_way(workspace, record, actor)
    if waits_for:
        return waits_for
    fresh = RolloutState(
        id=uuid7(workspace.clock),
        model=model.name,
        challenger=record.number,
        before=route.champion,
        plan=plan,
        stage=RolloutStage.REPLAY if plan.replay else RolloutStage.SHADOW,
        started_at=now,
        entered_at=now,
        looked_at=now,
        note="passed its gates",
        settled=False,
    )
    begun = settle(workspace, records.put_rollout(fresh, actor=actor), actor=actor)
    return f"{record.ref} begins its way up: {place_of(begun)}"


def _made_way(workspace: Workspace, record: ReleaseRecord, actor: str) -> str:
    """End what is open, if it may be ended for a newer release; else why that one waits."""
    present = workspace.records.rollout(record.model)
    if present is not None and (present.ending is not None or not present.settled):
        present = settle(workspace, present, actor=actor)
    if present is None or not present.is_open:
        return ""
    other = f"{record.model}@{present.challenger}"
    if present.stage in _HEARD or present.paused_at is not None or present.challenger > record.number:
        return f"{record.ref} waits until the rollout of {other} ({place_of(present)}) has ended"
    _carried_out(workspace, superseded(present, f"{record.ref} is newer"), actor)
    return ""


def _waiting(workspace: Workspace, model: Model) -> ReleaseRecord | None:
    """The release of the newest run that brought one, if it is still to have its rollout."""
    records, name = workspace.records, model.name
    route = records.routes().of(name)
    if model.rollout is None or route is None:
        return None
    released = (run.release for run in records.runs(name) if run.state is RunState.RELEASED)
    number = next((one for one in released if one is not None), None)
    if number is None or number <= route.champion:
        return None
    if any(one.challenger == number for one in records.rollouts(name, _MOST)):
        return None
    if any(one["alias"] == "champion" and one["after"] == number for one in records.audit(name, _MOST)):
        return None
    return records.find_release(ReleaseRef(name, number))
