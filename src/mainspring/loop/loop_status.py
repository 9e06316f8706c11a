"""What the loop of each model is about to do, and why: for `mainspring status`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from mainspring.domain.cron import parse_cron
from mainspring.domain.ports import Records
from mainspring.domain.rollout_state import RolloutState
from mainspring.loop.retraining.state import Pending, TriggerState, read_state


def loop_status(records: Records, model: str, now: datetime) -> dict[str, Any]:
    """Plain data.

    Returns:
        `training`: what has started one that is not done yet, how often it was tried in vain, and when it is tried
        again; `held`: a cause that may not start one yet, why, and until when; `stopped`: after how many trainings
        in vain the breaker holds, else 0; `next`: the schedule's next moment; `rollout`: the challenger that is
        being proved, where it stands and since when. What there is nothing of is null.
    """
    state = read_state(records, model)
    return {
        "model": model,
        "training": None if state.pending is None else _training(state.pending),
        "held": _held(state),
        "stopped": state.stopped,
        "next": _next(state.memory.schedule, now),
        "rollout": _rollout(records.rollout(model)),
    }


def _training(pending: Pending) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(pending.trigger)
    tried = {"attempts": pending.attempts, "trouble": pending.trouble, "not_before": pending.not_before}
    return {**plain, **{name: msgspec.to_builtins(value) for name, value in tried.items()}}


def _held(state: TriggerState) -> dict[str, Any] | None:
    if state.held is None:
        return None
    plain: dict[str, Any] = msgspec.to_builtins(state.held)
    return plain


def _next(schedule: str | None, now: datetime) -> str | None:
    return None if schedule is None else parse_cron(schedule).next(now).isoformat()


def _rollout(rollout: RolloutState | None) -> dict[str, Any] | None:
    if rollout is None:
        return None
    return {
        "challenger": f"{rollout.model}@{rollout.challenger}",
        "stage": str(rollout.stage),
        "step": rollout.step,
        "entered_at": rollout.entered_at.isoformat(),
        "paused_at": None if rollout.paused_at is None else rollout.paused_at.isoformat(),
        "note": rollout.note,
    }
