"""The peer of the scoring benchmark: pandas and `predict_proba`, as one writes it.

`python plain_score.py MODEL.pkl FEATURES.json INPUT.parquet OUTPUT.parquet`
"""

import json
import pickle
import sys
from pathlib import Path

import pandas as pd


def main(model: str, features: str, source: str, target: str) -> None:
    estimator = pickle.loads(Path(model).read_bytes())
    rows = pd.read_parquet(source)
    chances = estimator.predict_proba(rows[json.loads(Path(features).read_text(encoding="utf-8"))])
    answers = rows[["impression_id"]].copy()
    answers["prediction"] = estimator.classes_[chances.argmax(axis=1)]
    for number, label in enumerate(estimator.classes_):
        answers[f"probability_{label}"] = chances[:, number]
    answers.to_parquet(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
