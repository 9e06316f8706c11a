"""Writes an ONNX graph that computes in double: core operators and `TreeEnsemble`, nothing that rounds to float32.

The input is `features` double [rows, fields], the output `outputs` double [rows, k]. `Scaler` and `Imputer` of
`ai.onnx.ml` are never used: they compute in float32 whatever they are given.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from mainspring.errors import NotCompilable
from mainspring.release.runtimes.onnx import INPUT, OUTPUT

# The oldest sets that hold what is used, so that the widest range of ONNX Runtime versions loads the model.
_CORE_OPSET = 18
_ML_OPSET = 5
_IR_VERSION = 9

_IN_PACKETS = frozenset({"Exp", "Log", "Sigmoid", "Tanh"})

# A greater model would take longer to load than the native runtime takes to start, and protobuf ends at 2 GB.
GREATEST_MODEL = 400_000_000


class Graph:
    """A graph under construction; tensors are known by name.

    Args:
        width: the number of fields of the input.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._nodes: list[Any] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._initializers: list[Any] = []
        self._widths: dict[str, int] = {INPUT: width}
        self._size = 0

    def op(self, kind: str, *inputs: str, width: int, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output, a tensor [rows, width]; returns its name.

        Raises:
            NotCompilable: the model grew too large.
        """
        if kind in _IN_PACKETS:
            return self._in_packets(kind, *inputs, width=width)
        return self._node(kind, *inputs, width=width, domain=domain, **attributes)

    def _in_packets(self, kind: str, tensor: str, *, width: int) -> str:
        """A function of each element, the same whatever its neighbours.

        ONNX Runtime computes packets of up to eight elements together and what is left over one by one, and the
        two ways differ in the last bit. Seven more rows put every row that was asked for into a packet.
        """
        longer = self._node("Concat", tensor, self.constant(np.zeros((7, width))), width=width, axis=0)
        values = self._node(kind, longer, width=width)
        return self._node("Slice", values, self.vector(0), self.vector(-7), self.vector(0), width=width)

    def _node(self, kind: str, *inputs: str, width: int, domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        name = f"t{len(self._nodes)}"
        node = helper.make_node(kind, list(inputs), [name], domain=domain, **attributes)
        self._grow(node.ByteSize())
        self._nodes.append(node)
        self._widths[name] = width
        return name

    def constant(self, values: npt.ArrayLike, dtype: npt.DTypeLike = np.float64) -> str:
        """A constant tensor; equal ones are stored once."""
        from onnx import numpy_helper

        array = np.ascontiguousarray(values, dtype=dtype)
        key = (array.dtype.str, np.shape(values), array.tobytes())
        if key not in self._constants:
            self._grow(array.nbytes)
            name = f"c{len(self._constants)}"
            # `ascontiguousarray` makes a vector of a scalar, hence the reshape.
            self._initializers.append(numpy_helper.from_array(array.reshape(np.shape(values)), name))
            self._constants[key] = name
        return self._constants[key]

    def vector(self, *values: int) -> str:
        """A constant int64 vector, as shapes, axes and indices are given."""
        return self.constant(list(values), np.int64)

    def width_of(self, tensor: str) -> int:
        return self._widths[tensor]

    def fresh_prefix(self) -> str:
        """A beginning of names that no tensor of the graph has yet."""
        return f"m{len(self._nodes)}_"

    def merge(self, nodes: list[Any], initializers: list[Any]) -> None:
        """Take over the nodes and constants of another graph, whose names are already made unique."""
        for part in (*nodes, *initializers):
            self._grow(part.ByteSize())
        self._nodes += nodes
        self._initializers += initializers

    def build(self, output: str, also: tuple[str, ...] = ()) -> bytes:
        """The model, the same bytes for the same graph.

        Args:
            output: the tensor that becomes `outputs`.
            also: further tensors to give out under their own names (for looking inside, never in a release).
        """
        from onnx import TensorProto, helper

        nodes = [*self._needed({output, *also}), helper.make_node("Identity", [output], [OUTPUT])]
        read = {name for node in nodes for name in node.input}
        constants = [constant for constant in self._initializers if constant.name in read]
        ports = [helper.make_tensor_value_info(OUTPUT, TensorProto.DOUBLE, ["rows", self.width_of(output)])]
        ports += [
            helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["rows", self.width_of(name)])
            for name in also
            if name != INPUT
        ]
        taken = [helper.make_tensor_value_info(INPUT, TensorProto.DOUBLE, ["rows", self.width])]
        graph = helper.make_graph(nodes, "mainspring", taken, ports, constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", _CORE_OPSET), helper.make_opsetid("ai.onnx.ml", _ML_OPSET)],
            ir_version=_IR_VERSION,
            producer_name="mainspring",
        )
        content: bytes = model.SerializeToString(deterministic=True)
        return content

    def _needed(self, outputs: set[str]) -> list[Any]:
        """The nodes on which these tensors depend, in order; ONNX Runtime would compute the others as well."""
        wanted = set(outputs)
        needed = []
        for node in reversed(self._nodes):
            if wanted.intersection(node.output):
                wanted.update(node.input)
                needed.append(node)
        return needed[::-1]

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > GREATEST_MODEL:
            raise NotCompilable(
                f"the compiled model would be larger than {GREATEST_MODEL // 10**6} MB",
                cure="fit fewer or smaller trees to have it compiled",
            )
