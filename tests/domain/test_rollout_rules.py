"""A challenger's way up: what moves it, what holds it, what ends it, whatever the clock and the evidence say."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mainspring.domain.rollout import Canary, Rollout
from mainspring.domain.rollout_rules import (
    bar_of,
    failed,
    is_proved_by_outcome,
    paused,
    promoted,
    resumed,
    steps_of,
    superseded,
    tick,
    traffic_of,
)
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
from mainspring.errors import DeclarationError

T0 = datetime(2026, 3, 28, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PLAN = Rollout(shadow="10m", canary=Canary([5, 50], each="10m"), min_requests=100, deadline="2h", bake="10m")
BETTER = Paired(metric="log_loss", rows=500, mean=0.02, low=0.01, high=0.03)
WORSE = Paired(metric="log_loss", rows=500, mean=-0.02, low=-0.03, high=-0.01)
OPEN = Paired(metric="log_loss", rows=500, mean=0.0, low=-0.01, high=0.01)
BROKEN = Guard(name="failures", outcome=Outcome.FAIL, note="12 of 100 requests failed")
UNSURE = Guard(name="replay", outcome=Outcome.INCONCLUSIVE, note="under way")
FINE = Guard(name="failures", outcome=Outcome.PASS, note="none of 100 requests failed")


def a_state(stage: RolloutStage = RolloutStage.REPLAY, plan: Rollout = PLAN, **changes: Any) -> RolloutState:
    given = {"id": "r", "model": "m", "challenger": 4, "before": 3, "started_at": T0, "entered_at": T0}
    return RolloutState(plan=plan, stage=stage, **given | changes)


def seen(quality: Paired | None = BETTER, *guards: Guard, requests: int = 500) -> StepEvidence:
    return StepEvidence(requests=requests, quality=quality, guards=guards)


def test_the_whole_way_up_with_good_evidence() -> None:
    state, now, told = a_state(), T0, []
    while state.is_open and state.ending is None:
        now += 11 * MINUTE
        decision = tick(state, seen(BETTER, FINE), now)
        told.append((decision.state.stage, decision.state.step, decision.traffic, decision.champion))
        state = replace(decision.state, settled=True)
    shadow = (Share(4, 1.0),)
    assert told == [
        (RolloutStage.SHADOW, 0, Traffic(shadows=shadow), None),
        (RolloutStage.CANARY, 0, Traffic(Share(4, 0.05), shadows=shadow), None),
        (RolloutStage.CANARY, 1, Traffic(Share(4, 0.5), shadows=shadow), None),
        (RolloutStage.BAKE, 0, Traffic(shadows=(Share(3, 1.0),)), 4),
        (RolloutStage.BAKE, 0, Traffic(), None),
    ]
    assert state.ending is RolloutEnd.PROMOTED


def test_without_a_canary_the_shadow_leads_to_the_champion() -> None:
    plan = replace(PLAN, canary=None)
    decision = tick(a_state(RolloutStage.SHADOW, plan), seen(), T0 + 11 * MINUTE)
    assert (decision.state.stage, decision.champion) == (RolloutStage.BAKE, 4)


@pytest.mark.parametrize("stage", list(RolloutStage))
@pytest.mark.parametrize("evidence", [seen(WORSE), seen(BETTER, BROKEN), seen(None, BROKEN)])
def test_what_is_surely_wrong_ends_it_at_once(stage: RolloutStage, evidence: StepEvidence) -> None:
    decision = tick(a_state(stage), evidence, T0 + timedelta(seconds=1))
    answered = stage in (RolloutStage.CANARY, RolloutStage.BAKE)
    assert decision.state.ending is (RolloutEnd.ROLLED_BACK if answered else RolloutEnd.REJECTED)
    assert decision.champion == (3 if stage is RolloutStage.BAKE else None)
    assert decision.traffic == Traffic()
    assert "worse" in decision.state.note or "12 of 100" in decision.state.note


@pytest.mark.parametrize(
    ("evidence", "why"),
    [
        (seen(None), "nothing to compare"),
        (seen(OPEN), "not shown to be better"),
        (seen(BETTER, UNSURE), "replay: under way"),
        (seen(BETTER, requests=99), "99 of 100 requests"),
        (seen(replace(BETTER, low=None, high=None, mean=None)), "too little to say"),
        (seen(replace(BETTER, low=math.nan)), "too little to say"),
        (seen(replace(BETTER, high=math.nan)), "too little to say"),
        (seen(replace(BETTER, low=math.inf)), "too little to say"),
        (seen(replace(WORSE, high=math.nan)), "too little to say"),
        (seen(replace(BETTER, low=0.0)), "not shown to be better"),
    ],
)
@pytest.mark.parametrize("stage", [RolloutStage.SHADOW, RolloutStage.CANARY])
def test_what_is_not_known_holds_until_the_deadline(stage: RolloutStage, evidence: StepEvidence, why: str) -> None:
    held = tick(a_state(stage), evidence, T0 + 60 * MINUTE)
    assert (held.state.stage, held.state.step, held.traffic, held.champion) == (stage, 0, None, None)
    assert why in held.state.note
    late = tick(held.state, evidence, T0 + 121 * MINUTE)
    assert late.state.ending in (RolloutEnd.REJECTED, RolloutEnd.ROLLED_BACK)
    assert late.traffic == Traffic()
    assert "no verdict within 2h" in late.state.note


def test_too_little_time_holds() -> None:
    held = tick(a_state(RolloutStage.SHADOW), seen(), T0 + 9 * MINUTE)
    assert "0:01:00 of 10m left" in held.state.note
    assert tick(held.state, seen(), T0 + 10 * MINUTE).state.stage is RolloutStage.CANARY


def test_a_replay_that_decides_nothing_leads_to_the_shadow() -> None:
    for quality in (None, OPEN, BETTER):
        assert tick(a_state(), seen(quality, requests=0), T0).state.stage is RolloutStage.SHADOW


def test_the_bake_needs_no_proof_and_has_no_deadline() -> None:
    state = a_state(RolloutStage.BAKE, seconds_in_all=1e6)
    held = tick(state, seen(None, UNSURE, requests=0), T0 + 9 * MINUTE)
    assert held.state.ending is None
    assert tick(held.state, seen(OPEN, requests=0), T0 + 10 * MINUTE).state.ending is RolloutEnd.PROMOTED


def test_not_worse_goes_by_its_margin() -> None:
    plan = replace(PLAN, promote="not_worse", margin=0.02)
    assert bar_of(plan) == -0.02
    on = tick(a_state(RolloutStage.SHADOW, plan), seen(OPEN), T0 + 11 * MINUTE)
    assert on.state.stage is RolloutStage.CANARY
    assert tick(a_state(RolloutStage.SHADOW, plan), seen(WORSE), T0 + 11 * MINUTE).state.is_open
    far = replace(WORSE, low=-0.1, high=-0.03)
    assert tick(a_state(RolloutStage.SHADOW, plan), seen(far), T0).state.ending is RolloutEnd.REJECTED


def test_an_outcome_is_proved_in_the_last_step_of_the_canary_only() -> None:
    plan = replace(PLAN, metric="revenue")
    assert is_proved_by_outcome(plan)
    later = T0 + 11 * MINUTE
    assert tick(a_state(RolloutStage.SHADOW, plan), seen(None), later).state.stage is RolloutStage.CANARY
    assert tick(a_state(RolloutStage.CANARY, plan), seen(OPEN), later).state.step == 1
    last = a_state(RolloutStage.CANARY, plan, step=1)
    assert tick(last, seen(OPEN), later).state.stage is RolloutStage.CANARY
    assert tick(last, seen(BETTER), later).state.stage is RolloutStage.BAKE
    with pytest.raises(DeclarationError, match="only a canary can show"):
        Rollout(metric="revenue", canary=None)


def test_a_pause_stops_every_clock() -> None:
    state = tick(a_state(RolloutStage.SHADOW), seen(OPEN), T0 + 5 * MINUTE).state
    state = paused(state, T0 + 6 * MINUTE, "let me look")
    assert paused(state, T0 + 7 * MINUTE, "again") == state
    for minutes in (60, 600, 6_000):
        held = tick(state, seen(WORSE, BROKEN), T0 + minutes * MINUTE)
        assert (held.traffic, held.champion, held.state.seconds) == (None, None, 360.0)
        state = held.state
    state = resumed(state, T0 + 6_100 * MINUTE, "it is fine")
    assert (state.seconds, state.seconds_in_all, state.paused_at) == (360.0, 360.0, None)
    assert resumed(state, T0, "again") == state
    assert tick(state, seen(), T0 + 6_103 * MINUTE).state.stage is RolloutStage.SHADOW
    assert tick(state, seen(), T0 + 6_104 * MINUTE).state.stage is RolloutStage.CANARY


def test_a_clock_that_is_set_back_takes_nothing_away_and_holds_nothing_up() -> None:
    state = tick(a_state(RolloutStage.SHADOW), seen(), T0 + 9 * MINUTE).state
    state = tick(state, seen(), T0 - 600 * MINUTE).state
    assert (state.stage, state.seconds) == (RolloutStage.SHADOW, 540.0)
    assert tick(state, seen(), T0 - 599 * MINUTE).state.stage is RolloutStage.CANARY


def test_a_clock_that_jumps_ahead_skips_no_step() -> None:
    state, now, places = a_state(RolloutStage.SHADOW, replace(PLAN, deadline="1000d")), T0, []
    while state.ending is None:
        now += timedelta(days=30)
        state = tick(state, seen(), now).state
        places.append((state.stage, state.step))
    assert places == [("canary", 0), ("canary", 1), ("bake", 0), ("bake", 0)]


def test_the_change_to_summer_time_is_no_hour() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    before = datetime(2026, 3, 29, 1, 55, tzinfo=berlin)  # ten minutes later it is 3:05
    state = a_state(RolloutStage.SHADOW, entered_at=before.astimezone(UTC))
    held = tick(state, seen(), datetime(2026, 3, 29, 3, 4, tzinfo=berlin).astimezone(UTC))
    assert held.state.stage is RolloutStage.SHADOW
    assert held.state.seconds == 540.0


def test_what_has_ended_or_is_ending_does_not_move() -> None:
    ending = failed(a_state(RolloutStage.CANARY), "by hand").state
    assert tick(ending, seen(), T0 + 60 * MINUTE) == Decision(state=ending)
    ended = replace(ending, end=ending.ending, ended_at=T0)
    assert tick(ended, seen(), T0 + 60 * MINUTE) == Decision(state=ended)
    assert traffic_of(ending) == traffic_of(ended) == Traffic()
    for change in (paused, resumed):
        with pytest.raises(ValueError, match="has ended"):
            change(ended, T0, "")


def test_a_person_may_promote_and_end_it_at_any_step() -> None:
    for stage in (RolloutStage.REPLAY, RolloutStage.SHADOW, RolloutStage.CANARY):
        on = promoted(a_state(stage), T0, "I know better")
        assert (on.state.stage, on.state.ending, on.champion) == (RolloutStage.BAKE, None, 4)
        assert on.state.note == "I know better"
    assert promoted(a_state(RolloutStage.BAKE), T0, "enough").state.ending is RolloutEnd.PROMOTED
    assert superseded(a_state(RolloutStage.SHADOW), "a newer one").state.ending is RolloutEnd.SUPERSEDED


numbers = st.one_of(st.none(), st.just(math.nan), st.just(math.inf), st.floats(-1, 1))
qualities = st.one_of(
    st.none(),
    st.builds(
        Paired, metric=st.just("log_loss"), rows=st.integers(0, 10_000), mean=numbers, low=numbers, high=numbers
    ),
    st.just(BETTER),
)
guards = st.lists(st.sampled_from([BROKEN, UNSURE, FINE, FINE]), max_size=2).map(tuple)
evidences = st.builds(
    StepEvidence, requests=st.sampled_from([0, 99, 100, 5_000]), quality=qualities, guards=guards
)
plans = st.builds(
    Rollout,
    shadow=st.sampled_from(["0s", "1m", "1h"]),
    canary=st.one_of(
        st.none(),
        st.builds(Canary, st.sampled_from([(5,), (5, 25, 50), (1, 99)]), each=st.sampled_from(["0s", "10m"])),
    ),
    min_requests=st.sampled_from([1, 100]),
    promote=st.sampled_from(["better", "not_worse"]),
    margin=st.sampled_from([0.0, 0.1]),
    replay=st.sampled_from([None, "7d"]),
    deadline=st.sampled_from(["0s", "1h", "7d"]),
    bake=st.sampled_from(["0s", "1h"]),
)
ORDER = list(RolloutStage)


class WayUp(RuleBasedStateMachine):
    """Any evidence, any clock, any person: the law holds."""

    @initialize(plan=plans)
    def begin(self, plan: Rollout) -> None:
        self.now = T0
        self.state = a_state(RolloutStage.REPLAY if plan.replay else RolloutStage.SHADOW, plan)
        self.champion = 3

    @rule(seconds=st.integers(-100_000, 100_000))
    def time_passes_or_is_set_back(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(evidence=evidences)
    def look(self, evidence: StepEvidence) -> None:
        before = self.state
        decision = tick(before, evidence, self.now)
        assert decision == tick(before, evidence, self.now), "the same arguments, the same decision"
        after = decision.state
        self.state = replace(after, settled=True)
        moved = (after.stage, after.step, after.ending) != (before.stage, before.step, before.ending)
        if before.paused_at is not None or before.ending is not None:
            assert not moved
            assert decision.traffic is None
            assert decision.champion is None
            return
        assert after.seconds_in_all >= before.seconds_in_all
        if moved and after.ending is None:
            self._check_one_step(before, after)
            assert all(guard.outcome is Outcome.PASS for guard in evidence.guards)
            assert decision.traffic == traffic_of(after)
        if decision.champion is not None:
            self.champion = decision.champion
        if decision.champion == 4:
            quality = evidence.quality
            assert quality is not None
            assert quality.low is not None
            assert math.isfinite(quality.low)
            assert quality.low > bar_of(before.plan)
            assert evidence.requests >= before.plan.min_requests
            assert before.stage is not RolloutStage.REPLAY

    def _check_one_step(self, before: RolloutState, after: RolloutState) -> None:
        assert (after.seconds, after.entered_at) == (0.0, self.now)
        steps = len(steps_of(before.plan))
        way = [("replay", 0), ("shadow", 0), *(("canary", step) for step in range(steps)), ("bake", 0)]
        place = way.index((before.stage, before.step))
        assert (after.stage, after.step) == way[place + 1]

    @precondition(lambda self: self.state.ending is None)
    @rule()
    def a_person_pauses(self) -> None:
        self.state = paused(self.state, self.now, "wait")

    @rule()
    def a_person_resumes(self) -> None:
        self.state = resumed(self.state, self.now, "go on")

    @precondition(lambda self: self.state.ending is None)
    @rule(evidence=evidences)
    def with_time_enough_it_always_ends(self, evidence: StepEvidence) -> None:
        state, now = resumed(self.state, self.now, "go on"), self.now
        for _ in range(12):
            now += timedelta(days=8)
            state = tick(state, evidence, now).state
        assert state.ending is not None

    @invariant()
    def only_who_is_heard_has_traffic(self) -> None:
        if not hasattr(self, "state"):
            return
        traffic = traffic_of(self.state)
        assert (traffic.canary is not None) == (
            self.state.stage is RolloutStage.CANARY and self.state.ending is None
        )
        assert self.champion not in [shadow.number for shadow in traffic.shadows]
        assert (self.champion == 4) == (
            self.state.stage is RolloutStage.BAKE and self.state.ending is not RolloutEnd.ROLLED_BACK
        )


TestWayUp = WayUp.TestCase


@given(plans, st.lists(evidences, max_size=30))
def test_the_stages_never_go_back(plan: Rollout, looks: list[StepEvidence]) -> None:
    state, now, place = a_state(plan=plan), T0, (0, 0)
    for evidence in looks:
        now += timedelta(hours=1)
        state = tick(state, evidence, now).state
        here = (ORDER.index(state.stage), state.step)
        assert here >= place
        place = here
