import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from mainspring.data.report import report_to_dict
from mainspring.data.validation import validate
from mainspring.domain.schema import Column, Kind, Schema, Severity
from mainspring.errors import DataError

NOW = datetime(2024, 6, 1, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")


def check(frame, *columns, previous=None):
    report = validate(frame, Schema(columns), "f" * 64, previous=previous, now=NOW)
    json.dumps(report_to_dict(report), allow_nan=False)  # whatever is found can be told
    return report.findings


def only(findings):
    assert len(findings) == 1, [f.code for f in findings]
    return findings[0]


def test_rows_that_keep_every_promise_are_silent():
    frame = pl.DataFrame(
        {
            "k": ["001", "002", "003"],
            "n": [1.0, None, 3.0],
            "c": ["a", "b", None],
            "t": [datetime(2024, 5, 30, tzinfo=UTC)] * 2 + [None],
            "b": [True, False, True],
        },
        schema_overrides={"t": TIME},
    )
    assert not check(
        frame,
        Column("k", Kind.ID, unique=True, nullable=False),
        Column("n", Kind.NUMBER, minimum=1, maximum=3, max_missing_share=0.4),
        Column("c", Kind.CATEGORY, categories=("a", "b")),
        Column("t", Kind.TIME, freshness="3d", minimum="2024-01-01", maximum="2024-05-30T00:00:00+00:00"),
        Column("b", Kind.BOOLEAN),
    )


@pytest.mark.parametrize(
    ("column", "values", "code", "rows", "examples", "words"),
    [
        (
            Column("x", Kind.NUMBER, nullable=False),
            [1.0, None, 2.0],
            "missing-not-allowed",
            1,
            [{"row": 2}],
            "1 of 3",
        ),
        (
            Column("x", Kind.NUMBER, max_missing_share=0.5),
            [None, None, 2.0, 1.0, None],
            "missing-share",
            3,
            [{"row": 1}, {"row": 2}, {"row": 5}],
            "60.00% of the rows (3 of 5), more than the allowed 50.00%",
        ),
        (
            Column("x", Kind.NUMBER, minimum=0),
            [1.0, -2.5, -1.0],
            "below-minimum",
            2,
            [{"row": 2, "value": -2.5}, {"row": 3, "value": -1.0}],
            "the farthest is -2.5",
        ),
        (Column("x", Kind.INTEGER, maximum=5), [1, 9, None], "above-maximum", 1, [{"row": 2, "value": 9}], "is 9"),
        (
            Column("x", Kind.CATEGORY, categories=("a",)),
            ["a", "b", "b", "c", None],
            "unknown-category",
            3,
            [{"row": 2, "value": "b"}, {"row": 4, "value": "c"}],
            "2 values not among the 1 known",
        ),
        (
            Column("x", Kind.ID, unique=True),
            ["a", "b", "a", None, None],
            "not-unique",
            2,
            [{"row": 1, "value": "a"}, {"row": 3, "value": "a"}],
            "1 values",
        ),
        (Column("x", Kind.NUMBER), [1.0, float("inf")], "not-finite", 1, [{"row": 2, "value": "inf"}], "infinite"),
        (
            Column("x", Kind.TIME, freshness="7d"),
            [datetime(2024, 5, 1), datetime(2024, 4, 1), None],
            "stale",
            1,
            [{"row": 1, "value": "2024-05-01T00:00:00+00:00"}],
            "older than the allowed 7d",
        ),
        (
            Column("x", Kind.TIME, minimum="2024-04-15"),
            [datetime(2024, 5, 1), datetime(2024, 4, 1)],
            "below-minimum",
            1,
            [{"row": 2, "value": "2024-04-01T00:00:00+00:00"}],
            "below the minimum 2024-04-15",
        ),
    ],
)
@pytest.mark.parametrize("severity", [Severity.WARNING, Severity.ERROR])
def test_a_broken_promise_names_column_rows_examples_and_cure(
    column, values, code, rows, examples, words, severity
):
    dtype = {Kind.TIME: pl.Datetime("us"), Kind.INTEGER: pl.Int64, Kind.NUMBER: pl.Float64}
    series = pl.Series("x", values, dtype=dtype.get(column.kind, pl.String))
    frame = pl.DataFrame([series])
    if column.kind is Kind.TIME:
        frame = frame.select(pl.col("x").dt.replace_time_zone("UTC"))
    finding = only(check(frame, replace(column, severity=severity)))
    assert (finding.code, finding.column, finding.rows) == (code, "x", rows)
    assert finding.severity is severity
    assert list(finding.examples) == examples
    assert words in finding.message
    assert finding.cure


def test_a_column_whose_severity_is_off_is_not_looked_at():
    frame = pl.DataFrame({"x": [1.0, -2.0, float("nan"), None]})
    assert not check(frame, Column("x", Kind.NUMBER, minimum=0, nullable=False, severity=Severity.OFF))


def test_all_broken_promises_of_all_columns_are_told_at_once():
    frame = pl.DataFrame({"x": [1.0, -2.0, None, 50.0], "c": ["a", "b", None, "b"]})
    findings = check(
        frame,
        Column(
            "x", Kind.NUMBER, minimum=0, maximum=10, nullable=False, max_missing_share=0.1, severity=Severity.ERROR
        ),
        Column("c", Kind.CATEGORY, categories=("a",), nullable=False, unique=True),
    )
    assert sorted((f.column, f.code) for f in findings) == [
        ("c", "missing-not-allowed"),
        ("c", "not-unique"),
        ("c", "unknown-category"),
        ("x", "above-maximum"),
        ("x", "below-minimum"),
        ("x", "missing-not-allowed"),
        ("x", "missing-share"),
    ]


def test_columns_absent_unknown_or_of_another_type():
    frame = pl.DataFrame({"x": ["1", "2"], "new": [1, 2], "__row": [0, 1], "__part": [0, 0]})
    findings = check(frame, Column("x", Kind.NUMBER, minimum=0, nullable=False), Column("gone", Kind.TEXT))
    assert {(f.code, f.column, f.severity) for f in findings} == {
        ("column-absent", "gone", Severity.ERROR),
        ("column-unknown", "new", Severity.WARNING),
        ("wrong-type", "x", Severity.ERROR),
    }


def test_examples_are_numbered_by_the_snapshots_rows():
    frame = pl.DataFrame({"x": [1.0, -1.0], "__row": [700, 701], "__part": [3, 3]})
    assert only(check(frame, Column("x", Kind.NUMBER, minimum=0))).examples == ({"row": 702, "value": -1.0},)


def test_nan_counts_as_missing_and_is_told():
    frame = pl.DataFrame({"x": [1.0, float("nan"), 2.0]})
    findings = check(frame, Column("x", Kind.NUMBER, minimum=0, maximum=5, nullable=False))
    assert [(f.code, f.rows) for f in findings] == [("missing-not-allowed", 1), ("not-a-number", 1)]


def test_an_empty_frame_is_an_error_and_no_crash():
    frame = pl.DataFrame(schema={"x": pl.Float64})
    finding = only(check(frame, Column("x", Kind.NUMBER, nullable=False, minimum=0), previous=frame))
    assert (finding.code, finding.severity) == ("no-rows", Severity.ERROR)
    assert {f.code for f in check(pl.DataFrame(), Column("x", Kind.NUMBER))} == {"no-rows", "column-absent"}


def test_one_row_all_missing_and_constant_are_told():
    assert only(check(pl.DataFrame({"x": [1.0]}), Column("x", Kind.NUMBER))).code == "one-row"
    for dtype, kind in ((pl.Float64, Kind.NUMBER), (pl.String, Kind.CATEGORY), (TIME, Kind.TIME)):
        frame = pl.DataFrame({"x": [None] * 3, "y": range(3)}, schema={"x": dtype, "y": pl.Int64})
        columns = (Column("x", kind, minimum=None, freshness="1d", unique=True), Column("y", Kind.INTEGER))
        finding = only(check(frame, *columns))
        assert (finding.code, finding.rows) == ("all-missing", 3)
    constant = only(
        check(pl.DataFrame({"x": ["a"] * 3, "y": range(3)}), Column("x", Kind.CATEGORY), Column("y", Kind.INTEGER))
    )
    assert (constant.code, constant.column) == ("constant", "x")


def test_a_category_with_a_million_levels_is_told_in_time():
    frame = pl.DataFrame({"c": pl.int_range(1_000_000, eager=True).cast(pl.String)})
    start = time.perf_counter()
    findings = check(frame, Column("c", Kind.CATEGORY, categories=("1", "2")), previous=frame)
    assert {f.code for f in findings} == {"unknown-category", "many-categories"}
    assert time.perf_counter() - start < 60


def test_a_million_rows_of_twenty_columns_take_seconds():
    random = np.random.default_rng(0)
    frame = pl.DataFrame({f"x{i}": random.normal(size=1_000_000) for i in range(20)})
    schema = [
        Column(f"x{i}", Kind.NUMBER, minimum=-2, maximum=9, nullable=False, unique=i == 0) for i in range(20)
    ]
    start = time.perf_counter()
    findings = check(frame, *schema)
    assert len(findings) == 20
    assert time.perf_counter() - start < 60


@pytest.mark.parametrize("name", ["^x.*$", "check_output", "rows", "value", "row", "index", "a b", "", "literal"])
def test_no_column_name_is_special(name):
    frame = pl.DataFrame({name: [1.0, -1.0, None], "x1": ["a", "b", "a"]})
    columns = (Column(name, Kind.NUMBER, minimum=0), Column("x1", Kind.CATEGORY))
    previous = pl.DataFrame({name: [1.0] * 100, "x1": ["a"] * 100})
    findings = check(frame, *columns, previous=previous)
    assert next((f.code, f.column) for f in findings) == ("below-minimum", name)


def test_neither_environment_nor_settings_turn_the_checks_off():
    from pandera.config import config_context

    frame = pl.DataFrame({"x": [1.0, -1.0]})
    with config_context(validation_enabled=False):
        assert only(check(frame, Column("x", Kind.NUMBER, minimum=0))).code == "below-minimum"


@pytest.mark.parametrize(
    "column", [Column("x", Kind.NUMBER, minimum="low"), Column("x", Kind.TIME, maximum="soon")]
)
def test_a_bound_that_cannot_be_read_names_the_file_and_column(column):
    dtype = TIME if column.kind is Kind.TIME else pl.Float64
    frame = pl.DataFrame({"x": [None, None]}, schema={"x": dtype})
    with pytest.raises(DataError, match="column 'x'") as raised:
        check(frame, column)
    assert raised.value.where == {"file": "schema.toml", "column": "x"}


def test_doubled_rows_are_told_and_natural_copies_are_not():
    random = np.random.default_rng(0)
    rich = pl.DataFrame({"a": random.normal(size=500), "b": random.normal(size=500)})
    columns = (Column("a", Kind.NUMBER), Column("b", Kind.NUMBER))
    finding = only(check(pl.concat([rich, rich]), *columns))
    assert (finding.code, finding.rows, finding.examples[0]) == ("duplicate-rows", 500, {"row": 501})
    poor = pl.DataFrame({"a": random.integers(0, 3, 500), "b": random.integers(0, 3, 500)})
    assert not check(poor, Column("a", Kind.INTEGER), Column("b", Kind.INTEGER))
