"""A plain linear model of all features: what any candidate is shown beside on the card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mainspring.data.estimator_outputs import outputs_of
from mainspring.domain.schema import Kind
from mainspring.domain.task import Task
from mainspring.training.metrics import Floats

if TYPE_CHECKING:
    from mainspring.training.dataset import TrainingData

_MOST_ROWS = 50_000
_MOST_CATEGORIES = 50


def describe_baseline(task: Task) -> str:
    """Its name in words."""
    return "a linear baseline" if task is Task.REGRESSION else "a logistic baseline"


def baseline_outputs(data: TrainingData, *, seed: int) -> Floats:
    """Its answers on the holdout, [h, k].

    Numbers are imputed by their median and standardised, categories one-hot encoded (the 50 most frequent), texts
    left out; ridge or logistic regression at scikit-learn's default strength, on at most 50,000 training rows.
    """
    X, y = data.training_features, data.training_target
    if len(y) > _MOST_ROWS:
        rows = np.sort(np.random.default_rng(seed).permutation(len(y))[:_MOST_ROWS])
        X, y = X.iloc[rows], y[rows]
    estimator = _pipeline(data).fit(X, y)
    return outputs_of(estimator, data.holdout_features, data.task, data.classes)


def _pipeline(data: TrainingData) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    named = list(zip(data.X.columns, data.kinds, strict=True))
    numbers = [name for name, kind in named if kind.is_numeric or kind is Kind.TIME]
    categories = [name for name, kind in named if kind is Kind.CATEGORY]
    numeric = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=_MOST_CATEGORIES)
    encode = ColumnTransformer([("numbers", numeric, numbers), ("categories", one_hot, categories)])
    model = Ridge() if data.task is Task.REGRESSION else LogisticRegression(max_iter=300)
    return make_pipeline(encode, model)
