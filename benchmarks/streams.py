"""The data sets of the quality benchmark that are not split at random: elec2 in time order, taxi for its leak."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from projects import released

LEAK = "leaks-target"
_HOLDOUT = 0.3
_FIRST = datetime(1996, 5, 7)  # the half-hour of the first row


def elec2(data: Path, folder: Path) -> dict[str, Any]:
    """The newest 30 % of the half-hours as holdout, against a logistic regression fitted on the same rows.

    The file's own date is scaled to 0…1, so the half-hour is counted from the first row's.
    """
    rows = pl.read_csv(data / "elec2" / "elec_dated.csv").drop("date")
    times = [(_FIRST + timedelta(minutes=30 * number)).isoformat() for number in range(rows.height)]
    rows = rows.with_columns(pl.Series("time", times))
    rows.write_csv(folder / "elec2.csv")
    result = released(folder, folder / "elec2.csv", "class", "--time", "time", holdout=str(_HOLDOUT))
    release = result["release"]
    features = rows.drop("class", "time").to_numpy().astype(float)
    truth = (rows["class"] == "UP").to_numpy()
    cut = round(rows.height * (1 - _HOLDOUT))
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(features[:cut], truth[:cut])
    baseline = roc_auc_score(truth[cut:], logistic.predict_proba(features[cut:])[:, 1])
    card = next((folder / ".mainspring" / "releases").rglob("MODEL_CARD.md")).read_text(encoding="utf-8")
    return {
        "roc_auc": round(float(release["metrics"]["roc_auc"]), 5),
        "interval": release["intervals"]["roc_auc"],
        "logistic_roc_auc": round(float(baseline), 5),
        "candidate": release["candidate"],
        "card_says_so": says_better(card, "logistic baseline", "roc_auc"),
    }


def says_better(card: str, other: str, metric: str) -> bool:
    """Whether the card's section on the comparison with `other` calls the model better by the metric."""
    section = re.search(rf"^## Compared with a {other}$(.*?)(?=^## |\Z)", card, re.MULTILINE | re.DOTALL)
    return bool(section and re.search(rf"^\| {metric} \|.*\| better \|$", section[1], re.MULTILINE))


def taxi(data: Path, folder: Path) -> dict[str, Any]:
    """The columns that the leakage warning names where the target is a tip of over 20 % of the fare."""
    file = data / "chicago_taxi" / "big_tipper_label.csv"
    result = released(folder, file, "big_tipper")
    found = [finding for finding in result["validation"]["findings"] if finding["code"] == LEAK]
    return {"leaks": sorted(finding["column"] for finding in found), "messages": [f["message"] for f in found]}
