"""A source is read as its schema says; what cannot be read is counted and named."""

from pathlib import Path

import polars as pl
import pytest

from mainspring.data.reading import read_batches
from mainspring.domain.schema import Column, Kind, Schema
from mainspring.domain.source import Source
from mainspring.errors import SourceFormatError, ValueParseError

SCHEMA = Schema((Column("size", Kind.NUMBER, missing=("?",)), Column("day", Kind.TIME, time_format="%d.%m.%Y")))


def test_batches_have_the_schema_s_columns_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("extra,day,size\nx,31.12.2026,1\ny,01.01.2027,?\n")
    (frame,) = read_batches(Source("a.csv"), SCHEMA, tmp_path)
    assert frame.columns == ["size", "day"]
    assert frame.dtypes == [pl.Float64, pl.Datetime("us", "UTC")]
    assert frame.get_column("size").to_list() == [1.0, None]


def test_batches_are_no_higher_than_asked_and_keep_the_order(tmp_path: Path) -> None:
    for place, name in enumerate("ab"):
        rows = "".join(f"{place * 25 + n},01.01.2026\n" for n in range(25))
        (tmp_path / f"{name}.csv").write_text("size,day\n" + rows)
    batches = list(read_batches(Source("*.csv"), SCHEMA, tmp_path, batch_rows=10))
    assert [batch.height for batch in batches] == [10, 10, 5, 10, 10, 5]
    assert pl.concat(batches).get_column("size").to_list() == list(range(50))


def test_bad_values_are_all_counted_and_five_are_named(tmp_path: Path) -> None:
    good = "1,01.01.2026\n"
    (tmp_path / "a.csv").write_text("size,day\n" + good * 3 + "x,01.01.2026\n" + good * 20 + "y,2026-01-01\n")
    (tmp_path / "b.csv").write_text("size,day\n" + "inf,01.01.2026\n" * 9 + "z,01.01.2026\n")
    given: list[pl.DataFrame] = []
    with pytest.raises(ValueParseError) as caught:
        given.extend(read_batches(Source("*.csv"), SCHEMA, tmp_path, batch_rows=2))
    assert sum(batch.height for batch in given) == 2  # the batch with the first bad value is not given out
    message = str(caught.value)
    assert "a.csv: column 'size' has 12 values that are no finite numbers" in message
    assert "row 4 ('x'), row 25 ('y'), b.csv row 1 ('inf'), b.csv row 2 ('inf'), b.csv row 3 ('inf'), …" in message
    assert "'day' too: 1, first in row 25" in message
    assert caught.value.where == {
        "file": "a.csv",
        "row": 4,
        "column": "size",
        "value": "x",
        "count": 12,
        "rows": [4, 25, 1, 2, 3],
    }


def test_a_long_value_is_shortened(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("size,day\n" + "x" * 1_000_000 + ",01.01.2026\n")
    with pytest.raises(ValueParseError) as caught:
        list(read_batches(Source("a.csv"), SCHEMA, tmp_path))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.csv", "size,Day\n1,x\n"), ("a.jsonl", '{"size": 1, "Day": "x"}\n'), ("a.csv", "size\n1\n")],
)
def test_a_missing_column_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SourceFormatError, match=f"{name} has no column 'day'"):
        list(read_batches(Source(name), SCHEMA, tmp_path))


def test_a_name_that_a_json_line_lacks_is_missing_there(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"size": 1}\n{"day": "01.01.2026"}\n')
    frame = pl.concat(read_batches(Source("a.jsonl"), SCHEMA, tmp_path))
    assert frame.null_count().row(0) == (1, 1)


def test_a_decimal_comma_is_read_in_every_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("size;day\n1.000,5;01.01.2026\n")
    (tmp_path / "b.csv").write_text("size;day\n1.000;01.01.2026\n")  # alone it looks like a decimal point
    source = Source("*.csv", delimiter=";", decimal=",")
    frame = pl.concat(read_batches(source, SCHEMA, tmp_path))
    assert frame.get_column("size").to_list() == [1000.5, 1000.0]
