"""Scalers: the same subtraction and division in double, in the same order as the original's."""

from collections.abc import Callable
from typing import Any

import numpy as np

from mainspring.errors import NotCompilable
from mainspring.release.compile.registry import transformer
from mainspring.release.compile.table import Compilation, Floats, Forward, Table, then

_STEPS: dict[str, Callable[[Floats, Any], Floats]] = {
    "Sub": np.subtract,
    "Div": np.divide,
    "Mul": np.multiply,
    "Add": np.add,
}


@transformer("sklearn.StandardScaler")
def _standard(compilation: Compilation, scaler: Any, table: Table) -> Table:
    return _affine(
        compilation,
        table,
        ("Sub", scaler.mean_ if scaler.with_mean else None),
        ("Div", scaler.scale_ if scaler.with_std else None),
    )


@transformer("sklearn.RobustScaler")
def _robust(compilation: Compilation, scaler: Any, table: Table) -> Table:
    return _affine(
        compilation,
        table,
        ("Sub", scaler.center_ if scaler.with_centering else None),
        ("Div", scaler.scale_ if scaler.with_scaling else None),
    )


@transformer("sklearn.MinMaxScaler")
def _min_max(compilation: Compilation, scaler: Any, table: Table) -> Table:
    table = _affine(compilation, table, ("Mul", scaler.scale_), ("Add", scaler.min_))
    return _clipped(compilation, table, *scaler.feature_range) if scaler.clip else table


@transformer("sklearn.MaxAbsScaler")
def _max_abs(compilation: Compilation, scaler: Any, table: Table) -> Table:
    table = _affine(compilation, table, ("Div", scaler.scale_))
    return _clipped(compilation, table, -1.0, 1.0) if getattr(scaler, "clip", False) else table


def _affine(compilation: Compilation, table: Table, *steps: tuple[str, Any]) -> Table:
    for kind, constants in steps:
        if constants is None:
            continue
        if len(constants) != len(table):
            raise NotCompilable(f"a scaler was fitted on {len(constants)} columns and now gets {len(table)}")
        graph = compilation.graph
        values = np.asarray(constants, dtype=np.float64)
        tensor = graph.op(kind, compilation.matrix(table), graph.constant(values), width=len(table))
        table = [
            then(column, _forward(kind, float(value)), tensor, place)
            for place, (column, value) in enumerate(zip(table, values, strict=True))
        ]
    return table


def _forward(kind: str, constant: float) -> Forward | None:
    if kind in ("Mul", "Div") and not constant > 0:
        return None  # not increasing
    step = _STEPS[kind]
    return lambda values: step(values, constant)


def _clipped(compilation: Compilation, table: Table, low: float, high: float) -> Table:
    graph = compilation.graph
    # Min and Max, not Clip: both hand NaN on, as numpy's clip does.
    tensor = graph.op("Max", compilation.matrix(table), graph.constant(np.float64(low)), width=len(table))
    tensor = graph.op("Min", tensor, graph.constant(np.float64(high)), width=len(table))
    return [
        then(column, lambda values: np.clip(values, low, high), tensor, place)
        for place, column in enumerate(table)
    ]
