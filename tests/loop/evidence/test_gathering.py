"""What is known of a challenger at a look: counts, rows whose truth is due, the gateways' own counts."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainspring.domain.rollout import Rollout
from mainspring.domain.rollout_state import RolloutStage, RolloutState
from mainspring.domain.task import Task
from mainspring.loop.evidence.compared import Compared
from mainspring.loop.evidence.gathering import _count_failures, quality_of, told
from mainspring.loop.evidence.known import Known
from mainspring.loop.evidence.log import count_log
from mainspring.loop.evidence.row_losses import MOST
from mainspring.loop.evidence.rows import compare_rows, label_wait, spans
from mainspring.serving.meters import Meters
from mainspring.settings import load_settings
from mainspring.testing.clock import FakeClock
from mainspring.testing.watched import HOUR, T0, Watched
from mainspring.workspace import Workspace

MINUTE = timedelta(minutes=1)
BEFORE, CHALLENGER = 1, 2


@pytest.fixture
def shop(tmp_path: Path) -> Watched:
    """Release 1 answers with noise; release 2, the challenger, by the true law."""
    found = Watched(tmp_path, reference_rows=0)
    found.release(CHALLENGER)
    found._noise[BEFORE] = 1.5
    return found


def a_state(stage: RolloutStage = RolloutStage.SHADOW, **plan: Any) -> RolloutState:
    return RolloutState(
        id="r", model="shop", challenger=CHALLENGER, before=BEFORE, plan=Rollout(min_requests=100, **plan),
        stage=stage, started_at=T0, entered_at=T0,
    )  # fmt: skip


def looked(
    shop: Watched, known: Known, state: RolloutState, now: datetime, delay: timedelta | None = HOUR
) -> Known:
    by = Compared.of(state, shop.manifests[BEFORE], shop.manifests[CHALLENGER])
    if by.most is not None:
        known.bound_gains(by.most)
    count_log(shop.tables, state, known)
    known.compared_at = None
    compare_rows(shop.tables, state, known, by, now, delay)
    return known


def begun(shop: Watched, state: RolloutState) -> Known:
    known = Known.of(state)
    count_log(shop.tables, state, known)
    return known


def test_pairs_are_compared_once_and_only_when_their_truth_is_due(shop: Watched) -> None:
    state = a_state()
    known = begun(shop, state)
    shop.answer(2_000, T0, 10 * HOUR, shadow=CHALLENGER)
    looked(shop, known, state, T0 + HOUR)
    assert (known.requests, known.gains.count) == (2_000, 0), "no label is due"
    looked(shop, known, state, T0 + 6 * HOUR)
    half = known.gains.count
    assert 900 < half < 1_000, "five hours, less what a label needs to come to the table"
    assert known.gains.mean > 0
    looked(shop, known, state, T0 + 6 * HOUR)
    assert (known.requests, known.gains.count) == (2_000, half), "nothing is counted twice"
    looked(shop, known, state, T0 + 60 * HOUR)
    assert 1_990 <= known.gains.count <= 2_000
    assert known.pairs == known.gains.count
    assert 0 < known.disagreed < known.pairs


def test_the_looks_make_no_difference_to_what_is_found(shop: Watched) -> None:
    state = a_state()
    often, once = begun(shop, state), begun(shop, state)
    shop.answer(1_500, T0, 10 * HOUR, shadow=CHALLENGER, label_share=0.7)
    for minutes in range(0, 720, 47):
        often = Known.from_dict(looked(shop, often, state, T0 + MINUTE * minutes).to_dict())
    for known in (often, once):
        looked(shop, known, state, T0 + 20 * HOUR)
    assert often.gains.count == once.gains.count
    assert often.gains.mean == pytest.approx(once.gains.mean)
    assert often.gains.variance == pytest.approx(once.gains.variance)
    assert (often.requests, often.disagreed, often.unpaired) == (once.requests, once.disagreed, once.unpaired)


def test_without_a_declared_delay_the_labels_tell_how_long_they_take(shop: Watched) -> None:
    state = a_state()
    known = begun(shop, state)
    shop.answer(600, T0, 6 * HOUR, shadow=CHALLENGER, label_delay=2 * HOUR)
    assert label_wait(shop.tables, "shop", Known(), T0 + HOUR, None) is None, "none has come"
    looked(shop, known, state, T0 + HOUR, None)
    assert known.gains.count == 0
    wait = label_wait(shop.tables, "shop", known, T0 + 5 * HOUR, None)
    assert wait is not None
    assert 2 * HOUR < wait < 4 * HOUR
    looked(shop, known, state, T0 + 20 * HOUR, None)
    assert known.gains.count > 590


def test_what_only_one_of_the_two_answered_is_no_pair(shop: Watched) -> None:
    state = a_state()
    known = begun(shop, state)
    shop.answer(300, T0, HOUR)
    shop.answer(300, T0 + HOUR, HOUR, shadow=CHALLENGER)
    looked(shop, known, state, T0 + 20 * HOUR)
    assert 295 <= known.gains.count <= 300
    assert known.unpaired == 300


def test_in_the_canary_its_own_answers_stand_beside_the_champion_s(shop: Watched) -> None:
    state = a_state(RolloutStage.CANARY)
    known = begun(shop, state)
    shop.answer(200, T0, HOUR, release=CHALLENGER, role="canary", latency_us=3000)
    shop.answer(800, T0, HOUR, shadow=CHALLENGER)
    looked(shop, known, state, T0 + 20 * HOUR)
    assert (known.requests, known.champion_requests) == (200, 800)
    assert 195 <= known.canary.count <= 200
    assert known.alone["canary"] == 200
    assert known.canary.mean < known.champion.mean, "losses"
    assert 795 <= known.gains.count <= 800
    assert known.latencies["canary"].quantile(0.5) == 3000
    assert known.latencies["champion"].quantile(0.5) == 1000


def test_in_the_bake_the_old_champion_is_the_shadow(shop: Watched) -> None:
    state = a_state(RolloutStage.BAKE)
    known = begun(shop, state)
    shop.answer(400, T0, HOUR, release=CHALLENGER, shadow=BEFORE)
    looked(shop, known, state, T0 + 20 * HOUR)
    assert 395 <= known.bake_gains.count <= 400
    assert known.bake_gains.mean > 0, "the new one is still the better one"
    assert known.gains.count == 0
    by = Compared.of(state, shop.manifests[BEFORE], shop.manifests[CHALLENGER])
    quality = quality_of(state, known, by)
    assert quality is not None
    assert quality.rows == known.bake_gains.count


def test_an_outcome_is_compared_between_those_who_got_either(shop: Watched) -> None:
    state = a_state(RolloutStage.CANARY, metric="revenue")
    known = begun(shop, state)
    random = np.random.default_rng(0)
    shop.answer(400, T0, HOUR, release=CHALLENGER, role="canary", outcome=("revenue", random.gamma(4, 0.5, 400)))
    shop.answer(900, T0, HOUR, shadow=CHALLENGER, outcome=("revenue", random.gamma(4, 0.25, 900)))
    looked(shop, known, state, T0 + 20 * HOUR)
    by = Compared.of(state, shop.manifests[BEFORE], shop.manifests[CHALLENGER])
    quality = quality_of(state, known, by)
    assert quality is not None
    assert quality.mean == pytest.approx(1.0, abs=0.2)
    assert quality.low is not None
    assert quality.low > 0.5
    assert quality_of(replace(state, stage=RolloutStage.BAKE), known, by) is None


def test_a_ranking_is_compared_in_windows_and_the_looks_make_no_difference(shop: Watched) -> None:
    state = a_state(metric="roc_auc")
    often, once = begun(shop, state), begun(shop, state)
    shop.answer(3_000, T0, 10 * HOUR, shadow=CHALLENGER, label_share=0.9)
    for minutes in range(0, 720, 47):
        often = Known.from_dict(
            json.loads(json.dumps(looked(shop, often, state, T0 + MINUTE * minutes).to_dict()))
        )
    for known in (often, once):
        looked(shop, known, state, T0 + 20 * HOUR)
    assert often.gains.to_dict()["sums"] == pytest.approx(once.gains.to_dict()["sums"])
    assert often.windows["gains"].to_dict() == once.windows["gains"].to_dict()
    assert once.seen_of("gains") == pytest.approx(2_700, abs=80)
    assert once.rows_of("gains") > once.gains.count * 10
    quality = quality_of(state, once, Compared.of(state, shop.manifests[BEFORE], shop.manifests[CHALLENGER]))
    assert quality is not None
    assert (quality.metric, quality.rows) == ("roc_auc", once.rows_of("gains"))
    assert quality.low is not None
    assert 0 < quality.low < (quality.mean or 0) < (quality.high or 0)


def test_a_ranking_in_the_canary_and_in_the_bake(shop: Watched) -> None:
    state = a_state(RolloutStage.CANARY, metric="roc_auc")
    known = begun(shop, state)
    shop.answer(400, T0, HOUR, release=CHALLENGER, role="canary")
    shop.answer(400, T0, HOUR, shadow=CHALLENGER)
    looked(shop, known, state, T0 + 20 * HOUR)
    assert known.canary.mean < known.champion.mean, "what is missing to a perfect order"
    assert 390 <= known.seen_of("canary") <= 400
    state = replace(a_state(RolloutStage.BAKE, metric="roc_auc"), entered_at=T0 + 20 * HOUR)
    known = begun(shop, state)
    shop.answer(400, T0 + 20 * HOUR, HOUR, release=CHALLENGER, shadow=BEFORE)
    looked(shop, known, state, T0 + 40 * HOUR)
    assert known.bake_gains.mean > 0
    assert known.gains.count == 0


def test_too_few_rows_say_nothing(shop: Watched) -> None:
    state = a_state()
    by = Compared.of(state, shop.manifests[BEFORE], shop.manifests[CHALLENGER])
    known = Known()
    assert quality_of(state, known, by) is None
    known.gains.add(np.random.default_rng(0).normal(5, 1, 99))
    few = quality_of(state, known, by)
    assert few is not None
    assert (few.low, few.high) == (None, None)
    known.gains.add(np.random.default_rng(1).normal(5, 1, 101))
    enough = quality_of(state, known, by)
    assert enough is not None
    assert enough.low is not None
    assert enough.low > 4


def test_equal_releases_are_seldom_told_apart_however_often_one_looks(shop: Watched) -> None:
    by = Compared.of(a_state(), shop.manifests[BEFORE], shop.manifests[CHALLENGER])
    random = np.random.default_rng(5)
    wrong = 0
    for _ in range(200):
        known = Known()
        for _ in range(40):
            known.gains.add(random.normal(0, 0.3, 50) * random.exponential(1, 50))
            quality = quality_of(a_state(), known, by)
            assert quality is not None
            if quality.low is not None and (quality.low > 0 or (quality.high or 0) < 0):
                wrong += 1
                break
    assert wrong <= 12, "of 200, with a chance of 0.025 each"


def test_one_that_is_seldom_but_badly_wrong_is_not_called_better_before_it_is(shop: Watched) -> None:
    state = a_state()
    by = Compared.of(state, shop.manifests[BEFORE], shop.manifests[CHALLENGER])
    random = np.random.default_rng(7)
    wrong = 0
    for _ in range(40):
        known = Known()
        known.bound_gains(MOST["log_loss"])
        for _ in range(10):
            known.gains.add(np.where(random.random(200) < 0.003, -4.0, 0.003 * 4 / 0.997))
            quality = quality_of(state, known, by)
            assert quality is not None
            if (quality.low or 0) > 0:
                wrong += 1
                break
    assert wrong <= 4, "of 40, with a chance of 0.0125 each; an interval for rows of any size errs in 8"


@pytest.mark.parametrize("task", [Task.REGRESSION, Task.MULTICLASS])
def test_other_tasks_are_compared_by_their_own_metric(tmp_path: Path, task: Task) -> None:
    shop = Watched(tmp_path, task, reference_rows=0)
    shop.release(CHALLENGER)
    state = a_state()
    known = begun(shop, state)
    shop.answer(400, T0, HOUR, shadow=CHALLENGER)
    looked(shop, known, state, T0 + 20 * HOUR)
    by = Compared.of(state, shop.manifests[BEFORE], shop.manifests[CHALLENGER])
    assert by.metric == ("squared_error" if task is Task.REGRESSION else "brier")
    assert 395 <= known.gains.count <= 400
    assert (known.gains.mean, known.disagreed) == (0.0, 0), "both answer the same"


def test_a_long_time_is_read_in_parts(shop: Watched) -> None:
    shop.answer(500, T0, 5 * HOUR)
    parts = list(spans(shop.tables, "shop", T0, T0 + 5 * HOUR, 120))
    assert len(parts) >= 4
    assert (parts[0][0], parts[-1][1]) == (T0, T0 + 5 * HOUR)
    assert all(one[1] == other[0] for one, other in pairwise(parts))
    assert list(spans(shop.tables, "shop", T0, T0)) == []
    assert list(spans(shop.tables, "other", T0, T0 + HOUR)) == [(T0, T0 + HOUR)]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(load_settings(tmp_path, {}), FakeClock(datetime(2026, 3, 2, tzinfo=UTC))) as found:
        yield found


def test_what_the_gateways_count_is_counted_from_the_step_s_beginning(workspace: Workspace) -> None:
    state, known = a_state(RolloutStage.CANARY), Known()
    _count_failures(workspace, state, known)
    assert known.failures == {}, "no gateway lives here"
    workspace.records.heartbeat(f"{socket.gethostname()}:8000/1", "g", 1, ttl=1e6)
    folder = workspace.gateway_folder / "8000" / "metrics"
    folder.mkdir(parents=True)
    meters = Meters(folder, 0)
    meters.shadowed("shop", "shop@2", "answered", 100)
    meters.shadowed("shop", "shop@2", "failed", 7)
    meters.write()
    _count_failures(workspace, state, known)
    assert known.failures == {}, "what was before the first look is of another step"
    meters.shadowed("shop", "shop@2", "answered", 40)
    meters.shadowed("shop", "shop@2", "timeout", 3)
    meters.shadowed("shop", "shop@2", "dropped", 50)
    meters.shadowed("shop", "shop@1", "failed", 50)
    for _ in range(5):
        meters.fell_back("shop", "shop@2", "TimeoutError")
        meters.fell_back("shop", "shop@2", "InvalidInput")
        meters.answered_as("shop", "shop@2", "canary")
    meters.write()
    _count_failures(workspace, state, known)
    assert known.failures == {"failed": 8.0, "asked": 53.0}


def test_the_evidence_is_plain_data(shop: Watched) -> None:
    from mainspring.domain.rollout_state import StepEvidence

    state, known = a_state(), Known(disagreed=3, pairs=100, unpaired=4)
    known.latencies["champion"].add(np.array([250.0] * 9))
    found = told(state, known, StepEvidence(requests=7, quality=None))
    assert found["requests"] == 7
    assert found["disagreement"]["share"] == 0.03
    assert found["disagreement"]["low"] < 0.03 < found["disagreement"]["high"]
    assert (found["unpaired"], found["latency_us"], found["quality"]) == (4, {"champion": 250.0}, None)
