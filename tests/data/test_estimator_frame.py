from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.data.estimator_frame import estimator_frame, estimator_frame_of_columns
from mainspring.domain.release import InputField
from mainspring.domain.schema import Column, Kind
from mainspring.errors import DataError

FIELDS = [
    Column("number", Kind.NUMBER),
    Column("integer", Kind.INTEGER),
    Column("boolean", Kind.BOOLEAN),
    Column("category", Kind.CATEGORY),
    Column("text", Kind.TEXT),
    Column("id", Kind.ID),
    Column("image", Kind.IMAGE),
    Column("time", Kind.TIME),
]

SCHEMA = {
    "number": pl.Float64,
    "integer": pl.Int64,
    "boolean": pl.Boolean,
    "category": pl.String,
    "text": pl.String,
    "id": pl.String,
    "image": pl.String,
    "time": pl.Datetime("us", "UTC"),
}

texts = st.none() | st.text(max_size=5)
rows = st.fixed_dictionaries(
    {
        "number": st.none() | st.floats(),
        "integer": st.none() | st.integers(-(2**63), 2**63 - 1),
        "boolean": st.none() | st.booleans(),
        "category": texts,
        "text": texts,
        "id": texts,
        "image": texts,
        "time": st.none() | st.datetimes(datetime(1800, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
    }
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(rows, max_size=8))
def test_plain_columns_and_typed_rows_give_the_same_frame_bit_for_bit(drawn):
    columns = {name: [row[name] for row in drawn] for name in SCHEMA}
    frame = pl.DataFrame(columns, schema=SCHEMA)
    ours, plain = estimator_frame(frame, FIELDS), estimator_frame_of_columns(columns, FIELDS)
    pd.testing.assert_frame_equal(ours, plain, check_exact=True)
    for name in ("number", "integer", "boolean", "time"):
        a, b = ours[name].to_numpy(), plain[name].to_numpy()
        assert np.array_equal(np.isnan(a), np.isnan(b))
        assert a[~np.isnan(a)].tobytes() == b[~np.isnan(b)].tobytes()


def test_the_kinds_have_the_stated_dtypes_and_missing_values():
    frame = pl.DataFrame({name: [None, None] for name in SCHEMA}, schema=SCHEMA)
    given_frame = estimator_frame(frame, FIELDS)
    assert list(given_frame.columns) == [field.name for field in FIELDS]
    for name in ("number", "integer", "boolean", "time"):
        assert given_frame[name].dtype == np.float64
        assert given_frame[name].isna().all()
    for name in ("category", "id", "image"):
        assert given_frame[name].dtype == object
        assert all(isinstance(value, float) and np.isnan(value) for value in given_frame[name])
    assert given_frame["text"].dtype == object
    assert given_frame["text"].tolist() == ["", ""]


def test_a_time_is_seconds_since_the_epoch_whatever_form_it_comes_in():
    noon = datetime(2024, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)
    forms = [
        noon,
        noon.replace(tzinfo=None),
        noon.astimezone(timezone(timedelta(hours=5))),
        np.datetime64("2024-05-01T12:00:00.250"),
        1714564800.25,
        None,
    ]
    field = [InputField("t", Kind.TIME)]
    seconds = estimator_frame_of_columns({"t": forms}, field)["t"]
    assert seconds[:5].tolist() == [1714564800.25] * 5
    assert np.isnan(seconds[5])
    array = np.array(["2024-05-01T12:00:00.250", "NaT"], dtype="datetime64[ms]")
    seconds = estimator_frame_of_columns({"t": array}, field)["t"]
    assert seconds[0] == 1714564800.25
    assert np.isnan(seconds[1])


def test_polars_categories_and_dates_are_taken_too():
    frame = pl.DataFrame(
        {"c": ["a", None], "d": [datetime(1970, 1, 2).date(), None]},
        schema={"c": pl.Categorical, "d": pl.Date},
    )
    given_frame = estimator_frame(frame, [Column("c", Kind.CATEGORY), Column("d", Kind.TIME)])
    assert given_frame["c"].dtype == object
    assert given_frame["c"][0] == "a"
    assert given_frame["d"][0] == 86400.0
    assert np.isnan(given_frame["d"][1])


def test_no_rows_and_no_features_give_an_empty_frame():
    assert estimator_frame(pl.DataFrame(schema=SCHEMA), FIELDS).shape == (0, 8)
    assert estimator_frame(pl.DataFrame({"a": [1, 2]}), []).shape == (2, 0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (Column("c", Kind.NUMBER), "3"),
        (Column("c", Kind.TIME), "2024-05-01"),
        (Column("c", Kind.TIME), True),
        (Column("c", Kind.CATEGORY), 3),
        (Column("c", Kind.TEXT), b"x"),
    ],
)
def test_a_value_of_another_kind_is_named(field, value):
    with pytest.raises(DataError, match="'c'"):
        estimator_frame_of_columns({"c": [value]}, [field])


def test_an_absent_column_is_named():
    with pytest.raises(DataError, match="no column 'b'"):
        estimator_frame(pl.DataFrame({"a": [1]}), [Column("b", Kind.NUMBER)])
    with pytest.raises(DataError, match="no column 'b'"):
        estimator_frame_of_columns({"a": [1]}, [Column("b", Kind.NUMBER)])
