"""Functions of views: what they may give, and what is said of those that do not."""

from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from mainspring.domain.feature_view import FeatureFunction
from mainspring.errors import FeatureError, UsageError
from mainspring.features.functions import call

ROWS = pl.DataFrame({"width": [1.0, 2.0, None]})


def given(result: Any, gives: tuple[str, ...] = ("size",)) -> pl.DataFrame:
    def size(rows: pl.DataFrame) -> Any:
        return result

    return call("creative", FeatureFunction(size, gives), ROWS, range(100, 103))


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (pl.Series([1.5, None, 2.0]), [1.5, None, 2.0]),
        (pl.Series([1, 2, 3], dtype=pl.UInt8), [1, 2, 3]),
        (np.array([1.5, 2.5, 3.5], np.float32), [1.5, 2.5, 3.5]),
        (np.array([True, False, True]), [True, False, True]),
        (pl.col("width") * 2, [2.0, 4.0, None]),
        (pl.Series([None] * 3), [None] * 3),
        (pl.Series(["a", None, "b"], dtype=pl.Categorical), ["a", None, "b"]),
        (pl.Series(["1.50", None, "2"]).cast(pl.Decimal(10, 2)), [1.5, None, 2.0]),
    ],
)
def test_one_value_a_row(result: Any, expected: list[Any]) -> None:
    assert given(result).to_dict(as_series=False) == {"size": expected}


def test_a_frame_of_several_features() -> None:
    frame = pl.DataFrame({"b": [1, 2, 3], "extra": [0, 0, 0], "a": [datetime(2026, 3, 1)] * 3})
    found = given(frame, ("a", "b"))
    assert found.columns == ["a", "b"]
    assert found.schema["a"] == pl.Datetime("us", "UTC")


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (pl.Series([1.0, 2.0]), r"gave 2 values for 3 rows; give one value a row"),
        (pl.col("width").sum(), r"gave 1 values for 3 rows"),
        (np.array([1.0, np.nan, 2.0]), r"gave nan for 'size' in row 102; give null where there is no value"),
        (pl.Series([1.0, 2.0, float("inf")]), r"gave inf for 'size' in row 103"),
        (pl.Series([[1], [2], [3]]), r"gave values of type List\(Int64\) for 'size'; give numbers, booleans"),
        (pl.Series([2**63, 0, 0], dtype=pl.UInt64), r"gave values of type UInt64 for 'size'"),
        (np.array([["a"], ["b"], ["c"]]), r"gave an object of type ndarray; give a Polars series"),
        (pl.col("wdth"), r"gave an expression that fails: .*wdth"),
        (None, r"gave nothing; give a Polars series"),
        ([1.0, 2.0, 3.0], r"gave an object of type list"),
        (pl.DataFrame({"other": [1, 2, 3]}), r"gave no column 'size' but 'other'; give a frame with 'size'"),
    ],
)
def test_anything_else_names_view_function_and_cure(result: Any, told: str) -> None:
    with pytest.raises(FeatureError, match=r"the function 'size' of the view 'creative' " + told):
        given(result)


def test_several_features_need_a_frame() -> None:
    with pytest.raises(FeatureError, match=r"gave an object of type Series, not a frame; give .* 'a', 'b'"):
        given(pl.Series([1, 2, 3]), ("a", "b"))


def test_what_it_raises_is_told_with_its_line() -> None:
    def size(rows: pl.DataFrame) -> pl.Series:
        return rows["width"] / {}["no"]  # type: ignore[no-any-return]

    line = size.__code__.co_firstlineno + 1
    with pytest.raises(FeatureError, match=rf"'creative' raised KeyError in line {line}: 'no'; mend it"):
        call("creative", FeatureFunction(size, ("size",)), ROWS)


def test_an_error_of_ours_is_told_as_it_is() -> None:
    def size(rows: pl.DataFrame) -> pl.Series:
        raise UsageError("no", cure="yes")

    with pytest.raises(UsageError, match="no; yes"):
        call("creative", FeatureFunction(size, ("size",)), ROWS)
