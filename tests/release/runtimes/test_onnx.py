"""The compiled model in this process."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind
from mainspring.errors import InvalidInput, ReleaseError
from mainspring.release.compile.graph import Graph
from mainspring.release.runtimes.base import Runtime
from mainspring.release.runtimes.onnx import OnnxRuntime

FIELDS = [InputField("a", Kind.NUMBER), InputField("b", Kind.CATEGORY, vocabulary=("x", "y"))]


def model(width: int = 2) -> bytes:
    graph = Graph(width)
    return graph.build(graph.op("MatMul", "features", graph.constant(np.full((width, 1), 2.0)), width=1))


def test_rows_and_frames_are_answered_alike() -> None:
    runtime = OnnxRuntime(model(), FIELDS)
    assert isinstance(runtime, Runtime)
    assert runtime.predict_rows([{"a": 1.5, "b": "y"}, {"a": 2, "b": None}]).tolist() == [[5.0], [10.0]]
    assert runtime.predict_frame(pl.DataFrame({"b": ["y", None], "a": [1.5, 2.0]})).tolist() == [[5.0], [10.0]]
    assert runtime.predict_matrix(np.ones((3, 2))).dtype == np.float64
    runtime.close()


def test_no_rows_give_no_answers() -> None:
    assert OnnxRuntime(model(), FIELDS).predict_rows([]).shape == (0, 1)


def test_a_row_may_carry_its_key() -> None:
    runtime = OnnxRuntime(model(), FIELDS, ignored=["order"])
    assert runtime.predict_rows([{"order": "o-1", "a": 1.5, "b": "y"}]).tolist() == [[5.0]]


def test_wrong_rows_are_refused() -> None:
    with pytest.raises(InvalidInput, match="field 'a'"):
        OnnxRuntime(model(), FIELDS).predict_rows([{"a": "1", "b": "x"}])


@pytest.mark.parametrize("content", [b"", b"garbage", model()[:-20], model(3)])
def test_bytes_that_are_no_model_of_these_fields_are_refused(content: bytes) -> None:
    with pytest.raises(ReleaseError, match="the compiled model") as caught:
        OnnxRuntime(content, FIELDS)
    assert caught.value.cure


def test_nothing_is_fused_at_the_cost_of_precision() -> None:
    """Optimised, ONNX Runtime folds the division into a float32 factor of the product."""
    graph = Graph(1)
    scaled = graph.op("Div", "features", graph.constant([0.42388364398113654]), width=1)
    product = graph.op("MatMul", scaled, graph.constant([[0.36241849650179964]]), width=1)
    runtime = OnnxRuntime(graph.build(product), [FIELDS[0]])
    wanted = -0.9657604099340595 / 0.42388364398113654 * 0.36241849650179964
    assert runtime.predict_matrix(np.array([[-0.9657604099340595]]))[0, 0] == wanted


def test_nothing_is_sent_home(tmp_path: Path) -> None:
    """In a process without any of the variables by which ONNX Runtime knows a test; what it would send, it first
    writes below the home of the user."""
    script = """
import sys
from mainspring.release.runtimes.onnx import session_of
session_of(sys.stdin.buffer.read())
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env={"HOME": str(tmp_path)},
        input=model(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert list(tmp_path.iterdir()) == []
