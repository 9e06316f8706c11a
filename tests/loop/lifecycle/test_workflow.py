"""A run goes from the source to a release, or leaves nothing; killed anywhere, it goes on."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from mainspring.domain.budget import Budget
from mainspring.domain.release import ReleaseRef
from mainspring.domain.run import RunState, Stage
from mainspring.domain.trigger import Trigger, TriggerKind
from mainspring.errors import WorkspaceBusy
from mainspring.loop.lifecycle.progress import Silent
from mainspring.loop.lifecycle.workflow import RunOutcome, run, run_lease
from mainspring.project import load_project
from mainspring.testing.postgres import postgres_server
from mainspring.testing.shop import write_rows
from mainspring.workspace import Workspace

TWO_TRIALS = Budget(trials=2)

KILLED_RUN = """
import os, signal, sys
from pathlib import Path
from mainspring.domain.budget import Budget
from mainspring.loop.lifecycle.workflow import run
from mainspring.loop.lifecycle.progress import Silent
from mainspring.project import load_project

moment, stage = sys.argv[2:]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

class Killer(Silent):
    def stage_started(self, now):
        if moment == "start" and now == stage: die()
    def stage_ended(self, now, seconds, summary):
        if moment == "end" and now == stage: die()
    def trial_ended(self, *_):
        if moment == "trial": die()

run(load_project(Path(sys.argv[1]), {}), budget=Budget(trials=2), progress=Killer())
"""


def run_here(folder: Path) -> RunOutcome:
    return run(load_project(folder, {}), budget=TWO_TRIALS)


@contextmanager
def workspace_of(folder: Path) -> Iterator[Workspace]:
    with Workspace(load_project(folder, {}).settings) as workspace:
        yield workspace


def test_a_run_ends_with_a_champion_and_its_evidence(shop: Path) -> None:
    outcome = run_here(shop)
    assert outcome.run.state is RunState.RELEASED, outcome.error
    assert outcome.manifest is not None
    assert outcome.manifest.runtime.kind == "onnx", outcome.manifest.runtime.reason
    assert outcome.manifest.metrics["roc_auc"].value > 0.8
    assert [verdict.outcome for verdict in outcome.verdicts] == ["pass", "pass"]
    with workspace_of(shop) as workspace:
        assert workspace.records.routes().of("shop").champion == 1
        assert workspace.catalogue.find(ReleaseRef("shop", 1)).aliases == ("champion",)
    assert_no_training_is_left(shop)


def test_the_same_rows_again_make_a_second_release_of_the_same_snapshot(released_shop: Path) -> None:
    with workspace_of(released_shop) as workspace:
        first = workspace.catalogue.manifest(workspace.catalogue.find(ReleaseRef("shop", 1)))
    second = run_here(released_shop).manifest
    assert second is not None
    assert second.parent == "shop@1"
    assert second.snapshots == first.snapshots
    assert second.training.holdout_digest == first.training.holdout_digest
    with workspace_of(released_shop) as workspace:
        assert len(workspace.records.snapshots()) == 1


def test_a_model_no_better_than_guessing_is_refused_and_leaves_nothing(shop: Path) -> None:
    write_rows(shop / "rows.csv", strength=0.0)
    outcome = run_here(shop)
    assert outcome.run.state is RunState.REFUSED
    assert outcome.error.exit_code == 3
    assert "roc_auc better than naive" in outcome.error.message
    assert not list((shop / ".mainspring" / "releases").glob("*/*"))
    with workspace_of(shop) as workspace:
        assert not workspace.records.releases()
    assert_no_training_is_left(shop)


def test_with_a_rollout_the_release_waits(shop: Path) -> None:
    run_here(shop)
    text = (
        (shop / "model.py")
        .read_text()
        .replace("import Gate, Model, Source", "import Gate, Model, Rollout, Source")
    )
    (shop / "model.py").write_text(text.replace('task="binary",', 'task="binary", rollout=Rollout(),'))
    run_here(shop)
    with workspace_of(shop) as workspace:
        route = workspace.records.routes().of("shop")
        assert (route.champion, route.challenger) == (1, 2)


def assert_no_training_is_left(folder: Path) -> None:
    """Neither arrays nor estimators: of each training more than its rows would stay for ever."""
    left = [place.suffix for place in (folder / ".mainspring" / "runs").rglob("*") if place.is_file()]
    assert left
    assert set(left) == {".json"}


MOMENTS = [
    *(("start", stage) for stage in Stage),
    *(("end", stage) for stage in Stage),
    ("trial", "train"),
]


def killed_run(folder: Path, moment: str, stage: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", KILLED_RUN, str(folder), moment, stage], capture_output=True, text=True, check=False
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def assert_nothing_happened_twice(folder: Path) -> None:
    with workspace_of(folder) as workspace:
        records = workspace.records
        assert [r.number for r in records.releases()] == [1]
        assert len(records.snapshots()) == 1
        assert [r.state for r in records.runs()] == [RunState.RELEASED]
        assert records.routes().of("shop").champion == 1
        assert len(records.audit()) == 1
    assert [p.name for p in (folder / ".mainspring" / "releases" / "shop").iterdir()] == ["1"]


def test_a_run_killed_in_every_stage_in_turn_completes_as_one(shop: Path) -> None:
    for moment, stage in [
        ("start", "snapshot"),
        ("end", "snapshot"),
        ("trial", "train"),
        ("end", "train"),
        ("start", "seal"),
        ("end", "seal"),
        ("end", "register"),
        ("end", "rollout"),
    ]:
        killed_run(shop, moment, stage)
    outcome = run_here(shop)
    assert outcome.run.state is RunState.RELEASED, outcome.error
    assert_nothing_happened_twice(shop)


@pytest.mark.soak
@pytest.mark.parametrize(("moment", "stage"), MOMENTS)
def test_a_run_killed_at_any_moment_completes(shop: Path, moment: str, stage: str) -> None:
    killed_run(shop, moment, stage)
    outcome = run_here(shop)
    assert outcome.run.state is RunState.RELEASED, outcome.error
    assert_nothing_happened_twice(shop)


def test_after_an_edit_a_killed_run_is_not_gone_on_with(shop: Path) -> None:
    killed_run(shop, "end", "train")
    (shop / "model.py").write_text((shop / "model.py").read_text() + "\n# edited\n")
    outcome = run_here(shop)
    assert outcome.run.state is RunState.RELEASED
    assert_no_training_is_left(shop)
    with workspace_of(shop) as workspace:
        assert [r.state for r in workspace.records.runs()] == [RunState.RELEASED, RunState.CANCELLED]


def test_a_fault_of_ours_ends_the_run_and_not_the_next_one(shop: Path) -> None:
    class Faulty(Silent):
        def stage_started(self, stage: Stage) -> None:
            if stage is Stage.EVALUATE:
                raise ZeroDivisionError("a fault")

    with pytest.raises(Exception, match="a fault"):
        run(load_project(shop, {}), budget=TWO_TRIALS, progress=Faulty())
    with workspace_of(shop) as workspace:
        (failed,) = workspace.records.runs()
    assert (failed.state, failed.detail["error"]["message"]) == (RunState.FAILED, "ZeroDivisionError: a fault")
    assert_no_training_is_left(shop)
    outcome = run_here(shop)
    assert (outcome.run.state, outcome.run.release) == (RunState.RELEASED, 1)


@pytest.mark.parametrize("stage", [Stage.SNAPSHOT, Stage.EVALUATE, Stage.REGISTER])
def test_a_database_that_restarts_between_two_stages_ends_nothing(shop: Path, stage: Stage) -> None:
    with postgres_server() as server:
        lines = [*(shop / "mainspring.toml").read_text().splitlines(), "[records]", f'url = "{server.database()}"']
        (shop / "mainspring.toml").write_text("\n".join(lines))

        class Breaker(Silent):
            def stage_started(self, now: Stage) -> None:
                if now is stage:
                    server.stop()
                    back.start()

        back = threading.Timer(2, server.start)
        outcome = run(load_project(shop, {}), budget=TWO_TRIALS, progress=Breaker())
        back.join()
        assert (outcome.run.state, outcome.run.release) == (RunState.RELEASED, 1)
        with workspace_of(shop) as workspace:
            assert [one.state for one in workspace.records.runs()] == [RunState.RELEASED]
            assert workspace.records.verify_history() is None


def test_with_everything_in_postgresql_a_killed_run_is_gone_on_with(shop: Path) -> None:
    with postgres_server() as server:
        lines = (shop / "mainspring.toml").read_text().splitlines()
        lines += ["[records]", f'url = "{server.database()}"', "[workflows]", f'url = "{server.database()}"']
        (shop / "mainspring.toml").write_text("\n".join(lines))
        killed_run(shop, "start", "gates")
        outcome = run_here(shop)
        assert (outcome.run.state, outcome.run.release) == (RunState.RELEASED, 1)
        with workspace_of(shop) as workspace:
            assert [one.state for one in workspace.records.runs()] == [RunState.RELEASED]
        assert not (shop / ".mainspring" / "dbos.db").exists()


def test_two_runs_at_once_are_refused(shop: Path) -> None:
    with (
        workspace_of(shop) as workspace,
        workspace.records.lease(run_lease("shop"), "another run", ttl=60),
        pytest.raises(WorkspaceBusy, match="another run"),
    ):
        run_here(shop)


def test_a_run_tells_what_started_it_also_one_that_a_person_began(shop: Path) -> None:
    trigger = Trigger(
        id="labels since ever",
        kind=TriggerKind.NEW_LABELS,
        at=datetime(2026, 3, 2, 12, tzinfo=UTC),
        reason="500 new labels",
        since=datetime(2026, 3, 1, tzinfo=UTC),
        evidence={"labels": 500},
    )
    killed_run(shop, "start", "train")
    outcome = run(load_project(shop, {}), budget=TWO_TRIALS, trigger=trigger)
    assert outcome.run.state is RunState.RELEASED, outcome.error
    with workspace_of(shop) as workspace:
        (stored,) = workspace.records.runs()
    assert msgspec.convert(stored.detail["trigger"], Trigger) == trigger


def test_bad_rows_stop_the_run_before_anything_is_registered(released_shop: Path) -> None:
    shop = released_shop
    schema = (shop / "schema.toml").read_text()
    lines = (shop / "rows.csv").read_text().splitlines()
    lines[17] = lines[17].replace(lines[17].split(",")[2], "lots", 1)
    (shop / "rows.csv").write_text("\n".join(lines) + "\n")
    outcome = run_here(shop)
    assert outcome.run.state is RunState.FAILED
    assert "rows.csv" in outcome.error.message
    assert "17" in outcome.error.message
    assert "spend" in outcome.error.message
    assert schema == (shop / "schema.toml").read_text()
    with workspace_of(shop) as workspace:
        assert len(workspace.records.releases()) == 1


def test_every_trial_is_a_child_run_that_names_what_it_was_made_from(released_shop: Path) -> None:
    from mlflow.tracking import MlflowClient

    with workspace_of(released_shop) as workspace:
        run_of = workspace.records.runs()[0]
        client = MlflowClient(workspace.settings.tracking_url)
        parent = client.get_run(run_of.tracking_id)
        trials = client.search_runs(
            [parent.info.experiment_id], f"tags.mlflow.parentRunId = '{parent.info.run_id}'"
        )
        version = client.get_model_version_by_alias("shop", "champion")
    assert len(trials) == 2
    assert parent.data.metrics["holdout_roc_auc"] > 0.8
    for trial in trials:
        assert trial.data.params["candidate"] == "logistic"
        assert "C" in trial.data.params
        assert "roc_auc" in trial.data.metrics
        assert trial.data.tags["mainspring.snapshot"] == run_of.snapshot
        assert {"mainspring.code", "mainspring.environment"} <= set(trial.data.tags)
    assert version.tags["mainspring.number"] == "1"
