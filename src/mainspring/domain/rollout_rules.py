"""How a challenger goes up: one look decides one move at most, by the evidence and by time alone.

The law:

1. Nothing moves without evidence. What is missing, NaN or too little holds; past the deadline it rolls back.
2. What is surely wrong ends it at once: a guard that fails, or an interval wholly on the wrong side.
3. It is promoted only when the evidence says `better` (or `not_worse`, where the plan says so), with every guard
   passed, after at least the time and the requests that each step asks for.
4. Each look moves by one stage or step at most, whatever the clock says: a clock that jumps ahead makes a step
   shorter, and never skips one; one that is set back stops the count for one look.
5. A paused rollout does not move, and no clock of it runs.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeGuard

from mainspring.domain.durations import parse_duration
from mainspring.domain.rollout import SHADOW_METRICS, Rollout
from mainspring.domain.rollout_state import (
    Decision,
    Guard,
    Paired,
    RolloutEnd,
    RolloutStage,
    RolloutState,
    StepEvidence,
)
from mainspring.domain.routing import Share, Traffic
from mainspring.domain.verdict import Outcome


def tick(state: RolloutState, evidence: StepEvidence, now: datetime) -> Decision:
    """What a look decides; the same for the same arguments, and nothing for a rollout that has ended.

    Args:
        evidence: of the present stage and step, as far as it is known at the look.
    """
    if not state.is_open or state.ending is not None:
        return Decision(state=state)
    state = _counted(state, now)
    if state.paused_at is not None:
        return Decision(state=state)
    wrong = _wrong(state, evidence)
    if wrong:
        return failed(state, wrong)
    if state.stage is not RolloutStage.BAKE and state.seconds_in_all > _seconds(state.plan.deadline):
        missing = _missing(state, evidence) or "the last step was not over"
        return failed(state, f"no verdict within {state.plan.deadline}: {missing}")
    missing = _missing(state, evidence)
    if missing:
        return Decision(state=replace(state, note=missing))
    return _onward(state, evidence, now)


def failed(state: RolloutState, note: str) -> Decision:
    """It ends: rejected if it answered nobody yet, else rolled back; in the bake the old champion returns."""
    before_anybody = state.stage in (RolloutStage.REPLAY, RolloutStage.SHADOW)
    end = RolloutEnd.REJECTED if before_anybody else RolloutEnd.ROLLED_BACK
    champion = state.before if state.stage is RolloutStage.BAKE else None
    return Decision(state=replace(state, ending=end, note=note), traffic=Traffic(), champion=champion)


def superseded(state: RolloutState, note: str) -> Decision:
    """It ends because another release takes its place; who answers is not for it to say."""
    return Decision(state=replace(state, ending=RolloutEnd.SUPERSEDED, note=note), traffic=Traffic())


def promoted(state: RolloutState, now: datetime, note: str) -> Decision:
    """It answers everything from now on, and is watched; in the bake already, the watch is over."""
    if state.stage is RolloutStage.BAKE:
        return Decision(state=replace(state, ending=RolloutEnd.PROMOTED, note=note), traffic=Traffic())
    return _entered(replace(state, note=note), RolloutStage.BAKE, 0, now, champion=state.challenger)


def paused(state: RolloutState, now: datetime, note: str) -> RolloutState:
    """A person holds it; one that is held already stays as it is.

    Raises:
        ValueError: it has ended.
    """
    _check_open(state)
    if state.paused_at is not None:
        return state
    return replace(_counted(state, now), paused_at=now, note=note)


def resumed(state: RolloutState, now: datetime, note: str) -> RolloutState:
    """A person lets it go on, with the time of the pause left out.

    Raises:
        ValueError: it has ended.
    """
    _check_open(state)
    if state.paused_at is None:
        return state
    return replace(_counted(state, now), paused_at=None, note=note)


def traffic_of(state: RolloutState) -> Traffic:
    """The rules that the stage wants, beside those that others have set for other releases.

    In the canary the challenger is a shadow as well, for all requests that it does not answer: so both answer the
    same requests, and can be compared row by row. In the bake the old champion is the shadow.

    Examples:
        >>> state = RolloutState(id="1", model="m", challenger=4, before=3, plan=Rollout(),
        ...     stage=RolloutStage.CANARY, started_at=datetime(2026, 3, 1), entered_at=datetime(2026, 3, 1))
        >>> rules = traffic_of(state)
        >>> rules.canary, rules.shadows
        (Share(number=4, share=0.05), (Share(number=4, share=1.0),))
    """
    if not state.is_open or state.ending is not None:
        return Traffic()
    match state.stage:
        case RolloutStage.SHADOW:
            return Traffic(shadows=(Share(state.challenger, 1.0),))
        case RolloutStage.CANARY:
            share = steps_of(state.plan)[state.step] / 100
            return Traffic(canary=Share(state.challenger, share), shadows=(Share(state.challenger, 1.0),))
        case RolloutStage.BAKE:
            return Traffic(shadows=(Share(state.before, 1.0),))
    return Traffic()


def steps_of(plan: Rollout) -> tuple[float, ...]:
    """The percentages of the canary; none where the plan has no canary."""
    return () if plan.canary is None else tuple(plan.canary.steps)


def bar_of(plan: Rollout) -> float:
    """What the whole interval of the gain must be above."""
    return -plan.margin if plan.promote == "not_worse" else 0.0


def is_proved_by_outcome(plan: Rollout) -> bool:
    """Whether the metric is a business outcome: only who answers has one, so no shadow can be proved by it."""
    return plan.metric is not None and plan.metric not in SHADOW_METRICS


def _counted(state: RolloutState, now: datetime) -> RolloutState:
    """The same with its clocks put on."""
    since = state.looked_at or state.entered_at
    passed = 0.0 if state.paused_at is not None else max(0.0, (now - since).total_seconds())
    return replace(
        state, seconds=state.seconds + passed, seconds_in_all=state.seconds_in_all + passed, looked_at=now
    )


def _wrong(state: RolloutState, evidence: StepEvidence) -> str:
    """Why it must not go on, in words; empty where nothing says so."""
    for guard in evidence.guards:
        if guard.outcome is Outcome.FAIL:
            return f"{guard.name}: {guard.note}"
    quality, bar = evidence.quality, bar_of(state.plan)
    if quality is not None and _is_number(quality.high) and quality.high < bar:
        return f"it is worse: {_told(quality, bar)}"
    return ""


def _missing(state: RolloutState, evidence: StepEvidence) -> str:
    """What the step still waits for, in words; empty where it may go on."""
    plan = state.plan
    if state.stage is RolloutStage.REPLAY:
        return _open(evidence.guards)
    if state.stage is RolloutStage.BAKE:  # it is proved already: only what is wrong counts now
        return _time_left(state, plan.bake)
    each = plan.shadow if state.stage is RolloutStage.SHADOW else (plan.canary.each if plan.canary else "0s")
    waits = [_time_left(state, each)]
    if evidence.requests < plan.min_requests:
        waits.append(f"{evidence.requests:,} of {plan.min_requests:,} requests seen")
    waits.append(_open(evidence.guards))
    if _must_prove(state):
        waits.append(_unproved(plan, evidence.quality))
    return "; ".join(wait for wait in waits if wait)


def _time_left(state: RolloutState, least: str) -> str:
    left = _seconds(least) - state.seconds
    return f"{_spoken(left)} of {least} left" if left > 0 else ""


def _open(guards: Sequence[Guard]) -> str:
    return "; ".join(f"{one.name}: {one.note}" for one in guards if one.outcome is not Outcome.PASS)


def _must_prove(state: RolloutState) -> bool:
    if not is_proved_by_outcome(state.plan):
        return True
    steps = steps_of(state.plan)
    return state.stage is RolloutStage.CANARY and state.step == len(steps) - 1


def _unproved(plan: Rollout, quality: Paired | None) -> str:
    wanted = "better" if plan.promote == "better" else "not worse"
    if quality is None:
        return f"nothing to compare yet, and it must be {wanted}"
    if _is_number(quality.low) and _is_number(quality.high) and quality.low > bar_of(plan):
        return ""
    return f"not shown to be {wanted}: {_told(quality, bar_of(plan))}"


def _onward(state: RolloutState, evidence: StepEvidence, now: datetime) -> Decision:
    """The next stage or step."""
    steps = steps_of(state.plan)
    if state.stage is RolloutStage.BAKE:
        return promoted(state, now, f"it held for {state.plan.bake}{_proof(state.plan, evidence)}")
    if state.stage is RolloutStage.REPLAY:
        note = f"replayed {evidence.requests:,} rows{_proof(state.plan, evidence)}"
        return _entered(replace(state, note=note), RolloutStage.SHADOW, 0, now)
    step = 0 if state.stage is RolloutStage.SHADOW else state.step + 1
    note = f"{evidence.requests:,} requests{_proof(state.plan, evidence)}"
    if step < len(steps):
        return _entered(replace(state, note=note), RolloutStage.CANARY, step, now)
    return promoted(state, now, note)


def _entered(
    state: RolloutState, stage: RolloutStage, step: int, now: datetime, champion: int | None = None
) -> Decision:
    clock: dict[str, Any] = {"entered_at": now, "seconds": 0.0, "looked_at": now, "paused_at": None}
    fresh = replace(state, stage=stage, step=step, settled=False, **clock)
    return Decision(state=fresh, traffic=traffic_of(fresh), champion=champion)


def _proof(plan: Rollout, evidence: StepEvidence) -> str:
    return "" if evidence.quality is None else f"; {_told(evidence.quality, bar_of(plan))}"


def _told(quality: Paired, bar: float) -> str:
    if not (_is_number(quality.mean) and _is_number(quality.low) and _is_number(quality.high)):
        return f"{quality.metric} on {quality.rows:,} rows is too little to say"
    against = "" if bar == 0 else f", against a bar of {bar:.4g}"
    return (
        f"{quality.metric} is better by {quality.mean:.4g} ({quality.low:.4g} to {quality.high:.4g}) "
        f"on {quality.rows:,} rows{against}"
    )


def _is_number(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _seconds(duration: str) -> float:
    return parse_duration(duration).total_seconds()


def _spoken(seconds: float) -> str:
    return str(timedelta(seconds=math.ceil(seconds)))


def _check_open(state: RolloutState) -> None:
    if not state.is_open:
        raise ValueError(f"the rollout of {state.model}@{state.challenger} has ended")
