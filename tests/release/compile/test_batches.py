"""A row is answered to the last bit alike, alone and among any others: micro-batches and `score` rely on it."""

import warnings

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge

from mainspring.domain.release import InputField, OutputSpec
from mainspring.domain.schema import Kind
from mainspring.domain.task import Task
from mainspring.release.compile.compiler import compile_estimator
from mainspring.release.runtimes.onnx import OnnxRuntime

_FIELDS = [InputField(name, Kind.NUMBER) for name in "abcde"]
_CLASSIFIERS = [
    LogisticRegression(),
    RandomForestClassifier(10, random_state=0),
    HistGradientBoostingClassifier(max_iter=20),
    LGBMClassifier(n_estimators=20, verbose=-1, n_jobs=1),
    GradientBoostingClassifier(n_estimators=10),
]
_REGRESSORS = [
    Ridge(),
    HistGradientBoostingRegressor(max_iter=20),
    HistGradientBoostingRegressor(max_iter=20, loss="poisson"),
    LGBMRegressor(n_estimators=20, verbose=-1, n_jobs=1),
    PoissonRegressor(),
]


@pytest.mark.parametrize(
    ("estimator", "classes"),
    [*((one, k) for one in _CLASSIFIERS for k in (2, 3)), *((one, 0) for one in _REGRESSORS)],
    ids=lambda value: type(value).__name__ if not isinstance(value, int) else str(value),
)
def test_the_answer_does_not_depend_on_the_batch(estimator: object, classes: int) -> None:
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(500, 5)), columns=list("abcde"))
    signal = X["a"] + X["b"] * X["c"] + random.normal(size=500)
    if classes:
        y = pd.qcut(signal, classes, labels=False)
        task = Task.BINARY if classes == 2 else Task.MULTICLASS
        output = OutputSpec(task, tuple(map(str, range(classes))), positive="1" if classes == 2 else None)
    else:
        y, output = np.exp(signal / 3), OutputSpec(Task.REGRESSION)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of convergence
        estimator.fit(X, y)  # type: ignore[attr-defined]
    compiled = compile_estimator(estimator, _FIELDS, output)
    runtime = OnnxRuntime(compiled.model, compiled.fields)
    asked = random.normal(size=(203, 5))
    whole = runtime.predict_matrix(asked)
    for size in (1, 2, 3, 5, 7, 8, 13, 64, 100):
        parts = [runtime.predict_matrix(asked[start : start + size]) for start in range(0, len(asked), size)]
        assert np.array_equal(np.vstack(parts), whole), f"batches of {size}"
