"""A foreign ONNX graph in ONNX Runtime, with its own inputs and outputs, asked by a frame's columns.

Imports neither polars nor onnx: the native runtime's process uses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mainspring.errors import CandidateError, ReleaseError
from mainspring.quiet import be_quiet

if TYPE_CHECKING:
    import pandas as pd

TEXT = "tensor(string)"
TYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
    TEXT: "object",
}


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output: its name, its type in ONNX Runtime's words, its shape (`None` where it is open)."""

    name: str
    type: str
    shape: tuple[int | None, ...]

    @property
    def is_numbers(self) -> bool:
        return self.type in TYPES and self.type != TEXT


class OnnxSession:
    """The graph as its file has it, on one thread, with ONNX Runtime's own optimisations.

    Raises:
        ReleaseError: ONNX Runtime does not load it.
    """

    def __init__(self, model: bytes) -> None:
        be_quiet()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # errors come as exceptions
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises a dozen unrelated kinds
            raise ReleaseError(
                f"ONNX Runtime does not load the model: {_first_line(error)}",
                cure=f"export it for ONNX Runtime {onnxruntime.__version__}",
            ) from error
        self.inputs = tuple(_port(port) for port in self._session.get_inputs())
        self.outputs = tuple(_port(port) for port in self._session.get_outputs())

    def ask(self, frame: pd.DataFrame, output: str | None) -> Any:
        """The answer to the frame's rows, its columns in the order of the inputs.

        Raises:
            CandidateError: a value is missing where the input takes none.
        """
        feeds = feeds_of(self.inputs, frame)
        return self._session.run(None if output is None else [output], feeds)[0]

    def run(self, feeds: dict[str, NDArray[Any]]) -> list[Any]:
        """All outputs for arrays of the inputs' own types."""
        answers: list[Any] = self._session.run(None, feeds)
        return answers


def feeds_of(inputs: tuple[Port, ...], frame: pd.DataFrame) -> dict[str, NDArray[Any]]:
    """What the graph is fed: one array of all columns, or one a column."""
    if len(inputs) == 1 and len(inputs[0].shape) == 2 and inputs[0].shape[1] != 1:
        (port,) = inputs
        columns = [_typed(frame.iloc[:, place], port) for place in range(frame.shape[1])]
        return {port.name: np.column_stack(columns)}
    feeds = {}
    for place, port in enumerate(inputs):
        values = _typed(frame.iloc[:, place], port)
        feeds[port.name] = values if len(port.shape) == 1 else values.reshape(-1, 1)
    return feeds


def _typed(column: pd.Series[Any], port: Port) -> NDArray[Any]:
    if port.type == TEXT:
        values = column.to_numpy(dtype=object)
        _expect([isinstance(value, str) for value in values], column, "texts")
        return values
    numbers = column.to_numpy(dtype=np.float64)
    dtype = np.dtype(TYPES[port.type])
    if dtype.kind != "f":
        limit = 2.0 ** (8 * dtype.itemsize - 1) if dtype.kind == "i" else 2.0
        with np.errstate(invalid="ignore"):
            _expect(np.abs(numbers) < limit, column, "whole numbers" if dtype.kind == "i" else "true or false")
    with np.errstate(over="ignore"):
        return numbers.astype(dtype)


def _expect(fits: Any, column: pd.Series[Any], what: str) -> None:
    wrong = np.flatnonzero(~np.asarray(fits, dtype=bool))
    if wrong.size:
        row = int(wrong[0])
        raise CandidateError(
            f"the model takes {what} for {column.name!r}, and row {row} has none that fits",
            cure="fill the value in before the model is asked",
            where={"row": row, "column": str(column.name)},
        )


def _port(port: Any) -> Port:
    shape = tuple(extent if isinstance(extent, int) else None for extent in port.shape or ())
    return Port(port.name, port.type, shape)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")[:300]
