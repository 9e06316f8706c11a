"""Golden requests say on the wire what the original was asked, and stand where a runtime goes wrong first."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mainspring.data.estimator_frame import estimator_frame
from mainspring.domain.release import InputField
from mainspring.domain.schema import Column, Kind
from mainspring.errors import CandidateError, InvalidInput
from mainspring.release.golden import decode_golden, encode_golden
from mainspring.release.golden_requests import frame_of, golden_requests
from mainspring.release.inputs import input_fields
from mainspring.release.wire import from_wire, to_wire

FIELDS = (
    InputField("number", Kind.NUMBER),
    InputField("integer", Kind.INTEGER),
    InputField("boolean", Kind.BOOLEAN),
    InputField("category", Kind.CATEGORY),
    InputField("text", Kind.TEXT),
    InputField("id", Kind.ID),
    InputField("time", Kind.TIME),
    InputField("image", Kind.IMAGE),
)
TEXTS = st.none() | st.text(st.characters(codec="utf-8"), max_size=8)
ROW = st.fixed_dictionaries(
    {
        "number": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "integer": st.none() | st.integers(-(2**53), 2**53),
        "boolean": st.none() | st.booleans(),
        "category": TEXTS,
        "text": TEXTS,
        "id": TEXTS,
        "time": st.none() | st.datetimes(datetime(1902, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
        "image": TEXTS,
    }
)
TYPES: dict[str, Any] = {
    "number": pl.Float64,
    "integer": pl.Int64,
    "boolean": pl.Boolean,
    "category": pl.String,
    "text": pl.String,
    "id": pl.String,
    "time": pl.Datetime("us", "UTC"),
    "image": pl.String,
}


@given(st.lists(ROW, min_size=1, max_size=5))
def test_the_wire_loses_nothing(rows: list[dict[str, Any]]) -> None:
    typed = pl.DataFrame(rows, schema=TYPES)
    wire = msgspec.json.decode(msgspec.json.encode(to_wire(typed, FIELDS)))
    assert frame_of(wire, FIELDS).equals(estimator_frame(typed, FIELDS))
    assert from_wire(wire, FIELDS).equals(typed)


def test_integers_of_64_bits_keep_the_double_that_an_estimator_gets() -> None:
    typed = pl.DataFrame({"integer": [2**63 - 1, -(2**63), 2**53 + 1, None]})
    field = [InputField("integer", Kind.INTEGER)]
    assert frame_of(to_wire(typed, field), field).equals(estimator_frame(typed, field))
    back = from_wire(to_wire(typed, field), field)["integer"].to_list()
    assert [back[1], back[3]] == [-(2**63), None]
    assert back[0] > 2**63 - 2048


def test_what_no_gateway_takes_is_refused() -> None:
    with pytest.raises(InvalidInput, match="row 0: field 'number'"):
        from_wire([{"number": "12"}], [InputField("number", Kind.NUMBER)])


def real_rows(count: int) -> pl.DataFrame:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return pl.DataFrame(
        {
            "amount": [float(n) for n in range(count)],
            "visits": [n % 7 for n in range(count)],
            "at": [start + timedelta(hours=n) for n in range(count)],
            "city": [None if n % 5 == 0 else f"city {n % 3}" for n in range(count)],
        }
    ).with_columns(pl.col("at").cast(pl.Datetime("us", "UTC")))


COLUMNS = (
    Column("amount", Kind.NUMBER),
    Column("visits", Kind.INTEGER),
    Column("at", Kind.TIME),
    Column("city", Kind.CATEGORY, missing=("", "?")),
)


def answers(X: pd.DataFrame) -> NDArray[np.float64]:
    """An original that overflows at extreme values, as many do."""
    with np.errstate(over="ignore"):
        outputs = (X["amount"] * 1e10).to_numpy().reshape(-1, 1) + X["visits"].to_numpy().reshape(-1, 1)
    if not np.isfinite(outputs).all():
        raise CandidateError("it predicted inf")
    return outputs


@pytest.mark.parametrize("count", [1, 3, 199, 1000])
def test_there_are_always_200_real_ones_first(count: int) -> None:
    real = real_rows(count)
    fields = input_fields(COLUMNS, real)
    golden = golden_requests(answers, real, fields, {})
    assert len(golden.rows) == len(golden.outputs) > 200
    wire = to_wire(real, fields)
    assert golden.rows[0] == wire[0]
    assert golden.rows[199] == wire[-1]
    assert all(row in wire for row in golden.rows[:200])
    assert len({str(row) for row in golden.rows[:200]}) == min(count, 200)


def test_what_the_original_refuses_is_left_out_and_no_more() -> None:
    real = real_rows(50)
    golden = golden_requests(answers, real, input_fields(COLUMNS, real), {})
    amounts = {row["amount"] for row in golden.rows}
    assert not {1e300, -1e300} & amounts
    assert {1e18, -1e9, 5e-324} <= amounts
    assert np.array_equal(golden.outputs, answers(frame_of(golden.rows, input_fields(COLUMNS, real))))


def test_thresholds_get_their_neighbours() -> None:
    real = real_rows(50)
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()
    splits = {"amount": np.array([7.5]), "visits": np.array([3.5]), "at": np.array([noon])}
    rows = golden_requests(answers, real, input_fields(COLUMNS, real), splits).rows
    amounts, visits, times = ({row[name] for row in rows} for name in ("amount", "visits", "at"))
    assert {np.nextafter(7.5, 0), 7.5, np.nextafter(7.5, 8)} <= amounts
    assert {3, 4} <= visits
    assert {"2026-01-01T12:00:00.000000+00:00", "2026-01-01T12:00:00.000001+00:00"} <= times


def test_the_spellings_of_missing_are_asked_where_missing_is_allowed() -> None:
    real = real_rows(50)
    cities = {row["city"] for row in golden_requests(answers, real, input_fields(COLUMNS, real), {}).rows}
    assert {None, "", "never seen before"} <= cities
    whole = real.with_columns(pl.col("city").fill_null("city 0"))
    cities = {row["city"] for row in golden_requests(answers, whole, input_fields(COLUMNS, whole), {}).rows}
    assert not {None, ""} & cities


def test_an_original_that_refuses_real_rows_is_no_model() -> None:
    real = real_rows(50).with_columns(pl.lit(1e305).alias("amount"))
    with pytest.raises(CandidateError, match="predicted inf"):
        golden_requests(answers, real, input_fields(COLUMNS, real), {})


def test_lines_read_back_bit_for_bit() -> None:
    outputs = np.array([[0.1, 0.9], [1 / 3, 2 / 3]] * 100)
    rows = [{"a": n, "b": None, "c": "ü\n"} for n in range(200)]
    content = encode_golden(rows, outputs)
    assert content.count(b"\n") == 200
    read = decode_golden(content, release="adclick@1")
    assert [request.rows[0] for request in read] == rows
    assert np.array_equal(np.array([request.outputs[0] for request in read]), outputs)
