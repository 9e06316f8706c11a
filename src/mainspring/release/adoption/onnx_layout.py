"""A foreign ONNX graph behind our own layout: double [rows, fields] in, double [rows, k] out.

Only casts and gathers are added, so the answers are the graph's own; on every sample row that is proven all the
same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mainspring.errors import NotCompilable
from mainspring.release.adoption.adopted import Asking
from mainspring.release.adoption.onnx_session import TYPES, Port
from mainspring.release.adoption.reading import Reading
from mainspring.release.runtimes.onnx import INPUT, OUTPUT

_PREFIX = "adopted_"
_OLDEST = 9  # of the core operator sets: casts, and subtraction that broadcasts
_DOUBLE = 11


def in_our_layout(model: Any, inputs: tuple[Port, ...], asking: Asking, fields: int) -> bytes:
    """The model's bytes with our input and output.

    Args:
        model: the parsed ONNX model.
        inputs: of that model, as ONNX Runtime names them.
        fields: how many columns the input has.

    Raises:
        NotCompilable: it takes texts, or answers with labels alone.
    """
    from onnx import compose, helper

    if any(not port.is_numbers for port in inputs):
        raise NotCompilable("the graph takes texts, which have no place in a matrix of numbers")
    if asking.reading is Reading.LABELS:
        raise NotCompilable("the graph answers with labels and no probabilities")
    if model.functions:
        raise NotCompilable("the graph has functions of its own")
    core = [one.version for one in model.opset_import if one.domain in ("", "ai.onnx")]
    if core and core[0] < _OLDEST:
        raise NotCompilable(f"the graph is of operator set {core[0]}, before {_OLDEST}")
    renamed = compose.add_prefix(model, _PREFIX)
    answer = _tensor_of(renamed, _PREFIX + str(asking.output))
    nodes = [*_entrance(inputs), *renamed.graph.node, *_exit(answer, asking)]
    width = max(1, len(asking.labels))
    graph = helper.make_graph(
        nodes,
        "adopted",
        [helper.make_tensor_value_info(INPUT, _DOUBLE, ["rows", fields])],
        [helper.make_tensor_value_info(OUTPUT, _DOUBLE, ["rows", width])],
        [*renamed.graph.initializer, *_constants(width if asking.reading is Reading.PROBABILITIES else 1)],
        sparse_initializer=list(renamed.graph.sparse_initializer),
    )
    imports = list(model.opset_import) if core else [*model.opset_import, helper.make_opsetid("", 13)]
    made = helper.make_model(
        graph, opset_imports=imports, ir_version=max(4, model.ir_version), producer_name="mainspring"
    )
    content: bytes = made.SerializeToString(deterministic=True)
    return content


def _entrance(inputs: tuple[Port, ...]) -> list[Any]:
    """From the matrix of doubles to each of the graph's inputs."""
    from onnx import helper

    def cast(tensor: str, port: Port) -> Any:
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(TYPES[port.type]))
        return helper.make_node("Cast", [tensor], [_PREFIX + port.name], to=kind)

    if len(inputs) == 1 and len(inputs[0].shape) == 2 and inputs[0].shape[1] != 1:
        return [cast(INPUT, inputs[0])]
    nodes = []
    for place, port in enumerate(inputs):
        column = f"column_{place}"
        # With its index as a scalar a gather drops the axis, as an input of one axis wants it.
        chosen = [helper.make_node("Constant", [], [f"place_{place}"], value=_place(place, len(port.shape)))]
        chosen.append(helper.make_node("Gather", [INPUT, f"place_{place}"], [column], axis=1))
        nodes += [*chosen, cast(column, port)]
    return nodes


def _place(place: int, axes: int) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(np.array(place if axes == 1 else [place], dtype=np.int64))


def _exit(answer: str, asking: Asking) -> list[Any]:
    """From the graph's answer to the outputs of a release."""
    from onnx import helper

    nodes = [
        helper.make_node("Cast", [answer], ["answer"], to=_DOUBLE),
        helper.make_node("Reshape", ["answer", "shape"], ["table"]),
    ]
    if asking.reading is not Reading.POSITIVE:
        return [*nodes, helper.make_node("Identity", ["table"], [OUTPUT])]
    pair = ["rest", "table"] if asking.positive == 1 else ["table", "rest"]
    return [
        *nodes,
        helper.make_node("Sub", ["one", "table"], ["rest"]),
        helper.make_node("Concat", pair, [OUTPUT], axis=1),
    ]


def _constants(width: int) -> list[Any]:
    from onnx import numpy_helper

    shape = np.array([-1, width], dtype=np.int64)
    return [numpy_helper.from_array(np.array(1.0), "one"), numpy_helper.from_array(shape, "shape")]


def _tensor_of(model: Any, output: str) -> str:
    """The tensor behind an output: that of a `ZipMap`, which makes maps of it, is what goes in there."""
    for node in model.graph.node:
        if output in node.output and node.op_type == "ZipMap":
            tensor: str = node.input[0]
            model.graph.node.remove(node)
            return tensor
    return output
