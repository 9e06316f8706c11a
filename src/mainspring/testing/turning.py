"""A project whose visitors turn their taste round, and the recorded stream of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from mainspring.data.inference import infer
from mainspring.data.schema_file import write_schema
from mainspring.domain.source import Source

TURNED = 2_400
"""The first row of the stream of which the law is another."""
STARTED = 1_000
"""So many of its first rows are the project's source."""

_MODEL = '''"""Who buys."""

from sklearn.linear_model import LogisticRegression

from mainspring import Model, Retrain, Source

model = Model(
    "visits",
    source=Source("start.csv", key="visit"),
    target="bought",
    positive="yes",
    retrain=Retrain(on=["drift"]),
)


@model.candidate
def linear(trial):
    return LogisticRegression()
'''


def make_turning(folder: Path, rows: int = 4_800) -> Path:
    """Write the project and its `stream.csv` into a new folder."""
    folder.mkdir(parents=True)
    stream = turning_rows(rows)
    stream.write_csv(folder / "stream.csv")
    stream.head(STARTED).write_csv(folder / "start.csv")
    (folder / "model.py").write_text(_MODEL, encoding="utf-8")
    (folder / "mainspring.toml").write_text('[run]\nbudget = "1 trial"\n', encoding="utf-8")
    source = Source("stream.csv")
    found = infer(source, folder, target="bought", key="visit", time=None, task=None, environ={})
    write_schema(folder / "schema.toml", found.schema, found.reasons)
    return folder


def turning_rows(rows: int, seed: int = 1) -> pl.DataFrame:
    """The inputs come always alike; who buys turns round at `TURNED`, and as many buy as before."""
    random = np.random.default_rng(seed)
    age, depth = random.normal(size=rows), random.normal(size=rows)
    taste = np.where(np.arange(rows) < TURNED, 1.0, -1.0)
    chance = 1 / (1 + np.exp(-3 * taste * (age - depth)))
    return pl.DataFrame(
        {
            "visit": [f"v-{n:05d}" for n in range(rows)],
            "age": age,
            "depth": depth,
            "bought": np.where(random.random(rows) < chance, "yes", "no"),
        }
    )
