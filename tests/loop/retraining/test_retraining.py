"""A retraining learns from what production has taught, says what it tried, and can be repeated bit for bit."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from mainspring.domain.budget import Budget
from mainspring.domain.release import Manifest, ReleaseRef
from mainspring.domain.run import RunState
from mainspring.domain.trigger import Trigger, TriggerKind
from mainspring.loop.lifecycle.workflow import RunOutcome, run
from mainspring.loop.releases.reproduction import reproduce
from mainspring.project import load_project
from mainspring.testing.shop import make_shop
from mainspring.testing.taught import Visits, answer, tell, visits, with_retrain
from mainspring.workspace import Workspace

TWO_TRIALS = Budget(trials=2)
WINDOWS = 'Retrain(windows=("all", "since_change", "weighted 12h", "90d"))'

RECURRING = 'Retrain(windows=("all", "since_change", "since_change and alike"))'

KILLED_RETRAINING = """
import os, signal, sys
from pathlib import Path
import msgspec
from mainspring.domain.budget import Budget
from mainspring.domain.trigger import Trigger
from mainspring.loop.lifecycle.workflow import run
from mainspring.loop.lifecycle.progress import Silent
from mainspring.project import load_project

folder, moment, stage, trigger = sys.argv[1:]

class Killer(Silent):
    def stage_started(self, now):
        if moment == "start" and now == stage: os.kill(os.getpid(), signal.SIGKILL)
    def stage_ended(self, now, seconds, summary):
        if moment == "end" and now == stage: os.kill(os.getpid(), signal.SIGKILL)

trigger = msgspec.json.decode(trigger, type=Trigger)
run(load_project(Path(folder), {}), budget=Budget(trials=2), progress=Killer(), trigger=trigger)
"""


@contextmanager
def workspace_of(folder: Path) -> Iterator[Workspace]:
    with Workspace(load_project(folder, {}).settings) as workspace:
        yield workspace


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop that declares windows, after its first run."""
    folder = make_shop(tmp_path_factory.mktemp("first") / "shop")
    with_retrain(folder, WINDOWS)
    outcome = run(load_project(folder, {}), budget=TWO_TRIALS)
    assert outcome.manifest is not None, outcome.error
    return folder


@pytest.fixture
def shop(first: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(first, tmp_path / "shop"))


def turn_round(folder: Path) -> Trigger:
    """Half of the visitors as ever, half of them with their taste turned round; and what an alert makes of it."""
    begun = datetime.now(UTC) + timedelta(hours=1)
    before = visits(600, start=begun)
    after = visits(900, start=before.end + timedelta(minutes=1), first=600, seed=11, strength=-2.0)
    with workspace_of(folder) as workspace:
        for part in (before, after):
            taught(workspace, part)
    return Trigger(id="alert", kind=TriggerKind.DRIFT, at=after.end, reason="concept", since=after.at[0])


def taught(workspace: Workspace, asked: Visits) -> None:
    manifest = answer(workspace, asked)
    tell(workspace, manifest, asked.ids, asked.truth, asked.end)


def released(outcome: RunOutcome) -> Manifest:
    assert outcome.run.state is RunState.RELEASED, outcome.error
    assert outcome.manifest is not None
    assert outcome.manifest.training is not None
    return outcome.manifest


def test_after_a_change_the_rows_since_are_learnt_from(shop: Path) -> None:
    trigger = turn_round(shop)
    outcome = run(load_project(shop, {}), budget=TWO_TRIALS, trigger=trigger)
    manifest = released(outcome)
    training = manifest.training
    assert training is not None
    assert training.window is not None
    assert training.window.window == "since_change"
    assert training.rows_trained == 720  # a fifth of the rows since the change is held out
    assert training.rows_holdout == 180
    assert training.window.rows_compared == 144
    assert [one.window for one in training.window.tried] == ["all", "since_change", "weighted 12h", "90d"]
    assert training.window.tried[3].note == "it has the same rows as all"
    assert manifest.metrics["roc_auc"].value is not None
    assert manifest.metrics["roc_auc"].value > 0.8
    with workspace_of(shop) as workspace:
        first = workspace.catalogue.manifest(workspace.catalogue.find(ReleaseRef("shop", 1)))
        assert first.training is not None
        assert (training.parameters_of, training.params) == ("shop@1", first.training.params)
        assert manifest.output.positive == first.output.positive
        card = (workspace.settings.releases / "shop" / "2" / "MODEL_CARD.md").read_text()
        source, labelled = (workspace.snapshots.find(one) for one in manifest.snapshots)
        report = reproduce(workspace, ReleaseRef("shop", 2), {})
    assert (source.rows, labelled.rows) == (1_500, 1_500)
    assert report.holds, report.differences
    assert "It learnt from `since_change`: the best on newer rows." in card
    assert "with the parameters of `shop@1`" in card
    assert "On the same 180 holdout rows, which neither has learnt from" in card  # the champion has seen none
    detail = outcome.run.detail
    assert (detail["labelled"], detail["parameters_of"]) == (labelled.id, "shop@1")
    assert detail["window"]["window"] == "since_change"


def test_what_comes_again_is_learnt_from_what_it_was_before(shop: Path) -> None:
    with_neighbours(shop, 25)  # who gain by more rows
    (shop / "model.py").write_text((shop / "model.py").read_text().replace(WINDOWS, RECURRING))
    begun = datetime.now(UTC) + timedelta(hours=1)
    with workspace_of(shop) as workspace:
        for number, (count, strength) in enumerate([(600, 2.0), (700, -2.0), (600, 2.0)]):
            part = visits(count, start=begun, first=1_000 * number, seed=50 + number, strength=strength)
            taught(workspace, part)
            begun = part.end + timedelta(minutes=1)
    trigger = Trigger(id="alert", kind=TriggerKind.DRIFT, at=part.end, reason="concept", since=part.at[0])
    manifest = released(run(load_project(shop, {}), budget=TWO_TRIALS, trigger=trigger))
    training = manifest.training
    assert training is not None
    assert training.window is not None
    assert training.window.window == "since_change and alike", training.window
    # The source and what is left of the first taste beside two batches; a fifth of the newest rows is held out.
    assert training.rows_trained == 1_500 + 300 + 480
    turned = training.window.tried[0]
    assert turned.gap is not None
    assert turned.gap.low is not None
    assert turned.gap.low > 0
    with workspace_of(shop) as workspace:
        report = reproduce(workspace, ReleaseRef("shop", 2), {})
        card = (workspace.settings.releases / "shop" / "2" / "MODEL_CARD.md").read_text()
    assert report.holds, report.differences
    assert "It learnt from `since_change and alike`: the best on newer rows." in card


def test_without_a_change_more_rows_are_the_choice_and_a_person_has_them_searched(shop: Path) -> None:
    with workspace_of(shop) as workspace:
        taught(workspace, visits(800, start=datetime.now(UTC) + timedelta(hours=1)))
    manifest = released(run(load_project(shop, {}), budget=TWO_TRIALS))
    training = manifest.training
    assert training is not None
    assert training.window is not None
    assert training.window.window == "all"
    assert training.window.tried[1].note == "no change is known"
    assert (training.trials, training.parameters_of) == (2, None)
    assert (training.split["kind"], training.rows_holdout) == ("answered", 160)
    assert training.rows_trained == 1_500 + 640


def test_the_next_retraining_takes_what_is_new_and_its_champion_is_judged_on_what_it_has_not_seen(
    shop: Path,
) -> None:
    trigger = turn_round(shop)
    project = load_project(shop, {})
    second = released(run(project, budget=TWO_TRIALS, trigger=trigger))
    start = trigger.at + timedelta(minutes=1)
    with workspace_of(shop) as workspace:
        taught(workspace, visits(700, start=start, first=5_000, seed=5, strength=-2.0))
    again = replace(trigger, id="again", at=start)
    outcome = run(project, budget=TWO_TRIALS, trigger=again)
    third = released(outcome)
    assert third.snapshots[0] == second.snapshots[0]
    assert third.snapshots[1] != second.snapshots[1]
    assert third.training is not None
    assert third.training.parameters_of == "shop@2"
    assert third.training.rows_holdout == 320  # of 1,600 since the change
    with workspace_of(shop) as workspace:
        old, new = (workspace.snapshots.find(manifest.snapshots[1]) for manifest in (second, third))
        assert (new.table, new.version, new.rows) == (old.table, old.version + 1, 2_200)
        assert reproduce(workspace, ReleaseRef("shop", 2), {}).holds  # of the rows as they were


def test_without_labelled_answers_a_retraining_is_what_it_was(shop: Path) -> None:
    text = (shop / "model.py").read_text()
    (shop / "model.py").write_text(text.replace("Retrain(", "Retrain(labelled=False, "))
    turn_round(shop)
    manifest = released(run(load_project(shop, {}), budget=TWO_TRIALS))
    assert len(manifest.snapshots) == 1
    assert manifest.training is not None
    assert manifest.training.split["kind"] == "hash"
    assert manifest.training.window is None


def test_an_estimator_that_takes_no_weights_has_that_window_left_out(shop: Path) -> None:
    with_neighbours(shop, 25)
    manifest = released(run(load_project(shop, {}), budget=TWO_TRIALS, trigger=turn_round(shop)))
    assert manifest.training is not None
    assert manifest.training.window is not None
    assert manifest.training.parameters_of is None  # other code: searched anew
    notes = {one.window: one.note for one in manifest.training.window.tried}
    assert "takes no weights of rows" in notes["weighted 12h"]


def with_neighbours(shop: Path, number: int) -> None:
    text = (shop / "model.py").read_text()
    text = text.replace(
        "from sklearn.linear_model import LogisticRegression", "from sklearn.neighbors import KNeighborsClassifier"
    )
    text = text.replace(
        'LogisticRegression(C=trial.suggest_float("C", 0.1, 10, log=True))', f"KNeighborsClassifier({number})"
    )
    (shop / "model.py").write_text(text)


def worse_than_its_champion(shop: Path, declared: str) -> Trigger:
    """The next model says of a visitor what the one did who is most alike; and the trigger of its training."""
    with_neighbours(shop, 1)
    text = (shop / "model.py").read_text()
    gates = text[text.index("gates=") : text.index("]", text.index("gates=")) + 2]
    (shop / "model.py").write_text(text.replace(gates, declared).replace("import Gate,", "import Gate, Rollout,"))
    with workspace_of(shop) as workspace:
        asked = visits(800, start=datetime.now(UTC) + timedelta(hours=1))
        taught(workspace, asked)
    return Trigger(id="labels", kind=TriggerKind.NEW_LABELS, at=asked.end, reason="new labels")


def test_what_is_clearly_worse_than_the_champion_does_not_take_its_place_while_nobody_looks(shop: Path) -> None:
    trigger = worse_than_its_champion(shop, "")
    outcome = run(load_project(shop, {}), budget=TWO_TRIALS, trigger=trigger)
    assert outcome.run.state is RunState.REFUSED
    assert outcome.error is not None
    assert "worse than the champion shop@1: its brier is 0." in str(outcome.error)
    assert "160 held-out rows that neither has learnt from" in str(outcome.error)
    with workspace_of(shop) as workspace:
        assert [one.ref.number for one in workspace.records.releases("shop")] == [1]
    by_hand = released(run(load_project(shop, {}), budget=TWO_TRIALS))
    assert by_hand.ref.number == 2, "whoever trains by hand sees what comes of it"


@pytest.mark.parametrize(
    "declared",
    ["rollout=Rollout(),", 'gates=[Gate("brier", no_worse_than="champion", margin=0.5)],'],
)
def test_where_the_model_says_how_it_is_compared_with_the_champion_that_counts(shop: Path, declared: str) -> None:
    trigger = worse_than_its_champion(shop, declared)
    released(run(load_project(shop, {}), budget=TWO_TRIALS, trigger=trigger))


def kill(folder: Path, trigger: Trigger, moment: str, stage: str) -> None:
    told = msgspec.json.encode(trigger).decode()
    ended = subprocess.run(
        [sys.executable, "-c", KILLED_RETRAINING, str(folder), moment, stage, told],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def test_a_retraining_that_is_killed_again_and_again_goes_on_with_the_rows_that_it_had(shop: Path) -> None:
    trigger = turn_round(shop)
    kill(shop, trigger, "end", "snapshot")  # before the stage's end was on record: it runs twice
    with workspace_of(shop) as workspace:
        (under_way,) = [one for one in workspace.records.runs("shop") if one.state is RunState.RUNNING]
    kill(shop, trigger, "start", "train")
    with workspace_of(shop) as workspace:
        taught(workspace, visits(50, start=trigger.at + timedelta(minutes=1), first=9_000))  # too late for it
    kill(shop, trigger, "end", "train")
    outcome = run(load_project(shop, {}), budget=TWO_TRIALS, trigger=trigger)
    manifest = released(outcome)
    assert (outcome.run.id, outcome.run.release) == (under_way.id, 2)
    assert manifest.snapshots == (under_way.snapshot, under_way.detail["labelled"])
    assert manifest.training is not None
    assert manifest.training.rows_trained == 720
    assert json.loads(msgspec.json.encode(manifest.training.window)) == outcome.run.detail["window"]
