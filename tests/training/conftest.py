"""A small project, and jobs over it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import polars as pl
import pytest

from mainspring.domain.budget import Budget
from mainspring.domain.model import Model
from mainspring.domain.schema import Column, Kind, Schema
from mainspring.domain.source import Source
from mainspring.domain.task import Task
from mainspring.training.dataset import TrainingData, prepare
from mainspring.training.tuning import TuningJob

SCHEMA = Schema(
    (
        Column("id", Kind.ID),
        Column("age", Kind.NUMBER),
        Column("visits", Kind.INTEGER),
        Column("device", Kind.CATEGORY),
        Column("clicked", Kind.CATEGORY),
        Column("spent", Kind.NUMBER),
    )
)
FEATURES = ("age", "visits", "device")

HEAD = """
from mainspring.domain.model import Model
from mainspring.domain.source import Source
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

model = Model("clicks", Source("clicks.csv"), target="clicked", {options})

def numbers():
    return make_column_transformer((SimpleImputer(), ["age", "visits"]))
"""
LINEAR = """
@model.candidate
def linear(trial):
    return make_pipeline(numbers(), LogisticRegression(C=trial.suggest_float("C", 0.01, 10, log=True)))
"""


class Clicks:
    """A small data set with a known law, and declarations over it."""

    schema = SCHEMA
    features = FEATURES

    def rows(self, n: int = 400, seed: int = 0) -> pl.DataFrame:
        random = np.random.default_rng(seed)
        age = random.normal(40, 12, n)
        visits = random.poisson(3, n)
        device = random.choice(["phone", "tv", "desk"], n)
        logit = 0.08 * (age - 40) + 0.5 * (visits - 3) + (device == "tv") * 1.5 - 1
        clicked = random.random(n) < 1 / (1 + np.exp(-logit))
        return pl.DataFrame(
            {
                "id": [f"row-{i}" for i in range(n)],
                "age": np.where(random.random(n) < 0.05, np.nan, age),
                "visits": visits,
                "device": device,
                "clicked": np.where(clicked, "yes", "no"),
                "spent": age * 3 + visits * 10 + random.normal(0, 5, n),
            }
        ).with_columns(pl.col("age").fill_nan(None))

    def model(self, **options: Any) -> Model:
        return Model("clicks", Source("clicks.csv"), target=options.pop("target", "clicked"), **options)

    def data(self, model: Model | None = None, rows: pl.DataFrame | None = None, **options: Any) -> TrainingData:
        given: dict[str, Any] = {"task": Task.BINARY, "features": FEATURES, "key": "id"} | options
        return prepare(
            self.rows() if rows is None else rows, self.model() if model is None else model, SCHEMA, **given
        )

    def job(
        self,
        folder: Path,
        candidates: str = LINEAR,
        *,
        trials: int | None = None,
        seconds: float | None = None,
        cores: int = 1,
        name: str = "run",
        rows: pl.DataFrame | None = None,
        **options: Any,
    ) -> TuningJob:
        """A job over candidates given as text, with a `model.py` in the folder."""
        project = folder / "project"
        project.mkdir(exist_ok=True)
        model_file = project / "model.py"
        given = ", ".join(f"{key}={value!r}" for key, value in options.items())
        model_file.write_text(HEAD.format(options=given) + dedent(candidates))
        model = self.model(**options)
        for line in candidates.splitlines():
            if line.startswith("def "):
                model.candidates[line[4:].partition("(")[0]] = _elsewhere
        return TuningJob(
            folder=folder / name,
            model_file=model_file,
            model=model,
            data=self.data(model, rows),
            budget=Budget(seconds=seconds, trials=trials),
            cores=cores,
        )


def _elsewhere(trial: Any) -> None:
    """Candidates run in the trials' process alone."""
    raise AssertionError("called in the process of the tests")


@pytest.fixture(scope="session")
def clicks() -> Clicks:
    return Clicks()


@pytest.fixture
def job(tmp_path: Path, clicks: Clicks) -> Callable[..., TuningJob]:
    """`clicks.job` in the test's own folder."""
    return partial(clicks.job, tmp_path)
