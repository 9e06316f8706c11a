"""CalibratedClassifierCV: scores of the wrapped classifiers, put through their calibration curves, on average."""

from typing import Any

import numpy as np

from mainspring.errors import NotCompilable
from mainspring.release.compile.ensembles import mean_of
from mainspring.release.compile.links import normalised, with_complement
from mainspring.release.compile.registry import Prediction, predictor
from mainspring.release.compile.scores import decision_scores
from mainspring.release.compile.table import Compilation, Table


@predictor("sklearn.CalibratedClassifierCV")
def _calibrated(compilation: Compilation, model: Any, table: Table) -> Prediction:
    shares = [_one(compilation, member, table) for member in model.calibrated_classifiers_]
    return Prediction(mean_of(compilation, shares), tuple(model.classes_))


def _one(compilation: Compilation, member: Any, table: Table) -> str:
    if member.method not in ("sigmoid", "isotonic"):
        raise NotCompilable(f"CalibratedClassifierCV(method={member.method!r}) has no compiled form")
    classes = list(member.classes)
    if list(member.estimator.classes_) != classes:
        raise NotCompilable("CalibratedClassifierCV saw too few rows of a class")
    graph = compilation.graph
    scores = decision_scores(compilation, member.estimator, table)
    columns = []
    for place, curve in enumerate(member.calibrators):
        score = scores
        if graph.width_of(scores) > 1:
            score = graph.op("Gather", scores, graph.vector(place), width=1, axis=1)
        columns.append(_curve(compilation, curve, score))
    if len(classes) == 2:
        return with_complement(compilation, columns[0])
    return normalised(compilation, graph.op("Concat", *columns, width=len(columns), axis=1))


def _curve(compilation: Compilation, curve: Any, score: str) -> str:
    graph = compilation.graph
    if type(curve).__name__ == "IsotonicRegression":
        return _interpolated(compilation, curve, score)
    scaled = graph.op("Mul", score, graph.constant(float(curve.a_)), width=1)
    moved = graph.op("Add", scaled, graph.constant(float(curve.b_)), width=1)
    return graph.op("Sigmoid", graph.op("Neg", moved, width=1), width=1)


def _interpolated(compilation: Compilation, curve: Any, score: str) -> str:
    """Linear between the thresholds, as `scipy.interpolate.interp1d` computes it."""
    graph = compilation.graph
    if curve.out_of_bounds != "clip":
        raise NotCompilable("an isotonic curve that does not clip has no compiled form")
    x = np.asarray(curve.X_thresholds_, dtype=np.float64)
    y = np.asarray(curve.y_thresholds_, dtype=np.float64)
    if len(x) == 1:
        return graph.op("Add", compilation.zeros(), graph.constant(y), width=1)
    bounded = graph.op("Max", score, graph.constant(float(curve.X_min_)), width=1)
    bounded = graph.op("Min", bounded, graph.constant(float(curve.X_max_)), width=1)
    below = graph.op("Less", graph.constant(x[np.newaxis, :]), bounded, width=len(x))
    count = graph.op("Cast", below, width=len(x), to=7)
    upper = graph.op("ReduceSum", count, graph.vector(1), width=1, keepdims=1)
    upper = graph.op("Max", upper, graph.constant(1, np.int64), width=1)
    segment = graph.op("Sub", upper, graph.constant(1, np.int64), width=1)
    slopes = (y[1:] - y[:-1]) / (x[1:] - x[:-1])
    slope, left, base = (
        graph.op("Gather", graph.constant(values), segment, width=1, axis=0) for values in (slopes, x[:-1], y[:-1])
    )
    along = graph.op("Mul", slope, graph.op("Sub", bounded, left, width=1), width=1)
    return graph.op("Add", along, base, width=1)
