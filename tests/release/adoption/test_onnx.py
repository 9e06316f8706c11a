"""ONNX graphs as other tools write them: asked as they are, put behind our layout, and refused where hostile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind
from mainspring.errors import CandidateError, NotCompilable, ReleaseError
from mainspring.release.adoption.adopted import AdoptedModel, Asking
from mainspring.release.adoption.from_onnx import from_onnx
from mainspring.release.adoption.onnx_checks import checked_model
from mainspring.release.adoption.onnx_layout import in_our_layout
from mainspring.release.adoption.onnx_probe import probe
from mainspring.release.adoption.onnx_session import OnnxSession
from mainspring.release.adoption.reading import Reading
from mainspring.release.runtimes.onnx import OnnxRuntime

FLOAT, DOUBLE, INT64, STRING = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.STRING


def model_of(
    nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: Any = (), opset: int = 18
) -> bytes:
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 9
    content: bytes = model.SerializeToString()
    return content


def port(name: str, kind: int, *shape: Any) -> Any:
    return helper.make_tensor_value_info(name, kind, list(shape))


def linear(kind: int = FLOAT, width: int = 2, answers: int = 1) -> bytes:
    """outputs = x · w, with names that are those of our own layout."""
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    weights = numpy_helper.from_array(np.arange(1, width * answers + 1).reshape(width, answers).astype(dtype), "w")
    node = helper.make_node("MatMul", ["features", "w"], ["outputs"])
    return model_of(
        [node], [port("features", kind, None, width)], [port("outputs", kind, None, answers)], [weights]
    )


def asking(reading: Reading, labels: tuple[str, ...] = (), **more: Any) -> Asking:
    return Asking("onnx", {"a": "as it is", "b": "as it is"}, None, reading, labels, **more)


def fields(*kinds: Kind) -> tuple[InputField, ...]:
    return tuple(InputField(name, kind) for name, kind in zip("ab", kinds, strict=False))


ROWS = np.array([[1.5, -2.0], [0.1, 1e9], [3e-40, 7.0]])
NUMBERS = fields(Kind.NUMBER, Kind.NUMBER)


def both(content: bytes, how: Asking, rows: np.ndarray = ROWS) -> tuple[np.ndarray, np.ndarray]:
    """The answers of the graph as it is, and of the graph in our layout."""
    session = OnnxSession(content)
    original = AdoptedModel(session, how).outputs(pd.DataFrame(rows, columns=["a", "b"]))
    model = in_our_layout(checked_model(content, "m.onnx"), session.inputs, how, 2)
    return original, OnnxRuntime(model, NUMBERS).predict_matrix(rows)


@pytest.mark.parametrize("kind", [FLOAT, DOUBLE])
def test_a_matrix_in_one_type_is_cast_and_nothing_else(kind: int) -> None:
    content = linear(kind)
    original, ours = both(content, asking(Reading.VALUE, output="outputs"))
    assert np.array_equal(original, ours)
    direct = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    fed = ROWS.astype(helper.tensor_dtype_to_np_dtype(kind))
    assert np.array_equal(original, direct.run(None, {"features": fed})[0].astype(np.float64))


def test_an_input_a_column_and_one_probability() -> None:
    nodes = [helper.make_node("Add", ["b", "a"], ["sum"]), helper.make_node("Sigmoid", ["sum"], ["p"])]
    content = model_of(nodes, [port("a", DOUBLE, None, 1), port("b", DOUBLE, None)], [port("p", DOUBLE, None, 1)])
    one_axis = model_of(nodes, [port("a", DOUBLE, None), port("b", DOUBLE, None)], [port("p", DOUBLE, None)])
    how = asking(Reading.POSITIVE, ("no", "yes"), positive=1, output="p")
    rows = ROWS[[0, 2]]
    original, ours = both(one_axis, how, rows)
    assert np.array_equal(original, ours)
    assert original[:, 1] == pytest.approx(1 / (1 + np.exp(-rows.sum(axis=1))))
    assert original.sum(axis=1).tolist() == [1.0, 1.0]
    assert in_our_layout(checked_model(content, "m"), OnnxSession(content).inputs, how, 2)


def test_whole_numbers_are_fed_whole_and_missing_ones_refused() -> None:
    nodes = [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Cast", ["sum"], ["y"], to=DOUBLE)]
    content = model_of(nodes, [port("a", INT64, None, 1), port("b", INT64, None, 1)], [port("y", DOUBLE, None, 1)])
    how = asking(Reading.VALUE, output="y")
    original, ours = both(content, how, np.array([[1.0, 2.0], [-5.0, 2.0**40]]))
    assert original.tolist() == ours.tolist() == [[3.0], [2.0**40 - 5]]
    model = AdoptedModel(OnnxSession(content), how)
    for wrong in (np.nan, 1e300):
        with pytest.raises(CandidateError, match="whole numbers for 'b'"):
            model.outputs(pd.DataFrame({"a": [1.0], "b": [wrong]}))


def test_texts_are_asked_natively_and_have_no_layout_of_ours() -> None:
    attributes = {"keys_strings": ["x", "y"], "values_floats": [1.0, 2.0], "default_float": 9.0}
    node = helper.make_node("LabelEncoder", ["a"], ["y"], domain="ai.onnx.ml", **attributes)
    graph = helper.make_graph([node], "g", [port("a", STRING, None, 1)], [port("y", FLOAT, None, 1)])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    content = helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    original = from_onnx(content, "m.onnx")
    assert original.wants.kinds == {"a": Kind.CATEGORY}
    how = Asking("onnx", {"a": "as it is"}, None, Reading.VALUE, (), output="y")
    model = AdoptedModel(original.model, how)
    assert model.predict(pd.DataFrame({"a": ["y", "new"]})).tolist() == [2.0, 9.0]
    with pytest.raises(CandidateError, match="texts for 'a', and row 1"):
        model.predict(pd.DataFrame({"a": pd.Series(["x", np.nan], dtype=object)}))
    with pytest.raises(NotCompilable, match="texts"):
        in_our_layout(original.parsed, original.inputs, how, 1)


# Hostile files


def external() -> bytes:
    weights = numpy_helper.from_array(np.ones((2, 1), dtype=np.float32), "w")
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../../../../etc/passwd")
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    return model_of([node], [port("x", FLOAT, None, 2)], [port("y", FLOAT, None, 1)], [weights])


def external_in_an_attribute() -> bytes:
    value = numpy_helper.from_array(np.ones(1, dtype=np.float32), "v")
    value.ClearField("raw_data")
    value.data_location = TensorProto.EXTERNAL
    value.external_data.add(key="location", value="/etc/passwd")
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["c"], value=value)], "b", [], [port("c", FLOAT, 1)]
    )
    node = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    return model_of([node], [port("x", TensorProto.BOOL, None, 1)], [port("y", FLOAT, 1)])


def claiming() -> bytes:
    weights = TensorProto(name="w", data_type=FLOAT, dims=[800_000_000, 1], raw_data=b"\0\0\0\0")
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    return model_of([node], [port("x", FLOAT, None, 800_000_000)], [port("y", FLOAT, None, 1)], [weights])


def negative() -> bytes:
    weights = TensorProto(name="w", data_type=FLOAT, dims=[-1, 4], raw_data=b"\0\0\0\0")
    node = helper.make_node("Identity", ["w"], ["y"])
    return model_of([node], [port("x", FLOAT, None, 1)], [port("y", FLOAT, None, 1)], [weights])


def custom() -> bytes:
    node = helper.make_node("RunThis", ["x"], ["y"], domain="evil.example")
    graph = helper.make_graph([node], "g", [port("x", FLOAT, None, 2)], [port("y", FLOAT, None, 1)])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("evil.example", 1)]
    content: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    return content


def nested() -> bytes:
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [], [port("y", FLOAT, 1)])
    for _ in range(25):
        node = helper.make_node("If", ["x"], ["y"], then_branch=graph, else_branch=graph.__class__())
        graph = helper.make_graph([node], "g", [], [port("y", FLOAT, 1)])
    return model_of(list(graph.node), [port("x", TensorProto.BOOL, None, 1)], [port("y", FLOAT, 1)])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is no ONNX file"),
        (b"not a model at all", "is no ONNX file"),
        (b"\x08\x07", "is no ONNX file"),
        (linear()[:-30], "is no ONNX file"),
        (external(), "keeps the values of 'w' in another file"),
        (external_in_an_attribute(), "keeps the values of 'v' in another file"),
        (claiming(), "says that 'w' has 800,000,000 values and holds fewer"),
        (negative(), "and holds fewer"),
        (custom(), "needs the operator evil.example.RunThis"),
        (nested(), "nests graphs"),
    ],
)
def test_a_hostile_file_is_refused_before_anything_runs(content: bytes, problem: str) -> None:
    with pytest.raises(ReleaseError, match=problem) as caught:
        checked_model(content, "bad.onnx")
    assert "bad.onnx" in caught.value.message
    assert caught.value.cure


def greedy() -> bytes:
    """Asks for 40 GB as soon as it runs."""
    shape = numpy_helper.from_array(np.array([10_000_000_000], dtype=np.int64), "shape")
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["big"]),
        helper.make_node("ReduceSum", ["big"], ["sum"]),
    ]
    nodes.append(helper.make_node("Add", ["x", "sum"], ["y"]))
    return model_of(nodes, [port("x", FLOAT, None, 1)], [port("y", FLOAT, None, 1)], [shape])


def inconsistent() -> bytes:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    weights = numpy_helper.from_array(np.ones((3, 1), dtype=np.float32), "w")
    return model_of([node], [port("x", FLOAT, None, 2)], [port("y", FLOAT, None, 1)], [weights])


@pytest.mark.parametrize("content", [greedy(), inconsistent()])
def test_a_graph_that_cannot_run_is_found_out_in_a_process_of_its_own(content: bytes) -> None:
    checked_model(content, "bad.onnx")
    with pytest.raises(ReleaseError, match=r"bad\.onnx (is of no use to|crashes) ONNX Runtime"):
        probe(content, "bad.onnx")


@pytest.mark.parametrize(
    ("shape", "kind", "problem"),
    [
        ((1, 2), FLOAT, "open first axis"),
        ((None, 3, 224, 224), FLOAT, "a table's column is"),
        ((None, 2), TensorProto.INT8, "a table's column is"),
    ],
)
def test_inputs_that_no_table_has_are_named(shape: tuple[Any, ...], kind: int, problem: str) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    with pytest.raises(ReleaseError, match=r"m\.onnx takes 'x' as") as caught:
        from_onnx(model_of([node], [port("x", kind, *shape)], [port("y", kind, *shape)]), "m.onnx")
    assert problem in caught.value.cure


def test_the_probe_leaves_a_good_model_alone(tmp_path: Path) -> None:
    probe(linear(), "good.onnx")
    assert from_onnx(linear(width=5), "good.onnx").wants.width == 5
