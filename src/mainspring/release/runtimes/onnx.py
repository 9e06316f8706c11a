"""The compiled model in ONNX Runtime, in this process.

Imports neither polars nor pandas: gateway workers use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mainspring.domain.release import InputField
from mainspring.errors import ReleaseError
from mainspring.quiet import be_quiet
from mainspring.release.computed import Computed, encoder_of

if TYPE_CHECKING:
    import polars as pl

INPUT = "features"  # double [rows, fields], the compiled layout of `encoding`
OUTPUT = "outputs"  # double [rows, k]


class OnnxRuntime:
    """Runs a compiled model on one thread.

    Args:
        model: the bytes of `model.onnx`, verified by the caller.
        inputs: the release's fields, in the model's order.
        ignored: further fields that a row may have, as `Encoder` takes them.
        computed: what functions make of the inputs, for the model to take too.
        partly: the model has further outputs, for `tensors`.

    Raises:
        ReleaseError: the bytes are no model of this layout.
    """

    def __init__(
        self,
        model: bytes,
        inputs: Sequence[InputField],
        *,
        ignored: Iterable[str] = (),
        computed: Computed | None = None,
        partly: bool = False,
    ) -> None:
        self.encoder = encoder_of(inputs, ignored, computed)
        self.computed = computed
        self._inputs = tuple(inputs)
        self._session = _session(model, len(self._inputs) if computed is None else computed.width, partly)

    def predict_matrix(self, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Outputs `[rows, k]` of a matrix in the compiled layout `[rows, fields]`."""
        outputs: npt.NDArray[np.float64] = self._session.run(_OUTPUTS, {INPUT: matrix})[0]
        return outputs

    def tensors(self, matrix: npt.NDArray[np.float64], names: Sequence[str]) -> dict[str, npt.NDArray[np.float64]]:
        """The model's inner tensors of these names (the input among them), for a look inside."""
        inner = [name for name in dict.fromkeys(names) if name != INPUT]
        found = self._session.run(inner, {INPUT: matrix}) if inner else []
        return {INPUT: matrix, **dict(zip(inner, found, strict=True))}

    def predict_rows(self, rows: Sequence[Mapping[str, object]]) -> npt.NDArray[np.float64]:
        return self.predict_matrix(self.encoder.rows_to_matrix(rows))

    def predict_frame(self, frame: pl.DataFrame) -> npt.NDArray[np.float64]:
        from mainspring.release.encoding_frames import model_matrix

        return self.predict_matrix(model_matrix(frame, self._inputs, self.computed))

    def close(self) -> None:
        """Nothing to give back but memory, which goes with the object."""


_OUTPUTS = [OUTPUT]


def session_of(model: bytes) -> Any:
    """A session of ONNX Runtime that computes as the graph says, on one thread."""
    be_quiet()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # A request is answered by one worker: threads would only make it wait for its neighbours.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Fusions are not exact: one folds a division into the float32 factor of a fused matrix product.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4  # errors come as exceptions
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _session(model: bytes, width: int, partly: bool) -> Any:
    try:
        session = session_of(model)
        inputs, outputs = session.get_inputs(), session.get_outputs()
    except Exception as error:  # onnxruntime raises a dozen unrelated kinds
        raise ReleaseError(
            f"the compiled model does not load: {str(error)[:300]}",
            cure="seal the model anew with `mainspring run`",
        ) from error
    found = [(port.name, port.type, port.shape[1:]) for port in inputs]
    if found != [(INPUT, "tensor(double)", [width])] or [port.name for port in outputs][
        : 1 if partly else None
    ] != [OUTPUT]:
        raise ReleaseError(
            f"the compiled model takes {found}, not {INPUT} double [rows, {width}]",
            cure="seal the model anew with `mainspring run`",
        )
    return session
