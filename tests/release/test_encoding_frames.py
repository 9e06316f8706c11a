"""The encoder of tables gives what the encoder of requests gives."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind
from mainspring.errors import DataError
from mainspring.release.encoding import Encoder
from mainspring.release.encoding_frames import frame_to_columns, frame_to_matrix

FIELDS = (
    InputField("score", Kind.NUMBER),
    InputField("age", Kind.INTEGER),
    InputField("member", Kind.BOOLEAN),
    InputField("job", Kind.CATEGORY, vocabulary=("", "clerk", "pilot", "Ärztin 東京")),
    InputField("at", Kind.TIME),
    InputField("note", Kind.TEXT, vocabulary=("", "hello")),
    InputField("code", Kind.ID),
)
SCHEMA: dict[str, Any] = {
    "score": pl.Float64,
    "age": pl.Int64,
    "member": pl.Boolean,
    "job": pl.String,
    "at": pl.Datetime("us", "UTC"),
    "note": pl.String,
    "code": pl.String,
}
TEXTS = st.sampled_from(["", "clerk", "pilot", "Ärztin 東京", "hello", "baker", " clerk", "\x00"]) | st.text(
    max_size=4
)
ROWS = st.fixed_dictionaries(
    {
        "score": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "age": st.none() | st.integers(-(2**63), 2**63 - 1),
        "member": st.none() | st.booleans(),
        "job": st.none() | TEXTS,
        "at": st.none() | st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),
        "note": st.none() | TEXTS,
        "code": st.none() | TEXTS,
    }
)


@given(st.lists(ROWS, max_size=40))
def test_the_same_answers_by_row_and_by_frame(rows: list[dict[str, Any]]) -> None:
    wire = [{**row, "at": row["at"] and row["at"].isoformat()} for row in rows]
    by_row = Encoder(FIELDS).rows_to_matrix(wire)
    by_frame = frame_to_matrix(pl.DataFrame(rows, schema=SCHEMA), FIELDS)
    np.testing.assert_array_equal(by_row, by_frame)
    assert by_frame.dtype == np.float64
    columns = Encoder(FIELDS).rows_to_columns(wire)
    of_frame = frame_to_columns(pl.DataFrame(rows, schema=SCHEMA), FIELDS)
    for field in FIELDS:
        values = of_frame[field.name]
        if isinstance(values, bytes):
            np.testing.assert_array_equal(np.frombuffer(values), np.array(columns[field.name], dtype=float))
        else:
            assert values == columns[field.name]


def test_times_are_divided_alike() -> None:
    """Polars would multiply by a millionth, which is another double for this instant."""
    microseconds = 1_736_151_558_260_446
    frame = pl.DataFrame({"at": pl.Series([microseconds]).cast(pl.Datetime("us", "UTC"))})
    assert frame_to_matrix(frame, [FIELDS[4]])[0, 0] == microseconds / 1e6


def test_other_types_and_columns_are_taken() -> None:
    frame = pl.DataFrame(
        {
            "other": [1, 2],
            "age": pl.Series([3, None], dtype=pl.Int8),
            "job": pl.Series(["pilot", None], dtype=pl.Categorical),
            "at": pl.Series([86_400_000, None]).cast(pl.Datetime("ms")),
        }
    )
    found = frame_to_matrix(frame, [FIELDS[4], FIELDS[1], FIELDS[3]])
    np.testing.assert_array_equal(found, [[86_400.0, 3.0, 2.0], [np.nan, np.nan, 5.0]])


def test_an_absent_column_is_named() -> None:
    with pytest.raises(DataError, match="there is no column 'age'"):
        frame_to_matrix(pl.DataFrame({"score": [1.0]}), FIELDS)


def test_no_rows() -> None:
    assert frame_to_matrix(pl.DataFrame(schema=SCHEMA), FIELDS).shape == (0, 7)
