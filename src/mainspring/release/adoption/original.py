"""A model that was made elsewhere, loaded from its file: what it wants to be asked with, and how it is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mainspring.domain.schema import Kind
from mainspring.release.adoption.adopted import Form
from mainspring.release.adoption.onnx_session import Port

Check = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Wants:
    """The columns that a model is asked with, as far as it tells.

    Attributes:
        names: its columns in their order; `None` where it knows none.
        width: how many they are, where it knows only that.
        kinds: column → the kind that it has to be of, where the model says so.
        dress: column → its type in the frame, where the model says so (see `dress`).
        matrix: the type of the one array that the model takes instead of a frame.
    """

    names: tuple[str, ...] | None = None
    width: int | None = None
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    dress: Mapping[str, str] = field(default_factory=dict)
    matrix: str | None = None


@dataclass(frozen=True, slots=True)
class Original:
    """The loaded model.

    Attributes:
        about: what it is, in words, e.g. `a Pipeline from a skops file`.
        digest: SHA-256 over the files that it was read from.
        model: what `AdoptedModel` asks: an estimator, a function's holder, an `OnnxSession`.
        classes: an estimator's own `classes_`, or the labels that an ONNX graph names; `None` where it tells none.
        keep: the files that hold it in the release; the function that it gets gives a loaded model's answers, so
            that a form that loses something is noticed.
        outputs: of an ONNX graph.
        parsed: the parsed ONNX graph.
        threshold: the probability from which the model itself says that its positive class is meant.
        notes: what a person has to know of it.
    """

    form: Form
    about: str
    digest: str
    model: Any
    wants: Wants
    keep: Callable[[Check], dict[str, bytes]]
    classes: tuple[Any, ...] | None = None
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    parsed: Any = None
    threshold: float | None = None
    notes: tuple[str, ...] = ()
