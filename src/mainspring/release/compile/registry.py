"""Which converter compiles which estimator: by class name, so that no estimator's library need be imported."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mainspring.errors import NotCompilable
from mainspring.release.compile.table import Compilation, Table


@dataclass(frozen=True, slots=True)
class Prediction:
    """What an estimator answers, while compiling.

    Attributes:
        tensor: double [rows, k]: probabilities by class, or [rows, 1].
        classes: the estimator's own `classes_`; None for a regression.
    """

    tensor: str
    classes: tuple[Any, ...] | None = None


Transformer = Callable[[Compilation, Any, Table], Table]
Predictor = Callable[[Compilation, Any, Table], Prediction]

_transformers: dict[str, Transformer] = {}
_predictors: dict[str, Predictor] = {}


def transformer(*names: str) -> Callable[[Transformer], Transformer]:
    """Register the converter of the transformers `module.Class`, e.g. `sklearn.StandardScaler`."""

    def register(convert: Transformer) -> Transformer:
        _transformers.update(dict.fromkeys(names, convert))
        return convert

    return register


def predictor(*names: str) -> Callable[[Predictor], Predictor]:
    """Register the converter of the predictors `module.Class`, e.g. `lightgbm.LGBMClassifier`."""

    def register(convert: Predictor) -> Predictor:
        _predictors.update(dict.fromkeys(names, convert))
        return convert

    return register


def convert_transformer(compilation: Compilation, estimator: Any, table: Table) -> Table:
    """The columns after a fitted transformer.

    Raises:
        NotCompilable: there is no converter for it, or it is used in a way that has no exact form.
    """
    convert = _transformers.get(name_of(estimator))
    if convert is None:
        raise NotCompilable(f"there is no compiled form of the transformer {type(estimator).__name__}")
    return convert(compilation, estimator, table)


def convert_predictor(compilation: Compilation, estimator: Any, table: Table) -> Prediction:
    """The answers of a fitted predictor.

    Raises:
        NotCompilable: as `convert_transformer`.
    """
    convert = _predictors.get(name_of(estimator))
    if convert is None:
        from mainspring.release.compile.fallback_skl2onnx import convert_by_skl2onnx

        return convert_by_skl2onnx(compilation, estimator, table)
    return convert(compilation, estimator, table)


def name_of(estimator: Any) -> str:
    """`sklearn.Ridge`: the library and the class; a subclass of the user's own is not taken for its parent.

    Examples:
        >>> from fractions import Fraction
        >>> name_of(Fraction(1, 2))
        'fractions.Fraction'
    """
    kind = type(estimator)
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
