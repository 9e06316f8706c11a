"""TransformedTargetRegressor: the regressor, then the way back to the target's scale."""

from typing import Any

import numpy as np

from mainspring.errors import NotCompilable
from mainspring.release.compile.expansion import apply_function
from mainspring.release.compile.registry import Prediction, convert_predictor, predictor
from mainspring.release.compile.table import Compilation, Table


@predictor("sklearn.TransformedTargetRegressor")
def _transformed(compilation: Compilation, model: Any, table: Table) -> Prediction:
    tensor = convert_predictor(compilation, model.regressor_, table).tensor
    back = model.transformer_
    kind = type(back).__name__
    if kind == "FunctionTransformer":
        if back.inverse_func is None:
            return Prediction(tensor)
        restored = apply_function(compilation, back.inverse_func, tensor, 1)
        if restored is None:
            name = getattr(back.inverse_func, "__name__", "a function")
            raise NotCompilable(
                f"TransformedTargetRegressor(inverse_func={name}) runs Python code",
                cure="use a numpy function (expm1, exp, square, …) to have it compiled",
            )
        return Prediction(restored)
    if kind == "StandardScaler":
        tensor = _each(compilation, "Mul", tensor, back.scale_)
        return Prediction(_each(compilation, "Add", tensor, back.mean_))
    if kind == "RobustScaler":
        tensor = _each(compilation, "Mul", tensor, back.scale_)
        return Prediction(_each(compilation, "Add", tensor, back.center_))
    if kind == "MinMaxScaler":
        tensor = _each(compilation, "Sub", tensor, back.min_)
        return Prediction(_each(compilation, "Div", tensor, back.scale_))
    raise NotCompilable(f"TransformedTargetRegressor(transformer={kind}) has no compiled form")


def _each(compilation: Compilation, kind: str, tensor: str, constants: Any) -> str:
    if constants is None:
        return tensor
    graph = compilation.graph
    return graph.op(kind, tensor, graph.constant(np.asarray(constants, dtype=np.float64)), width=1)
