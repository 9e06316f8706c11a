import json
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from deltalake import write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.domain.measurement import State
from mainspring.domain.source import Source
from mainspring.errors import SourceFormatError, SourceNotFound, UsageError
from mainspring.monitoring.comparison.comparison import compare_tables

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def rows(count, seed):
    random = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "number": random.normal(size=count).round(6),
            "whole": random.integers(0, 200, count),
            "few": random.integers(0, 5, count),
            "job": random.choice(["cook", "tailor", "smith"], count, p=[0.6, 0.3, 0.1]),
            "known": random.random(count) < 0.3,
            "gap": pl.Series(random.normal(size=count)).set(pl.Series(random.random(count) < 0.2), None),
            "at": [f"2026-01-{day:02d} 10:00:00" for day in random.integers(1, 28, count)],
        }
    )


def compared(folder, a, b, **options):
    a.write_parquet(folder / "a.parquet")
    b.write_parquet(folder / "b.parquet")
    return compare_tables(Source("a.parquet"), Source("b.parquet"), folder, **options)


def column(found, name):
    return next(one for one in found.columns if one.name == name)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 100_000), st.sampled_from([12, 300, 4_000]), st.sampled_from([12, 700, 4_000]))
def test_two_samples_of_the_same_rows_are_alike(tmp_path_factory, seed, first, second):
    found = compared(tmp_path_factory.mktemp("tables"), rows(first, 2 * seed), rows(second, 2 * seed + 1))
    assert found.changed == ()
    assert found.state is State.FINE
    assert "none of 7 columns changed" in found.headline


@pytest.mark.parametrize(
    ("change", "name", "words"),
    [
        (pl.col("number") + 0.5, "number", "the mean is 0.48"),
        (pl.lit("cook").alias("job"), "job", "'cook' in 100 % of the rows, before in 6"),
        (pl.col("job").replace("cook", "nurse"), "job", "a new value in 2,"),
        (pl.lit(None, pl.Float64).alias("gap"), "gap", "missing in 100 % of the rows, before in"),
        (pl.lit(7.5).alias("number"), "number", "outside -"),
        (pl.lit(float("inf")).alias("number"), "number", "infinite in 4,000 of 4,000 rows, before in 0"),
        (pl.col("whole").cast(pl.String).str.replace("^", "n°"), "whole", "it changed its kind from integer to"),
    ],
)
def test_a_change_is_told_with_its_numbers(tmp_path, change, name, words):
    found = compared(tmp_path, rows(5_000, 1), rows(4_000, 2).with_columns(change))
    assert [one.name for one in found.changed] == [name]
    assert words in found.changed[0].note
    assert f"first of all {name}" in found.headline


def test_columns_that_vanished_or_appeared_are_findings(tmp_path):
    found = compared(tmp_path, rows(500, 1), rows(500, 2).rename({"job": "trade"}))
    assert {one.name: one.note.partition(":")[0] for one in found.changed} == {
        "job": "it vanished",
        "trade": "it appeared",
    }
    assert column(found, "job").kinds[1] is column(found, "trade").kinds[0] is None


def test_a_column_that_was_empty_is_of_the_kind_of_its_values(tmp_path):
    before = rows(500, 1).with_columns(pl.lit(None, pl.Float64).alias("number"))
    found = column(compared(tmp_path, before, rows(500, 2)), "number")
    assert found.note == "missing in 0 % of the rows, before in 100 %"
    assert found.a.kind == found.b.kind == "number"


def test_values_that_are_not_of_the_kind_are_no_missing_ones(tmp_path):
    texts = [str(n % 7_000) for n in range(30_000)]
    pl.DataFrame({"n": texts}).write_csv(tmp_path / "a.csv")
    pl.DataFrame({"n": [*texts[:25_000], *["broken"] * 5_000]}).write_csv(tmp_path / "b.csv")
    (found,) = compare_tables(Source("a.csv"), Source("b.csv"), tmp_path).changed
    assert found.note == "5,000 of 30,000 values are not of the kind integer, e.g. 'broken'"


def test_every_format_gives_the_same_comparison(tmp_path):
    a, b = rows(900, 1), rows(900, 2).with_columns(pl.col("number") * 3)
    for name, frame in (("a", a), ("b", b)):
        frame.write_parquet(tmp_path / f"{name}.parquet")
        frame.write_csv(tmp_path / f"{name}.csv")
        frame.write_ndjson(tmp_path / f"{name}.jsonl")
        write_deltalake(str(tmp_path / f"{name}-delta"), frame.to_arrow())
    seen = set()
    for form in ("{}.parquet", "{}.csv", "{}.jsonl", "{}-delta"):
        found = compare_tables(Source(form.format("a")), Source(form.format("b")), tmp_path)
        assert found.rows == (900, 900)
        effects = {one.name: round(one.judged.component.effect, 9) for one in found.columns}
        seen.add(json.dumps([[one.name for one in found.changed], effects], sort_keys=True))
    assert len(seen) == 1
    assert '[["number"]' in seen.pop()


@pytest.mark.parametrize(
    "hard",
    [
        pl.Series("hard", [1.0] * 300),
        pl.Series("hard", [None] * 300, dtype=pl.Float64),
        pl.Series("hard", [float("inf")] * 300),
        pl.Series("hard", [float("nan")] * 300),
        pl.Series("hard", [f"name {n}" for n in range(300)]),
        pl.Series("hard", [[1, 2]] * 300),
        pl.Series("hard", [1e308, -1e308] * 150),
    ],
)
def test_columns_that_say_little_are_compared_and_never_crash(tmp_path, hard):
    table = pl.DataFrame([hard, pl.Series("^a$", range(300))])
    found = compared(tmp_path, table, table)
    assert found.changed == ()
    assert {one.name for one in found.columns} == {"hard", "^a$"}


def test_one_row_is_not_enough_to_say(tmp_path):
    found = compared(tmp_path, rows(1, 1), rows(1, 2))
    assert found.state is State.UNKNOWN
    assert "not enough to say: 1 row" in found.headline


def test_a_category_with_very_many_values_is_not_enough_to_say(tmp_path):
    frames = [pl.DataFrame({"c": [f"{side}{n}" for n in range(60_000)]}) for side in "ab"]
    found = column(compared(tmp_path, *frames), "c")
    assert found.state is not State.BAD


def test_only_the_columns_that_are_asked_for_are_read(tmp_path):
    found = compared(tmp_path, rows(300, 1), rows(300, 2), columns=["job", "few"])
    assert {one.name for one in found.columns} == {"job", "few"}
    with pytest.raises(UsageError, match="has a column 'jobs'; use some of: number, whole"):
        compared(tmp_path, rows(300, 1), rows(300, 2), columns=["jobs"])


def test_a_bar_of_ones_own_holds_for_distributions(tmp_path):
    before, after = rows(5_000, 1), rows(5_000, 2).with_columns(pl.col("number") + 0.5)
    assert [one.name for one in compared(tmp_path, before, after, at_most=0.1).changed] == ["number"]
    assert compared(tmp_path, before, after, at_most=0.5).changed == ()
    assert (
        compared(tmp_path, before, after, method="wasserstein").changed[0].judged.component.method == "wasserstein"
    )


def test_as_measurements_for_the_report(tmp_path):
    found = compared(tmp_path, rows(500, 1), rows(400, 2).drop("job").with_columns(pl.col("number") + 3))
    measured = {one.subject: one for one in found.measurements(NOON)}
    assert measured["job"].state is State.BAD
    assert measured["job"].value is None
    number = measured["number"]
    assert (number.state, number.rows, number.at) == (State.BAD, 400, NOON)
    assert number.value > number.bar
    assert number.p_value < 0.01


def test_tables_that_cannot_be_read(tmp_path):
    rows(20, 1).write_parquet(tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("")
    with pytest.raises(SourceNotFound):
        compare_tables(Source("a.parquet"), Source("c.parquet"), tmp_path)
    with pytest.raises(SourceFormatError):
        compare_tables(Source("a.parquet"), Source("b.csv"), tmp_path)


def test_taxis_of_february_are_not_those_of_january(real_data):
    months = (Source(f"nyc_taxi/yellow_tripdata_sample_2019-{month}.csv") for month in ("01", "02"))
    found = compare_tables(*months, real_data)
    passengers, surcharge = column(found, "passenger_count"), column(found, "congestion_surcharge")
    assert passengers.state is surcharge.state is State.BAD
    assert "0 in 15.7 % of the rows, before in 0 %" in passengers.note
    assert passengers.drift.out_of_range_share == pytest.approx(0.1579, abs=0.005)
    assert "missing in 0 % of the rows, before in 63.3 %" in surcharge.note
    assert surcharge.a.missing == 6_327
    assert surcharge.b.missing == 0


def test_taxis_of_chicago_have_new_values(real_data):
    splits = (Source(f"chicago_taxi/split_{part}.csv") for part in ("train", "eval"))
    found = compare_tables(*splits, real_data, method="l_infinity", columns=["payment_type", "company"])
    payment, company = column(found, "payment_type"), column(found, "company")
    # Of these files; the figures that TFX publishes (0.016304, 0.012277, 16 new companies) are of another split.
    assert payment.judged.component.effect == pytest.approx(0.009865, abs=1e-6)
    assert company.judged.component.effect == pytest.approx(0.009715, abs=1e-6)
    assert payment.note == "a new value in 1 of 5,091 rows: 'Prcard'"
    assert len(company.drift.unseen) == 8


@pytest.mark.parametrize("name", ["adult/adult_train.csv", "california_housing/housing.csv"])
def test_random_halves_are_alike(real_data, tmp_path, name):
    head, *lines = (real_data / name).read_text().splitlines()
    for seed in range(5):
        chosen = np.random.default_rng(seed).random(len(lines)) < 0.5
        for half, keep in (("a.csv", chosen), ("b.csv", ~chosen)):
            kept = [line for line, one in zip(lines, keep, strict=True) if one]
            (tmp_path / half).write_text("\n".join([head, *kept]) + "\n")
        found = compare_tables(Source("a.csv"), Source("b.csv"), tmp_path)
        assert found.changed == (), (seed, found.headline)
