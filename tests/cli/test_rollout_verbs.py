"""`pause`, `resume`, `reject`, `promote` and `rollback` in the middle of a rollout."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mainspring.cli.main import call
from mainspring.domain.release import Alias
from mainspring.domain.rollout import Canary, Rollout
from mainspring.domain.rollout_state import RolloutEnd, RolloutStage, RolloutState
from mainspring.domain.routing import Share, Traffic
from mainspring.release.sealing import seal
from mainspring.release.signing import signing_key
from mainspring.settings import load_settings
from mainspring.stores.records import SqlRecords
from mainspring.testing.contracts.records import a_release
from mainspring.testing.sealed import a_seal_order, put_sealed
from mainspring.workspace import Workspace

T0 = datetime(2026, 3, 1, tzinfo=UTC)


class Verbs:
    def __init__(self, folder: Path, records: SqlRecords, capfd: Any) -> None:
        self.folder, self.records, self.capfd = folder, records, capfd

    def __call__(self, *arguments: str, as_json: bool = True) -> tuple[int, Any]:
        given = [*arguments, "--project", str(self.folder), *(["--json"] if as_json else [])]
        code = call(given, {"USER": "ana"})
        streams = self.capfd.readouterr()
        return code, json.loads(streams.out) if as_json else streams.out + streams.err

    def begin(self, stage: RolloutStage) -> RolloutState:
        plan = Rollout(canary=Canary([10]))
        state = RolloutState(
            id="r1", model="adclick", challenger=3, before=2, plan=plan, stage=stage, started_at=T0, entered_at=T0
        )
        rules = {
            RolloutStage.SHADOW: Traffic(shadows=(Share(3, 1.0),)),
            RolloutStage.CANARY: Traffic(canary=Share(3, 0.1), shadows=(Share(3, 1.0),)),
            RolloutStage.BAKE: Traffic(shadows=(Share(2, 1.0),)),
        }[stage]
        if stage is RolloutStage.BAKE:
            self.records.set_alias("adclick", Alias.CHAMPION, 3, actor="controller", reason="better")
        else:
            self.records.set_alias("adclick", Alias.CHALLENGER, 3, actor="run", reason="passed")
        self.records.set_traffic("adclick", rules, actor="controller", reason="up")
        return self.records.put_rollout(state)

    @property
    def state(self) -> RolloutState:
        return self.records.rollouts("adclick")[0]

    @property
    def routed(self) -> tuple[int, int | None, Traffic]:
        route = self.records.routes().of("adclick")
        assert route is not None
        return route.champion, route.challenger, route.traffic


@pytest.fixture
def verbs(tmp_path: Path, capfd: Any) -> Iterator[Verbs]:
    (tmp_path / "mainspring.toml").write_text('name = "shop"\n')
    settings = load_settings(tmp_path, {})
    settings.workspace.mkdir()
    records = SqlRecords(settings.records_url)
    for number in (1, 2, 3, 4):
        records.put_release(a_release(number))
    for number in (1, 2):
        records.set_alias("adclick", Alias.CHAMPION, number, actor="ana", reason="by hand")
    yield Verbs(tmp_path, records, capfd)
    records.close()


def test_a_rollout_is_paused_and_goes_on(verbs: Verbs) -> None:
    verbs.begin(RolloutStage.CANARY)
    code, told = verbs("pause", "adclick", "--reason", "odd answers")
    assert (code, told["challenger"], told["place"]) == (0, "adclick@3", "canary 10%, paused")
    assert verbs.state.paused_at is not None
    assert verbs.routed == (2, 3, Traffic(Share(3, 0.1), shadows=(Share(3, 1.0),))), "its traffic stays"
    assert verbs("pause", "adclick", as_json=False)[1] == "adclick@3 (canary 10%, paused): paused: odd answers\n"
    code, told = verbs("resume", "adclick")
    assert (code, told["paused_at"], told["place"]) == (0, None, "canary 10%")
    told = [(one.actor, one.reason) for one in verbs.records.history("adclick") if one.kind == "rollout"]
    assert told[:2] == [("ana", "resumed: by hand"), ("ana", "paused: odd answers")]


@pytest.mark.parametrize(
    ("stage", "end"),
    [(RolloutStage.SHADOW, RolloutEnd.REJECTED), (RolloutStage.CANARY, RolloutEnd.ROLLED_BACK)],
)
def test_a_challenger_is_rejected(verbs: Verbs, stage: RolloutStage, end: RolloutEnd) -> None:
    verbs.begin(stage)
    code, told = verbs("reject", "adclick", "--reason", "its answers look odd")
    assert (code, told["end"], told["note"]) == (0, str(end), "rejected: its answers look odd")
    assert verbs.routed == (2, None, Traffic())
    assert verbs.state.end is end


def test_a_challenger_is_promoted_at_any_step_and_once_more_ends_the_bake(verbs: Verbs) -> None:
    verbs.begin(RolloutStage.SHADOW)
    code, told = verbs("promote", "adclick@3", "--reason", "we need it now")
    assert (code, told["champion"], told["before"]) == (0, "adclick@3", "adclick@2")
    assert told["rollout"]["place"] == "bake"
    assert verbs.routed == (3, None, Traffic(shadows=(Share(2, 1.0),)))
    change = next(one for one in verbs.records.audit("adclick") if one["alias"] == "champion")
    assert (change["actor"], change["reason"]) == ("ana", "promoted: we need it now")
    code, told = verbs("promote", "adclick@3", "--reason", "it is fine", as_json=False)
    assert code == 0
    assert "adclick@3 (promoted): promoted: it is fine" in told
    assert verbs.routed == (3, None, Traffic())


def test_another_release_is_promoted_past_a_rollout(verbs: Verbs) -> None:
    verbs.begin(RolloutStage.CANARY)
    assert verbs("promote", "adclick@4")[0] == 0
    assert verbs.routed == (4, None, Traffic())
    assert verbs.state.end is RolloutEnd.SUPERSEDED
    assert "adclick@4 was promoted" in verbs.state.note


def test_a_canary_is_rolled_back_and_the_champion_stays(verbs: Verbs) -> None:
    verbs.begin(RolloutStage.CANARY)
    code, told = verbs("rollback", "adclick", "--reason", "complaints")
    assert (code, told["champion"], told["rollout"]["end"]) == (0, "adclick@2", "rolled back")
    assert verbs.routed == (2, None, Traffic())


def test_in_the_shadow_a_rollback_is_the_champion_s(verbs: Verbs) -> None:
    with Workspace(load_settings(verbs.folder, {})) as workspace:
        folder = workspace.settings.releases / "adclick" / "5"
        manifest = seal(a_seal_order(rows=300, number=5), folder=folder, key=signing_key(workspace.keys))
        put_sealed(workspace, manifest, folder)
    for number in (5, 2):
        verbs.records.set_alias("adclick", Alias.CHAMPION, number, actor="ana", reason="by hand")
    verbs.begin(RolloutStage.SHADOW)
    code, told = verbs("rollback", "adclick")
    assert (code, told["champion"], told["before"]) == (0, "adclick@5", "adclick@2")
    assert verbs.state.end is RolloutEnd.SUPERSEDED
    assert verbs.routed == (5, None, Traffic())


def test_where_no_release_can_return_the_shadow_stays(verbs: Verbs) -> None:
    verbs.begin(RolloutStage.SHADOW)  # none of these releases has a folder
    code, told = verbs("rollback", "adclick", as_json=False)
    assert code == 1
    assert "no release that was champion of adclick before can answer again; adclick@2 stays" in " ".join(
        told.split()
    )
    assert verbs.state.is_open
    assert verbs.routed == (2, 3, Traffic(shadows=(Share(3, 1.0),)))


def test_where_no_release_can_return_the_new_champion_stays(verbs: Verbs) -> None:
    verbs.begin(RolloutStage.BAKE)  # none of these releases has a folder
    code, told = verbs("rollback", "adclick", as_json=False)
    assert code == 0
    assert "no release that was champion before can answer" in " ".join(told.split())
    assert verbs.routed == (3, None, Traffic())
    events = [one.reason for one in verbs.records.history("adclick") if one.kind == "rollback target"]
    assert len(events) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pause", "adclick"), "no rollout of 'adclick' is open"),
        (("resume", "adclick"), "no rollout of 'adclick' is open"),
        (("reject", "adclick"), "has no challenger"),
        (("reject", "nosuch"), "has no challenger"),
        (("pause", "../x"), "names no release"),
        (("promote", "adclick@9"), "no release adclick@9"),
        (("rollback", "nosuch"), "had no champion before"),
    ],
)
def test_mistakes_are_told(verbs: Verbs, arguments: tuple[str, ...], said: str) -> None:
    code, told = verbs(*arguments, as_json=False)
    assert code in (1, 2)
    assert said in " ".join(told.split())
    assert "Traceback" not in told


def test_a_champion_is_not_rejected(verbs: Verbs) -> None:
    verbs.begin(RolloutStage.BAKE)
    code, told = verbs("reject", "adclick", as_json=False)
    assert code == 2
    assert "mainspring rollback adclick" in " ".join(told.split())
    assert verbs.state.is_open
