"""Linear models."""

from typing import Any

import numpy as np

from mainspring.errors import NotCompilable
from mainspring.release.compile.links import (
    binary_probabilities,
    normalised,
    one_hot_of_scores,
    softmax,
    with_complement,
)
from mainspring.release.compile.registry import Prediction, predictor
from mainspring.release.compile.table import Compilation, Table


@predictor(
    "sklearn.LinearRegression",
    "sklearn.Ridge",
    "sklearn.RidgeCV",
    "sklearn.Lasso",
    "sklearn.LassoCV",
    "sklearn.ElasticNet",
    "sklearn.ElasticNetCV",
    "sklearn.HuberRegressor",
    "sklearn.SGDRegressor",
    "sklearn.BayesianRidge",
    "sklearn.ARDRegression",
    "sklearn.Lars",
    "sklearn.LassoLars",
    "sklearn.QuantileRegressor",
    "sklearn.TheilSenRegressor",
    "sklearn.LinearSVR",
)
def _regression(compilation: Compilation, model: Any, table: Table) -> Prediction:
    return Prediction(linear_scores(compilation, model, table))


@predictor("sklearn.PoissonRegressor", "sklearn.GammaRegressor", "sklearn.TweedieRegressor")
def _generalised(compilation: Compilation, model: Any, table: Table) -> Prediction:
    scores = linear_scores(compilation, model, table)
    link = type(model._base_loss.link).__name__
    if link == "IdentityLink":
        return Prediction(scores)
    if link == "LogLink":
        return Prediction(compilation.graph.op("Exp", scores, width=1))
    raise NotCompilable(f"the link {link} of {type(model).__name__} has no compiled form")


@predictor("sklearn.LogisticRegression", "sklearn.LogisticRegressionCV")
def _logistic(compilation: Compilation, model: Any, table: Table) -> Prediction:
    classes = tuple(model.classes_)
    scores = linear_scores(compilation, model, table)
    if getattr(model, "multi_class", "auto") in ("ovr", "multinomial"):
        raise NotCompilable("LogisticRegression(multi_class=…) has no compiled form", cure="leave multi_class out")
    if len(classes) == 2:
        return Prediction(binary_probabilities(compilation, scores), classes)
    if model.solver == "liblinear":
        return Prediction(_one_against_rest(compilation, scores), classes)
    return Prediction(softmax(compilation, scores), classes)


@predictor("sklearn.SGDClassifier")
def _sgd(compilation: Compilation, model: Any, table: Table) -> Prediction:
    classes = tuple(model.classes_)
    scores = linear_scores(compilation, model, table)
    if model.loss == "log_loss":
        if len(classes) == 2:
            return Prediction(binary_probabilities(compilation, scores), classes)
        return Prediction(_one_against_rest(compilation, scores), classes)
    if model.loss == "modified_huber":
        return Prediction(_modified_huber(compilation, scores, len(classes)), classes)
    return Prediction(one_hot_of_scores(compilation, scores), classes)


@predictor(
    "sklearn.RidgeClassifier",
    "sklearn.RidgeClassifierCV",
    "sklearn.LinearSVC",
    "sklearn.Perceptron",
    "sklearn.PassiveAggressiveClassifier",
)
def _labels_only(compilation: Compilation, model: Any, table: Table) -> Prediction:
    return Prediction(
        one_hot_of_scores(compilation, linear_scores(compilation, model, table)), tuple(model.classes_)
    )


def linear_scores(compilation: Compilation, model: Any, table: Table) -> str:
    """[rows, outputs]: the matrix product and the intercept."""
    graph = compilation.graph
    weights = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64)).T
    if weights.shape[0] != len(table):
        raise NotCompilable(
            f"{type(model).__name__} was fitted on {weights.shape[0]} columns and now gets {len(table)}"
        )
    width = weights.shape[1]
    product = graph.op("MatMul", compilation.matrix(table), graph.constant(weights), width=width)
    intercept = np.broadcast_to(np.asarray(model.intercept_, dtype=np.float64).reshape(-1), (width,))
    return graph.op("Add", product, graph.constant(intercept), width=width)


def _one_against_rest(compilation: Compilation, scores: str) -> str:
    width = compilation.graph.width_of(scores)
    return normalised(compilation, compilation.graph.op("Sigmoid", scores, width=width))


def _modified_huber(compilation: Compilation, scores: str, classes: int) -> str:
    graph = compilation.graph
    width = graph.width_of(scores)
    low = graph.op("Max", scores, graph.constant(-1.0), width=width)
    clipped = graph.op("Min", low, graph.constant(1.0), width=width)
    raised = graph.op("Add", clipped, graph.constant(1.0), width=width)
    shares = graph.op("Div", raised, graph.constant(2.0), width=width)
    return with_complement(compilation, shares) if classes == 2 else normalised(compilation, shares)
