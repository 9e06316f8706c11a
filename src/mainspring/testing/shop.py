"""A small project whose rows follow a law that a model can learn."""

from pathlib import Path

import numpy as np

MODEL = """
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mainspring import Gate, Model, Source

model = Model(
    "shop",
    source=Source("rows.csv", key="id"),
    target="bought",
    task="binary",
    features=["age", "spend", "city"],
    gates=[Gate("roc_auc", better_than="naive"), Gate("log_loss", no_worse_than="champion", margin=0.05)],
)


@model.candidate
def logistic(trial):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    encode = ColumnTransformer(
        [("numbers", numbers, ["age", "spend"]), ("city", OneHotEncoder(handle_unknown="ignore"), ["city"])]
    )
    return make_pipeline(encode, LogisticRegression(C=trial.suggest_float("C", 0.1, 10, log=True)))
"""


def write_rows(place: Path, *, rows: int = 1500, seed: int = 1, first_id: int = 0, strength: float = 2.0) -> None:
    """Rows of a shop whose customers buy by age, spend and city; with `strength` 0 by nothing at all."""
    random = np.random.default_rng(seed)
    age = random.integers(18, 80, rows)
    spend = random.gamma(2.0, 20.0, rows).round(2)
    city = random.choice(["Ulm", "Köln", "Bonn"], rows)
    log_odds = strength * ((age - 49) / 18 + (spend - 40) / 28 * 0.5 + (city == "Ulm") * 0.7)
    bought = random.random(rows) < 1 / (1 + np.exp(-log_odds))
    lines = ["id,age,spend,city,bought"]
    for i in range(rows):
        shown = "" if random.random() < 0.02 else str(age[i])
        lines.append(f"c{first_id + i:06d},{shown},{spend[i]},{city[i]},{'yes' if bought[i] else 'no'}")
    place.write_text("\n".join(lines) + "\n")


def make_shop(folder: Path) -> Path:
    """The project in a new folder; it has no schema yet, so its first run infers one."""
    folder.mkdir(parents=True)
    (folder / "mainspring.toml").write_text('name = "shop"\n')
    (folder / "model.py").write_text(MODEL)
    write_rows(folder / "rows.csv")
    return folder
