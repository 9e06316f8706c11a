"""What `schemas/VIEW.toml` promises is held against a view's rows, wherever they come from."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.data.validation import validate
from mainspring.domain.feature_view import FeatureView
from mainspring.domain.schema import Column, Kind, Schema, Severity
from mainspring.domain.source import Source
from mainspring.errors import DataError, MainspringError, SourceFormatError, ValidationFailed, ValueParseError
from mainspring.features.definition import ORDER
from mainspring.features.promises import findings
from mainspring.features.push import typed_rows
from mainspring.testing.offline import OfflineWorld

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HEAD = '[columns.user]\nkind = "id"\n[columns.at]\nkind = "time"\ntime_format = "iso"\n[columns.pages]\n'
VISITS = FeatureView("visits", source=Source("visits-*.csv"), key="user", time="at")


def written(world: OfflineWorld, promise: str, *, severity: str = "error", head: str = HEAD) -> None:
    """Two files of three rows each, and what is promised of the pages."""
    (world.root / "schemas").mkdir(exist_ok=True)
    text = f'{head}kind = "integer"\nmissing = [""]\nseverity = "{severity}"\n{promise}\n'
    (world.root / "schemas" / "visits.toml").write_text(text)
    (world.root / "visits-1.csv").write_text("user,at,pages\na,2026-03-01,1\nb,2026-03-01,2\nc,2026-03-01,3\n")
    (world.root / "visits-2.csv").write_text("user,at,pages\nd,2026-03-01,4\ne,2026-03-01,\nf,2026-03-01,9\n")


def pushed(*pages: int | None) -> pl.DataFrame:
    given = {"user": [f"p{place}" for place in range(len(pages))], "at": [NOON] * len(pages), "pages": list(pages)}
    return pl.DataFrame(given, schema_overrides={"pages": pl.Int64, "at": pl.Datetime("us", "UTC")})


@pytest.mark.parametrize(
    ("promise", "code", "file", "row", "words"),
    [
        (
            "minimum = 2",
            "below-minimum",
            "visits-1.csv",
            1,
            r"1 of 6 rows are below the minimum 2 .*; .*minimum = 1",
        ),
        ("maximum = 4", "above-maximum", "visits-2.csv", 3, r"above the maximum 4"),
        ("nullable = false", "missing-not-allowed", "visits-2.csv", 2, r"missing in 1 of 6 rows.*nullable = true"),
        ("max_missing_share = 0.1", "missing-share", "visits-2.csv", 2, r"more than the allowed 10\.00%"),
    ],
)
def test_a_broken_promise_names_file_row_column_and_cure(
    world: OfflineWorld, promise: str, code: str, file: str, row: int, words: str
) -> None:
    written(world, promise)
    with pytest.raises(ValidationFailed, match=words) as raised:
        world.offline().check(VISITS)
    assert str(raised.value).startswith("the view 'visits', column 'pages': ")
    assert f"first {file} row {row}" in str(raised.value)
    assert "of 'pages' in schemas/visits.toml" in raised.value.cure
    found = raised.value.where
    assert (found["check"], found["file"], found["row"], found["column"]) == (code, file, row, "pages")


def test_copies_categories_and_age_are_looked_at(world: OfflineWorld) -> None:
    for column, promise, words in [
        ("user", 'kind = "category"\ncategories = ["a", "b", "c", "d", "e"]\nseverity = "error"', "known ones"),
        ("user", 'kind = "id"\nunique = true\nseverity = "error"', "share their value"),
        ("at", 'kind = "time"\nfreshness = "1d"\nseverity = "error"', "older than the allowed 1d"),
    ]:
        written(world, "")
        place = world.root / "schemas" / "visits.toml"
        start = place.read_text().index(f"[columns.{column}]\n") + len(f"[columns.{column}]\n")
        end = place.read_text().index("[", start)
        place.write_text(f"{place.read_text()[:start]}{promise}\n{place.read_text()[end:]}")
        (world.root / "visits-3.csv").write_text("user,at,pages\na,2026-03-02,1\nf,2026-03-02,1\n")
        with pytest.raises(ValidationFailed, match=words):
            world.offline().check(VISITS)


def test_a_warning_is_told_and_holds_up_nothing(world: OfflineWorld) -> None:
    written(world, "maximum = 4", severity="warning")
    offline = world.offline()
    offline.check(VISITS)
    (told,) = offline.findings
    assert (told.code, told.severity, told.column) == ("above-maximum", Severity.WARNING, "visits.pages")
    assert told.examples == ({"file": "visits-2.csv", "row": 3, "value": 9},)
    assert "first visits-2.csv row 3" in told.told()
    # Told again by whoever looks next, though the rows are looked at once.
    again = world.offline()
    again.check(VISITS)
    assert again.findings == [told]
    written(world, "maximum = 4", severity="off")
    off = world.offline()
    off.check(VISITS)
    assert off.findings == []


def test_an_edited_promise_is_looked_at_though_the_rows_are_the_same(world: OfflineWorld) -> None:
    written(world, "maximum = 9")
    offline = world.offline()
    taken = offline.take(VISITS)
    offline.check(VISITS, taken)
    written(world, "maximum = 8")
    edited = world.offline()
    assert edited.take(VISITS) == taken
    with pytest.raises(ValidationFailed, match="above the maximum 8"):
        edited.check(VISITS, taken)


def test_pushed_rows_are_looked_at_once_and_told_again(world: OfflineWorld) -> None:
    written(world, "maximum = 9", severity="warning")
    world.push(VISITS, pushed(12))
    offline = world.offline()
    for more in ((), (3,), (14, 5)):
        if more:
            world.push(VISITS, pushed(*more))
        offline.check(VISITS)
        (told,) = offline.told()
        assert (told.code, told.place) == ("above-maximum", ", first the row pushed as number 1")


def test_rows_that_were_pushed_before_the_promise_was_made_are_found(world: OfflineWorld) -> None:
    written(world, "maximum = 9")
    world.push(VISITS, pushed(5, 12))
    with pytest.raises(ValidationFailed, match="first the row pushed as number 2") as raised:
        world.offline().check(VISITS)
    assert raised.value.where["pushed"] == 2
    over = FeatureView("over", source=VISITS, key="user")
    with pytest.raises(ValidationFailed, match="the view 'visits', column 'pages'"):
        world.offline().check(over)


@pytest.mark.parametrize(
    ("promise", "row", "words"),
    [
        ({"minimum": 2}, {"pages": [3, 1]}, "below the minimum 2"),
        ({"maximum": 4}, {"pages": [3, 5]}, "above the maximum 4"),
        ({"nullable": False}, {"pages": [3, None]}, "missing in 1 of 2 rows"),
    ],
)
def test_a_pushed_row_that_breaks_a_promise_is_refused_by_name(
    promise: dict[str, object], row: dict[str, object], words: str
) -> None:
    def schema(severity: Severity) -> Schema:
        column = Column("pages", Kind.INTEGER, severity=severity, **promise)  # type: ignore[arg-type]
        return Schema((Column("user", Kind.ID), column), "schemas/visits.toml")

    frame = pl.DataFrame({"user": ["a", "b"], **row})
    with pytest.raises(ValidationFailed, match=words) as raised:
        typed_rows(frame, schema(Severity.ERROR), ["user"], "visits")
    assert (raised.value.where["row"], raised.value.where["column"]) == (1, "pages")
    assert typed_rows(frame, schema(Severity.WARNING), ["user"], "visits").height == 2


KINDS = {Kind.NUMBER: pl.Float64(), Kind.INTEGER: pl.Int64(), Kind.CATEGORY: pl.String()}


@settings(max_examples=60)
@given(st.data())
def test_it_finds_what_the_validation_of_a_model_s_own_rows_finds(data: st.DataObject) -> None:
    """One rule, looked at in two ways: the quick look must not miss what pandera would find, nor the reverse."""
    kind = data.draw(st.sampled_from(list(KINDS)))
    value = st.sampled_from(["a", "b", "c"]) if kind is Kind.CATEGORY else st.integers(-2, 2)
    values = data.draw(st.lists(st.none() | value, min_size=1, max_size=6))
    column = Column(
        "x",
        kind,
        nullable=data.draw(st.booleans()),
        unique=data.draw(st.booleans()),
        minimum=data.draw(st.none() | st.integers(-2, 2)),
        maximum=data.draw(st.none() | st.integers(-2, 2)),
        max_missing_share=data.draw(st.none() | st.sampled_from([0.0, 0.3, 1.0])),
        categories=data.draw(st.none() | st.just(("a", "b"))),
        severity=Severity.ERROR,
    )
    frame = pl.DataFrame([pl.Series("x", values, KINDS[kind], strict=False)])
    report = validate(frame, Schema((column,)), "s", previous=None, now=NOON)
    numbered = frame.lazy().with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(ORDER))
    found = findings("v", numbered, Schema((column,)), NOON, lambda order: {"row": order + 1})
    assert {one.code for one in found} == {one.code for one in report.errors}
    for ours, theirs in zip(found, report.errors, strict=True):
        assert (ours.message, ours.rows, ours.column) == (theirs.message, theirs.rows, "v.x")


def test_a_column_named_like_a_pattern_means_itself() -> None:
    schema = Schema((Column("^x.*$", Kind.INTEGER, maximum=1, severity=Severity.ERROR),))
    rows = pl.DataFrame({"^x.*$": [1, 2], "x1": [5, 5], ORDER: [0, 1]}).lazy()
    (found,) = findings("v", rows, schema, NOON, lambda order: {"row": order})
    assert (found.rows, found.examples) == (1, ({"row": 1, "value": 2},))


# A column that is another kind now than it was.


@pytest.mark.parametrize(("kind", "words"), [("number", ", and is number"), ("text", ", and is text")])
def test_a_kind_that_changed_after_rows_were_pushed_is_named_with_the_cure(
    world: OfflineWorld, kind: str, words: str
) -> None:
    written(world, "")
    world.push(VISITS, pushed(5))
    place = world.root / "schemas" / "visits.toml"
    place.write_text(place.read_text().replace('"integer"', f'"{kind}"'))
    offline = world.offline()
    for look in (offline.rows, offline.check):
        told = f"'pages' of the view 'visits' was of kind integer .*{words}"
        with pytest.raises(DataError, match=told) as raised:
            look(VISITS)
        assert raised.value.where == {"view": "visits", "column": "pages", "file": "schemas/visits.toml"}
        assert 'write kind = "integer" again, or give the view another name' in raised.value.cure
    place.write_text(place.read_text().replace(f'"{kind}"', '"integer"'))
    assert world.offline().rows(VISITS).collect()["pages"].to_list() == [1, 2, 3, 4, None, 9, 5]


def test_kinds_of_text_are_one_and_a_new_column_is_missing_in_earlier_rows(world: OfflineWorld) -> None:
    written(world, "")
    world.push(VISITS, pushed(5))
    place = world.root / "schemas" / "visits.toml"
    place.write_text(place.read_text().replace('"id"', '"category"') + '[columns.shop]\nkind = "category"\n')
    for file in world.root.glob("visits-*.csv"):
        head, *lines = file.read_text().splitlines()
        file.write_text("\n".join([f"{head},shop", *(f"{line},s1" for line in lines)]) + "\n")
    found = world.offline().rows(VISITS).collect()
    assert found["shop"].to_list() == ["s1"] * 6 + [None]


def test_rows_of_an_earlier_schema_are_asked_for_in_vain_by_name(world: OfflineWorld) -> None:
    written(world, "")
    taken = world.offline().take(VISITS)
    place = world.root / "schemas" / "visits.toml"
    place.write_text(place.read_text().replace('"integer"', '"number"'))
    with pytest.raises(DataError, match=r"'pages' was integer; now it is number in schemas/visits\.toml"):
        world.offline().rows(VISITS, taken)


def test_what_is_wrong_in_a_view_s_file_names_the_view_s_schema(world: OfflineWorld) -> None:
    cases: list[tuple[str, str, type[MainspringError]]] = [
        ("user,at,pages\na,2026-03-01,many\n", "set another kind, in schemas/visits.toml", ValueParseError),
        ("user,at\na,2026-03-01\n", "or correct schemas/visits.toml", SourceFormatError),
        ("user,at,pages,more\na,2026-03-01,1,2\n", "which schemas/visits.toml does not name", SourceFormatError),
    ]
    for text, words, kind in cases:
        written(world, "")
        (world.root / "visits-1.csv").write_text(text)
        with pytest.raises(kind) as raised:
            world.offline().take(VISITS)
        assert words in str(raised.value)


def test_a_bound_that_is_none_names_the_view_s_schema(world: OfflineWorld) -> None:
    written(world, "")
    place = world.root / "schemas" / "visits.toml"
    place.write_text(place.read_text().replace('"iso"', '"iso"\nminimum = "noon"'))
    with pytest.raises(DataError, match=r"'noon'.*in schemas/visits\.toml"):
        world.offline().check(VISITS)


def test_what_nobody_used_for_a_week_is_removed(world: OfflineWorld, tmp_path: Path) -> None:
    import os

    written(world, "")
    offline = world.offline()
    offline.check(VISITS)
    (mark,) = world.tables.names("promises/visits")
    offline.sweep(VISITS)
    assert world.tables.exists(mark)
    log = tmp_path / ".mainspring" / "tables" / mark / "_delta_log"
    then = (datetime.now(UTC) - timedelta(days=8)).timestamp()
    os.utime(log, (then, then))
    world.offline().check(VISITS)  # uses it
    offline.sweep(VISITS)
    assert world.tables.exists(mark)
    os.utime(log, (then, then))
    offline.sweep(VISITS)
    assert not world.tables.exists(mark)
    world.offline().check(VISITS)
    assert world.tables.exists(mark)
