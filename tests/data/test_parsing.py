"""Text becomes a value as the schema says: the same in training as in the gateway."""

import datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mainspring.data.parsing import BLANKS, DTYPES, as_text, parse
from mainspring.data.parsing_times import parse_times
from mainspring.domain.release import InputField
from mainspring.domain.schema import Column, Kind
from mainspring.release import encoding_cells

UTC = datetime.UTC


def one(text: str | None, column: Column, decimal: str = ".") -> Any:
    """The value of one text, or `"bad"`."""
    parsed = parse(pl.Series("x", [text], dtype=pl.String), column, decimal)
    assert parsed.values.dtype == DTYPES[column.kind]
    return "bad" if parsed.bad is not None else parsed.values[0]


def of(kind: Kind, **fields: Any) -> Column:
    return Column("x", kind, **fields)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("-1.5e3", -1500.0),
        ("0.1", 0.1),
        (".5", 0.5),
        ("5.", 5.0),
        ("+2", 2.0),
        ("1e999", "bad"),
        ("inf", "bad"),
        ("-Infinity", "bad"),
        ("nan", "bad"),
        ("1,5", "bad"),
        ("1_000", "bad"),
        ("0x1f", "bad"),
        (" 1", "bad"),
        ("", "bad"),
        ("١", "bad"),
        (None, None),
        ("9007199254740993", 9007199254740992.0),
        ("0.05644299999999999", 0.05644299999999999),
        ("1.7976931348623157e308", 1.7976931348623157e308),
        ("5e-324", 5e-324),
    ],
)
def test_numbers(text: str | None, value: Any) -> None:
    assert one(text, of(Kind.NUMBER)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,5", 1.5),
        ("1.234,5", 1234.5),
        ("1.000", 1000.0),
        ("1.5", "bad"),
        ("12.34,5", "bad"),
        ("-,5", -0.5),
        ("7", 7),
    ],
)
def test_numbers_with_a_decimal_comma(text: str, value: Any) -> None:
    assert one(text, of(Kind.NUMBER), ",") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-0", 0),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", "bad"),
        ("1.0", "bad"),
        ("", "bad"),
    ],
)
def test_integers(text: str, value: Any) -> None:
    assert one(text, of(Kind.INTEGER)) == value


def test_booleans_are_spelled_as_the_schema_says() -> None:
    column = of(Kind.BOOLEAN, true=("Yes", "y"), false=("No",), missing=("?",))
    assert [one(text, column) for text in ("Yes", "y", "No", "?", None, "yes")] == [
        True,
        True,
        False,
        None,
        None,
        "bad",
    ]
    assert [one(text, of(Kind.BOOLEAN)) for text in ("true", "FALSE", "1", "yes")] == [True, False, True, "bad"]


def test_blank_and_missing_are_told_apart() -> None:
    assert one("", of(Kind.CATEGORY)) == ""
    assert one(None, of(Kind.CATEGORY)) is None
    assert one("", of(Kind.CATEGORY, missing=("",))) is None
    assert one(" ", of(Kind.CATEGORY, missing=("",))) == " "
    assert one(" ", of(Kind.CATEGORY, missing=("",), strip=True)) is None
    assert one(" ?", of(Kind.CATEGORY, missing=("?",), strip=True)) is None


def test_a_dot_at_the_end_of_a_label_is_dropped_once() -> None:
    column = of(Kind.CATEGORY, drop_dot=True)
    assert [one(text, column) for text in ("<=50K.", "<=50K", "a..", ".", "a.b")] == [
        "<=50K",
        "<=50K",
        "a.",
        ".",
        "a.b",
    ]
    assert one("a.", of(Kind.CATEGORY)) == "a."


@pytest.mark.parametrize(
    ("text", "form", "value"),
    [
        ("2026-01-31", "iso", (2026, 1, 31)),
        ("2026-01-31T09:00:00Z", "iso", (2026, 1, 31, 9)),
        ("2026-01-31 09:00", "iso", (2026, 1, 31, 9)),
        ("2026-01-31 09:00:00.123456", "iso", (2026, 1, 31, 9, 0, 0, 123456)),
        ("2026-01-31T09:00:00+02:00", "iso", (2026, 1, 31, 7)),
        ("2026-02-30", "iso", None),
        ("26-01-31", "iso", None),
        ("31.01.2026", "iso", None),
        ("31.1.2026 09:05", "%d.%m.%Y %H:%M", (2026, 1, 31, 9, 5)),
        ("31.01.26", "%d.%m.%Y", None),
        ("31.01.26", "%d.%m.%y", (2026, 1, 31)),
        ("01/31/2026 03:04 PM", "%m/%d/%Y %I:%M %p", (2026, 1, 31, 15, 4)),
        ("31/01/2026", "%m/%d/%Y", None),
        ("5 January 2026", "%d %B %Y", (2026, 1, 5)),
        ("31.01.2026 09:05:06.5", "%d.%m.%Y %H:%M:%S.%f", (2026, 1, 31, 9, 5, 6, 500000)),
        ("0", "epoch_s", (1970, 1, 1)),
        ("1400269500", "epoch_s", (2014, 5, 16, 19, 45)),
        ("-1.5", "epoch_s", (1969, 12, 31, 23, 59, 58, 500000)),
        ("1400269500123", "epoch_ms", (2014, 5, 16, 19, 45, 0, 123000)),
        ("99999999999999", "epoch_s", None),
        ("x", "epoch_s", None),
    ],
)
def test_times(text: str, form: str, value: tuple[int, ...] | None) -> None:
    (got,) = parse_times(pl.Series([text]), form).to_list()
    assert got == (None if value is None else datetime.datetime(*value, tzinfo=UTC))


def test_values_with_a_type_become_the_kind() -> None:
    cases: list[tuple[pl.Series, Column, list[Any]]] = [
        (pl.Series([1.0, float("nan"), None]), of(Kind.NUMBER), [1.0, None, None]),
        (pl.Series([1.0, float("nan")]), of(Kind.INTEGER), [1, None]),
        (pl.Series([1, None], dtype=pl.UInt8), of(Kind.NUMBER), [1.0, None]),
        (pl.Series([2**64 - 1], dtype=pl.UInt64), of(Kind.ID), [str(2**64 - 1)]),
        (pl.Series([True, None]), of(Kind.INTEGER), [1, None]),
        (pl.Series([1, 0]), of(Kind.BOOLEAN, true=("1",), false=("0",)), [True, False]),
        (
            pl.Series([1400269500]),
            of(Kind.TIME, time_format="epoch_s"),
            [datetime.datetime(2014, 5, 16, 19, 45, tzinfo=UTC)],
        ),
        (pl.Series([datetime.date(2026, 1, 2)]), of(Kind.TIME), [datetime.datetime(2026, 1, 2, tzinfo=UTC)]),
        (pl.Series(["a", "?"], dtype=pl.Categorical), of(Kind.CATEGORY, missing=("?",)), ["a", None]),
        (pl.Series([1.0, 2.5]), of(Kind.CATEGORY), ["1", "2.5"]),
        (pl.Series(["1.5"]), of(Kind.NUMBER), [1.5]),
    ]
    for raw, column, expected in cases:
        parsed = parse(raw.alias("x"), column)
        assert parsed.bad is None
        assert parsed.values.dtype == DTYPES[column.kind]
        assert parsed.values.to_list() == expected
    for raw, column in (
        (pl.Series([1.5]), of(Kind.INTEGER)),
        (pl.Series([float("inf")]), of(Kind.NUMBER)),
        (pl.Series([2**64 - 1], dtype=pl.UInt64), of(Kind.INTEGER)),
        (pl.Series([datetime.date(2026, 1, 2)]), of(Kind.NUMBER)),
    ):
        assert parse(raw.alias("x"), column).bad is not None


def test_whatever_a_table_holds_has_a_text() -> None:
    frame = pl.DataFrame(
        {
            "list": [[1, 2], None],
            "struct": [{"a": 1}, {"a": None}],
            "binary": [b"\x00\xff", None],
            "day": [datetime.date(2026, 1, 2), None],
            "span": [datetime.timedelta(seconds=1), None],
            "null": [None, None],
        }
    )
    for series in frame:
        assert as_text(series).dtype == pl.String
    assert as_text(frame["list"]).to_list() == ["[1,2]", None]


texts = st.one_of(
    st.text(max_size=12),
    st.floats().map(repr),
    st.integers().map(str),
    st.datetimes().map(str),
    st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
    st.sampled_from(["", " ", "?", " 1", "\x1c1", "\u00a01", "yes", "2026-W01-1", "20260102", "0001-01-01"]),
)
columns = st.builds(
    Column,
    name=st.just("x"),
    kind=st.sampled_from([kind for kind in Kind if kind not in (Kind.NUMBER, Kind.INTEGER)]),
    missing=st.sampled_from([(), ("?",), ("", "?")]),
    strip=st.booleans(),
    time_format=st.sampled_from([None, "iso"]),
    true=st.just(("yes",)),
    false=st.just(("no",)),
)


@settings(max_examples=400, deadline=None)
@given(text=texts, column=columns)
@example(text="\x1f?", column=Column("x", Kind.CATEGORY, missing=("?",), strip=True))
def test_the_gateway_reads_a_text_as_training_does(text: str, column: Column) -> None:
    field = InputField(
        "x",
        column.kind,
        missing=column.missing,
        strip=column.strip,
        time_format=column.time_format,
        true=column.true,
        false=column.false,
    )
    numeric = column.kind in encoding_cells.NUMERIC_KINDS
    reader = encoding_cells.number_reader(field) if numeric else encoding_cells.text_reader(field)
    trained = one(text, column)
    try:
        served = reader(text)
    except encoding_cells.RefusedValue:
        assert trained == "bad"
        return
    if column.kind is Kind.TIME and isinstance(trained, datetime.datetime):
        micros = (trained - datetime.datetime(1970, 1, 1, tzinfo=UTC)) // datetime.timedelta(microseconds=1)
        trained = micros / 1e6
    assert trained == (None if served != served else served)


def test_blanks_are_the_same_on_both_sides() -> None:
    assert BLANKS == encoding_cells.BLANKS


@settings(max_examples=200, deadline=None)
@given(values=st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), min_size=1))
def test_a_number_written_by_python_comes_back_bit_for_bit(values: list[float | None]) -> None:
    parsed = parse(
        pl.Series("x", [None if v is None else repr(v) for v in values], dtype=pl.String), of(Kind.NUMBER)
    )
    assert [repr(value) for value in parsed.values.to_list()] == [repr(value) for value in values]
