"""Guards say what is surely wrong, hold where it may be, and let the rest pass."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from mainspring.domain.rollout import Rollout
from mainspring.domain.rollout_state import RolloutStage, RolloutState
from mainspring.domain.verdict import Outcome
from mainspring.loop.evidence.guards import guards_of
from mainspring.loop.evidence.known import Known

T0 = datetime(2026, 3, 1, tzinfo=UTC)
RANDOM = np.random.default_rng(3)
PASS, FAIL, OPEN = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE


def outcome(
    known: Known,
    name: str,
    stage: RolloutStage = RolloutStage.CANARY,
    plan: Rollout = Rollout(min_requests=200),  # noqa: B008
    **options: Any,
) -> Outcome:
    state = RolloutState(
        id="r", model="m", challenger=4, before=3, plan=plan, stage=stage, started_at=T0, entered_at=T0
    )
    given = {"is_outcome": False, "arms": 0.0} | options
    (found,) = [one for one in guards_of(state, known, **given) if one.name == name]
    return found.outcome


@pytest.mark.parametrize(
    ("failed", "asked", "expected"),
    [(0, 0, PASS), (0, 500, PASS), (3, 500, PASS), (8, 500, OPEN), (60, 500, FAIL), (20, 20, FAIL), (1, 5, OPEN)],
)
def test_failures(failed: int, asked: int, expected: Outcome) -> None:
    known = Known(failures={"failed": failed, "asked": asked})
    for stage in (RolloutStage.SHADOW, RolloutStage.CANARY, RolloutStage.BAKE):
        assert outcome(known, "failures", stage) is expected


@pytest.mark.parametrize(
    ("disagreed", "pairs", "expected"), [(0, 0, OPEN), (90, 500, PASS), (110, 500, OPEN), (200, 500, FAIL)]
)
def test_disagreement(disagreed: int, pairs: int, expected: Outcome) -> None:
    known = Known(disagreed=disagreed, pairs=pairs)
    for stage in (RolloutStage.SHADOW, RolloutStage.CANARY):
        assert outcome(known, "disagreement", stage, plan=Rollout(min_requests=200, disagreement=0.2)) is expected
        with pytest.raises(ValueError, match="not enough values"):
            outcome(known, "disagreement", stage)


def test_one_answer_that_is_no_number_is_enough() -> None:
    assert outcome(Known(nonsense=1), "nonsense") is FAIL
    assert outcome(Known(), "nonsense") is PASS


@pytest.mark.parametrize(
    ("times", "rows", "expected"), [(1, 500, PASS), (2.5, 500, PASS), (6, 500, FAIL), (3.2, 40, OPEN)]
)
def test_latency(times: float, rows: int, expected: Outcome) -> None:
    known = Known()
    assert outcome(known, "latency") is OPEN, "nothing is known"
    known.latencies["champion"].add(RANDOM.gamma(20, 50, 5_000))
    known.latencies["canary"].add(RANDOM.gamma(20, 50 * times, rows))
    assert outcome(known, "latency") is expected
    known.latencies["bake"].add(RANDOM.gamma(20, 50 * times, rows))
    assert outcome(known, "latency", RolloutStage.BAKE) is expected


@pytest.mark.parametrize(
    ("mine", "theirs", "arms", "expected"),
    [(0, 0, 0.0, PASS), (50, 950, 0.0, PASS), (70, 930, 0.0, PASS), (2, 998, 0.0, OPEN), (50, 450, 0.5, PASS)],
)
def test_the_ratio_of_samples_holds_where_it_is_far_off(
    mine: int, theirs: int, arms: float, expected: Outcome
) -> None:
    known = Known(requests=mine, champion_requests=theirs)
    assert outcome(known, "sample ratio", arms=arms) is expected


def test_its_own_answers_against_those_of_others() -> None:
    known = Known()
    assert outcome(known, "canary") is PASS
    known.champion.add(RANDOM.gamma(2, 0.15, 5_000))
    known.canary.add(RANDOM.gamma(2, 0.15, 400))
    assert outcome(known, "canary") is PASS
    known.canary.add(RANDOM.gamma(2, 0.6, 400))
    assert outcome(known, "canary") is FAIL


def test_where_little_is_known_of_what_came_true_two_groups_are_not_compared() -> None:
    known = Known(alone={"champion": 20_000, "canary": 8_000})
    known.champion.add(RANDOM.uniform(0.0, 0.5, 2_000))
    known.canary.add(RANDOM.uniform(0.0, 1.0, 800))
    assert outcome(known, "canary") is PASS
    known.alone = {"champion": 2_100, "canary": 850}
    assert outcome(known, "canary") is FAIL


def test_rows_that_wait_for_their_window_are_known_all_the_same() -> None:
    known = Known(alone={"champion": 300, "canary": 100})
    for name in ("champion", "canary"):
        rows = known.alone[name]
        known.windows_of(name, 1).add(np.zeros(rows, dtype=bool), RANDOM.random((rows, 1)))
    state = RolloutState(
        id="r", model="m", challenger=4, before=3, plan=Rollout(metric="roc_auc"), stage=RolloutStage.CANARY,
        started_at=T0, entered_at=T0,
    )  # fmt: skip
    (found,) = [one for one in guards_of(state, known, is_outcome=False, arms=0.0) if one.name == "canary"]
    assert (found.outcome, found.note) == (PASS, "not worse for sure, on 0 rows")


def test_a_replay_holds_until_it_is_done_and_fails_by_its_problem() -> None:
    stage = RolloutStage.REPLAY
    assert outcome(Known(), "replay", stage) is OPEN
    assert outcome(Known(replay={"done": False, "rows": 10}), "replay", stage) is OPEN
    assert outcome(Known(replay={"done": True, "rows": 10}), "replay", stage) is PASS
    assert outcome(Known(replay={"done": True, "rows": 10, "problem": "it crashed"}), "replay", stage) is FAIL


def test_what_is_known_comes_back_as_it_was_and_a_new_step_counts_anew() -> None:
    known = Known(place="canary 0", requests=7, nonsense=1, failures={"asked": 5.0}, compared_until=T0, wait=3.5)
    known.newest = {"live": T0}
    known.gains.add(RANDOM.normal(size=50))
    known.latencies["canary"].add(RANDOM.gamma(2, 50, 700))
    state = RolloutState(
        id="r", model="m", challenger=4, before=3, plan=Rollout(), stage=RolloutStage.CANARY, started_at=T0,
        entered_at=T0, progress=known.to_dict(),
    )  # fmt: skip
    assert Known.of(state).to_dict() == known.to_dict()
    later = Known.of(replace(state, step=1))
    assert (later.place, later.requests, later.nonsense, later.failures) == ("canary 1", 0, 0, {})
    assert (later.gains.count, later.compared_until) == (50, T0)
