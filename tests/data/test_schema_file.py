"""`schema.toml` holds a schema exactly, and a mistake in it is named by table and key."""

import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mainspring.data.schema_file import format_schema, parse_schema, read_schema, write_schema
from mainspring.domain.schema import Column, Kind, Personal, Schema, Severity
from mainspring.errors import DataError

hostile = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.sampled_from(
        ['a"b', "a.b", "'''", '"""', "\\", "\n", "#", "[x]", "\x7f", "\x00", "é", "columns", "\u2028", ""]
    ),
)
numbers = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
ranges = st.one_of(
    st.just((None, None)),
    st.tuples(numbers, numbers).map(sorted).map(tuple),
    st.tuples(hostile, hostile).map(sorted),
)


@st.composite
def columns(draw: st.DrawFn) -> Column:
    low, high = draw(ranges)
    spelled = draw(st.lists(hostile, unique=True, max_size=6))
    return Column(
        name=draw(hostile),
        kind=draw(st.sampled_from(Kind)),
        missing=tuple(draw(st.lists(hostile, max_size=4))),
        strip=draw(st.booleans()),
        time_format=draw(
            st.sampled_from([None, "iso", "epoch_s", '%d."%m"']) | hostile.map(lambda text: f"%Y{text}")
        ),
        true=tuple(spelled[::2]),
        false=tuple(spelled[1::2]),
        drop_dot=draw(st.booleans()),
        nullable=draw(st.booleans()),
        max_missing_share=draw(st.none() | st.floats(0, 1)),
        minimum=low,
        maximum=high,
        categories=draw(st.none() | st.lists(hostile, max_size=30).map(tuple)),
        unique=draw(st.booleans()),
        freshness=draw(st.sampled_from([None, "7d", "1h30m"])),
        personal=draw(st.sampled_from([None, *Personal])),
        severity=draw(st.sampled_from(Severity)),
    )


@settings(max_examples=200, deadline=None)
@given(
    schema=st.lists(columns(), min_size=1, max_size=5, unique_by=lambda column: column.name).map(
        lambda found: Schema(tuple(found))
    ),
    note=hostile,
)
def test_what_is_written_is_read(schema: Schema, note: str) -> None:
    text = format_schema(schema, {column.name: note for column in schema})
    again = parse_schema(text)
    assert repr(again) == repr(schema)  # tells 1 from 1.0 and 0.0 from -0.0
    assert again.reading_digest() == schema.reading_digest()


def test_a_file_is_written_and_read(tmp_path: Path) -> None:
    schema = Schema((Column("age", Kind.INTEGER, missing=("?",)), Column("b c", Kind.TIME, time_format="iso")))
    write_schema(tmp_path / "schema.toml", schema, {"age": "whole numbers\nand more"})
    assert read_schema(tmp_path / "schema.toml") == schema
    text = (tmp_path / "schema.toml").read_text()
    assert "# whole numbers and more\n[columns.age]\n" in text
    assert '[columns."b c"]' in text
    assert list(tmp_path.iterdir()) == [tmp_path / "schema.toml"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "describes no columns"),
        ("columns = 1", "describes no columns"),
        ("[column.age]\nkind='text'", "unknown entry 'column'"),
        ("[columns.age]\nkind='text'\n[other]\n", "unknown entry 'other'"),
        ("[columns.age\n", "is no TOML: .*line 1"),
        ("[columns]\nage = 'text'", r"\[columns.age\] is no table"),
        ("[columns.age]\n", r"\[columns.age\] kind is missing"),
        ("[columns.age]\nkind='numer'", r"\[columns.age\] kind is 'numer'; use one of: number"),
        ("[columns.age]\nkind=1", r"\[columns.age\] kind is 1"),
        ("[columns.age]\nkind='text'\nminimun=1", r"\[columns.age\] minimun is not known; did you mean minimum"),
        ("[columns.age]\nkind='text'\nmissing='?'", r"\[columns.age\] missing is '\?'; write a list"),
        ("[columns.age]\nkind='text'\ncategories=[1]", r"\[columns.age\] categories is \[1\]"),
        ("[columns.age]\nkind='text'\nstrip='yes'", r"\[columns.age\] strip is 'yes'; write true or false"),
        ("[columns.age]\nkind='text'\nmax_missing_share=1.5", r"max_missing_share is 1.5"),
        ("[columns.age]\nkind='text'\nmax_missing_share=nan", r"max_missing_share is nan"),
        ("[columns.age]\nkind='number'\nminimum=nan", r"minimum is nan"),
        ("[columns.age]\nkind='number'\nminimum=2\nmaximum=1", r"minimum is 2, above maximum, 1"),
        ("[columns.age]\nkind='number'\nminimum='2'\nmaximum=1", r"maximum is 1 while minimum is '2'"),
        ("[columns.age]\nkind='time'\ntime_format='dmy'", r"time_format is 'dmy'"),
        ("[columns.age]\nkind='time'\nfreshness='soon'", r"freshness is 'soon'; write a duration"),
        ("[columns.age]\nkind='text'\nseverity='fatal'", r"severity is 'fatal'; use one of: error, warning, off"),
        ("[columns.age]\nkind='boolean'\ntrue=['1']\nfalse=['1']", r"false holds '1' as true does"),
        ("[columns.'a b']\nkind='x'", r'\[columns."a b"\] kind'),
        ("columns = [" + "[" * 5000, "is no TOML"),
    ],
)
def test_a_mistake_is_named_by_table_and_key(text: str, told: str) -> None:
    with pytest.raises(DataError, match=told) as caught:
        parse_schema(text)
    assert caught.value.message.startswith("schema.toml")
    assert caught.value.cure


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no schema\.toml"):
        read_schema(tmp_path / "schema.toml")
    (tmp_path / "schema.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"schema\.toml cannot be read"):
        read_schema(tmp_path / "schema.toml")


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.sampled_from(string.printable), max_size=60).map(lambda text: "[columns.age]\n" + text))
@example(text="columns.age.kind = 'text'")
def test_any_text_gives_a_schema_or_our_error(text: str) -> None:
    try:
        found: Any = parse_schema(text)
    except DataError:
        return
    assert isinstance(found, Schema)


def test_an_unknown_way_with_personal_values_is_named() -> None:
    with pytest.raises(DataError, match="personal is 'hide'; use one of: hash, mask, omit"):
        parse_schema('[columns.mail]\nkind = "text"\npersonal = "hide"\n')


def test_the_tag_of_personal_values_makes_no_new_snapshot() -> None:
    plain, tagged = Column("mail", Kind.TEXT), Column("mail", Kind.TEXT, personal=Personal.HASH)
    assert Schema((plain,)).reading_digest() == Schema((tagged,)).reading_digest()
