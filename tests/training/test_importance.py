import time
from typing import Any

import numpy as np
import pandas as pd

from mainspring.domain.task import Task
from mainspring.training.importance import permutation_importance


def frame(n: int = 800) -> tuple[pd.DataFrame, np.ndarray]:
    random = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "idle": random.normal(size=n),
            "strong": random.normal(size=n),
            "text": pd.Series(random.choice(["a", "b"], n), dtype=object),
        }
    )
    return X, 3 * X["strong"].to_numpy() + (X["text"] == "b").to_numpy() * 1.0


def predict(X: pd.DataFrame) -> np.ndarray:
    assert X["text"].dtype == object
    return (3 * X["strong"] + (X["text"] == "b")).to_numpy().reshape(-1, 1)


def test_what_is_used_counts_and_what_is_idle_does_not() -> None:
    X, y = frame()
    found = permutation_importance(predict, X, y, metric="rmse", task=Task.REGRESSION, seed=1)
    assert [one.feature for one in found] == ["strong", "text", "idle"]
    assert found[0].loss > 3
    assert found[2].loss == 0
    assert found == permutation_importance(predict, X, y, metric="rmse", task=Task.REGRESSION, seed=1)


def test_a_slow_model_is_asked_about_fewer_rows() -> None:
    X, y = frame(5000)

    def slow(asked: pd.DataFrame) -> Any:
        time.sleep(len(asked) * 20e-6)
        return predict(asked)

    began = time.monotonic()
    found = permutation_importance(slow, X, y, metric="rmse", task=Task.REGRESSION, seconds=0.3)
    assert time.monotonic() - began < 3
    assert found[0].feature == "strong"
