"""Is a foreign ONNX file safe to hand to ONNX Runtime? Looked at before anything of it is run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mainspring.errors import ReleaseError

GREATEST = 2_000_000_000  # bytes: protobuf ends there
_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}  # what ONNX Runtime itself brings along
_DEEPEST = 20  # graphs within graphs


def checked_model(content: bytes, name: str) -> Any:
    """The parsed model.

    Raises:
        ReleaseError: it is no ONNX file, holds no graph, keeps data in other files, claims data that it does not
            hold, or needs operators of somebody's own.
    """
    import onnx

    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf raises several unrelated kinds
        raise _refused(name, "is no ONNX file", "give a file that an ONNX exporter has written") from error
    if not model.graph.node or not model.graph.output:
        raise _refused(name, "is no ONNX file: it holds no graph", "give a file that an ONNX exporter has written")
    own = {function.domain for function in model.functions}
    graphs = [model.graph, *model.functions]
    for node in _nodes(graphs, name):
        if node.domain not in _DOMAINS | own:
            raise _refused(
                name,
                f"needs the operator {node.domain}.{node.op_type}"[:200] + ", which ONNX Runtime does not have",
                "export it with standard operators only",
            )
    for tensor in _tensors(graphs, name):
        _check_tensor(tensor, len(content), name)
    return model


def _check_tensor(tensor: Any, size: int, name: str) -> None:
    import onnx

    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        raise _refused(
            name,
            f"keeps the values of {tensor.name[:60]!r} in another file",
            "save it as one file: onnx.save(model, path, save_as_external_data=False)",
        )
    count = 1
    for extent in tensor.dims:
        count *= extent
    # Of the smallest types two values share a byte; a text needs at least its length.
    if count < 0 or count > 2 * size:
        raise _refused(
            name,
            f"says that {tensor.name[:60]!r} has {count:,} values and holds fewer",
            "export it again; the file is damaged",
        )


def _nodes(graphs: list[Any], name: str) -> Iterator[Any]:
    for graph in _all_graphs(graphs, name, 0):
        yield from graph.node


def _tensors(graphs: list[Any], name: str) -> Iterator[Any]:
    for graph in _all_graphs(graphs, name, 0):
        yield from getattr(graph, "initializer", ())
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors
                for sparse in (*([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []),):
                    yield from (sparse.values, sparse.indices)


def _all_graphs(graphs: list[Any], name: str, depth: int) -> Iterator[Any]:
    if depth > _DEEPEST:
        raise _refused(name, f"nests graphs more than {_DEEPEST} deep", "export a plainer graph")
    for graph in graphs:
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                inner = [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]
                if inner:
                    yield from _all_graphs(inner, name, depth + 1)


def _refused(name: str, problem: str, cure: str) -> ReleaseError:
    return ReleaseError(f"{name} {problem}", cure=cure, where={"file": name})
