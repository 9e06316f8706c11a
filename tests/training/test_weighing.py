"""Weights reach the estimator through every kind of pipeline, or it is said that they cannot."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from mainspring.errors import CandidateError
from mainspring.training.weighing import fit_estimator, weight_name

X = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0]})
Y = np.array([0.0, 0.0, 1.0, 5.0])
WEIGHTS = np.array([1.0, 1.0, 2.0, 0.0])


class Bare(BaseEstimator):
    """Takes rows and targets only."""

    def fit(self, X: Any, y: Any) -> "Bare":
        return self


@pytest.mark.parametrize(
    "estimator",
    [
        LinearRegression(),
        make_pipeline(LinearRegression()),
        make_pipeline(StandardScaler(with_std=False, with_mean=False), make_pipeline(LinearRegression())),
    ],
    ids=["bare", "pipeline", "nested"],
)
def test_a_weight_of_two_counts_a_row_twice_and_one_of_none_not_at_all(estimator: Any) -> None:
    fitted = fit_estimator(estimator, X, Y, WEIGHTS, "one")
    places = [0, 1, 2, 2]
    same = LinearRegression().fit(X.iloc[places], Y[places])
    assert fitted.predict(X) == pytest.approx(same.predict(X))


@pytest.mark.parametrize(
    "estimator",
    [
        Bare(),
        KNeighborsClassifier(),
        make_pipeline(StandardScaler(), KNeighborsClassifier()),
        Pipeline([("scale", StandardScaler()), ("end", "passthrough")]),
        TransformedTargetRegressor(KNeighborsClassifier()),
    ],
)
def test_an_estimator_that_takes_no_weights_is_told_by_name(estimator: Any) -> None:
    assert weight_name(estimator) is None
    with pytest.raises(CandidateError, match="'mine' takes no weights"):
        fit_estimator(estimator, X, Y > 0, WEIGHTS, "mine")


def test_without_weights_a_fit_is_a_fit() -> None:
    fitted = fit_estimator(LogisticRegression(), X, Y > 0, None, "mine")
    assert fitted.n_iter_ > 0
