"""What is known of a challenger at a look, by the prediction log, the labels and what the gateways count."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import msgspec

from mainspring.domain.release import Manifest, ReleaseRef
from mainspring.domain.rollout_state import Guard, Paired, RolloutStage, RolloutState, StepEvidence
from mainspring.domain.verdict import Outcome
from mainspring.errors import MainspringError
from mainspring.loop.evidence.compared import Compared
from mainspring.loop.evidence.guards import guards_of
from mainspring.loop.evidence.known import Gains, Known
from mainspring.loop.evidence.log import count_log
from mainspring.loop.evidence.replay import replay
from mainspring.loop.evidence.rows import compare_rows
from mainspring.loop.gateway_metrics import gateway_metrics
from mainspring.stats.sequential import difference_sequence, mean_sequence
from mainspring.stats.sequential_shares import share_sequence
from mainspring.workspace import Workspace

_UP, _BAKE = 0.5, 0.25  # of the plan's alpha: on the way up, and in the bake; the guards have the rest
_FAILED = ("failed", "nonsense", "timeout", "refused")  # of a shadow's rows
_CLIENT = "InvalidInput"  # a request that the champion would refuse as well


def gather(
    workspace: Workspace,
    state: RolloutState,
    known: Known,
    label_delay: timedelta | None,
    keep: Callable[[], None],
) -> StepEvidence:
    """Take in what is new, and say what the present step rests on.

    Args:
        known: what was known at the last look; is added to.
        label_delay: how long after an answer its label is due, where the model says so.
        keep: stores what is known by now; called in the middle of what takes long.

    Raises:
        StoreError: a store cannot be read.
    """
    try:
        challenger = _manifest(workspace, state.model, state.challenger)
    except MainspringError as error:
        return _only(Outcome.FAIL, error.message)
    try:
        before = _manifest(workspace, state.model, state.before)
    except MainspringError as error:  # no fault of the challenger's
        return _only(Outcome.INCONCLUSIVE, error.message)
    if before.task is not challenger.task:
        return _only(Outcome.FAIL, f"it predicts {challenger.task} where the champion predicts {before.task}")
    by = Compared.of(state, before, challenger)
    if by.most is not None:
        known.bound_gains(by.most)
    count_log(workspace.tables, state, known)
    _count_failures(workspace, state, known)
    if state.stage is RolloutStage.REPLAY:
        replay(workspace, state, known, by, label_delay, keep)
    compare_rows(workspace.tables, state, known, by, workspace.clock.now(), label_delay)
    guards = guards_of(state, known, is_outcome=by.is_outcome, arms=_arms(workspace, state.model))
    requests = known.replay.get("rows", 0) if state.stage is RolloutStage.REPLAY else known.requests
    return StepEvidence(requests=int(requests), quality=quality_of(state, known, by), guards=guards)


def quality_of(state: RolloutState, known: Known, by: Compared) -> Paired | None:
    """By how much the challenger is better, by all rows of the way up, or in the bake by those of the bake."""
    plan, is_bake = state.plan, state.stage is RolloutStage.BAKE
    if by.is_outcome:
        if is_bake:  # the old champion is not heard any more, and has no outcomes
            return None
        rows = min(known.canary.count, known.champion.count)
        interval = difference_sequence(
            known.canary, known.champion, alpha=plan.alpha * _UP, tuned_to=plan.min_requests
        )
        return _paired(by.metric, rows, known.canary.mean - known.champion.mean, interval, plan.min_requests)
    name, alpha = ("bake_gains", plan.alpha * _BAKE) if is_bake else ("gains", plan.alpha * _UP)
    gains: Gains = getattr(known, name)
    interval = mean_sequence(gains, alpha=alpha, tuned_to=known.looked_at_from(name, plan.min_requests))
    return _paired(by.metric, known.rows_of(name), gains.mean, interval, plan.min_requests)


def told(state: RolloutState, known: Known, evidence: StepEvidence) -> dict[str, Any]:
    """The evidence as plain data, for people and for the history."""
    found: dict[str, Any] = {
        "requests": evidence.requests,
        "quality": msgspec.to_builtins(evidence.quality),
        "guards": msgspec.to_builtins(evidence.guards),
    }
    if known.pairs:
        low, high = share_sequence(
            known.disagreed, known.pairs, alpha=state.plan.alpha, tuned_to=state.plan.min_requests
        )
        share = known.disagreed / known.pairs
        found["disagreement"] = {"share": share, "low": low, "high": high, "rows": known.pairs}
    if known.unpaired:
        found["unpaired"] = known.unpaired
    medians = {name: sketch.quantile(0.5) for name, sketch in known.latencies.items() if sketch.count}
    if medians:
        found["latency_us"] = medians
    return found


def _manifest(workspace: Workspace, model: str, number: int) -> Manifest:
    return workspace.catalogue.manifest(workspace.catalogue.find(ReleaseRef(model, number)))


def _only(outcome: Outcome, note: str) -> StepEvidence:
    return StepEvidence(requests=0, quality=None, guards=(Guard(name="release", outcome=outcome, note=note),))


def _paired(metric: str, rows: int, mean: float, interval: tuple[float, float], least: int) -> Paired | None:
    if not rows:
        return None
    low, high = (bound if rows >= least and math.isfinite(bound) else None for bound in interval)
    return Paired(metric=metric, rows=rows, mean=mean, low=low, high=high)


def _arms(workspace: Workspace, model: str) -> float:
    route = workspace.records.routes().of(model)
    return 0.0 if route is None else sum(arm.share for arm in route.traffic.arms)


def _count_failures(workspace: Workspace, state: RolloutState, known: Known) -> None:
    """What the gateways of this machine count of the challenger; nothing where none lives here."""
    from mainspring.monitoring.gateway_counters import increase, read_metrics, total

    text = gateway_metrics(workspace)
    if text is None:
        return
    samples = read_metrics(text)
    ref = f"{state.model}@{state.challenger}"
    rows = {
        outcome: total(samples, "shadow_rows_total", release=ref, outcome=outcome) or 0.0
        for outcome in (*_FAILED, "answered")
    }
    fell_back = (total(samples, "challenger_fallbacks_total", release=ref) or 0.0) - (
        total(samples, "challenger_fallbacks_total", release=ref, reason=_CLIENT) or 0.0
    )
    answered = total(samples, "answers_total", release=ref) or 0.0
    failed = sum(rows[outcome] for outcome in _FAILED) + fell_back
    counters = {"failed": failed, "asked": failed + rows["answered"] + answered}
    if known.counters is not None:
        _add(known.failures, increase(known.counters, counters))
    known.counters = counters


def _add(sums: dict[str, float], more: Mapping[str, float]) -> None:
    for name, value in more.items():
        sums[name] = sums.get(name, 0.0) + value
