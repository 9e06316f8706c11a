"""A compiled model for many rows at once: its tree ensembles by tables, the rest of its graph in ONNX Runtime.

The graph is cut at its `TreeEnsemble` nodes. What stands before and after them runs as it is, so that the answers
are those of the whole graph to the last bit; `parity` and the tests hold it to that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mainspring.domain.release import InputField
from mainspring.release.runtimes.onnx import INPUT, OUTPUT, OnnxRuntime, session_of
from mainspring.release.runtimes.tree_tables import TreeArrays, TreeTables

if TYPE_CHECKING:
    import polars as pl

    from mainspring.release.runtimes.base import Runtime

Floats = npt.NDArray[np.float64]

MANY = 2_000  # rows, from which on the tables pay
_MEMBER = 6  # BRANCH_MEMBER


class TabledRuntime:
    """Answers frames by tables, and everything else as the runtime that it wraps.

    Args:
        whole: the compiled model.
        model: its bytes, verified by the caller.
        inputs: the release's fields, as `whole` has them.

    Raises:
        ValueError: the model has no tree ensemble that tables could hold.
    """

    def __init__(self, whole: OnnxRuntime, model: bytes, inputs: Sequence[InputField]) -> None:
        import onnx

        self._whole = whole
        self._inputs = tuple(inputs)
        graph = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(model)).graph
        sites = [node for node in graph.node if node.op_type == "TreeEnsemble"]
        if not sites:
            raise ValueError("there is no tree ensemble")
        arrays = [_arrays(node) for node in sites]
        self._tables = [TreeTables(trees) for trees in arrays]
        self._sums = [node.output[0] for node in sites]
        tensors = _Tensors(graph)
        self._reads = [
            [tensors.origin(node.input[0], place) for place in range(1 + int(max(found.feature)))]
            for node, found in zip(sites, arrays, strict=True)
        ]
        read = {tensor for columns in self._reads for tensor, _ in columns}
        before = _needed(graph.node, read, {INPUT})
        if any(node.op_type == "TreeEnsemble" for node in before):
            raise ValueError("an ensemble reads another's answers")
        self._inner = sorted(read - {INPUT})
        after = _needed(graph.node, {OUTPUT}, {INPUT, *self._sums})
        takes = {name for node in after for name in node.input}
        self._takes_input = INPUT in takes
        computed = whole.computed
        width = {INPUT: len(self._inputs) if computed is None else computed.width} | {
            name: table.targets for name, table in zip(self._sums, self._tables, strict=True)
        }
        given = ([INPUT] if self._takes_input else []) + self._sums
        self._before = _session(graph, before, {INPUT: width[INPUT]}, self._inner) if self._inner else None
        self._after = _session(graph, after, {name: width[name] for name in given}, [OUTPUT])

    def predict_frame(self, frame: pl.DataFrame) -> Floats:
        from mainspring.release.encoding_frames import model_matrix

        return self.predict_matrix(model_matrix(frame, self._inputs, self._whole.computed, order="F"))

    def predict_matrix(self, matrix: Floats) -> Floats:
        """Outputs `[rows, k]` of a matrix in the compiled layout `[rows, fields]`."""
        if len(matrix) < MANY:
            return self._whole.predict_matrix(matrix)
        inner = self._before.run(self._inner, {INPUT: matrix}) if self._before is not None else []
        read = {INPUT: matrix, **dict(zip(self._inner, inner, strict=True))}
        given = {
            name: table.sums([read[tensor][:, place] for tensor, place in columns])
            for name, table, columns in zip(self._sums, self._tables, self._reads, strict=True)
        }
        if self._takes_input:
            given[INPUT] = matrix
        outputs: Floats = self._after.run([OUTPUT], given)[0]
        return outputs

    def predict_rows(self, rows: Sequence[Mapping[str, object]]) -> Floats:
        return self._whole.predict_rows(rows)

    def close(self) -> None:
        self._whole.close()


def for_many_rows(runtime: OnnxRuntime, model: bytes, inputs: Sequence[InputField]) -> Runtime:
    """The runtime that is fastest at many rows: by tables where the model has them, else the one given."""
    try:
        return TabledRuntime(runtime, model, inputs)
    except ValueError:
        return runtime


class _Tensors:
    """Where the columns of a graph's tensors come from."""

    def __init__(self, graph: Any) -> None:
        from onnx import numpy_helper

        ports = (*graph.input, *graph.value_info)
        shapes = {port.name: [dim.dim_value for dim in port.type.tensor_type.shape.dim] for port in ports}
        self._widths = {name: shape[1] for name, shape in shapes.items() if len(shape) == 2 and shape[1]}
        self._maker = {name: node for node in graph.node for name in node.output}
        self._constants = {
            constant.name: numpy_helper.to_array(constant)
            for constant in graph.initializer
            if len(constant.dims) < 2  # an index, as far as columns are only put in another order
        }

    def origin(self, tensor: str, place: int) -> tuple[str, int]:
        """The tensor and its column in which this column was computed, before it was but carried along."""
        node = self._maker.get(tensor)
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0) if node else 0
        if node is None or axis != 1:
            return tensor, place
        if node.op_type == "Gather" and node.input[1] in self._constants:
            return self.origin(node.input[0], int(self._constants[node.input[1]].reshape(-1)[place]))
        if node.op_type == "Concat" and all(part in self._widths for part in node.input):
            left = place
            for part in node.input:
                if left < self._widths[part]:
                    return self.origin(part, left)
                left -= self._widths[part]
        return tensor, place


def _needed(nodes: Sequence[Any], outputs: set[str], given: set[str]) -> list[Any]:
    """The nodes by which these outputs are computed from what is given."""
    wanted = outputs - given
    found = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted |= set(node.input) - given
            found.append(node)
    return found[::-1]


def _session(graph: Any, nodes: Sequence[Any], takes: Mapping[str, int], gives: Sequence[str]) -> Any:
    from onnx import TensorProto, helper

    read = {name for node in nodes for name in node.input}
    part = helper.make_graph(
        nodes,
        "part",
        [
            helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["rows", width])
            for name, width in takes.items()
        ],
        [helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["rows", None]) for name in gives],
        [constant for constant in graph.initializer if constant.name in read],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 5)]
    return session_of(helper.make_model(part, opset_imports=opsets, ir_version=9).SerializeToString())


def _arrays(node: Any) -> TreeArrays:
    from onnx import helper, numpy_helper

    found = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}

    def integers(name: str) -> npt.NDArray[np.int64]:
        return np.asarray(found[name], dtype=np.int64)

    def child(name: str) -> npt.NDArray[np.int64]:
        leaf, number = integers(f"nodes_{name}leafs"), integers(f"nodes_{name}nodeids")
        return np.where(leaf == 1, ~number, number)

    members = {}
    if "membership_values" in found:
        values = numpy_helper.to_array(found["membership_values"])
        ends = np.flatnonzero(np.isnan(values))
        begins = np.concatenate([[0], ends[:-1] + 1])
        nodes = np.flatnonzero(numpy_helper.to_array(found["nodes_modes"]) == _MEMBER)
        members = {int(n): values[a:b] for n, a, b in zip(nodes, begins, ends, strict=True)}
    return TreeArrays(
        targets=int(found["n_targets"]),
        roots=integers("tree_roots"),
        feature=integers("nodes_featureids"),
        threshold=numpy_helper.to_array(found["nodes_splits"]),
        missing_left=integers("nodes_missing_value_tracks_true").astype(bool),
        left=child("true"),
        right=child("false"),
        members=members,
        value=numpy_helper.to_array(found["leaf_weights"]),
        target=integers("leaf_targetids"),
    )
