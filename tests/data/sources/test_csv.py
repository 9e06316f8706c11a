"""CSV files of every make, and the ways in which they can be broken."""

import bz2
import contextlib
import csv
import gzip
import io
import subprocess
import sys
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import mainspring.data.sources.csv_blocks as csv_blocks
from mainspring.data.sources.csv import CsvPart
from mainspring.data.sources.part import SourceFile
from mainspring.domain.source import Source
from mainspring.errors import SourceFormatError, SourceNotFound


def part(path: Path, **options: str) -> CsvPart:
    return CsvPart(SourceFile(path, path.name), Source(path.name, **options))


def read(path: Path, batch_rows: int = 1000, **options: str) -> pl.DataFrame:
    return pl.concat([batch.frame for batch in part(path, **options).batches(batch_rows)])


def rows(path: Path, **options: str) -> list[tuple[str | None, ...]]:
    return read(path, **options).rows()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clicks.csv"


def test_a_quoted_empty_field_is_not_an_absent_one(file: Path) -> None:
    file.write_text('a,b\n"",\n,""\nx,y\n')
    assert rows(file) == [("", None), (None, ""), ("x", "y")]


def test_everything_is_text(file: Path) -> None:
    file.write_text("a,b,c,d\n001,12345678901234567890,1.0,2026-01-31\n002,1,1,NaN\n")
    assert rows(file) == [("001", "12345678901234567890", "1.0", "2026-01-31"), ("002", "1", "1", "NaN")]


@pytest.mark.parametrize(
    ("text", "delimiter", "decimal"),
    [
        ("a;b\n1,5;x\n2;y\n", ";", ","),
        ("a\tb\n1.5\tx\n", "\t", "."),
        ("a|b\n1|x,y\n", "|", "."),
        ("a,b\n1,x;y\n", ",", "."),
        ('a,b\n"1,5",x\n"2,25",y\n', ",", ","),
        ('a,b\n"1,000",x\n"22,000",y\n', ",", "."),
        ("a;b\n1.234,5;x\n", ";", ","),
        ("a;b\n1.5;2,5\n", ";", "."),  # both: the decimal point is the usual one
        ("a\nx\n", ",", "."),
        ('a;"b;c"\n1;2\n', ";", "."),
    ],
)
def test_the_dialect_is_found(file: Path, text: str, delimiter: str, decimal: str) -> None:
    file.write_text(text)
    dialect = part(file).dialect
    assert (dialect.delimiter, dialect.decimal) == (delimiter, decimal)
    assert read(file).width == len(dialect.names)


def test_a_declared_dialect_stands(file: Path) -> None:
    file.write_text("a;b,c\n1;2,3\n")
    assert read(file, delimiter=",").columns == ["a;b", "c"]


def test_single_quotes_are_found(file: Path) -> None:
    file.write_text("a,b\n'x, y','z'\n'it''s','w'\n")
    assert rows(file) == [("x, y", "z"), ("it's", "w")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_tells_the_encoding(file: Path, encoding: str) -> None:
    file.write_text("naïve,b\né,“x”\n", encoding=encoding)
    assert read(file).columns == ["naïve", "b"]
    assert rows(file) == [("é", "“x”")]


def test_a_west_european_text_is_found(file: Path) -> None:
    file.write_text("stadt;preis\nKöln;1,5\nMünchen;2,5\nDüren;3\n", encoding="cp1252")
    assert part(file).dialect.encoding == "cp1252"
    assert read(file).get_column("stadt").to_list() == ["Köln", "München", "Düren"]


def test_a_declared_encoding_stands(file: Path) -> None:
    file.write_text("a\nЖ\n", encoding="cp1251")
    assert rows(file, encoding="cp1251") == [("Ж",)]


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("zst", None)])
def test_compressed_files_are_unpacked(tmp_path: Path, ending: str, pack: object) -> None:
    text = b"a,b\n" + b"1,x\n" * 100_000
    path = tmp_path / f"clicks.csv.{ending}"
    packed = pack(text) if callable(pack) else pa.compress(text, codec="zstd", asbytes=True)
    path.write_bytes(packed)
    assert read(path).height == 100_000
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(SourceFormatError, match=r"clicks\.csv.*(ends too early|damaged)"):
        read(path)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_end_of_line_is_one(file: Path, end: str) -> None:
    file.write_bytes(f'a,b{end}1,"x{end}y"{end}2,z'.encode())
    assert rows(file) == [("1", f"x{end}y"), ("2", "z")]


def test_names_are_stripped_and_empty_ones_numbered(file: Path) -> None:
    file.write_text(" ,age , income\n1,2,3\n")
    assert read(file).columns == ["column_1", "age", "income"]


def test_only_the_wanted_columns_are_given(file: Path) -> None:
    file.write_text("a,b,c\n1,2,3\n4,5,6\n")
    (batch,) = part(file).batches(10, ["c", "a"])
    assert batch.frame.rows() == [("1", "3"), ("4", "6")]
    (batch,) = part(file).batches(10, ["nothing"])
    assert (batch.rows, batch.frame.width) == (2, 0)


def test_batches_are_no_higher_than_asked(file: Path) -> None:
    file.write_text("a\n" + "x\n" * 25)
    assert [batch.frame.height for batch in part(file).batches(10)] == [10, 10, 5]


# Broken files


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "clicks.csv is empty"),
        (b"\n \n", "clicks.csv is empty"),
        (b"\xef\xbb\xbf", "clicks.csv is empty"),
        (b"a,b\n", "header but no rows"),
        (b"a,b", "header but no rows"),
        (b"a,b,a\n1,2,3\n", "two columns named 'a'"),
        (b"a,__row\n1,2\n", "'__row'"),
        (b"1.5,2.5\n3,4\n", "no header"),
        (b"a,b\n1,2\n1,2,3\n", "row 2 has 3 fields, and the header has 2"),
        (b"a,b\n1,2\n\n1\n", "row 2 has 1 fields, and the header has 2"),
        (b'a,b\n1,"2\n', "line 2 a quote is opened and never closed"),
        (b"a,b\n1,\x00\n", "zero byte in line 2"),
        (b"PK\x03\x04abc", "Excel workbook"),
        (b"\x89PNG\r\n\x1a\n", "PNG image"),
        (b"PAR1abc", "Parquet file"),
        (b"a,b\n1,2\ncaf\xe9,3\n", "byte 0xe9 at offset 11, in line 3 .row 2."),
        (b"a,b\n1,2\ncaf\xc3", "byte 0xc3 at offset 11"),
    ],
)
def test_a_broken_file_is_told_by_name_and_place(file: Path, content: bytes, told: str) -> None:
    file.write_bytes(content)
    with pytest.raises(SourceFormatError, match=told) as caught:
        read(file)
    assert caught.value.where["file"] == "clicks.csv"
    assert caught.value.cure


def test_a_wrong_declared_encoding_is_told(file: Path) -> None:
    file.write_text("a\nKöln\nMünchen\nDüren\n", encoding="cp1252")
    with pytest.raises(SourceFormatError, match="not in utf-8"):
        read(file, encoding="utf-8")
    with pytest.raises(SourceFormatError, match="no encoding"):
        read(file, encoding="klingon")


def test_a_wrong_byte_deep_in_a_file_is_found(file: Path) -> None:
    lines = [b"a,b"] + [b"x,y"] * 2_000_000
    lines[1_500_001] = b"x,\xff"
    file.write_bytes(b"\n".join(lines))
    with pytest.raises(SourceFormatError, match="in line 1,500,002") as caught:
        read(file, 100_000)
    assert caught.value.where["offset"] == 4 * 1_500_001 + 2


def test_a_ragged_row_deep_in_a_file_is_named(file: Path) -> None:
    lines = ["a,b"] + ["x,y"] * 3_000_000
    lines[2_500_000] = "x,y,z"
    file.write_text("\n".join(lines))
    with pytest.raises(SourceFormatError, match="row 2,500,000 has 3 fields"):
        read(file, 100_000)


_ENDLESS = """
import resource, sys, time
from pathlib import Path
from mainspring.data.sources.csv import CsvPart
from mainspring.data.sources.part import SourceFile
from mainspring.domain.source import Source
from mainspring.errors import SourceFormatError
path = Path(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    list(CsvPart(SourceFile(path, path.name), Source(path.name)).batches(1000))
except SourceFormatError as error:
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
    print(error)
"""


@pytest.mark.parametrize("opening", ['"', ""])
def test_a_field_of_200_mb_is_refused_in_little_memory(file: Path, opening: str) -> None:
    with file.open("w") as stream:
        stream.write("a,b\n1,2\n1," + opening)
        for _ in range(200):
            stream.write("x" * 1_000_000)
        stream.write(opening + "\n3,4\n")
    done = subprocess.run(
        [sys.executable, "-c", _ENDLESS, str(file)], check=True, capture_output=True, text=True, timeout=30
    )
    grown, message = done.stdout.splitlines()
    assert float(grown) < 150  # MB
    assert "line 3 has more than 16 MB" in message


def test_leaving_early_is_clean(file: Path) -> None:
    file.write_text("a,b\n" + "x,y\n" * 3_000_000)
    batches = part(file).batches(100)
    assert next(batches).frame.height == 100
    batches.close()


def test_a_file_that_changes_meanwhile_is_told(file: Path) -> None:
    file.write_text("a,b\n" + "x,y\n" * 100)
    batches = part(file).batches(10)
    next(batches)
    file.write_text("a,b\n1,2\n")
    with pytest.raises(SourceFormatError, match="changed while"):
        list(batches)


def test_an_unreadable_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match=r"gone\.csv"):
        read(tmp_path / "gone.csv")


# Laws

cells = st.one_of(st.none(), st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8))


def written(table: list[list[str | None]], delimiter: str, end: str) -> str:
    """Quoted where Python's own csv would, and every text that is empty."""
    lines = []
    for row in table:
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter, lineterminator="").writerow([cell or "" for cell in row])
        plain = ["" if cell is None else f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row]
        lines.append(delimiter.join(plain))
    return end.join(lines) + end


@settings(max_examples=60, deadline=None)
@given(
    table=st.lists(st.lists(cells, min_size=2, max_size=2), min_size=1, max_size=12),
    delimiter=st.sampled_from([",", ";", "\t"]),
    end=st.sampled_from(["\n", "\r\n"]),
    block=st.integers(1, 40),
)
@example(table=[["a\nb", '"'], ['""', "\r"]], delimiter=",", end="\r\n", block=3)
def test_what_is_written_is_read_at_any_cut(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str | None]], delimiter: str, end: str, block: int
) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_bytes(written([["left", "right"], *table], delimiter, end).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_blocks, "_BLOCK", block)
        got = rows(path, delimiter=delimiter, quote='"', encoding="utf-8", decimal=".")
    assert got == [tuple(row) for row in table]


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=200))
@example(content=b'a,b\n1,"')
@example(content=b'"')
@example(content=b"\x1f\x8b\x08")
def test_any_bytes_give_rows_or_one_of_our_errors(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_bytes(content)
    with contextlib.suppress(SourceFormatError):
        read(path)
