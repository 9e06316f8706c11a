"""What a run leaves in MLflow: one run, one child a trial, one version a release, however often it is told."""

import json
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mainspring.domain.ports import Tracking
from mainspring.errors import StoreError
from mainspring.stores.tracking_mlflow import MlflowTracking
from mainspring.testing.contracts.records import a_release

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Place:
    """A workspace's MLflow: how we write it and how people read it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uri = f"sqlite:///{folder / 'mlflow.db'}"

    def open(self) -> MlflowTracking:
        return MlflowTracking(self.uri, str(self.folder / "mlartifacts"))

    @property
    def client(self) -> Any:
        from mlflow.tracking import MlflowClient

        return MlflowClient(self.uri, registry_uri=self.uri)

    def runs(self) -> list[Any]:
        experiments = [e.experiment_id for e in self.client.search_experiments()]
        return list(self.client.search_runs(experiments, order_by=["start_time"]))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An empty database, made once: MLflow takes seconds for it."""
    place = Place(tmp_path_factory.mktemp("prepared"))
    place.open().begin_run("other", "r0", {})
    connection = sqlite3.connect(place.folder / "mlflow.db")
    connection.execute("VACUUM INTO ?", (str(place.folder / "whole.db"),))
    connection.close()
    return (place.folder / "whole.db").read_bytes()


@pytest.fixture
def place(tmp_path: Path, prepared: bytes) -> Place:
    (tmp_path / "mlflow.db").write_bytes(prepared)
    return Place(tmp_path)


def log_trial(tracking: MlflowTracking, parent: str, index: int, **changes: Any) -> None:
    told: dict[str, Any] = {
        "params": {"candidate": "boosted_trees", "learning_rate": 0.1},
        "metrics": {"roc_auc": 0.9, "log_loss": 0.2},
        "tags": {"mainspring.state": "complete"},
        "status": "FINISHED",
        "started_at": NOON,
        "ended_at": NOON + timedelta(seconds=3),
    }
    tracking.log_trial(parent, index, **{**told, **changes})


def test_it_keeps_the_port(place: Place) -> None:
    assert isinstance(place.open(), Tracking)


def test_a_run_told_twice_is_one_run(place: Place) -> None:
    first = place.open().begin_run("adclick", "r1", {"mainspring.snapshot": "s"})
    assert place.open().begin_run("adclick", "r1", {"mainspring.code": "c"}) == first
    again = place.open()
    log_trial(again, first, 0)
    assert again.begin_run("adclick", "r1", {}) == first
    tags = place.client.get_run(first).data.tags
    assert (tags["mainspring.snapshot"], tags["mainspring.code"], tags["mainspring.run_id"]) == ("s", "c", "r1")
    assert place.open().begin_run("adclick", "r2", {}) != first


def test_a_trial_told_twice_is_one_child_with_one_point_a_metric(place: Place) -> None:
    parent = place.open().begin_run("adclick", "r1", {})
    for _ in range(2):
        tracking = place.open()
        log_trial(tracking, parent, 3)
        log_trial(tracking, parent, 4, status="FAILED", metrics={"roc_auc": float("nan")})
    children = [run for run in place.runs() if run.data.tags.get("mlflow.parentRunId") == parent]
    children.sort(key=lambda run: run.data.tags["mainspring.trial"])
    assert [run.data.tags["mainspring.trial"] for run in children] == ["3", "4"]
    assert [run.info.status for run in children] == ["FINISHED", "FAILED"]
    first = children[0]
    assert first.data.params == {"candidate": "boosted_trees", "learning_rate": "0.1"}
    assert first.data.metrics == {"roc_auc": 0.9, "log_loss": 0.2}
    assert len(place.client.get_metric_history(first.info.run_id, "roc_auc")) == 1
    assert first.info.end_time - first.info.start_time == 3000


def test_a_trial_killed_half_told_is_told_whole(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    tracking = place.open()
    parent = tracking.begin_run("adclick", "r1", {})
    from mlflow.tracking import MlflowClient

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_terminated", killed)
        with pytest.raises(KeyboardInterrupt):
            log_trial(tracking, parent, 0)
    assert len(place.runs()) == 3  # with the one of `prepared`
    log_trial(place.open(), parent, 0)
    assert len(place.runs()) == 3


def test_names_and_values_that_mlflow_does_not_know(place: Place) -> None:
    tracking = place.open()
    parent = tracking.begin_run("adclick", "r1", {})
    params = {"größe²": "x" * 20_000, "none": None, **{f"p{n}": n for n in range(150)}}
    log_trial(tracking, parent, 0, params=params, metrics={f"m{n}": float(n) for n in range(1200)})
    trial = next(run for run in place.runs() if run.data.tags.get("mainspring.trial") == "0")
    assert len(trial.data.params) == 152
    assert len(trial.data.metrics) == 1200


def test_the_run_and_its_files(place: Place) -> None:
    tracking = place.open()
    run = tracking.begin_run("adclick", "r1", {})
    (place.folder / "card.md").write_text("# card")
    (place.folder / "plots").mkdir()
    (place.folder / "plots" / "a.txt").write_text("a")
    for _ in range(2):
        tracking.log_run(
            run,
            params={"budget": "120s"},
            metrics={"roc_auc": 0.9},
            tags={"mainspring.release": "adclick@1"},
            artifacts=[place.folder / "card.md", place.folder / "plots"],
        )
        tracking.end_run(run, "FINISHED")
    stored = place.client.get_run(run)
    assert stored.info.status == "FINISHED"
    assert len(place.client.get_metric_history(run, "roc_auc")) == 1
    files = {
        p.relative_to(place.folder).as_posix() for p in (place.folder / "mlartifacts").rglob("*") if p.is_file()
    }
    assert files == {f"mlartifacts/adclick/{run}/artifacts/{name}" for name in ("card.md", "plots/a.txt")}


def test_releases_and_aliases_are_mirrored(place: Place) -> None:
    tracking = place.open()
    run = tracking.begin_run("adclick", "r7", {})
    seven, nine = a_release(7), replace(a_release(9), run_id="adopted")
    for _ in range(2):
        tracking.mirror_release(seven, place.folder / "releases" / "7", run)
        tracking.mirror_release(nine, place.folder / "releases" / "9", None)
    versions = place.client.search_model_versions("name='adclick'")
    assert {v.tags["mainspring.number"]: v.run_id for v in versions} == {"7": run, "9": None}
    number = {v.version: v.tags["mainspring.number"] for v in versions}

    def aliases() -> dict[str, str]:
        return {name: number[v] for name, v in place.client.get_registered_model("adclick").aliases.items()}

    tracking.mirror_alias("adclick", "champion", 7)
    tracking.mirror_alias("adclick", "challenger", 9)
    assert aliases() == {"champion": "7", "challenger": "9"}
    for _ in range(2):
        tracking.mirror_alias("adclick", "champion", 9)
        assert aliases() == {"champion": "9"}
    for _ in range(2):
        tracking.mirror_alias("adclick", "champion", None)
        assert aliases() == {}
    tracking.mirror_alias("never seen", "champion", None)
    with pytest.raises(StoreError, match="no version of the release adclick@8"):
        tracking.mirror_alias("adclick", "champion", 8)


USERS_CODE = """
import json, os, sys
import mlflow

plain, own = json.load(sys.stdin)
os.environ.update(plain)
mlflow.log_metric("depth", 3)
mlflow.log_param("mine", "x")
mlflow.end_run()
os.environ.update(own)
with mlflow.start_run():
    mlflow.log_metric("depth", 4)
"""


def test_calls_of_the_users_land_in_the_trials_run(place: Place) -> None:
    tracking = place.open()
    parent = tracking.begin_run("adclick", "r1", {})
    variables = [dict(tracking.trial_environment(parent, index)) for index in (0, 1)]
    assert variables[0] == place.open().trial_environment(parent, 0)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", USERS_CODE],
        input=json.dumps(variables),
        cwd=place.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for index in (0, 1):
        log_trial(tracking, parent, index)
    children = [run for run in place.runs() if run.data.tags.get("mlflow.parentRunId") == parent]
    children.sort(key=lambda run: run.data.tags["mainspring.trial"])
    assert [run.data.metrics for run in children] == [
        {"roc_auc": 0.9, "log_loss": 0.2, "depth": 3.0},
        {"roc_auc": 0.9, "log_loss": 0.2, "depth": 4.0},
    ]
    assert children[0].data.params["mine"] == "x"
    assert {run.info.status for run in children} == {"FINISHED"}
    assert not (place.folder / "mlruns").exists()


def test_a_store_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"this is no database\n" * 400)
    with pytest.raises(StoreError, match=r"MLflow did not take it: .*see \[tracking\]"):
        MlflowTracking(f"sqlite:///{tmp_path / 'mlflow.db'}", str(tmp_path)).begin_run("adclick", "r1", {})


def test_it_says_nothing_and_calls_nobody(tmp_path: Path) -> None:
    """In a process without any of the variables by which MLflow knows a test; a call out would raise."""
    script = f"""
import socket, sys, threading
def refuse(*a, **k): print("NETWORK", a, flush=True); raise OSError("no network")
socket.getaddrinfo = socket.create_connection = socket.socket.connect = refuse
from mainspring.stores.tracking_mlflow import MlflowTracking
assert "mlflow" not in sys.modules
tracking = MlflowTracking("sqlite:///{tmp_path}/mlflow.db", "{tmp_path}/mlartifacts")
run = tracking.begin_run("adclick", "r1", {{}})
tracking.end_run(run, "FINISHED")
from mlflow.telemetry.client import get_telemetry_client
assert get_telemetry_client() is None
assert not [t.name for t in threading.enumerate() if "elemetry" in t.name]
"""
    environment = {"PATH": "/nonexistent", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {p.name for p in tmp_path.iterdir()} <= {"mlflow.db", "mlartifacts", "mlflow.db-wal", "mlflow.db-shm"}
