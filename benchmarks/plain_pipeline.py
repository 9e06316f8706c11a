"""The peer of the pipeline benchmark: what one writes with pandas, scikit-learn and MLflow alone.

`python plain_pipeline.py CSV` tracks the fixed trials in the folder's MLflow store, registers the best one as
`adult@champion`, and prints one line of JSON with the seconds that the bare training took (reading, fitting and
scoring; no imports, no tracking).
"""

import json
import sys
import time
from typing import Any

import mlflow
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, train_test_split

import fixed_trials

PIP = ["scikit-learn", "pandas", "cloudpickle"]  # given, so that MLflow need not find them out


def main(csv: str) -> None:
    bare = 0.0
    start = time.perf_counter()
    rows = pd.read_csv(csv, skipinitialspace=True, na_values="?")
    features, target = rows.drop(columns=fixed_trials.TARGET), (rows[fixed_trials.TARGET] == ">50K").astype(int)
    features[list(fixed_trials.NUMBERS)] = features[list(fixed_trials.NUMBERS)].astype("float64")
    train, test, y_train, y_test = train_test_split(
        features, target, test_size=0.2, random_state=0, stratify=target
    )
    bare += time.perf_counter() - start

    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    mlflow.set_experiment("adult")
    best: tuple[float, dict[str, Any]] = (-1.0, {})
    with mlflow.start_run():
        for parameters in fixed_trials.TRIALS:
            start = time.perf_counter()
            score = cross_validated(parameters, train, y_train)
            bare += time.perf_counter() - start
            with mlflow.start_run(nested=True):
                mlflow.log_params(parameters)
                mlflow.log_metric("roc_auc", score)
            best = max(best, (score, parameters), key=lambda pair: pair[0])
        start = time.perf_counter()
        model = fixed_trials.pipeline(best[1]).fit(train, y_train)
        held_out = roc_auc_score(y_test, model.predict_proba(test)[:, 1])
        bare += time.perf_counter() - start
        mlflow.log_metric("holdout_roc_auc", held_out)
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            registered_model_name="adult",
            input_example=train.head(3),
            pip_requirements=PIP,
            serialization_format="cloudpickle",
        )
    version = logged.registered_model_version
    mlflow.MlflowClient().set_registered_model_alias("adult", "champion", str(version))
    print(json.dumps({"bare_seconds": bare, "roc_auc": held_out, "best": best[1]}))


def cross_validated(parameters: dict[str, Any], features: pd.DataFrame, target: "pd.Series[int]") -> float:
    scores = []
    for fit, judge in StratifiedKFold(fixed_trials.FOLDS, shuffle=True, random_state=0).split(features, target):
        model = fixed_trials.pipeline(parameters).fit(features.iloc[fit], target.iloc[fit])
        scores.append(roc_auc_score(target.iloc[judge], model.predict_proba(features.iloc[judge])[:, 1]))
    return float(sum(scores) / len(scores))


if __name__ == "__main__":
    main(sys.argv[1])
