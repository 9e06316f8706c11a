"""DummyClassifier and DummyRegressor: the same answer to every row."""

from typing import Any

import numpy as np

from mainspring.errors import NotCompilable
from mainspring.release.compile.registry import Prediction, predictor
from mainspring.release.compile.table import Compilation, Floats, Table


@predictor("sklearn.DummyClassifier")
def _classifier(compilation: Compilation, model: Any, table: Table) -> Prediction:
    if model.strategy == "stratified":
        raise NotCompilable("DummyClassifier(strategy='stratified') answers at random")
    shares = np.asarray(model.predict_proba(np.zeros((1, len(table)))), dtype=np.float64)[0]
    return Prediction(_always(compilation, shares), tuple(model.classes_))


@predictor("sklearn.DummyRegressor")
def _regressor(compilation: Compilation, model: Any, _table: Table) -> Prediction:
    return Prediction(_always(compilation, np.asarray(model.constant_, dtype=np.float64).reshape(-1)))


def _always(compilation: Compilation, values: Floats) -> str:
    graph = compilation.graph
    return graph.op("Add", compilation.zeros(), graph.constant(values), width=len(values))
