"""Compiles a fitted estimator, preprocessing included, into one ONNX graph that computes in double."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import mainspring.release.compile.calibration
import mainspring.release.compile.composition
import mainspring.release.compile.dummy
import mainspring.release.compile.encoders
import mainspring.release.compile.ensembles
import mainspring.release.compile.expansion
import mainspring.release.compile.forests
import mainspring.release.compile.hist_gradient_boosting
import mainspring.release.compile.imputers
import mainspring.release.compile.lightgbm_models
import mainspring.release.compile.linear
import mainspring.release.compile.scalers
import mainspring.release.compile.targets  # noqa: F401  each registers its converters
from mainspring.domain.release import InputField, OutputSpec
from mainspring.errors import NotCompilable
from mainspring.release.compile.edges import field_thresholds
from mainspring.release.compile.graph import Graph
from mainspring.release.compile.registry import Prediction, convert_predictor
from mainspring.release.compile.table import Compilation, Floats, TreeSite


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled model; equal to the original only once `parity.compare` has said so.

    Attributes:
        model: the bytes of `model.onnx`: `features` double [rows, fields] → `outputs` double [rows, k].
        fields: the inputs, with the vocabulary of each text.
        vocabularies: field → the texts that the model knows, in code order.
        thresholds: numeric field → the greatest of its values that still go left at a split, sorted.
        inside: the same model, giving out what each tree ensemble reads too (for finding rows beside splits).
        sites: the tree ensembles.
    """

    model: bytes = field(repr=False)
    fields: tuple[InputField, ...]
    vocabularies: dict[str, tuple[str, ...]]
    thresholds: dict[str, Floats] = field(repr=False)
    inside: bytes = field(repr=False)
    sites: tuple[TreeSite, ...] = field(repr=False)


def compile_estimator(
    estimator: Any, fields: Sequence[InputField], output: OutputSpec, labels: Sequence[Any] | None = None
) -> Compiled:
    """The fitted estimator as an ONNX graph of the compiled layout.

    Args:
        estimator: fitted on the estimator's frame of these fields.
        fields: the inputs in the frame's order.
        output: the classes, in the order of the outputs.
        labels: what the estimator itself calls these classes; their numbers where not given.

    Raises:
        NotCompilable: some part of it has no exact form; the message says which, and what would have one.
    """
    fields = tuple(fields)
    _expect_fields(estimator, fields)
    # What the encoders know is only found on the way, and what flows into them depends on it: hence twice.
    labels = range(len(output.classes)) if labels is None else labels
    first = _convert(estimator, fields, {}, output, labels)
    vocabularies = {place: tuple(sorted(words)) for place, words in first[0].words.items()}
    compilation, tensor = _convert(estimator, fields, vocabularies, output, labels) if vocabularies else first
    known = {
        spec.name: vocabularies.get(place, ())
        for place, spec in enumerate(fields)
        if compilation.inputs()[place].values is not None
    }
    return Compiled(
        model=compilation.graph.build(tensor),
        fields=tuple(replace(spec, vocabulary=known.get(spec.name)) for spec in fields),
        vocabularies=known,
        thresholds=field_thresholds(fields, compilation.splits),
        inside=compilation.graph.build(
            tensor, also=tuple(dict.fromkeys(site.tensor for site in compilation.splits))
        ),
        sites=tuple(compilation.splits),
    )


def _convert(
    estimator: Any,
    fields: tuple[InputField, ...],
    vocabularies: dict[int, tuple[str, ...]],
    output: OutputSpec,
    labels: Sequence[Any],
) -> tuple[Compilation, str]:
    compilation = Compilation(fields, vocabularies, Graph(len(fields)))
    try:
        prediction = convert_predictor(compilation, estimator, compilation.inputs())
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        # An attribute that another version of the library names otherwise, or a setting that nobody thought of:
        # the native runtime serves it all the same.
        raise NotCompilable(
            f"{type(estimator).__name__} is not built as its converter expects ({type(error).__name__}: {error})"
        ) from error
    return compilation, _in_class_order(compilation, prediction, output, labels)


def _in_class_order(
    compilation: Compilation, prediction: Prediction, output: OutputSpec, labels: Sequence[Any]
) -> str:
    """The outputs with one column per class of the release; a class that the estimator never saw gets 0."""
    if (prediction.classes is None) == output.task.is_classification:
        raise NotCompilable(f"the estimator does not predict what a {output.task} model needs")
    if prediction.classes is None:
        return prediction.tensor
    count = len(output.classes)
    places = {label: place for place, label in enumerate(labels)}
    strange = [value for value in prediction.classes if value not in places]
    own = [places[value] for value in prediction.classes if value in places]
    if strange or len(set(own)) != len(own):
        raise NotCompilable(f"the estimator predicts the classes {list(prediction.classes)}, not {list(labels)}")
    if own == list(range(count)):
        return prediction.tensor
    chosen = np.zeros((len(own), count))
    chosen[np.arange(len(own)), own] = 1.0
    graph = compilation.graph
    return graph.op("MatMul", prediction.tensor, graph.constant(chosen), width=count)


def _expect_fields(estimator: Any, fields: tuple[InputField, ...]) -> None:
    names = [spec.name for spec in fields]
    fitted = [str(name) for name in getattr(estimator, "feature_names_in_", names)]
    if fitted != names:
        raise NotCompilable("the estimator was fitted on other columns than the release's fields")
