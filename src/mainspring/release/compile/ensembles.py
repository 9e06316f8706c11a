"""Estimators that ask several others: voting, bagging, stacking."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mainspring.errors import NotCompilable
from mainspring.release.compile.registry import Prediction, convert_predictor, predictor
from mainspring.release.compile.table import Column, Compilation, Table


@predictor("sklearn.VotingClassifier")
def _voting(compilation: Compilation, model: Any, table: Table) -> Prediction:
    if model.voting != "soft":
        raise NotCompilable("VotingClassifier(voting='hard') has no compiled form", cure="use voting='soft'")
    shares = [_shares(compilation, member, table, len(model.classes_)) for member in model.estimators_]
    return Prediction(mean_of(compilation, shares, model._weights_not_none), tuple(model.classes_))


@predictor("sklearn.VotingRegressor")
def _voting_regressor(compilation: Compilation, model: Any, table: Table) -> Prediction:
    values = [convert_predictor(compilation, member, table).tensor for member in model.estimators_]
    return Prediction(mean_of(compilation, values, model._weights_not_none))


@predictor("sklearn.BaggingClassifier")
def _bagging(compilation: Compilation, model: Any, table: Table) -> Prediction:
    count = len(model.classes_)
    shares = [_shares(compilation, member, own, count) for member, own in _members(model, table)]
    return Prediction(mean_of(compilation, shares), tuple(model.classes_))


@predictor("sklearn.BaggingRegressor")
def _bagging_regressor(compilation: Compilation, model: Any, table: Table) -> Prediction:
    values = [convert_predictor(compilation, member, own).tensor for member, own in _members(model, table)]
    return Prediction(mean_of(compilation, values))


@predictor("sklearn.StackingClassifier")
def _stacking(compilation: Compilation, model: Any, table: Table) -> Prediction:
    graph = compilation.graph
    answers: Table = []
    for member, method in zip(model.estimators_, model.stack_method_, strict=True):
        if method != "predict_proba":
            raise NotCompilable(f"StackingClassifier over {type(member).__name__}.{method} has no compiled form")
        tensor = _shares(compilation, member, table, len(model.classes_))
        skipped = 1 if len(model.classes_) == 2 else 0  # of two shares the first follows from the second
        answers += [Column(tensor, place) for place in range(skipped, graph.width_of(tensor))]
    final = convert_predictor(compilation, model.final_estimator_, answers + (table if model.passthrough else []))
    return Prediction(final.tensor, tuple(model.classes_))


@predictor("sklearn.StackingRegressor")
def _stacking_regressor(compilation: Compilation, model: Any, table: Table) -> Prediction:
    answers = [Column(convert_predictor(compilation, member, table).tensor, 0) for member in model.estimators_]
    return convert_predictor(compilation, model.final_estimator_, answers + (table if model.passthrough else []))


def mean_of(compilation: Compilation, tensors: Sequence[str], weights: Sequence[float] | None = None) -> str:
    """The (weighted) mean of tensors of the same width."""
    graph = compilation.graph
    width = graph.width_of(tensors[0])
    total: str | None = None
    for place, tensor in enumerate(tensors):
        if weights is not None:
            tensor = graph.op("Mul", tensor, graph.constant(float(weights[place])), width=width)
        total = tensor if total is None else graph.op("Add", total, tensor, width=width)
    assert total is not None  # no ensemble is fitted without members
    size = float(len(tensors)) if weights is None else float(np.sum(weights))
    return graph.op("Div", total, graph.constant(size), width=width)


def _shares(compilation: Compilation, member: Any, table: Table, classes: int) -> str:
    found = convert_predictor(compilation, member, table)
    if found.classes is None or [int(value) for value in found.classes] != list(range(classes)):
        raise NotCompilable(f"{type(member).__name__} in an ensemble did not see every class")
    if not hasattr(member, "predict_proba"):
        raise NotCompilable(f"{type(member).__name__} in an ensemble gives no probabilities")
    return found.tensor


def _members(model: Any, table: Table) -> list[tuple[Any, Table]]:
    return [
        (member, [table[place] for place in places])
        for member, places in zip(model.estimators_, model.estimators_features_, strict=True)
    ]
