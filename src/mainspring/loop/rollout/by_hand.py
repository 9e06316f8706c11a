"""What a person may do with a rollout at any step: pause it, let it go on, promote, take back, reject."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mainspring.domain.ids import uuid7
from mainspring.domain.release import Alias, ReleaseRecord, ReleaseRef
from mainspring.domain.rollout import Rollout
from mainspring.domain.rollout_rules import failed, paused, promoted, resumed, superseded
from mainspring.domain.rollout_state import RolloutEnd, RolloutStage, RolloutState
from mainspring.errors import ReleaseError, UnknownRelease, UsageError, WorkspaceBusy
from mainspring.loop.rollout.promotion import make_champion
from mainspring.loop.rollout.rollback_target import ROLLED_BACK, champions_before, good_champion
from mainspring.loop.rollout.routes import settle
from mainspring.workspace import Workspace

_ATTEMPTS = 5
_CHANGES = 1_000

Change = Callable[[RolloutState], RolloutState]


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a change of the champion by hand came to.

    Attributes:
        champion: the release that answers now.
        before: the number of the one that answered before.
        rollout: as it stands now, where one was concerned.
    """

    champion: ReleaseRecord
    before: int | None
    rollout: RolloutState | None = None


def pause(workspace: Workspace, model: str, *, actor: str, reason: str) -> RolloutState:
    """Hold the model's rollout where it is; its traffic stays, and no clock of it runs.

    Raises:
        UsageError: there is no rollout.
        WorkspaceBusy: others change it all the time.
    """
    now = workspace.clock.now()
    return _changed(workspace, model, lambda state: paused(state, now, f"paused: {reason}"), actor)


def resume(workspace: Workspace, model: str, *, actor: str, reason: str) -> RolloutState:
    """Let a rollout that was paused go on. Raises as `pause`."""
    now = workspace.clock.now()
    return _changed(workspace, model, lambda state: resumed(state, now, f"resumed: {reason}"), actor)


def reject(workspace: Workspace, model: str, *, actor: str, reason: str) -> RolloutState:
    """End the rollout of the challenger, or see to it that none begins.

    Raises:
        UsageError: there is no challenger, or it is champion already.
        WorkspaceBusy: others change it all the time.
    """
    if workspace.records.rollout(model) is None:
        return _rejected_before_it_began(workspace, model, actor, reason)

    def change(state: RolloutState) -> RolloutState:
        if state.stage is RolloutStage.BAKE:
            raise UsageError(
                f"{model}@{state.challenger} is the champion already",
                cure=f"take it back: mainspring rollback {model}",
                where={"model": model},
            )
        return failed(state, f"rejected: {reason}").state

    return _changed(workspace, model, change, actor)


def promote(
    workspace: Workspace, record: ReleaseRecord, *, actor: str, reason: str, wait_seconds: float
) -> tuple[Promotion, int, bool]:
    """Make a release champion now, whatever the evidence says.

    Of the challenger of a rollout the bake begins, and ends where it is promoted again. A rollout of any other
    release ends: what it was to be proved against answers no more.

    Returns:
        what it came to, the route generation, and whether all live gateway workers answer by it.
    """
    before = _champion(workspace, record.model)
    now = workspace.clock.now()

    def change(state: RolloutState) -> RolloutState:
        if state.challenger == record.number:
            return promoted(state, now, f"promoted: {reason}").state
        if state.stage is RolloutStage.BAKE and state.before == record.number:
            return failed(state, f"{record.ref} was promoted: {reason}").state
        return superseded(state, f"{record.ref} was promoted: {reason}").state

    rollout = None
    if workspace.records.rollout(record.model) is not None:
        rollout = _changed(workspace, record.model, change, actor)
    if rollout is not None and rollout.end is RolloutEnd.ROLLED_BACK:  # perhaps to another one, which can answer
        record = _present(workspace, record.model)
    return _made(workspace, record, before, rollout, actor, reason, wait_seconds)


def rollback(
    workspace: Workspace, model: str, *, actor: str, reason: str, wait_seconds: float
) -> tuple[Promotion, int, bool]:
    """Take back the newest thing that changed what answers: a canary, a champion in its bake, or the champion.

    A release that is not what was sealed any more is passed over for the champion before it, and told of.

    Returns:
        as `promote`.

    Raises:
        UnknownRelease: there is nothing to go back to.
        ReleaseError: nothing of that can answer again.
    """
    state = workspace.records.rollout(model)
    before = _champion(workspace, model)
    rollout: RolloutState | None = None
    if state is not None and state.stage in (RolloutStage.CANARY, RolloutStage.BAKE):
        rollout = _changed(workspace, model, lambda one: failed(one, reason).state, actor)
        record = _present(workspace, model)
        return _made(workspace, record, before, rollout, actor, reason, wait_seconds)
    older = champions_before(workspace.records.audit(model, limit=_CHANGES))
    if not older:
        raise UnknownRelease(
            f"{model} had no champion before the present one",
            cure=f"see `mainspring releases {model}`, and choose one with `mainspring promote {model}@N`",
            where={"model": model},
        )
    assert before is not None, "a model that had champions before the present one has that one"
    number = good_champion(workspace, model, older[0], but=before, actor=actor)
    if number is None:
        raise ReleaseError(
            f"no release that was champion of {model} before can answer again; {model}@{before} stays",
            cure=f"restore the folder of one, or promote another: see `mainspring releases {model}`",
            where={"model": model},
        )
    record = workspace.catalogue.find(ReleaseRef(model, number))
    if state is not None:
        note = f"the champion was rolled back: {reason}"
        rollout = _changed(workspace, model, lambda one: superseded(one, note).state, actor)
    return _made(workspace, record, before, rollout, actor, f"{ROLLED_BACK}: {reason}", wait_seconds)


def _present(workspace: Workspace, model: str) -> ReleaseRecord:
    champion = _champion(workspace, model)
    assert champion is not None, "a rollout has a champion beside it"
    return workspace.catalogue.find(ReleaseRef(model, champion))


def _made(
    workspace: Workspace,
    record: ReleaseRecord,
    before: int | None,
    rollout: RolloutState | None,
    actor: str,
    reason: str,
    wait_seconds: float,
) -> tuple[Promotion, int, bool]:
    """See to it that the release is champion, and wait for the gateways."""
    generation, followed = make_champion(
        workspace.records, record, actor=actor, reason=reason, clock=workspace.clock, wait_seconds=wait_seconds
    )
    return Promotion(record, before, rollout), generation, followed


def _changed(workspace: Workspace, model: str, change: Change, actor: str) -> RolloutState:
    """Change the open rollout and bring routes and traffic after it; again where another process was faster."""
    records = workspace.records
    for attempt in range(_ATTEMPTS):
        state = records.rollout(model)
        if state is None:
            raise UsageError(
                f"no rollout of {model!r} is open", cure="see `mainspring status`", where={"model": model}
            )
        try:
            if state.ending is not None or not state.settled:  # somebody was killed before it was done
                state = settle(workspace, state, actor=actor)
                if not state.is_open:
                    continue
            after = change(state)
            if after == state:
                return state
            written = records.put_rollout(after, actor=actor)
        except WorkspaceBusy:
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return _settled(workspace, written, actor)
    raise UsageError(
        f"the rollout of {model!r} has just ended", cure="see `mainspring status`", where={"model": model}
    )


def _settled(workspace: Workspace, state: RolloutState, actor: str) -> RolloutState:
    """The state with routes and traffic brought after it, by us or by another process that was faster.

    What was decided is written, and is not decided once more: a second promotion would end the bake.
    """
    for attempt in range(_ATTEMPTS):
        if not state.is_open or (state.ending is None and state.settled):
            return state
        try:
            return settle(workspace, state, actor=actor)
        except WorkspaceBusy:
            if attempt == _ATTEMPTS - 1:
                raise
        known = workspace.records.rollouts(state.model, _CHANGES)
        state = next(one for one in known if one.id == state.id)
    raise AssertionError("the last attempt returns or raises")


def _rejected_before_it_began(workspace: Workspace, model: str, actor: str, reason: str) -> RolloutState:
    """Of a challenger that waits: its rollout is over before it begins."""
    records, now = workspace.records, workspace.clock.now()
    route = records.routes().of(model)
    if route is None or route.challenger is None:
        raise UsageError(f"{model!r} has no challenger", cure="see `mainspring status`", where={"model": model})
    ended = RolloutState(
        id=uuid7(workspace.clock),
        model=model,
        challenger=route.challenger,
        before=route.champion,
        plan=Rollout(),
        stage=RolloutStage.REPLAY,
        started_at=now,
        entered_at=now,
        ended_at=now,
        end=RolloutEnd.REJECTED,
        note=f"rejected: {reason}",
    )
    written = records.put_rollout(ended, actor=actor)
    records.set_alias(model, Alias.CHALLENGER, None, actor=actor, reason=ended.note)
    return written


def _champion(workspace: Workspace, model: str) -> int | None:
    route = workspace.records.routes().of(model)
    return None if route is None else route.champion
