import numpy as np
import polars as pl
import pytest

from mainspring.data.target import rows_with_target, target_values
from mainspring.domain.schema import Severity
from mainspring.domain.task import Task
from mainspring.errors import TargetError


def test_classes_are_sorted_text_and_values_their_numbers():
    y, classes = target_values(pl.Series("y", ["b", "a", "c", "a", "b", "c"]), Task.MULTICLASS)
    assert classes == ("a", "b", "c")
    assert y.dtype == np.int64
    assert y.tolist() == [1, 0, 2, 0, 1, 2]


@pytest.mark.parametrize(
    ("values", "classes", "codes"),
    [
        ([True, False, True, False], ("false", "true"), [1, 0, 1, 0]),
        ([10, 9, 9, 10], ("10", "9"), [0, 1, 1, 0]),
        ([1.0, 0.0, 0.0, 1.0], ("0.0", "1.0"), [1, 0, 0, 1]),
        (["ß", "x", "x", "ß"], ("x", "ß"), [1, 0, 0, 1]),
    ],
)
def test_labels_of_every_type(values, classes, codes):
    y, found = target_values(pl.Series("y", values), Task.BINARY)
    assert found == classes
    assert y.tolist() == codes


def test_a_categorical_series_is_sorted_by_text_too():
    y, classes = target_values(pl.Series("y", ["z", "a", "z", "a"], dtype=pl.Categorical), Task.BINARY)
    assert classes == ("a", "z")
    assert y.tolist() == [1, 0, 1, 0]


def test_a_regression_has_numbers_and_no_classes():
    y, classes = target_values(pl.Series("y", [1, 2, 4]), Task.REGRESSION)
    assert classes == ()
    assert y.dtype == np.float64
    assert y.tolist() == [1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("values", "task", "words"),
    [
        ([], Task.BINARY, "no rows"),
        (["a", "a"], Task.BINARY, "same value 'a' in all 2 rows"),
        ([3.0, 3.0], Task.REGRESSION, "same value"),
        (["a", "b", None], Task.BINARY, "missing in 1 of 3 rows"),
        ([1.0, 2.0, float("nan")], Task.REGRESSION, "missing in 1 of 3 rows"),
        (["a", "a", "b"], Task.BINARY, "one row only of the class 'b'"),
        (["a", "a", "b", "c"], Task.MULTICLASS, "2 classes of one row each: 'b', 'c'"),
        (["a", "a", "b", "b", "c", "c"], Task.BINARY, "3 classes"),
        ([1.0, float("inf"), -float("inf")], Task.REGRESSION, "infinite in 2 rows, first in row 2"),
        (["a", "b"], Task.REGRESSION, "no numbers"),
    ],
)
def test_what_cannot_be_learnt_is_an_error_that_names_column_and_count(values, task, words):
    with pytest.raises(TargetError, match=words) as raised:
        target_values(pl.Series("wanted", values), task)
    assert raised.value.where["column"] == "wanted"
    assert raised.value.cure


def test_a_time_is_no_class():
    series = pl.Series("t", [0, 1, 0, 1]).cast(pl.Datetime("us", "UTC"))
    with pytest.raises(TargetError, match="is a time"):
        target_values(series, Task.BINARY)


def test_rows_without_a_target_are_left_out_and_said_so():
    frame = pl.DataFrame({"x": [1, 2, 3, 4], "y": [1.0, None, float("nan"), 2.0]})
    rows, finding = rows_with_target(frame, "y")
    assert rows["x"].to_list() == [1, 4]
    assert finding.severity is Severity.WARNING
    assert (finding.column, finding.rows) == ("y", 2)
    assert finding.examples == ({"row": 2}, {"row": 3})


def test_nothing_is_said_where_every_row_has_a_target():
    frame = pl.DataFrame({"y": [1, 2]})
    rows, finding = rows_with_target(frame, "y")
    assert finding is None
    assert rows.equals(frame)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pl.DataFrame({"clicks": [1]}), "no column 'click' to predict; did you mean 'clicks'"),
        (pl.DataFrame({"click": [None, None]}), "missing in all 2 rows"),
        (pl.DataFrame({"click": []}), "no rows"),
    ],
)
def test_no_target_at_all_is_an_error(frame, words):
    with pytest.raises(TargetError, match=words):
        rows_with_target(frame, "click")


def test_a_million_levels_are_counted_in_time():
    series = pl.Series("y", np.arange(1_000_000)).cast(pl.String)
    with pytest.raises(TargetError, match="1,000,000 classes of one row each"):
        target_values(series, Task.MULTICLASS)
