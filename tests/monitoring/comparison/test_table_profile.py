import polars as pl
import pytest

from mainspring.domain.schema import Column, Kind
from mainspring.domain.source import Source
from mainspring.errors import SourceFormatError
from mainspring.monitoring.comparison.table_profile import agreed, profile_table, table_columns


def kinds(a, b, **options):
    pair = agreed(Column("c", a), Column("c", b), **options)
    return None if pair is None else tuple(one.kind for one in pair)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_kind_agrees_with_itself_and_with_an_empty_column(kind):
    assert kinds(kind, kind) == (kind, kind)
    assert kinds(Kind.CATEGORY, kind, empty_a=True) == (kind, kind)
    assert kinds(kind, Kind.CATEGORY, empty_b=True) == (kind, kind)


@pytest.mark.parametrize(
    ("a", "b", "both"),
    [
        (Kind.NUMBER, Kind.INTEGER, Kind.NUMBER),
        (Kind.TEXT, Kind.CATEGORY, Kind.CATEGORY),
        (Kind.ID, Kind.INTEGER, Kind.ID),
        (Kind.ID, Kind.TEXT, Kind.ID),
        (Kind.NUMBER, Kind.CATEGORY, None),
        (Kind.BOOLEAN, Kind.INTEGER, None),
        (Kind.TIME, Kind.TEXT, None),
    ],
)
def test_kinds_that_differ(a, b, both):
    wanted = None if both is None else (both, both)
    assert kinds(a, b) == kinds(b, a) == wanted


def test_each_table_keeps_its_spelling_and_both_have_the_words_for_missing():
    pair = agreed(
        Column("c", Kind.BOOLEAN, true=("yes",), false=("no",), missing=("?",)),
        Column("c", Kind.BOOLEAN, true=("1",), false=("0",), missing=("-",), strip=True),
    )
    assert [(one.true, one.missing, one.strip) for one in pair] == [
        (("yes",), ("-", "?"), True),
        (("1",), ("-", "?"), True),
    ]


def test_every_row_of_every_file_is_sketched(tmp_path):
    for place in range(3):
        pl.DataFrame({"n": range(100 * place, 100 * place + 100), "c": ["x"] * 100}).write_csv(
            tmp_path / f"{place}.csv"
        )
    source = Source("*.csv")
    found = table_columns(source, tmp_path)
    assert {name: column.kind for name, column in found.columns.items()} == {"n": Kind.ID, "c": Kind.CATEGORY}
    profile = profile_table(found.source, [Column("n", Kind.INTEGER), Column("c", Kind.CATEGORY)], tmp_path)
    assert profile.rows == 300
    assert profile.profile.columns["n"].moments.maximum == 299
    assert profile.profile.columns["c"].frequencies.counts == {"x": 300}


def test_what_is_not_of_the_kind_is_counted_and_missing(tmp_path):
    (tmp_path / "a.csv").write_text("n,other\n1.5,a\nx,b\n,c\ny,d\n")
    found = profile_table(Source("a.csv"), [Column("n", Kind.INTEGER)], tmp_path)
    assert (found.rows, found.unreadable, found.examples) == (4, {"n": 2}, {"n": "x"})
    assert (found.profile.columns["n"].missing, found.profile.columns["n"].moments.mean) == (3, 1.5)


def test_a_column_that_some_rows_lack_is_missing_there(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"n": 1}\n{"n": 2, "c": "x"}\n{"c": "y"}\n')
    found = profile_table(Source("a.jsonl"), [Column("n", Kind.NUMBER), Column("z", Kind.CATEGORY)], tmp_path)
    assert (found.profile.columns["n"].rows, found.profile.columns["n"].missing) == (3, 1)
    assert (found.profile.columns["z"].rows, found.profile.columns["z"].missing) == (3, 3)


def test_a_file_that_breaks_halfway_is_said(tmp_path):
    (tmp_path / "a.csv").write_text("n,c\n" + "1,x\n" * 50_000 + "1,x,y\n")
    with pytest.raises(SourceFormatError, match=r"row 50,001 has 3 fields"):
        profile_table(Source("a.csv"), [Column("n", Kind.NUMBER)], tmp_path)
