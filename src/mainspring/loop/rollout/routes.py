"""Brings routes and traffic to where a rollout wants them.

The state of the rollout is written first, as one that is not settled; then routes and traffic are changed, each of
which may be done twice; then the state is settled, or its end written. Whoever finds it unsettled goes on there.
So a process that is killed between any two writes leaves nothing half done, and of two that write at the same time
the one that comes second is told before it has changed anything.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from mainspring.domain.release import Alias, ReleaseRef
from mainspring.domain.rollout_rules import traffic_of
from mainspring.domain.rollout_state import RolloutEnd, RolloutStage, RolloutState
from mainspring.domain.routing import Route, Traffic
from mainspring.errors import MainspringError, UsageError
from mainspring.loop.rollout.promotion import change_traffic, make_champion
from mainspring.loop.rollout.rollback_target import ROLLED_BACK, good_champion
from mainspring.workspace import Workspace

_LOG = logging.getLogger("mainspring.controller")


def settle(workspace: Workspace, state: RolloutState, *, actor: str) -> RolloutState:
    """Do what the state wants, and say that it is done.

    Raises:
        WorkspaceBusy: somebody else has changed the rollout meanwhile.
    """
    state = _champion(workspace, state, actor)
    _challenger(workspace, state, actor)
    share(workspace, state, actor=actor)
    now = workspace.clock.now()
    done = replace(state, settled=True, end=state.ending, ended_at=None if state.ending is None else now)
    written = workspace.records.put_rollout(done, actor=actor)
    _mirror(workspace, written)
    return written


def share(workspace: Workspace, state: RolloutState, *, actor: str) -> None:
    """Give the rollout's releases their traffic, and leave that of others as it is."""

    def shared(route: Route) -> Traffic:
        try:
            return beside(route.traffic, state)
        except UsageError as error:  # an A/B test has the traffic: the evidence says that none comes
            _LOG.warning("%s@%d gets no traffic: %s", state.model, state.challenger, error.message)
            return route.traffic

    change_traffic(workspace.records, state.model, shared, actor=actor, reason=state.note, clock=workspace.clock)


def beside(present: Traffic, state: RolloutState) -> Traffic:
    """The present rules with those of the rollout in place of what they said of its releases.

    Raises:
        UsageError: there is no room for them beside an A/B test.

    Examples:
        >>> from datetime import datetime
        >>> from mainspring.domain.rollout import Rollout
        >>> from mainspring.domain.routing import Arm, Share
        >>> state = RolloutState(id="1", model="m", challenger=4, before=3, plan=Rollout(),
        ...     stage=RolloutStage.SHADOW, started_at=datetime(2026, 3, 1), entered_at=datetime(2026, 3, 1))
        >>> rules = beside(Traffic(arms=(Arm("a", 2, 0.1),), canary=Share(4, 0.1)), state)
        >>> rules.canary, rules.shadows, len(rules.arms)
        (None, (Share(number=4, share=1.0),), 1)
    """
    own, wanted = (state.challenger, state.before), traffic_of(state)
    others = tuple(shadow for shadow in present.shadows if shadow.number not in own)
    canary = present.canary if present.canary and present.canary.number not in own else None
    return replace(present, canary=wanted.canary or canary, shadows=(*others, *wanted.shadows))


def _champion(workspace: Workspace, state: RolloutState, actor: str) -> RolloutState:
    """Make the release champion that the state wants; where there is none to return to, the challenger stays."""
    wanted, reason = state.challenger, state.note
    if state.stage is not RolloutStage.BAKE or state.ending is RolloutEnd.SUPERSEDED:
        return state
    if state.ending is RolloutEnd.ROLLED_BACK:
        found = good_champion(workspace, state.model, state.before, but=state.challenger, actor=actor)
        if found is None:
            note = f"{state.note}; but no release that was champion before can answer"
            return replace(state, ending=RolloutEnd.PROMOTED, note=note)
        wanted, reason = found, f"{ROLLED_BACK}: {state.note}"
    route = _route(workspace, state.model)
    if route is not None and route.champion != wanted:
        record = workspace.catalogue.find(ReleaseRef(state.model, wanted))
        make_champion(workspace.records, record, actor=actor, reason=reason, clock=workspace.clock)
    return state


def _challenger(workspace: Workspace, state: RolloutState, actor: str) -> None:
    route = _route(workspace, state.model)
    if route is None:
        return
    waits = state.ending is None and state.stage is not RolloutStage.BAKE
    if waits and route.challenger != state.challenger:
        number: int | None = state.challenger
    elif not waits and route.challenger == state.challenger:
        number = None
    else:
        return
    workspace.records.set_alias(state.model, Alias.CHALLENGER, number, actor=actor, reason=state.note)


def _mirror(workspace: Workspace, state: RolloutState) -> None:
    """Tell the tracking store of aliases that may have changed; it is written last, and never read back."""
    on_its_way = state.stage is RolloutStage.CANARY or (state.stage is RolloutStage.SHADOW and state.plan.replay)
    route = _route(workspace, state.model)
    if route is None or (state.is_open and on_its_way):
        return
    try:
        workspace.tracking.mirror_alias(state.model, Alias.CHAMPION, route.champion)
        workspace.tracking.mirror_alias(state.model, Alias.CHALLENGER, route.challenger)
    except MainspringError as error:
        _LOG.warning("the tracking store was not told of %s's aliases: %s", state.model, error)


def _route(workspace: Workspace, model: str) -> Route | None:
    return workspace.records.routes().of(model)
