import csv
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.data.anomalies import find_anomalies
from mainspring.data.validation import validate
from mainspring.domain.schema import Column, Kind, Schema, Severity

SCHEMA = Schema(
    (
        Column("n", Kind.NUMBER),
        Column("i", Kind.INTEGER),
        Column("c", Kind.CATEGORY),
        Column("m", Kind.NUMBER),
        Column("k", Kind.INTEGER, unique=True),
    )
)


def sample(rows, seed):
    random = np.random.default_rng(seed)
    start = seed * 1_000_000
    return pl.DataFrame(
        {
            "n": random.lognormal(sigma=2, size=rows),
            "i": random.integers(0, 8, rows),
            "c": random.choice(["a", "b", "c"], rows, p=[0.9, 0.09, 0.01]),
            "m": np.where(random.random(rows) < 0.2, np.nan, random.normal(size=rows)),
            "k": np.arange(start, start + rows),
        }
    )


def codes(frame, previous, schema=SCHEMA):
    return [(f.code, f.column) for f in find_anomalies(frame, previous, schema)]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(0, 10_000), st.sampled_from([2500, 5000, 12_000]))
def test_a_further_sample_of_the_same_rows_is_silent(first, second, rows):
    assert codes(sample(rows, first), sample(5000, second)) == []


def test_the_same_rows_and_rows_appended_are_silent():
    before, more = sample(5000, 1), sample(1000, 2)
    assert codes(before, before) == []
    assert codes(pl.concat([before, more]), before) == []


@pytest.mark.parametrize(
    ("change", "code", "column", "words"),
    [
        (pl.lit("z").alias("c"), "new-category", "c", "in 5,000 of 5,000 rows: 'z'"),
        (pl.col("c").replace("c", "a"), "vanished-category", "c", "came no more: 'c'"),
        (pl.col("i") + 7, "range-widened", "i", "are above 7, the greatest of before (the farthest is 14)"),
        (pl.col("n") - 5, "range-widened", "n", "the least of before"),
        (
            pl.when(pl.col("k") % 1000 == 0).then(1e9).otherwise("n").alias("n"),
            "range-widened",
            "n",
            "1000000000.0",
        ),
        (pl.col("m").fill_nan(0), "missing-share-moved", "m", "missing in 0.00% of the rows (0), and in"),
        (pl.when(pl.col("k") % 100 < 1).then(None).otherwise("n").alias("n"), "missing-share-moved", "n", "(50)"),
        (pl.col("i").cast(pl.String), "type-changed", "i", "holds String, and held Int64"),
        (pl.lit(1).alias("new"), "column-added", "new", "had no such column"),
    ],
)
def test_a_change_is_told_with_its_numbers(change, code, column, words):
    before = sample(5000, 1)
    after = sample(5000, 2).with_columns(change)
    findings = [f for f in find_anomalies(after, before, SCHEMA) if f.code == code]
    assert [f.column for f in findings] == [column]
    assert words in findings[0].message
    assert findings[0].cure
    assert findings[0].severity is Severity.WARNING


def test_a_column_gone_and_row_counts():
    before = sample(5000, 1)
    assert codes(sample(5000, 2).drop("i"), before) == [("column-removed", "i")]
    assert ("rows-dropped", None) in codes(sample(2400, 2), before)
    assert ("rows-jumped", None) in codes(sample(16_000, 2), before)


def test_copies_are_told():
    before, after = sample(5000, 1).drop("k"), sample(4900, 2).drop("k")
    after = pl.concat([after, after.head(100)])
    assert codes(after, before) == [("more-duplicates", None)]
    assert codes(after, after) == []


def test_a_column_that_is_off_is_left_alone():
    schema = SCHEMA.with_column(Column("c", Kind.CATEGORY, severity=Severity.OFF))
    before = sample(5000, 1)
    assert codes(before.with_columns(pl.lit("z").alias("c")), before, schema) == []


def test_empty_columns_do_not_crash():
    before = sample(100, 1)
    empty = pl.DataFrame({name: [None] * 100 for name in before.columns}, schema=before.schema)
    assert {code for code, _ in codes(empty, before)} == {"missing-share-moved"}
    assert {code for code, _ in codes(before, empty)} == {"missing-share-moved"}
    infinite = before.with_columns(pl.lit(float("inf")).alias("n"))
    assert codes(infinite, before) == []


def test_a_new_value_gives_value_and_count():
    before = pl.DataFrame({"c": ["a"] * 50})
    after = pl.DataFrame({"c": ["a"] * 47 + ["x", "y", "y"]})
    finding = find_anomalies(after, before, Schema((Column("c", Kind.CATEGORY),)))[0]
    assert finding.examples == ({"value": "y", "rows": 2}, {"value": "x", "rows": 1})
    assert finding.rows == 3


# Facts of real data, each counted independently of the code under test.


def test_chicago_evaluation_against_training(real_data):
    overrides = {"payment_type": pl.String, "company": pl.String}
    frames = [
        pl.read_csv(real_data / "chicago_taxi" / f"split_{part}.csv", schema_overrides=overrides)
        for part in ("train", "eval")
    ]
    schema = Schema(
        tuple(
            Column(name, Kind.CATEGORY if dtype == pl.String else Kind.NUMBER)
            for name, dtype in frames[0].schema.items()
        )
    )
    new = {f.column: f for f in find_anomalies(frames[1], frames[0], schema) if f.code == "new-category"}
    assert set(new) == {"payment_type", "company"}
    assert "'Prcard'" in new["payment_type"].message
    assert "8 new values in 8 of 3,312 rows" in new["company"].message
    companies = []
    for part in ("train", "eval"):
        text = (real_data / "chicago_taxi" / f"split_{part}.csv").read_text()
        companies.append({row["company"] for row in csv.DictReader(text.splitlines())})
    assert len(companies[1] - companies[0]) == 8  # so the number is not of our own counting alone


def test_new_york_february_against_january(real_data):
    frames = [
        pl.read_csv(real_data / "nyc_taxi" / f"yellow_tripdata_sample_2019-{month}.csv") for month in ("01", "02")
    ]
    columns = tuple(
        Column(name, {pl.String: Kind.TEXT, pl.Int64: Kind.INTEGER}.get(dtype, Kind.NUMBER))
        for name, dtype in frames[0].schema.items()
    )
    schema = Schema(columns).with_column(
        Column("passenger_count", Kind.INTEGER, minimum=int(frames[0]["passenger_count"].min()))
    )
    january = validate(frames[0], schema, "1" * 64, previous=None, now=datetime(2019, 3, 1, tzinfo=UTC))
    assert not [f for f in january.findings if f.column == "passenger_count"]
    report = validate(frames[1], schema, "2" * 64, previous=frames[0], now=datetime(2019, 3, 1, tzinfo=UTC))
    found = {(f.code, f.column): f for f in report.findings}
    assert found["below-minimum", "passenger_count"].rows == 1579
    assert found["range-widened", "passenger_count"].rows == 1579
    assert "(6,327) before" in found["missing-share-moved", "congestion_surcharge"].message
    assert found["missing-share-moved", "congestion_surcharge"].rows == 0
