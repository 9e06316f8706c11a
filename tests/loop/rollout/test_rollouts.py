"""A challenger on its way up in a real workspace: answers, labels and routes are real, only the clock is not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mainspring.domain.model import Model
from mainspring.domain.prediction_log import Role
from mainspring.domain.release import Alias, Manifest, ReleaseRecord, ReleaseRef
from mainspring.domain.rollout import Canary, Rollout
from mainspring.domain.rollout_state import RolloutEnd, RolloutStage, RolloutState
from mainspring.domain.routing import Arm, Shadowing, Share, Traffic, assign
from mainspring.domain.run import Run, RunState, Stage
from mainspring.domain.source import Source
from mainspring.errors import ReleaseError, UsageError, WorkspaceBusy
from mainspring.loop.own_alerts import LOST_TARGET
from mainspring.loop.rollout import by_hand as by_hand
from mainspring.loop.rollout.lost_target import LostTargets
from mainspring.loop.rollout.rollouts import advance_rollouts, begin_rollout
from mainspring.release.sealing import seal
from mainspring.release.signing import signing_key
from mainspring.settings import load_settings
from mainspring.stores.records import SqlRecords
from mainspring.testing.clock import FakeClock
from mainspring.testing.production import store_answers, store_labels
from mainspring.testing.sealed import a_seal_order, put_sealed, some_rows
from mainspring.workspace import Workspace

START = datetime(2026, 3, 2, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PLAN = Rollout(
    shadow="1h", canary=Canary([20, 50], each="1h"), min_requests=100, replay=None, deadline="3d", bake="2h"
)
GOOD, WORSE = 2, 3


@dataclass
class Production:
    """A served model whose clients, labels and clock the test is."""

    workspace: Workspace
    clock: FakeClock
    plan: Rollout = PLAN
    served: int = 0
    latency_us: int = 250

    @property
    def model(self) -> Model:
        return Model("adclick", source=Source("clicks.csv"), target="clicked", rollout=self.plan, label_delay="5m")

    @property
    def state(self) -> RolloutState:
        return self.workspace.records.rollouts("adclick")[0]

    @property
    def champion(self) -> int:
        return self.workspace.records.routes().of("adclick").champion  # type: ignore[union-attr]

    @property
    def traffic(self) -> Traffic:
        return self.workspace.records.routes().of("adclick").traffic  # type: ignore[union-attr]

    def record(self, number: int) -> ReleaseRecord:
        return self.workspace.catalogue.find(ReleaseRef("adclick", number=number))

    def begin(self, number: int = GOOD) -> str:
        return begin_rollout(self.workspace, self.model, self.record(number), actor="test")

    def turn(self) -> list[str]:
        moves = advance_rollouts(self.workspace, self.model, actor="controller")
        return [str(move.state.end or f"{move.state.stage} {move.state.step}") for move in moves]

    def serve(self, rows: int = 400, length: timedelta = HOUR, *, answers: dict[int, Any] | None = None) -> None:
        """Answers by the present routes, evenly over the time; their labels come five minutes later.

        Args:
            answers: by release what it answers, in place of its own.
        """
        self.served += 1
        route = self.workspace.records.routes().of("adclick")
        assert route is not None
        frame = some_rows(rows, seed=1_000 + self.served)
        ids = [f"{self.served}-{n}" for n in range(rows)]
        at = [self.clock.now() + length * (n / rows) for n in range(rows)]
        shadowing = Shadowing(route.traffic, "adclick")
        places: dict[tuple[int, Role], list[int]] = {}
        for place, name in enumerate(ids):
            chosen = assign(route.traffic, route.champion, name.encode(), salt="adclick")
            places.setdefault((chosen.number, chosen.role), []).append(place)
            for number in shadowing.of(name.encode(), but=chosen.number):
                places.setdefault((number, Role.SHADOW), []).append(place)
        for (number, role), chosen_rows in places.items():
            self.store(number, role, frame[chosen_rows], at, ids, chosen_rows, answers or {})
        self.clock.sleep(length.total_seconds())
        manifest = self.manifest(route.champion)
        truth = frame.get_column("clicked").to_list()
        store_labels(self.workspace.tables, manifest, ids, truth, self.clock.now() + 5 * MINUTE)
        self.clock.sleep(600)

    def store(
        self,
        number: int,
        role: Role,
        rows: pl.DataFrame,
        at: list[datetime],
        ids: list[str],
        chosen: list[int],
        answers: dict[int, Any],
    ) -> None:
        with self.workspace.open_release(self.record(number)) as release:
            outputs = release.runtime.predict_frame(rows)
        if number in answers:
            outputs = answers[number](outputs)
        store_answers(
            self.workspace.tables,
            self.manifest(number),
            rows,
            outputs,
            [at[n] for n in chosen],
            [ids[n] for n in chosen],
            role=role,
        )

    def manifest(self, number: int) -> Manifest:
        return self.workspace.catalogue.manifest(self.record(number))


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a weak champion, a better release and a worse one."""
    root = tmp_path_factory.mktemp("sealed")
    with Workspace(load_settings(root, {})) as workspace:
        for number, rows in ((1, 700), (GOOD, 6_000), (WORSE, 120)):
            place = f"adclick/{number}"
            folder = workspace.settings.releases / place
            order = a_seal_order(rows=rows, number=number)
            manifest = seal(order, folder=folder, key=signing_key(workspace.keys))
            record = put_sealed(workspace, manifest, folder)
            workspace.tracking.mirror_release(record, folder, None)
        workspace.records.set_alias("adclick", Alias.CHAMPION, 1, actor="test", reason="first")
    return root


@pytest.fixture
def production(sealed: Path, tmp_path: Path) -> Iterator[Production]:
    shutil.copytree(sealed, tmp_path, dirs_exist_ok=True)
    clock = FakeClock(START)
    with Workspace(load_settings(tmp_path, {}), clock) as workspace:
        yield Production(workspace, clock)


def test_a_better_challenger_becomes_champion_step_by_step(production: Production) -> None:
    assert "shadow" in production.begin()
    assert production.traffic == Traffic(shadows=(Share(GOOD, 1.0),))
    told = []
    for _ in range(20):
        production.serve()
        told += production.turn()
        if not production.state.is_open:
            break
    assert told == ["canary 0", "canary 1", "bake 0", "promoted"], production.state.note
    assert production.champion == GOOD
    assert not production.traffic
    assert production.workspace.records.routes().of("adclick").challenger is None
    entries = [one for one in production.workspace.records.history("adclick") if one.kind == "rollout"]
    assert [one.detail["to"]["stage"] for one in entries] == ["bake", "bake", "canary", "canary", "shadow"]
    proof = entries[1].detail["evidence"]["quality"]
    assert proof["low"] > 0
    assert proof["rows"] > 500
    assert production.workspace.records.verify_history() is None


def test_a_challenger_that_ranks_better_becomes_champion_and_one_that_ranks_worse_does_not(
    production: Production,
) -> None:
    production.plan = replace(PLAN, metric="roc_auc")
    production.begin(WORSE)
    told: list[str] = []
    for _ in range(8):
        production.serve(1_200, answers={WORSE: lambda outputs: outputs[::-1]})
        told += production.turn()
        if told:
            break
    assert told == ["rejected"], production.state.note
    assert "it is worse: roc_auc" in production.state.note
    production.begin()
    told = []
    for _ in range(20):
        production.serve(1_200, answers={1: lambda outputs: np.full_like(outputs, 0.5)})
        told += production.turn()
        if not production.state.is_open:
            break
    assert told == ["canary 0", "canary 1", "bake 0", "promoted"], production.state.note
    assert production.champion == GOOD


def test_a_worse_challenger_is_rejected_before_anybody_hears_it(production: Production) -> None:
    production.begin(WORSE)
    told = []
    for _ in range(6):
        production.serve()
        told += production.turn()
        if told:
            break
    assert told == ["rejected"], production.state.note
    assert "worse" in production.state.note
    assert (production.champion, production.traffic) == (1, Traffic())


def test_a_canary_that_turns_bad_is_rolled_back(production: Production) -> None:
    production.begin()
    while production.state.stage != "canary":
        production.serve()
        production.turn()
    upside_down = {GOOD: lambda outputs: outputs[:, ::-1].copy()}
    told: list[str] = []
    for _ in range(8):
        production.serve(answers=upside_down)
        told += production.turn()
        if not production.state.is_open:
            break
    assert told[-1] == "rolled back", production.state.note
    assert (production.champion, production.traffic) == (1, Traffic())


def test_a_canary_whose_answers_are_no_numbers_goes_at_once(production: Production) -> None:
    production.begin()
    while production.state.stage != "canary":
        production.serve()
        production.turn()
    production.serve(rows=30, answers={GOOD: lambda outputs: np.full_like(outputs, np.nan)})
    assert production.turn() == ["rolled back"]
    assert "no numbers" in production.state.note


def test_a_champion_that_turns_worse_in_its_bake_gives_way_to_the_old_one(production: Production) -> None:
    production.plan = replace(PLAN, bake="10h")
    production.begin()
    production.serve()
    by_hand.promote(
        production.workspace, production.record(GOOD), actor="ana", reason="I believe in it", wait_seconds=0
    )
    assert (production.champion, production.traffic) == (GOOD, Traffic(shadows=(Share(1, 1.0),)))
    told: list[str] = []
    for _ in range(6):
        production.serve(answers={GOOD: lambda outputs: outputs[:, ::-1].copy()})
        told += production.turn()
        if told:
            break
    assert told == ["rolled back"], production.state.note
    assert (production.champion, production.traffic) == (1, Traffic())


def test_a_corrupt_target_is_passed_over_for_the_champion_before_it(production: Production) -> None:
    records = production.workspace.records
    records.set_alias("adclick", Alias.CHAMPION, WORSE, actor="test", reason="second")
    production.begin()
    by_hand.promote(production.workspace, production.record(GOOD), actor="ana", reason="now", wait_seconds=0)
    model = production.workspace.settings.releases / "adclick" / str(WORSE) / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1])
    made, _, _ = by_hand.rollback(production.workspace, "adclick", actor="ana", reason="worse", wait_seconds=0)
    assert (made.champion.number, production.champion) == (1, 1)
    assert production.state.end is RolloutEnd.ROLLED_BACK
    told = [one for one in records.history("adclick") if one.kind == "rollback target"]
    assert [(one.detail["release"], "cannot answer again" in one.reason) for one in told] == [(WORSE, True)]


def test_without_a_rollout_a_corrupt_target_is_passed_over_too_and_told_of(production: Production) -> None:
    records = production.workspace.records
    for number in (WORSE, GOOD):
        records.set_alias("adclick", Alias.CHAMPION, number, actor="test", reason="next")
    lost = LostTargets(production.workspace, production.model)
    assert lost.tell() == []
    model = production.workspace.settings.releases / "adclick" / str(WORSE) / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1])
    made, _, _ = by_hand.rollback(production.workspace, "adclick", actor="ana", reason="worse", wait_seconds=0)
    assert (made.champion.number, production.champion) == (1, 1)
    (fired,) = lost.tell()
    assert f"adclick@{WORSE} cannot answer again" in fired.alert.causes[0].note


def test_where_nothing_can_return_the_champion_and_the_shadow_stay(production: Production) -> None:
    records = production.workspace.records
    records.set_alias("adclick", Alias.CHAMPION, WORSE, actor="test", reason="second")
    production.begin()
    production.turn()
    shutil.rmtree(production.workspace.settings.releases / "adclick" / "1")
    with pytest.raises(ReleaseError, match="no release that was champion of adclick before can answer again"):
        by_hand.rollback(production.workspace, "adclick", actor="ana", reason="worse", wait_seconds=0)
    assert production.champion == WORSE
    assert production.state.is_open
    assert LostTargets(production.workspace, production.model).tell() != []


def test_to_promote_the_old_champion_in_the_bake_passes_over_a_corrupt_one(production: Production) -> None:
    records = production.workspace.records
    records.set_alias("adclick", Alias.CHAMPION, WORSE, actor="test", reason="second")
    production.begin()
    by_hand.promote(production.workspace, production.record(GOOD), actor="ana", reason="now", wait_seconds=0)
    shutil.rmtree(production.workspace.settings.releases / "adclick" / str(WORSE))
    made, _, _ = by_hand.promote(
        production.workspace, production.record(WORSE), actor="ana", reason="back", wait_seconds=0
    )
    assert (made.champion.number, production.champion) == (1, 1)
    assert production.state.end is RolloutEnd.ROLLED_BACK


def test_a_target_that_cannot_return_is_told_by_an_alert_until_another_champion_is_made(
    production: Production,
) -> None:
    records = production.workspace.records
    records.set_alias("adclick", Alias.CHAMPION, WORSE, actor="test", reason="second")
    production.begin()
    by_hand.promote(production.workspace, production.record(GOOD), actor="ana", reason="now", wait_seconds=0)
    lost = LostTargets(production.workspace, production.model)
    assert lost.tell() == []
    shutil.rmtree(production.workspace.settings.releases / "adclick" / str(WORSE))
    by_hand.rollback(production.workspace, "adclick", actor="ana", reason="worse", wait_seconds=0)
    (fired,) = lost.tell()
    assert (fired.kind, fired.alert.monitor, fired.alert.severity) == ("fired", LOST_TARGET.name, "critical")
    assert f"adclick@{WORSE} cannot answer again" in fired.alert.causes[0].note
    assert "mainspring releases adclick" in fired.alert.causes[0].note
    assert lost.tell() == []
    assert LostTargets(production.workspace, production.model).tell() == [], "another controller says it no more"
    production.clock.sleep(60)
    by_hand.promote(production.workspace, production.record(GOOD), actor="ana", reason="again", wait_seconds=0)
    assert lost.tell() == []
    production.clock.sleep(3)
    assert [event.kind for event in lost.tell()] == ["resolved"]


def test_without_labels_it_holds_until_the_deadline(production: Production) -> None:
    production.begin()
    for _ in range(3):
        production.clock.sleep(24 * 3600 - 60)
        assert production.turn() == []
    assert "nothing to compare" in production.state.note
    production.clock.sleep(600)
    assert production.turn() == ["rejected"]
    assert production.traffic == Traffic()


def test_a_pause_holds_it_and_the_rules_of_a_person_stay(production: Production) -> None:
    production.begin()
    by_hand.pause(production.workspace, "adclick", actor="ana", reason="let me look")
    production.workspace.records.set_traffic("adclick", Traffic(), actor="ana", reason="quiet")
    for _ in range(4):
        production.serve()
        assert production.turn() == []
    assert production.traffic == Traffic()
    by_hand.resume(production.workspace, "adclick", actor="ana", reason="fine")
    production.turn()
    assert production.traffic == Traffic(shadows=(Share(GOOD, 1.0),))
    reasons = [one.reason for one in production.workspace.records.history("adclick") if one.kind == "rollout"]
    assert reasons[:2] == ["resumed: fine", "paused: let me look"]


def test_an_ab_test_beside_it_keeps_its_arms(production: Production) -> None:
    arms = (Arm("a", WORSE, 0.3),)
    rules = Traffic(arms=arms, arms_end=production.clock.now() + timedelta(days=365))
    production.workspace.records.set_traffic("adclick", rules, actor="ana", reason="test")
    production.begin()
    told = []
    while production.state.is_open:
        production.serve(600)
        told += production.turn()
        assert (production.traffic.arms, production.traffic.arms_end) == (arms, rules.arms_end)
    assert told[-1] == "promoted", production.state.note


def test_arms_that_are_set_while_a_rollout_sets_its_traffic_stay(
    production: Production, monkeypatch: pytest.MonkeyPatch
) -> None:
    arms = (Arm("a", WORSE, 0.3),)
    set_traffic = SqlRecords.set_traffic

    def second(records: SqlRecords, *arguments: Any, **named: Any) -> int:
        monkeypatch.undo()
        records.set_traffic("adclick", Traffic(arms=arms), actor="ana", reason="at the same moment")
        return set_traffic(records, *arguments, **named)

    monkeypatch.setattr(SqlRecords, "set_traffic", second)
    production.begin()
    production.turn()
    assert production.traffic == Traffic(arms=arms, shadows=(Share(GOOD, 1.0),))


def test_a_newer_release_takes_the_place_of_one_that_nobody_heard_and_waits_for_one_that_is(
    production: Production,
) -> None:
    production.begin(GOOD)
    production.clock.sleep(1)
    assert "begins" in production.begin(WORSE)
    assert [one.end for one in production.workspace.records.rollouts("adclick")] == [None, RolloutEnd.SUPERSEDED]
    by_hand.reject(production.workspace, "adclick", actor="ana", reason="a slip")
    assert production.traffic == Traffic()
    assert "rejected" in production.begin(WORSE), "the same again changes nothing"


def test_a_release_that_waited_begins_when_the_way_is_free(production: Production) -> None:
    production.begin(GOOD)
    while production.state.stage != "canary":
        production.serve()
        production.turn()
    assert "waits until the rollout of adclick@2 (canary 20%)" in production.begin(WORSE)
    run = Run("r3", "adclick", RunState.RELEASED, Stage.ROLLOUT, {"trials": 1}, START, release=WORSE)
    production.workspace.records.begin_run(run)
    by_hand.reject(production.workspace, "adclick", actor="ana", reason="no")
    assert production.turn() == ["shadow 0"]
    assert production.state.challenger == WORSE
    assert production.turn() == []


def test_the_first_release_has_nobody_to_be_proved_against(production: Production) -> None:
    production.workspace.records.set_alias("adclick", Alias.CHAMPION, None, actor="test", reason="gone")
    assert production.begin(GOOD) == "adclick@2 is champion"
    assert production.champion == GOOD


def test_what_others_do_to_the_champion_is_followed(production: Production) -> None:
    records = production.workspace.records
    production.begin(GOOD)
    records.set_alias("adclick", Alias.CHAMPION, GOOD, actor="ana", reason="I know")
    assert production.turn() == ["bake 0"]
    assert production.traffic == Traffic(shadows=(Share(1, 1.0),))
    records.set_alias("adclick", Alias.CHAMPION, 1, actor="ana", reason="I was wrong")
    assert production.turn() == ["rolled back"]
    assert "I was wrong (by ana)" in production.state.note
    production.begin(WORSE)
    records.set_alias("adclick", Alias.CHAMPION, GOOD, actor="ana", reason="again")
    assert production.turn() == ["superseded"]
    assert (production.champion, production.traffic) == (GOOD, Traffic())


def test_a_person_changes_it_in_the_middle_of_a_turn(
    production: Production, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mainspring.loop.rollout import rollouts

    production.begin()
    real = rollouts.gather

    def slow(*given: Any) -> Any:
        found = real(*given)
        by_hand.reject(production.workspace, "adclick", actor="ana", reason="no")
        return found

    production.serve(900)
    with monkeypatch.context() as patch:
        patch.setattr(rollouts, "gather", slow)
        assert production.turn() == []
    assert production.state.end is RolloutEnd.REJECTED
    assert production.traffic == Traffic()


def test_the_controller_may_be_faster_in_doing_what_a_person_has_decided(
    production: Production, monkeypatch: pytest.MonkeyPatch
) -> None:
    production.begin()
    real = by_hand.settle

    def late(*given: Any, **options: Any) -> RolloutState:
        production.turn()
        return real(*given, **options)

    with monkeypatch.context() as patch:
        patch.setattr(by_hand, "settle", late)
        made, _, _ = by_hand.promote(
            production.workspace, production.record(GOOD), actor="ana", reason="now", wait_seconds=0
        )
    assert made.rollout == production.state
    assert production.state.is_open, "it is watched, and not promoted a second time"
    assert production.state.stage is RolloutStage.BAKE
    assert (production.champion, production.traffic) == (GOOD, Traffic(shadows=(Share(1, 1.0),)))


def test_who_lost_the_lease_changes_nothing(production: Production) -> None:
    records = production.workspace.records
    production.begin()
    production.serve(900)
    with records.lease("controller", "first", ttl=60) as lease, records.fenced(lease):
        production.clock.sleep(100)
        with records.lease("controller", "second", ttl=60), pytest.raises(WorkspaceBusy):
            production.turn()
    assert production.traffic == Traffic(shadows=(Share(GOOD, 1.0),))


def test_verbs_without_a_rollout_say_so(production: Production) -> None:
    for change in (by_hand.pause, by_hand.resume):
        with pytest.raises(UsageError, match="no rollout of 'adclick' is open"):
            change(production.workspace, "adclick", actor="ana", reason="?")
    with pytest.raises(UsageError, match="no challenger"):
        by_hand.reject(production.workspace, "adclick", actor="ana", reason="?")
    production.workspace.records.set_alias("adclick", Alias.CHALLENGER, GOOD, actor="run", reason="waits")
    by_hand.reject(production.workspace, "adclick", actor="ana", reason="not this one")
    assert production.workspace.records.routes().of("adclick").challenger is None
    assert "rejected" in production.begin(GOOD)
