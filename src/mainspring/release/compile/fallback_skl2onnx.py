"""Predictors that have no graph of our own: by skl2onnx, where it is installed and computes in double."""

from typing import Any

from mainspring.errors import NotCompilable
from mainspring.release.compile.registry import Prediction
from mainspring.release.compile.table import Compilation, Table

# Operators of `ai.onnx.ml` that only look values up; the others compute in float32.
_EXACT = {"ArrayFeatureExtractor", "LabelEncoder"}


def convert_by_skl2onnx(compilation: Compilation, estimator: Any, table: Table) -> Prediction:
    """The graph that skl2onnx writes for a fitted predictor, put behind our own preprocessing.

    Raises:
        NotCompilable: skl2onnx is not installed, does not know the estimator, or computes it in float32.
    """
    name = type(estimator).__name__
    try:
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import DoubleTensorType
    except ImportError:
        raise NotCompilable(
            f"there is no compiled form of {name}",
            cure="install mainspring[skl2onnx], which knows more estimators",
        ) from None
    matrix = compilation.matrix(table)
    options = {id(estimator): {"zipmap": False}} if hasattr(estimator, "predict_proba") else None
    try:
        model = to_onnx(
            estimator,
            initial_types=[("features", DoubleTensorType([None, len(table)]))],
            options=options,
            target_opset={"": 18, "ai.onnx.ml": 3},
        )
    except Exception as error:  # it raises whatever its converters raise
        raise NotCompilable(
            f"there is no compiled form of {name} ({type(error).__name__}: {str(error)[:200]})"
        ) from error
    return _merged(compilation, estimator, model, matrix)


def _merged(compilation: Compilation, estimator: Any, model: Any, matrix: str) -> Prediction:
    single = {node.op_type for node in model.graph.node if node.domain == "ai.onnx.ml"} - _EXACT
    if single:
        raise NotCompilable(f"{type(estimator).__name__} could only be compiled with {', '.join(sorted(single))}")
    wanted = _answer(estimator, model)
    prefix = compilation.graph.fresh_prefix()
    names = {model.graph.input[0].name: matrix}

    def renamed(name: str) -> str:
        return names.get(name, prefix + name) if name else name

    for node in model.graph.node:
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
        node.name = prefix + node.name
    for constant in model.graph.initializer:
        constant.name = renamed(constant.name)
    classes = tuple(estimator.classes_) if hasattr(estimator, "classes_") else None
    width = len(classes) if classes else 1
    compilation.graph.merge(list(model.graph.node), list(model.graph.initializer))
    tensor = compilation.graph.op("Cast", renamed(wanted), width=width, to=11)
    return Prediction(
        compilation.graph.op("Reshape", tensor, compilation.graph.vector(-1, width), width=width), classes
    )


def _answer(estimator: Any, model: Any) -> str:
    """The name of the output that holds probabilities, or values; in float32 it could not be equal."""
    from onnx import TensorProto

    outputs = [port for port in model.graph.output if port.type.tensor_type.elem_type != TensorProto.INT64]
    classifies = hasattr(estimator, "classes_")
    if not outputs or (classifies and not hasattr(estimator, "predict_proba")):
        raise NotCompilable(f"{type(estimator).__name__} gives labels without probabilities")
    if outputs[-1].type.tensor_type.elem_type != TensorProto.DOUBLE:
        raise NotCompilable(f"{type(estimator).__name__} could only be compiled to single precision")
    name: str = outputs[-1].name
    return name
