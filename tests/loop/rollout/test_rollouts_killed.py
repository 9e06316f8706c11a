"""Whoever is killed between any two writes of a rollout leaves nothing half done, and nothing happens twice."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mainspring.domain.model import Model
from mainspring.domain.release import Alias, ReleaseRef
from mainspring.domain.rollout import Canary, Rollout
from mainspring.domain.rollout_state import Guard, Paired, RolloutState, StepEvidence
from mainspring.domain.source import Source
from mainspring.domain.verdict import Outcome
from mainspring.loop.rollout import rollouts
from mainspring.loop.rollout.rollouts import advance_rollouts, begin_rollout
from mainspring.release.sealing import seal
from mainspring.release.signing import signing_key
from mainspring.settings import load_settings
from mainspring.stores.records import SqlRecords
from mainspring.testing.clock import FakeClock
from mainspring.testing.sealed import a_seal_order, put_sealed
from mainspring.workspace import Workspace

PLAN = Rollout(shadow="1m", canary=Canary([5, 50], each="1m"), min_requests=1, replay=None, bake="5m")
MODEL = Model("adclick", source=Source("clicks.csv"), target="clicked", rollout=PLAN)
BETTER = Paired(metric="log_loss", rows=500, mean=0.02, low=0.01, high=0.03)
FAILS = Guard(name="failures", outcome=Outcome.FAIL, note="it fails")
WRITES = ("set_alias", "set_traffic", "put_rollout", "record_event")
START = datetime(2026, 3, 2, tzinfo=UTC)


class Killed(BaseException):
    pass


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sealed")
    with Workspace(load_settings(root, {})) as workspace:
        first = workspace.settings.releases / "adclick" / "1"
        manifest = seal(a_seal_order(rows=600), folder=first, key=signing_key(workspace.keys))
        for number in (1, 2):
            folder = workspace.settings.releases / "adclick" / str(number)
            if number > 1:
                shutil.copytree(first, folder)
            record = put_sealed(workspace, replace(manifest, number=number), folder)
            workspace.tracking.mirror_release(record, folder, None)
        workspace.records.set_alias("adclick", Alias.CHAMPION, 1, actor="test", reason="first")
    return root


@contextmanager
def killed_at(place: int) -> Iterator[list[str]]:
    """The process dies right before that write, which is right after the one before; all are counted."""
    begun: list[str] = []
    real = {name: getattr(SqlRecords, name) for name in WRITES}

    def dying(name: str) -> Callable[..., Any]:
        def write(self: SqlRecords, *args: Any, **options: Any) -> Any:
            begun.append(name)
            if len(begun) == place:
                raise Killed
            return real[name](self, *args, **options)

        return write

    with pytest.MonkeyPatch.context() as patch:
        for name in WRITES:
            patch.setattr(SqlRecords, name, dying(name))
        yield begun


def way(root: Path, fails_at: str, place: int = 0) -> tuple[list[Any], int]:
    """A whole rollout, killed once at that write; what the history tells of it, and how many writes it took."""
    clock = FakeClock(START)

    def evidence(workspace: Any, state: RolloutState, *_: Any) -> StepEvidence:
        return StepEvidence(requests=5, quality=BETTER, guards=(FAILS,) if state.stage == fails_at else ())

    def live() -> None:
        with Workspace(load_settings(root, {}), clock) as workspace:
            record = workspace.catalogue.find(ReleaseRef("adclick", 2))
            begin_rollout(workspace, MODEL, record, actor="run")
            for _ in range(20):
                clock.sleep(60)
                advance_rollouts(workspace, MODEL)
                if workspace.records.rollout("adclick") is None:
                    return

    with pytest.MonkeyPatch.context() as patch, killed_at(place) as begun:
        patch.setattr(rollouts, "gather", evidence)
        try:
            live()
        except Killed:
            live()
        writes = len(begun)
    with Workspace(load_settings(root, {})) as workspace:
        assert workspace.records.verify_history() is None
        told = [(one.kind, _what(one.detail)) for one in reversed(workspace.records.history("adclick"))]
        route = workspace.records.routes().of("adclick")
        assert route is not None
        end = (route.champion, route.challenger, route.traffic)
    return [*told, end], writes


def _what(detail: Any) -> Any:
    if "to" in detail:
        return detail["to"]["stage"], detail["to"]["step"], detail["to"]["end"]
    return detail.get("before"), detail.get("after")


@pytest.mark.parametrize("fails_at", ["nowhere", "shadow", "canary", "bake"])
def test_killed_at_any_write_it_comes_to_the_same_end(sealed: Path, tmp_path: Path, fails_at: str) -> None:
    root = Path(shutil.copytree(sealed, tmp_path / "workspace"))
    database = root / ".mainspring" / "records.db"
    kept = {path.name: path.read_bytes() for path in database.parent.glob("records.db*")}

    def afresh() -> None:
        for path in database.parent.glob("records.db*"):
            path.unlink()
        for name, content in kept.items():
            (database.parent / name).write_bytes(content)

    undisturbed, writes = way(root, fails_at)
    champion = 1 if fails_at != "nowhere" else 2
    assert undisturbed[-1][0] == champion
    assert writes > 5
    for place in range(1, writes + 1):
        afresh()
        told, _ = way(root, fails_at, place)
        assert told == undisturbed, f"killed before write {place}"


def test_replay_and_its_plan_are_kept_as_declared(sealed: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(sealed, tmp_path / "workspace"))
    with Workspace(load_settings(root, {}), FakeClock(START)) as workspace:
        model = replace(MODEL, rollout=replace(PLAN, replay="3d", metric="brier"))
        begin_rollout(workspace, model, workspace.catalogue.find(ReleaseRef("adclick", 2)), actor="run")
        state = workspace.records.rollout("adclick")
    assert state is not None
    assert (state.stage, state.plan) == ("replay", model.rollout)
