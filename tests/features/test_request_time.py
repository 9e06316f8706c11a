"""Functions of `features.py`: what they may do, what they are given, and what becomes of what they give."""

import numpy as np
import polars as pl
import pytest

from mainspring.domain.release import FunctionInput, InputField
from mainspring.domain.schema import Kind
from mainspring.errors import DataError, FeatureError
from mainspring.features.request_time import RequestFunctions, check_source
from mainspring.features.request_time_frames import with_outputs

FIELDS = (
    InputField("hour", Kind.INTEGER),
    InputField("member", Kind.BOOLEAN),
    InputField("at", Kind.TIME),
    InputField("device", Kind.CATEGORY),
    InputField("unused", Kind.NUMBER),
)
ROWS = pl.DataFrame(
    {
        "hour": pl.Series([6, None], dtype=pl.Int64),
        "member": [True, None],
        "at": pl.Series([1_500_000, None], dtype=pl.Int64).cast(pl.Datetime("us", "UTC")),
        "device": ["phone", None],
    }
)


def functions(
    code: str, *, inputs: tuple[str, ...] = ("hour",), outputs: tuple[str, ...] = ("y",)
) -> RequestFunctions:
    return RequestFunctions(code.encode(), [FunctionInput("f", inputs, outputs)], FIELDS)


def y_of(code: str, hours: list[float]) -> list[float]:
    found: list[float] = functions(code).compute({"hour": np.array(hours)})["y"].tolist()
    return found


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os", "line 1: imports os; compute from the given arrays alone"),
        ("\nimport pandas as pd", "line 2: imports pandas; import NumPy"),
        ("from sklearn import svm", "imports sklearn"),
        ("import urllib.request", "imports urllib.request"),
        ("from urllib import request", "imports urllib.request"),
        ("from . import model", "another module of the project"),
        ("import numpy.random", "imports numpy.random"),
        ("import numpy as np\nseed = np.random.default_rng()", "line 2: draws random numbers"),
        ("from numpy import loadtxt", "files with numpy.loadtxt"),
        ("import numpy as np\ndef f(x): np.save('a', x)", "line 2: reads or writes files with numpy.save"),
        ("def f(x):\n    return open('/etc/passwd')", "line 2: uses open"),
        ("def f(x): return eval('1')", "uses eval"),
        ("import time", "imports time"),
        ("import random", "imports random"),
        ("def f(x:", "line 1: is no Python"),
        ("a\x00b", "is no Python"),
    ],
)
def test_what_no_request_may_do_is_refused_by_its_line(code: str, words: str) -> None:
    with pytest.raises(FeatureError) as refused:
        check_source(code.encode())
    assert words in str(refused.value)
    assert refused.value.where["file"] == "features.py"


def test_what_computes_is_let_through() -> None:
    check_source(
        b"from __future__ import annotations\nimport math, re, json\nimport numpy as np\n"
        b"from urllib.parse import urlsplit\nfrom datetime import datetime\nfrom dataclasses import dataclass\n"
        b"def opened(x): return np.sin(x['a'])\n"
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise KeyError('gone')", "raised KeyError in line 2: 'gone'"),
        ("return 3", "gave int, not a dict"),
        ("return {}", "gave nothing, and its outputs are y"),
        ("return {'y': x['hour'], 'z': x['hour']}", "gave y, z, and its outputs are y"),
        ("return {'y': x['hour'][:1]}", "gave 1 values of 'y' for 2 rows"),
        ("return {'y': x['hour'][:, None]}", "an array of shape [2, 1]"),
        ("return {'y': 1.0}", "an array of shape []"),
        ("return {'y': ['a', 'b']}", "not as numbers"),
        ("return {'y': x['hour'] / 0}", "gave inf as 'y' of row 0"),
        ("x['hour'] += 1\n    return {'y': x['hour']}", "raised ValueError in line 2"),
    ],
)
def test_what_is_not_one_number_a_row_names_the_function(body: str, words: str) -> None:
    with pytest.raises(FeatureError) as refused:
        y_of(f"def f(x):\n    {body}", [1.0, 2.0])
    assert "the function 'f' of features.py" in str(refused.value)
    assert words in str(refused.value)


def test_a_file_that_does_not_run_or_lacks_the_function_is_named() -> None:
    with pytest.raises(FeatureError, match="does not run: ZeroDivisionError in line 2"):
        functions("a = 1\nb = a / 0")
    with pytest.raises(FeatureError, match="has no function 'f'"):
        functions("def g(x): return x")
    with pytest.raises(FeatureError, match="has no function 'f'"):
        functions("f = 3")


def test_values_come_as_arrays_of_their_kind() -> None:
    seen = functions(
        "import numpy as np\n"
        "def f(x):\n"
        "    assert [x[n].dtype.kind for n in ('hour', 'member', 'at', 'device')] == list('fffO')\n"
        "    assert x['device'].tolist() == ['phone', None]\n"
        "    return {'y': x['hour'] + x['member'] + x['at']}",
        inputs=("hour", "member", "at", "device"),
    )
    assert [field.name for field in seen.fields] == ["hour", "member", "at", "device"]
    assert with_outputs(ROWS, seen)["y"].to_list() == [8.5, None]


def test_whole_numbers_and_booleans_count_as_numbers_and_nothing_is_shared() -> None:
    assert y_of("def f(x): return {'y': x['hour'] > 1}", [1.0, 2.0]) == [0.0, 1.0]
    assert y_of("def f(x): return {'y': [1, 2]}", [1.0, 2.0]) == [1.0, 2.0]
    given = np.array([1.0])
    made = functions("def f(x): return {'y': x['hour']}").compute({"hour": given})["y"]
    made[0] = 9.0
    assert given[0] == 1.0


def test_no_rows_give_no_numbers() -> None:
    assert with_outputs(ROWS.clear(), functions("def f(x): return {'y': x['hour'] * 2}")).rows() == []


def test_dataclasses_with_late_annotations_work() -> None:
    code = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass Shift:\n    by: float\n"
        "def f(x): return {'y': x['hour'] + Shift(2.0).by}"
    )
    assert y_of(code, [1.0]) == [3.0]


def test_a_frame_without_a_column_is_named() -> None:
    with pytest.raises(DataError, match="no column 'hour', which a function"):
        with_outputs(pl.DataFrame({"other": [1]}), functions("def f(x): return {'y': x['hour']}"))


def test_columns_may_have_names_that_are_patterns() -> None:
    code = b"def f(x): return {'^y$': x['^h.*$'] * 2}"
    odd = RequestFunctions(code, [FunctionInput("f", ("^h.*$",), ("^y$",))], [InputField("^h.*$", Kind.NUMBER)])
    rows = pl.DataFrame({"^h.*$": [1.0], "hour": [5.0]})
    assert with_outputs(rows, odd).rows(named=True) == [{"^h.*$": 1.0, "hour": 5.0, "^y$": 2.0}]
