"""JSON lines, Parquet, Delta tables, SQL queries, and finding files: each through the same door."""

import datetime
import decimal
import gzip
import sqlite3
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.data.sources.opening import open_source
from mainspring.domain.source import Source
from mainspring.errors import DataError, SourceFormatError, SourceNotFound


def frames(source: Source, root: Path, environ: dict[str, str] | None = None) -> list[pl.DataFrame]:
    with open_source(source, root, environ) as parts:
        return [pl.concat([batch.frame for batch in part.batches(2)], how="diagonal_relaxed") for part in parts]


def names(source: Source, root: Path) -> list[str]:
    with open_source(source, root) as parts:
        return [part.name for part in parts]


def digests(source: Source, root: Path) -> list[str]:
    with open_source(source, root) as parts:
        return [part.digest() for part in parts]


# Finding


def test_a_glob_gives_its_files_sorted_by_name(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("b.csv", "a.csv", "c.csv"):
        (tmp_path / "data" / name).write_text("x\n1\n")
    (tmp_path / "data" / "d.csv").mkdir()
    assert names(Source("data/*.csv"), tmp_path) == ["data/a.csv", "data/b.csv", "data/c.csv"]
    assert names(Source(["data/c.csv", "data/[ab].csv"]), tmp_path) == ["data/c.csv", "data/a.csv", "data/b.csv"]


def test_a_name_with_brackets_is_a_name_first(tmp_path: Path) -> None:
    (tmp_path / "a[1].csv").write_text("x\n1\n")
    assert names(Source("a[1].csv"), tmp_path) == ["a[1].csv"]


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("clikcs.csv", r"there is no file clikcs.csv; did you mean clicks.csv\?"),
        ("data/x.csv", "there is no folder data"),
        ("*.parquet", "no file matches .*the folder has clicks.csv"),
        ("folder", r"folder is a folder, and no Delta table; .*folder/\*\.csv"),
        ("s3://bucket/x.csv", "cloud URL"),
        ("x" * 300 + ".csv", "cannot be read: File name too long"),
        ("clicks.csv/x.csv", "there is no file clicks.csv/x.csv"),
    ],
)
def test_what_is_not_there_is_told_with_a_cure(tmp_path: Path, location: str, told: str) -> None:
    (tmp_path / "clicks.csv").write_text("x\n1\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.csv").write_text("x\n1\n")
    with pytest.raises(SourceNotFound) as caught:
        frames(Source(location), tmp_path)
    assert pytest.importorskip("re").search(told, str(caught.value)), str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_an_unknown_ending_is_read_by_its_first_bytes(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "x.data")
    (tmp_path / "y.data").write_text('{"a": 1}\n')
    (tmp_path / "z.data").write_text("a\n1\n")
    got = [frames(Source(name), tmp_path)[0].rows() for name in ("x.data", "y.data", "z.data")]
    assert got == [[(1,)], [("1",)], [("1",)]]


# JSON lines


def test_json_numbers_keep_their_spelling(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"n": 12345678901234567890123, "f": 1.0, "s": "001", "b": true, "z": null, "l": [1, {"a": 2}]}\n'
        '\n{"s": "naïve \\ud83d\\ude00", "late": 1e5}\n'
    )
    (frame,) = frames(Source("a.jsonl"), tmp_path)
    assert frame.rows(named=True) == [
        {
            "n": "12345678901234567890123",
            "f": "1.0",
            "s": "001",
            "b": "true",
            "z": None,
            "l": '[1, {"a": 2}]',
            "late": None,
        },
        {"n": None, "f": None, "s": "naïve 😀", "b": None, "z": None, "l": None, "late": "1e5"},
    ]
    with open_source(Source("a.jsonl"), tmp_path) as (part,):
        assert {name for batch in part.batches(9) for name in batch.strings} == {"s"}


def test_json_lines_may_be_packed(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}\n' * 5))
    assert frames(Source("a.jsonl.gz"), tmp_path)[0].height == 5


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"a": 1}\n{"a": 2\n', "row 2 is no JSON object"),
        ('{"a": 1}\n[1]\n', "row 2 is no JSON object"),
        ('[{"a": 1}]\n', "row 1 is an array"),
        ('{"a": NaN}\n', "row 1 is no JSON object"),
        ('{"a": Infinity}\n', "row 1"),
        ("", "is empty"),
        ("\n\n", "is empty"),
        ('{"__row": 1}\n', "__row"),
        ('{"a": "' + "x" * (17 << 20) + '"}', "row 1 has more than 16 MB"),
    ],
)
def test_broken_json_lines_are_told(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "a.jsonl").write_text(content)
    with pytest.raises(SourceFormatError, match=told) as caught:
        frames(Source("a.jsonl"), tmp_path)
    assert caught.value.where["file"] == "a.jsonl"


# Parquet


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "i": [1, None],
            "f": [1.0, float("nan")],
            "s": ["001", None],
            "at": [datetime.datetime(2026, 1, 1), None],
            "a.b": [True, None],
        }
    )
    frame.write_parquet(tmp_path / "a.parquet")
    (got,) = frames(Source("a.parquet"), tmp_path)
    assert got.schema == frame.schema
    with open_source(Source("a.parquet"), tmp_path) as (part,):
        assert [batch.frame.columns for batch in part.batches(9, ["a.b", "s"])] == [["s", "a.b"]]


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "middle", "no rows"])
def test_a_damaged_parquet_file_is_told(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"a": pl.Series(range(100_000)).hash()}).write_parquet(path)
    content = path.read_bytes()
    middle = content[:4] + b"\xff" * 500 + content[504:]  # the header of the first page
    path.write_bytes(
        {"cut": content[:1000], "text": b"a,b\n1,2\n", "empty": b"", "middle": middle}.get(damage, b"")
    )
    if damage == "no rows":
        pl.DataFrame({"a": [1]}).clear().write_parquet(path)
    with pytest.raises(SourceFormatError, match=r"a\.parquet"):
        frames(Source("a.parquet"), tmp_path)


# Delta


def test_a_delta_table_gives_its_files_in_order(tmp_path: Path) -> None:
    for n in range(4):
        write_deltalake(str(tmp_path / "t"), pl.DataFrame({"a": [n, n], "day": ["x", "y"]}), mode="append")
    before = digests(Source("t"), tmp_path)
    assert pl.concat(frames(Source("t"), tmp_path)).get_column("a").to_list() == [0, 0, 1, 1, 2, 2, 3, 3]
    write_deltalake(str(tmp_path / "t"), pl.DataFrame({"a": [9], "day": ["z"]}), mode="append")
    assert digests(Source("t"), tmp_path)[:-1] == before


def test_a_partitioned_delta_table_has_its_partitions(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [1, 2, 3], "day": [1, 1, 2], "naïve é": ["x", "y", "z"]})
    write_deltalake(str(tmp_path / "t"), frame, partition_by=["day", "naïve é"])
    got = pl.concat(frames(Source("t"), tmp_path)).select("a", "day", "naïve é").sort("a")
    assert got.rows() == frame.rows()
    assert got.schema["day"] == pl.Int64


def test_an_empty_delta_table_is_told(tmp_path: Path) -> None:
    write_deltalake(str(tmp_path / "t"), pl.DataFrame({"a": [1]}).clear())
    with pytest.raises(SourceFormatError, match="Delta table t has no rows"):
        frames(Source("t"), tmp_path)
    (tmp_path / "t2" / "_delta_log").mkdir(parents=True)
    with pytest.raises(SourceFormatError, match="t2"):
        frames(Source("t2"), tmp_path)


# SQL


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("create table sale (id integer, name text, price real, big text, none text)")
        database.executemany(
            "insert into sale values (?, ?, ?, ?, ?)",
            [
                (1, "001", 1.0, "12345678901234567890", None),
                (2, "", 2.5, None, None),
                (3, "x:y %", None, "1", None),
            ],
        )
    database.close()
    return tmp_path


def test_a_query_gives_its_rows_as_text(shop: Path) -> None:
    source = Source("sqlite:///shop.db", query="select * from sale where name <> ':no %s' order by id")
    (frame,) = frames(source, shop)
    assert frame.rows() == [
        ("1", "001", "1.0", "12345678901234567890", None),
        ("2", "", "2.5", None, None),
        ("3", "x:y %", None, "1", None),
    ]
    with open_source(source, shop) as (part,):
        assert {name for batch in part.batches(9) for name in batch.strings} == {"name", "big"}


def test_a_query_is_read_as_it_was_digested(shop: Path) -> None:
    source = Source("sqlite:///shop.db", query="select id from sale order by id")
    with open_source(source, shop) as (part,):
        first = part.digest()
        with sqlite3.connect(shop / "shop.db") as database:
            database.execute("insert into sale (id) values (4)")
        database.close()
        assert sum(batch.frame.height for batch in part.batches(2)) == 3
        assert part.digest() != first
        assert sum(batch.frame.height for batch in part.batches(2)) == 4


def test_the_environment_fills_the_url(shop: Path) -> None:
    source = Source("sqlite:///$SHOP.db", query="select 1 as a")
    assert frames(source, shop, {"SHOP": "shop"})[0].rows() == [("1",)]
    with pytest.raises(DataError, match=r"\$SHOP, which is not set"):
        frames(source, shop)


@pytest.mark.parametrize(
    ("url", "query", "told"),
    [
        ("sqlite:///shop.db", "select * from absent", "no such table: absent"),
        ("sqlite:///shop.db", "selct 1", "syntax error"),
        ("sqlite:///shop.db", "create table x (a)", "no SELECT"),
        ("sqlite:///shop.db", "select * from sale where id > 9", "gives no rows"),
        ("sqlite:///shop.db", "select id, id from sale", "two columns named 'id'"),
        ("sqlite:///other.db", "select 1", "there is no database other.db"),
        ("klingon://x/y", "select 1", "no driver for klingon"),
        ("postgresql+psycopg://me:s3cret@127.0.0.1:1/db", "select 1", "the database postgresql 127.0.0.1 refused"),
    ],
)
def test_a_query_that_fails_is_told_without_secrets(shop: Path, url: str, query: str, told: str) -> None:
    with pytest.raises(DataError, match=told) as caught:
        frames(Source(url, query=query), shop)
    assert "s3cret" not in str(caught.value.to_dict())
    assert str(shop) not in str(caught.value)
    assert not (shop / "other.db").exists()


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text())),
        min_size=1,
        max_size=10,
    )
)
def test_equal_results_have_equal_digests_and_others_have_not(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any]]
) -> None:
    root = tmp_path_factory.mktemp("sql")
    try:
        for name, table in (("a.db", rows), ("b.db", [*rows, (1,)])):
            database = sqlite3.connect(root / name)
            database.execute("create table t (v)")
            database.executemany("insert into t values (?)", table)
            database.commit()
            database.close()
    except UnicodeEncodeError:  # a lone surrogate, which no database takes
        return
    first, again, other = (
        digests(Source(f"sqlite:///{name}", query="select v from t order by rowid"), root)
        for name in ("a.db", "a.db", "b.db")
    )
    assert first == again != other


def test_every_value_of_a_database_has_its_text() -> None:
    from mainspring.data.sources.sql import _text

    values = {
        decimal.Decimal("1.10"): "1.10",
        datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC): "2026-01-02T03:04:00+00:00",
        datetime.date(2026, 1, 2): "2026-01-02",
        b"\x00\xff": "00ff",
        2**70: str(2**70),
    }
    assert {value: _text(value) for value in values} == values
    assert (_text(True), _text(False), _text(float("nan"))) == ("true", "false", None)
