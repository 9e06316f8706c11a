"""A project all of whose columns are called what Polars would read as patterns, from its rows to its alerts."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mainspring.cli.main import call
from mainspring.domain.budget import Budget
from mainspring.domain.release import ReleaseRef
from mainspring.loop.lifecycle.workflow import run
from mainspring.loop.reporting import model_report
from mainspring.loop.watching import Watch
from mainspring.project import load_project
from mainspring.testing.clock import FakeClock
from mainspring.testing.production import store_answers, store_labels
from mainspring.workspace import Workspace

ID, WHEN, AGE, SPEND, CITY, MEMBER, BOUGHT = "^id$", "^when$", "^.*$", "^(spend$", "^city$", "^$", "^bought$"
HOUR = timedelta(hours=1)
START = datetime(2030, 1, 7, tzinfo=UTC)

MODEL = f"""
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mainspring import Gate, Model, Monitor, Source

model = Model(
    "shop",
    source=Source("rows.parquet", key={ID!r}, time={WHEN!r}),
    target={BOUGHT!r},
    task="binary",
    features=[{AGE!r}, {SPEND!r}, {CITY!r}, {MEMBER!r}],
    slices=[{CITY!r}, {AGE!r}],
    gates=[Gate("roc_auc", better_than="naive"), Gate("roc_auc", at_least=0.5, by={CITY!r})],
    monitors=[
        Monitor.drift(by={CITY!r}),
        Monitor.drift(method="classifier"),
        Monitor.prediction(by={MEMBER!r}),
        Monitor.performance("roc_auc", at_least=0.5, by={AGE!r}),
        Monitor.estimate("roc_auc", at_least=0.5, by={CITY!r}),
        Monitor.concept(),
        Monitor.fairness(by={CITY!r}, at_most=0.9),
    ],
)


@model.candidate
def logistic(trial):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    cities = OneHotEncoder(handle_unknown="ignore")
    encode = make_column_transformer((numbers, [{AGE!r}, {SPEND!r}, {MEMBER!r}]), (cities, [{CITY!r}]))
    return make_pipeline(encode, LogisticRegression())
"""


def rows(count: int, seed: int) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    age, spend = random.integers(18, 80, count), random.gamma(2.0, 20.0, count).round(2)
    bought = random.random(count) < 1 / (1 + np.exp(-(age - 49) / 9 - (spend - 40) / 28))
    columns: dict[str, Any] = {
        ID: [f"{seed}-{place:06d}" for place in range(count)],
        WHEN: pl.Series([START - HOUR * 24 * 60 + timedelta(minutes=place) for place in range(count)]),
        AGE: pl.Series(age).set(pl.Series(random.random(count) < 0.02), None),
        SPEND: spend,
        CITY: random.choice(["Ulm", "Köln", "Bonn"], count),
        MEMBER: random.random(count) < 0.5,
        BOUGHT: np.where(bought, "yes", "no"),
    }
    return pl.DataFrame({name: pl.Series(values) for name, values in columns.items()})


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("names") / "shop"
    folder.mkdir()
    (folder / "mainspring.toml").write_text('name = "shop"\n')
    (folder / "model.py").write_text(MODEL)
    rows(1500, seed=1).write_parquet(folder / "rows.parquet")
    outcome = run(load_project(folder, {}), budget=Budget(trials=1))
    assert outcome.manifest is not None, outcome.error
    assert outcome.manifest.runtime.kind == "onnx", outcome.manifest.runtime.reason
    return folder


@pytest.fixture
def project(sealed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sealed, tmp_path / "shop"))


def test_its_answers_are_watched(project: Path) -> None:
    declared = load_project(project, {})
    clock = FakeClock(START)
    with Workspace(declared.settings, clock) as workspace:
        record = workspace.catalogue.find(ReleaseRef("shop", 1))
        manifest = workspace.catalogue.manifest(record)
        for hour in range(4):
            asked = rows(400, seed=100 + hour)
            with workspace.open_release(record) as release:
                outputs = release.runtime.predict_frame(asked)
            ids = [f"{hour}-{place}" for place in range(asked.height)]
            at = [clock.now() + HOUR * (place / asked.height) for place in range(asked.height)]
            store_answers(workspace.tables, manifest, asked, outputs, at, ids)
            clock.sleep(3600)
            store_labels(workspace.tables, manifest, ids, asked.get_column(BOUGHT).to_list(), clock.now())
        clock.sleep(120)
        with Watch(workspace, declared.model) as watch:
            found = watch.look().measurements
        assert {one.monitor for one in found} == {monitor.name for monitor in declared.model.watched}
        assert [one.note for one in found if "failed" in one.note] == []
        assert {one.subject for one in found if one.monitor == "drift"} >= {AGE, SPEND, CITY, MEMBER}
        assert {name for one in found for name in one.slice} == {AGE, CITY, MEMBER}
        report = model_report(workspace, "shop", timedelta(days=1))
        assert {AGE, SPEND, CITY, MEMBER} <= {change.name for change in report.changes}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_its_tables_are_scored_compared_and_shown(
    suffix: str, project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    for name, seed in (("new", 3), ("newer", 4)):
        table = rows(300, seed=seed)
        table.write_csv(f"{name}.{suffix}") if suffix == "csv" else table.write_parquet(f"{name}.{suffix}")

    def told(*arguments: str) -> str:
        code = call(list(arguments), {})
        streams = capfd.readouterr()
        assert code in (0, 3), streams.err
        return streams.out

    told("score", "shop", "--input", f"new.{suffix}", "--output", "out.parquet", "--keep-columns")
    scored = pl.read_parquet("out.parquet")
    assert scored.columns[:1] == [ID]
    assert {AGE, SPEND, CITY, MEMBER} <= set(scored.columns)
    assert scored.get_column("prediction").is_in(["yes", "no"]).all()
    compared = json.loads(told("monitor", "compare", f"new.{suffix}", f"newer.{suffix}", "--json"))
    assert compared
    snapshot = json.loads(told("show", "shop@1", "--json"))["snapshots"][0]
    assert CITY in told("show", snapshot)
    assert "the same" in told("reproduce", "shop@1")
