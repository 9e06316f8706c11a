"""What a release's functions make of its inputs: further columns of the model, after those of the request.

Imports numpy at most: gateway workers use it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mainspring.domain.release import InputField, Manifest
from mainspring.domain.schema import Kind
from mainspring.features.request_time import Floats, RequestFunctions, column_array
from mainspring.release.encoding import Encoder, Row
from mainspring.release.encoding_cells import NUMERIC_KINDS, text_reader


class Computed:
    """Args:
        functions: of the release.
        inputs: its fields: those that the model takes, then those that only functions take.
        taken: how many of them the model takes.

    Examples:
        >>> from mainspring.domain.release import FunctionInput
        >>> code = b"def square(x): return {'area': x['side'] ** 2}"
        >>> side, height = InputField("side", Kind.NUMBER), InputField("height", Kind.NUMBER)
        >>> square = RequestFunctions(code, [FunctionInput("square", ("side",), ("area",))], [side])
        >>> Computed(square, [height, side], taken=1).encoder().rows_to_matrix([{"height": 9.0, "side": 2.0}])
        array([[9., 4.]])
    """

    def __init__(self, functions: RequestFunctions, inputs: Sequence[InputField], taken: int) -> None:
        self.functions = functions
        self.inputs = tuple(inputs)
        self.taken = taken
        self.width = taken + len(functions.outputs)
        places = {field.name: place for place, field in enumerate(self.inputs)}
        wanted = {field.name for field in functions.fields}
        given = [field for field in self.inputs if field.name in wanted]
        self._numbers = [(field.name, places[field.name]) for field in given if field.kind in NUMERIC_KINDS]
        self._texts = [(field, text_reader(field)) for field in given if field.kind not in NUMERIC_KINDS]

    @property
    def model_fields(self) -> tuple[InputField, ...]:
        """What the model takes, in its order."""
        made = (InputField(name, Kind.NUMBER) for name in self.functions.outputs)
        return (*self.inputs[: self.taken], *made)

    def encoder(self, ignored: Iterable[str] = ()) -> Encoder:
        """Reads rows into what the model takes."""
        return _ComputingEncoder(self, ignored)

    def matrix(self, wire: Floats, rows: Sequence[Row]) -> Floats:
        """The model's matrix `[rows, width]`.

        Args:
            wire: the rows in the compiled layout of the inputs, `[rows, inputs]`.
        """
        columns: dict[str, npt.NDArray[Any]] = {name: wire[:, place] for name, place in self._numbers}
        for field, read in self._texts:
            columns[field.name] = column_array([read(row[field.name]) for row in rows], field.kind)
        return self.joined(wire[:, : self.taken], self.functions.compute(columns))

    def columns(self, wire: Mapping[str, list[float | str | None]]) -> dict[str, list[float | str | None]]:
        """The model's columns.

        Args:
            wire: the values of the inputs, as `Encoder.rows_to_columns` gives them.
        """
        made = self.functions.compute(
            {field.name: column_array(wire[field.name], field.kind) for field in self.functions.fields}
        )
        kept = {field.name: wire[field.name] for field in self.inputs[: self.taken]}
        return kept | {name: list(values.tolist()) for name, values in made.items()}

    def joined(self, taken: Floats, made: Mapping[str, Floats], order: Literal["C", "F"] = "C") -> Floats:
        """The model's matrix of the inputs that it takes and of what was computed, in this order in memory."""
        matrix = np.empty((len(taken), self.width), order=order)
        matrix[:, : self.taken] = taken
        for place, name in enumerate(self.functions.outputs, start=self.taken):
            matrix[:, place] = made[name]
        return matrix


class _ComputingEncoder(Encoder):
    """Reads the inputs as every encoder does, and computes the rest."""

    def __init__(self, computed: Computed, ignored: Iterable[str]) -> None:
        super().__init__(computed.inputs, ignored)
        self._computed = computed

    def rows_to_matrix(self, rows: Sequence[Row]) -> npt.NDArray[np.float64]:
        return self._computed.matrix(super().rows_to_matrix(rows), rows)

    def rows_to_columns(self, rows: Sequence[Row]) -> dict[str, list[float | str | None]]:
        return self._computed.columns(super().rows_to_columns(rows))


def computed_of(manifest: Manifest, features: bytes) -> Computed:
    """What the functions of a release make.

    Args:
        features: its `features.py`, verified.

    Raises:
        FeatureError: it does not run here.
    """
    functions = RequestFunctions(features, manifest.functions, manifest.inputs)
    return Computed(functions, manifest.inputs, len(manifest.inputs) - len(manifest.carried))


def encoder_of(
    inputs: Sequence[InputField], ignored: Iterable[str] = (), computed: Computed | None = None
) -> Encoder:
    """Reads rows into what the model takes, with what functions make of them where there are any."""
    return Encoder(inputs, ignored) if computed is None else computed.encoder(ignored)
