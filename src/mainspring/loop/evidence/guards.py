"""Conditions beside the metric: a challenger that is better, but fails or is slow, does not go up."""

from __future__ import annotations

from collections.abc import Iterator

from mainspring.domain.rollout import Rollout
from mainspring.domain.rollout_rules import bar_of, steps_of
from mainspring.domain.rollout_state import Guard, RolloutStage, RolloutState
from mainspring.domain.verdict import Outcome
from mainspring.loop.evidence.known import Known
from mainspring.stats.samples import Sample
from mainspring.stats.sequential import difference_sequence
from mainspring.stats.sequential_quantiles import quantile_ratio_sequence
from mainspring.stats.sequential_shares import share_sequence

MOST_FAILURES = 0.01
"""Of the requests that the challenger was asked. More than that, for sure, ends its rollout."""
_NOT_ASKED = 0.5  # of the share that the canary should see
_MOSTLY = 0.8  # of the answers must be known by their truth for those of two groups to be compared
_ALPHA = 0.25 / 6  # of the plan's alpha, for each guard: the six of them take a quarter


def guards_of(state: RolloutState, known: Known, *, is_outcome: bool, arms: float) -> tuple[Guard, ...]:
    """The guards of the present stage.

    Args:
        is_outcome: what the canary is compared by is an outcome, and so no guard but the proof itself.
        arms: the share of the traffic that an A/B test takes.
    """
    return tuple(_guards(state, known, is_outcome=is_outcome, arms=arms))


def _guards(state: RolloutState, known: Known, *, is_outcome: bool, arms: float) -> Iterator[Guard]:
    plan, stage = state.plan, state.stage
    if stage is RolloutStage.REPLAY:
        yield _replay(known)
        return
    yield _nonsense(known)
    yield _failures(plan, known)
    if plan.disagreement is not None and stage is not RolloutStage.BAKE:
        yield _disagreement(plan.disagreement, plan, known)
    if stage is RolloutStage.CANARY:
        yield _latency(plan, known, "canary")
        yield _ratio(plan, known, steps_of(plan)[state.step] / 100 / (1 - arms) if arms < 1 else 1.0)
        if not is_outcome:
            yield _live(plan, known)
    if stage is RolloutStage.BAKE:
        yield _latency(plan, known, "bake")


def _replay(known: Known) -> Guard:
    found = known.replay
    if found.get("problem"):
        return Guard(name="replay", outcome=Outcome.FAIL, note=found["problem"])
    if not found.get("done"):
        note = f"{found.get('rows', 0):,} rows answered again so far"
        return Guard(name="replay", outcome=Outcome.INCONCLUSIVE, note=note)
    note = found.get("note") or f"{found.get('rows', 0):,} rows answered again"
    return Guard(name="replay", outcome=Outcome.PASS, note=note)


def _nonsense(known: Known) -> Guard:
    count = known.nonsense
    if count:
        return Guard(name="nonsense", outcome=Outcome.FAIL, note=f"{count:,} answers are no numbers")
    return Guard(name="nonsense", outcome=Outcome.PASS, note="every answer is a number")


def _failures(plan: Rollout, known: Known) -> Guard:
    asked, failed = known.failures.get("asked", 0.0), known.failures.get("failed", 0.0)
    asked = max(asked, failed)
    if not asked:
        note = "no gateway of this machine counts what the challenger does not answer"
        return Guard(name="failures", outcome=Outcome.PASS, note=note)
    note = f"{failed:,.0f} of {asked:,.0f} were not answered"
    low, _ = share_sequence(failed, asked, alpha=plan.alpha * _ALPHA, tuned_to=plan.min_requests, side="low")
    if low > MOST_FAILURES:
        return Guard(name="failures", outcome=Outcome.FAIL, note=f"{note}, more than {MOST_FAILURES:.0%}")
    doubt = failed / asked > MOST_FAILURES
    return Guard(name="failures", outcome=Outcome.INCONCLUSIVE if doubt else Outcome.PASS, note=note)


def _disagreement(most: float, plan: Rollout, known: Known) -> Guard:
    if not known.pairs:
        note = "no rows yet that both answered"
        return Guard(name="disagreement", outcome=Outcome.INCONCLUSIVE, note=note)
    share = known.disagreed / known.pairs
    low, _ = share_sequence(
        known.disagreed, known.pairs, alpha=plan.alpha * _ALPHA, tuned_to=plan.min_requests, side="low"
    )
    note = f"it says otherwise than the champion in {share:.2%} of {known.pairs:,} rows"
    if low > most:
        return Guard(name="disagreement", outcome=Outcome.FAIL, note=f"{note}; {most:.2%} is allowed")
    return Guard(name="disagreement", outcome=Outcome.INCONCLUSIVE if share > most else Outcome.PASS, note=note)


def _latency(plan: Rollout, known: Known, of: str) -> Guard:
    mine, theirs = known.latencies[of], known.latencies["champion"]
    if not mine.count or not theirs.count:
        return Guard(name="latency", outcome=Outcome.INCONCLUSIVE, note="no answers of both to compare yet")
    ratio = mine.quantile(0.5) / max(theirs.quantile(0.5), 1.0)
    low, _ = quantile_ratio_sequence(
        Sample.from_sketch(mine),
        Sample.from_sketch(theirs),
        0.5,
        alpha=plan.alpha * _ALPHA,
        tuned_to=plan.min_requests,
    )
    note = (
        f"half of its answers take {mine.quantile(0.5) / 1000:.3g} ms or more, "
        f"{ratio:.3g} times the champion's {theirs.quantile(0.5) / 1000:.3g} ms"
    )
    if low > plan.latency:
        return Guard(name="latency", outcome=Outcome.FAIL, note=f"{note}; {plan.latency:g} times is allowed")
    doubt = ratio > plan.latency
    return Guard(name="latency", outcome=Outcome.INCONCLUSIVE if doubt else Outcome.PASS, note=note)


def _ratio(plan: Rollout, known: Known, expected: float) -> Guard:
    """Whether the canary sees its share.

    Requests of one key go the same way, and a gateway does not tell which key a client named: so a few busy
    clients can shift the share. Only what is far off, and not by chance, says that the routing is wrong.
    """
    both = known.requests + known.champion_requests
    if not both:
        return Guard(name="sample ratio", outcome=Outcome.PASS, note="no requests yet")
    share = known.requests / both
    note = f"it answers {share:.2%} of the requests, and should {expected:.2%}"
    low, high = share_sequence(known.requests, both, alpha=plan.alpha * _ALPHA, tuned_to=plan.min_requests)
    far = abs(share / expected - 1) > _NOT_ASKED and not low <= expected <= high
    return Guard(name="sample ratio", outcome=Outcome.INCONCLUSIVE if far else Outcome.PASS, note=note)


def _live(plan: Rollout, known: Known) -> Guard:
    """Those who got the challenger's answers against those who got the champion's: other rows, the same metric.

    Where little is known of what came true, what is known may depend on the answer: of the ads that bid, only the
    one that was shown can be clicked, and who chooses better ones gets rows that are harder to tell. There the two
    groups have other rows by what they were answered, and only rows that both have answered can be compared.
    """
    told = known.seen_of("champion") + known.seen_of("canary")
    answered = max(told, sum(known.alone.values()))
    if told < _MOSTLY * answered:
        note = f"not compared: of {told / answered:.0%} of the answers the truth is known, maybe because of them"
        return Guard(name="canary", outcome=Outcome.PASS, note=note)
    low, high = difference_sequence(
        known.champion,
        known.canary,
        alpha=plan.alpha * _ALPHA,
        tuned_to=known.looked_at_from("canary", plan.min_requests),
    )
    rows = known.rows_of("canary")
    if high < bar_of(plan):
        note = f"its own answers are worse than the champion's by {-high:.4g} to {-low:.4g}, on {rows:,} rows"
        return Guard(name="canary", outcome=Outcome.FAIL, note=note)
    return Guard(name="canary", outcome=Outcome.PASS, note=f"not worse for sure, on {rows:,} rows")
