"""Small sealed releases, for tests of whatever opens, serves or compares them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mainspring.data.estimator_frame import estimator_frame
from mainspring.domain.ids import digest_bytes
from mainspring.domain.release import Manifest, ReleaseRecord
from mainspring.domain.schema import Column, Kind
from mainspring.domain.task import Task
from mainspring.domain.verdict import Estimate, Outcome, Verdict
from mainspring.release.card import CardFacts, Comparison
from mainspring.release.manifest import MANIFEST
from mainspring.release.sealing import SealOrder
from mainspring.testing.releases import A_TRAINING
from mainspring.workspace import Workspace

COLUMNS = (
    Column("age", Kind.INTEGER, missing=("",)),
    Column("income", Kind.NUMBER, missing=("",)),
    Column("member", Kind.BOOLEAN, true=("yes",), false=("no",)),
    Column("device", Kind.CATEGORY, missing=("?",), strip=True),
    Column("shown_at", Kind.TIME, time_format="iso"),
)
_CLASSES = {Task.BINARY: ("no", "yes"), Task.MULTICLASS: ("bronze", "gold", "silver"), Task.REGRESSION: ()}
_START = datetime(2026, 1, 1, tzinfo=UTC)


def some_rows(count: int, task: Task = Task.BINARY, seed: int = 0) -> pl.DataFrame:
    """Typed rows with missing values, and a target `clicked` that depends on them."""
    random = np.random.default_rng(seed)
    age = random.integers(17, 90, count)
    income = random.lognormal(10, 1, count)
    device = random.choice(["phone", "tablet", "desktop"], count)
    score = (age - 50) / 20 + (device == "phone") * 1.5 + random.normal(0, 0.5, count)
    target: Any = score
    if task is not Task.REGRESSION:
        bins = np.array([0.5]) if task is Task.BINARY else np.array([0.0, 1.0])
        target = np.array(_CLASSES[task])[np.digitize(score, bins)]
    gaps = random.random((3, count)) < 0.1
    return pl.DataFrame(
        {
            "age": pl.Series(age).set(pl.Series(gaps[0]), None),
            "income": pl.Series(income).set(pl.Series(gaps[1]), None),
            "member": random.random(count) < 0.5,
            "device": pl.Series(device).set(pl.Series(gaps[2]), None),
            "shown_at": [_START + timedelta(seconds=int(s)) for s in random.integers(0, 10**7, count)],
            "clicked": target,
        }
    ).with_columns(pl.col("shown_at").cast(pl.Datetime("us", "UTC")))


def boosted(task: Task) -> Any:
    """A pipeline that compiles."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    kind = HistGradientBoostingRegressor if task is Task.REGRESSION else HistGradientBoostingClassifier
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["device"]), remainder="passthrough"
    )
    return make_pipeline(encoder, kind(max_iter=10, random_state=0))


def neighbours(task: Task) -> Any:
    """A pipeline that has no compiled form."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
    from sklearn.pipeline import make_pipeline

    kind = KNeighborsRegressor if task is Task.REGRESSION else KNeighborsClassifier
    return make_pipeline(make_column_transformer((SimpleImputer(), ["age", "income"])), kind())


@dataclass(frozen=True, slots=True)
class _Slice:
    slice: dict[str, str]
    rows: int
    metrics: dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class _Loss:
    feature: str
    loss: float
    spread: float


def a_seal_order(
    task: Task = Task.BINARY, make: Callable[[Task], Any] = boosted, rows: int = 600, **changes: Any
) -> SealOrder:
    """An order for a small fitted model; by default one that compiles."""
    training, holdout = some_rows(rows, task), some_rows(rows // 3, task, seed=1)
    classes = _CLASSES[task]
    target = training.get_column("clicked")
    y = target.to_numpy() if not classes else np.array([classes.index(label) for label in target.to_list()])
    metric = "rmse" if task is Task.REGRESSION else "log_loss"
    estimate = Estimate(0.31, 0.28, 0.34, holdout.height)
    order = SealOrder(
        model="adclick",
        number=1,
        run_id="01890000-0000-7000-8000-000000000000",
        created_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        task=task,
        classes=classes,
        positive="yes" if task is Task.BINARY else None,
        columns=COLUMNS,
        target_column=Column("clicked", Kind.NUMBER if task is Task.REGRESSION else Kind.CATEGORY),
        key=None,
        time=None,
        estimator=make(task).fit(estimator_frame(training, COLUMNS), y),
        training_rows=training,
        holdout_rows=holdout,
        training=A_TRAINING,
        snapshots=("5" * 64,),
        metrics={metric: estimate},
        naive={metric: 0.69},
        verdicts=(Verdict(f"{metric} better than naive", Outcome.PASS, (), "holds"),),
        code={"model.py": b"model = ...\n"},
        settings={"mainspring.toml": b"", "schema.toml": b"# columns\n"},
        facts=CardFacts(
            source="clicks.csv",
            rows=rows + rows // 3,
            naive_answer="the mean",
            slices=(_Slice({"device": "phone"}, 80, {metric: estimate}), _Slice({"device": "a|b"}, 3, {})),
            importance=(_Loss("age", 0.2, 0.01), _Loss("device", 0.1, 0.02)),
            primary_metric=metric,
            comparisons=(
                Comparison(
                    "a logistic baseline", {metric: estimate}, {metric: Estimate(0.05, 0.01, 0.09, 200)}, 200
                ),
            ),
        ),
    )
    return replace(order, **changes)


def put_sealed(workspace: Workspace, manifest: Manifest, folder: Path) -> ReleaseRecord:
    """Enter a sealed release, which lies at its place, into the workspace's records."""
    digest = digest_bytes((folder / MANIFEST).read_bytes())
    record = ReleaseRecord.of(manifest, digest=digest, place=f"{folder.parent.name}/{folder.name}")
    workspace.records.put_release(record)
    return record
