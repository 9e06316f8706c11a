from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from mainspring.data.profiling import add_rows, profile_batches, profile_of
from mainspring.domain.schema import Column, Kind

FIELDS = [
    Column("n", Kind.NUMBER),
    Column("i", Kind.INTEGER),
    Column("b", Kind.BOOLEAN),
    Column("c", Kind.CATEGORY),
    Column("x", Kind.TEXT),
    Column("t", Kind.TIME),
]


def frame(n, seed):
    random = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "n": [None, float("nan"), float("inf"), *random.normal(size=n).tolist()],
            "i": [None, *random.integers(0, 9, n + 2).tolist()],
            "b": [None, *(random.random(n + 2) < 0.3).tolist()],
            "c": [None, *random.choice(["a", "b"], n + 2).tolist()],
            "x": [None, *["words"] * (n + 2)],
            "t": [None, *[datetime(2024, 1, 1, tzinfo=UTC)] * (n + 2)],
        },
        strict=False,
    ).with_columns(pl.col("t").cast(pl.Datetime("us", "UTC")))


def test_every_kind_is_profiled():
    profile = profile_of(frame(100, 0), FIELDS).columns
    assert {name: column.rows for name, column in profile.items()} == dict.fromkeys("nibcxt", 103)
    assert {name: column.missing for name, column in profile.items()} == dict.fromkeys("nibcxt", 1) | {"n": 2}
    assert profile["n"].infinite == 1
    assert set(profile["b"].frequencies.counts) == {"true", "false"}
    assert profile["i"].distinct.estimate == 9
    assert profile["t"].moments.minimum == datetime(2024, 1, 1, tzinfo=UTC).timestamp()
    assert profile["x"].moments.mean == 5


def test_rows_added_later_count_as_if_they_had_been_there():
    first, second = frame(500, 1), frame(300, 2)
    grown = profile_of(first, FIELDS)
    add_rows(grown, second)
    whole = profile_of(pl.concat([first, second]), FIELDS)
    for name, column in whole.columns.items():
        assert grown.columns[name].rows == column.rows
        assert grown.columns[name].frequencies.counts == column.frequencies.counts
        assert grown.columns[name].distinct.to_dict() == column.distinct.to_dict()
        assert grown.columns[name].moments.mean == pytest.approx(column.moments.mean)


def test_no_rows_give_an_empty_profile():
    profile = profile_of(frame(5, 0).head(0), FIELDS)
    assert all(column.rows == 0 for column in profile.columns.values())


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_neither_threads_nor_the_cut_of_batches_change_the_profile(threads):
    whole = pl.concat([frame(70_000, 1), frame(90_000, 2)])
    kinds = {field.name: field.kind for field in FIELDS}
    profile = profile_batches([whole], kinds, threads=threads)
    again = profile_batches(whole.iter_slices(131_072), kinds, threads=1)
    assert profile.to_dict() == again.to_dict()
    known = whole.get_column("n").drop_nans().drop_nulls()
    assert profile.columns["n"].moments.count == known.filter(known.is_finite()).len()
    assert profile.columns["x"].moments.mean == 5


def test_a_batch_that_cannot_be_read_is_the_callers_to_know():
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        profile_batches([frame(10, 0).drop("i")], {"i": Kind.INTEGER})


def test_a_name_that_looks_like_a_pattern_is_a_name():
    rows = pl.DataFrame({"^a.*$": [1.0, 2.0], "ab": [5.0, 5.0]})
    assert profile_batches([rows], {"^a.*$": Kind.NUMBER}).columns["^a.*$"].moments.mean == 1.5
