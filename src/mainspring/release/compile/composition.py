"""Pipelines and column transformers: what puts other steps together."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from mainspring.errors import NotCompilable
from mainspring.release.compile.registry import (
    Prediction,
    convert_predictor,
    convert_transformer,
    predictor,
    transformer,
)
from mainspring.release.compile.table import Compilation, Table


@transformer("sklearn.Pipeline")
def _pipeline_transformer(compilation: Compilation, pipeline: Any, table: Table) -> Table:
    return convert_steps(compilation, pipeline.steps, table)


@predictor("sklearn.Pipeline")
def _pipeline_predictor(compilation: Compilation, pipeline: Any, table: Table) -> Prediction:
    table = convert_steps(compilation, pipeline.steps[:-1], table)
    return convert_predictor(compilation, pipeline.steps[-1][1], table)


def convert_steps(compilation: Compilation, steps: Iterable[tuple[str, Any]], table: Table) -> Table:
    """The columns after the named transformers, one after the other."""
    for _, step in steps:
        table = _step(compilation, step, table)
    return table


@transformer("sklearn.ColumnTransformer")
def _column_transformer(compilation: Compilation, estimator: Any, table: Table) -> Table:
    _expect_width(estimator, table)
    if estimator.transformer_weights:
        raise NotCompilable("ColumnTransformer(transformer_weights=…) has no compiled form")
    # Scikit-learn resolves names, masks, slices and selectors to places once, when fitting.
    places_of = estimator._transformer_to_input_indices
    after: Table = []
    for name, step, _ in estimator.transformers_:
        places = places_of[name]
        if len(places):
            after += _step(compilation, step, [table[place] for place in places])
    return after


@transformer("sklearn.FeatureUnion")
def _feature_union(compilation: Compilation, estimator: Any, table: Table) -> Table:
    if estimator.transformer_weights:
        raise NotCompilable("FeatureUnion(transformer_weights=…) has no compiled form")
    return [column for _, step in estimator.transformer_list for column in _step(compilation, step, table)]


@transformer(
    "sklearn.VarianceThreshold",
    "sklearn.SelectKBest",
    "sklearn.SelectPercentile",
    "sklearn.SelectFpr",
    "sklearn.SelectFdr",
    "sklearn.SelectFwe",
    "sklearn.GenericUnivariateSelect",
    "sklearn.SelectFromModel",
    "sklearn.RFE",
    "sklearn.RFECV",
    "sklearn.SequentialFeatureSelector",
)
def _selection(_compilation: Compilation, estimator: Any, table: Table) -> Table:
    _expect_width(estimator, table)
    return [table[place] for place in np.flatnonzero(estimator.get_support())]


def _step(compilation: Compilation, step: Any, table: Table) -> Table:
    if step is None or (isinstance(step, str) and step == "passthrough"):
        return table
    if isinstance(step, str) and step == "drop":
        return []
    return convert_transformer(compilation, step, table)


def _expect_width(estimator: Any, table: Table) -> None:
    if estimator.n_features_in_ != len(table):
        raise NotCompilable(
            f"{type(estimator).__name__} was fitted on {estimator.n_features_in_} columns, not {len(table)}"
        )
