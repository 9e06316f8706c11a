"""The rows of views: functions run once, pictures are found, checks hold, and what is read stays the same."""

import threading
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from mainspring.domain.feature_view import FeatureView
from mainspring.domain.schema import Column, Kind, Schema
from mainspring.domain.source import Source
from mainspring.errors import DataError, DeclarationError, FeatureError, ValidationFailed
from mainspring.features.rows import Taken
from mainspring.testing.offline import OfflineWorld


def ads(widths: list[float | None], first: int = 0) -> pl.DataFrame:
    numbers = range(first, first + len(widths))
    return pl.DataFrame(
        {
            "ad": [f"ad-{number:03}" for number in numbers],
            "at": [f"2026-03-{number % 28 + 1:02}T00:00:00Z" for number in numbers],
            "width": widths,
        },
        schema_overrides={"width": pl.Float64},
    )


@pytest.fixture
def creative(world: OfflineWorld) -> FeatureView:
    world.write("ads-1.csv", ads([1.5, 2.5, None]))
    return FeatureView("creative", source=Source("ads-*.csv"), key="ad", time="at", columns=["width"])


def test_a_function_sees_each_row_once(world: OfflineWorld, creative: FeatureView) -> None:
    seen: list[list[str]] = []

    @creative.features
    def doubled(rows: pl.DataFrame) -> pl.Series:
        seen.append(rows["ad"].to_list())
        return rows["width"] * 2

    offline = world.offline()
    first = offline.take(creative)
    for _ in range(2):
        assert offline.rows(creative, first).collect()["doubled"].to_list() == [3.0, 5.0, None]
    world.write("ads-2.csv", ads([4.5], first=3))
    world.push(
        creative,
        pl.DataFrame({"ad": ["x"], "at": ["2026-04-01"], "width": [8.0]}).with_columns(
            pl.col("at").str.to_datetime(time_zone="UTC", time_unit="us")
        ),
    )
    later = world.offline()
    second = later.take(creative)
    assert later.rows(creative, second).collect()["doubled"].to_list() == [3.0, 5.0, None, 9.0, 16.0]
    assert later.rows(creative, first).collect()["doubled"].to_list() == [3.0, 5.0, None]
    assert seen == [["ad-000", "ad-001", "ad-002"], ["ad-003"], ["x"]]


def test_many_rows_are_seen_in_pieces(world: OfflineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    from mainspring.features import results, sequences

    monkeypatch.setattr(results, "PIECE", 7)
    monkeypatch.setattr(sequences, "PIECE", 7)
    monkeypatch.setattr(results, "_FIRST", 3)
    world.write("ads.csv", ads([float(number) for number in range(40)]))
    creative = FeatureView("creative", source=Source("ads.csv"), key="ad", time="at")
    sizes: list[int] = []

    @creative.features(gives=["half", "large"])
    def both(rows: pl.DataFrame) -> pl.DataFrame:
        sizes.append(rows.height)
        return rows.select(half=pl.col("width") / 2, large=pl.col("width") > 20)

    found = world.offline().rows(creative).collect()
    assert found["half"].to_list() == [number / 2 for number in range(40)]
    assert found["large"].sum() == 19
    assert max(sizes) == 7
    assert sum(sizes) == 40


def test_an_edited_function_is_run_anew(world: OfflineWorld, creative: FeatureView) -> None:
    other = FeatureView("creative", source=creative.source, key="ad", time="at", columns=["width"])

    def first() -> None:
        @creative.features
        def size(rows: pl.DataFrame) -> pl.Series:
            return rows["width"] * 2

    def second() -> None:
        @other.features
        def size(rows: pl.DataFrame) -> pl.Series:
            return rows["width"] * 3

    first()
    second()
    offline = world.offline()
    assert offline.rows(creative).collect()["size"][0] == 3.0
    assert offline.rows(other).collect()["size"][0] == 4.5
    assert offline.definition(creative).id != offline.definition(other).id


def test_what_a_function_gives_has_a_kind(world: OfflineWorld, creative: FeatureView) -> None:
    @creative.features(gives=["number", "whole", "flag", "label", "since", "nothing"])
    def everything(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select(
            number=pl.lit(1, pl.Float32).repeat_by(1).list.first(),
            whole=pl.int_range(pl.len(), dtype=pl.UInt8),
            flag=pl.col("ad") == "ad-000",
            label=pl.col("ad").cast(pl.Categorical),
            since=pl.col("at").dt.date(),
            nothing=None,
        )

    definition = world.offline().definition(creative)
    kinds = {feature.name: feature.kind for feature in definition.features}
    assert kinds == {
        "width": Kind.NUMBER,
        "number": Kind.NUMBER,
        "whole": Kind.INTEGER,
        "flag": Kind.BOOLEAN,
        "label": Kind.CATEGORY,
        "since": Kind.TIME,
        "nothing": Kind.NUMBER,
    }


def test_a_function_that_changes_its_mind_is_told(world: OfflineWorld, creative: FeatureView) -> None:
    @creative.features
    def odd(rows: pl.DataFrame) -> pl.Series:
        return rows["ad"] if rows["ad"][0] == "ad-003" else rows["width"]

    world.offline().rows(creative)
    world.write("ads-2.csv", ads([4.0], first=3))
    with pytest.raises(
        FeatureError, match=r"'odd' of the view 'creative' gave category values .* number values before"
    ):
        world.offline().rows(creative)


def test_pictures_are_found_beside_the_file_that_names_them(world: OfflineWorld) -> None:
    for folder in ("a", "b"):
        world.write(f"{folder}/ads.csv", ads([1.0]).with_columns(picture=pl.lit(f"of-{folder}.png")))
    source = Source(["a/ads.csv", "b/ads.csv"], images="picture")
    creative = FeatureView("creative", source=source, key="ad", time="at", columns=["width"])

    @creative.features
    def path(rows: pl.DataFrame) -> pl.Series:
        return rows["picture"]

    found = world.offline().rows(creative).collect()["path"].to_list()
    assert found == [str(world.root / "a" / "of-a.png"), str(world.root / "b" / "of-b.png")]


def test_a_picture_that_is_none_is_told_and_missing(world: OfflineWorld) -> None:
    from PIL import Image

    from mainspring.features.images import brightness

    Image.new("RGB", (4, 4), "white").save(world.root / "white.png")
    (world.root / "broken.png").write_bytes((world.root / "white.png").read_bytes()[:40])
    pictures = pl.Series("picture", ["white.png", "broken.png", "absent.png", None])
    world.write("ads.csv", ads([1.0] * 4).with_columns(pictures))
    source = Source("ads.csv", images="picture")
    creative = FeatureView("creative", source=source, key="ad", time="at", columns=["width"])

    @creative.features
    def light(rows: pl.DataFrame) -> pl.Series:
        return brightness(rows["picture"])

    offline = world.offline()
    assert offline.rows(creative).collect()["light"].to_list() == [1.0, None, None, None]
    (finding,) = offline.findings
    assert (finding.code, finding.rows) == ("refused-picture", 2)
    assert "2 pictures of the view 'creative' have no numbers, the first is broken.png" in finding.message
    assert [one["file"] for one in finding.examples] == ["broken.png", "absent.png"]


def test_a_broken_check_names_view_check_and_row(world: OfflineWorld, creative: FeatureView) -> None:
    @creative.features
    def doubled(rows: pl.DataFrame) -> pl.Series:
        return rows["width"] * 2

    @creative.check
    def small(rows: pl.DataFrame) -> pl.Expr:
        return pl.col("doubled") < 5

    over = FeatureView("over", source=creative, key="ad")
    for view in (creative, over):
        with pytest.raises(
            ValidationFailed, match=r"1 rows of the view 'creative' fail its check 'small', first row 2"
        ):
            world.offline().check(view)
    world.write("ads-1.csv", ads([1.5, 2.4, None]))
    world.offline().check(over)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (pl.Series([1, 2, 3]), "gave values of type Int64"),
        (pl.Series([True]), "gave 1 values for 3 rows"),
        (True, "gave an object of type bool"),
    ],
)
def test_a_check_that_is_none_is_told(
    world: OfflineWorld, creative: FeatureView, given: object, told: str
) -> None:
    creative.check(lambda rows: given)
    with pytest.raises(FeatureError, match=told):
        world.offline().check(creative)


def test_the_schema_is_the_user_s_to_edit(world: OfflineWorld, creative: FeatureView) -> None:
    offline = world.offline()
    assert offline.schema(creative)["width"].kind is Kind.NUMBER
    file = world.root / "schemas" / "creative.toml"
    file.write_text(file.read_text().replace('kind = "number"', 'kind = "text"'))
    assert world.offline().definition(creative)["width"].kind is Kind.TEXT
    assert world.offline().definition(creative).id != offline.definition(creative).id
    file.write_text("columns = 1")
    with pytest.raises(DataError, match=r"creative\.toml"):
        world.offline().schema(creative)


def test_a_key_is_text_where_the_model_s_is(world: OfflineWorld) -> None:
    world.write("visits.csv", pl.DataFrame({"user": [17, 17, 18], "at": ["2026-03-01"] * 3, "n": [1, 1, 2]}))
    visits = FeatureView("visits", source=Source("visits.csv", key="user"), key="user", time="at")
    like = Schema((Column("user", Kind.ID), Column("n", Kind.ID)))
    found = world.offline(like).schema(visits)
    assert (found["user"].kind, found["n"].kind) == (Kind.ID, Kind.INTEGER)
    # Many rows may be of one entity.
    assert not found["user"].unique
    (world.root / "schemas" / "visits.toml").unlink()
    assert world.offline().schema(visits)["user"].kind is Kind.INTEGER


@pytest.mark.parametrize(("values", "kind"), [(["17", "23", "5"], Kind.INTEGER), (["017", "23", "5"], Kind.ID)])
def test_a_key_is_a_number_where_the_model_s_is_and_its_values_can_be(
    world: OfflineWorld, values: list[str], kind: Kind
) -> None:
    world.write("visits.parquet", pl.DataFrame({"user_id": values, "at": ["2026-03-01"] * 3, "n": [1.5, 1, 2]}))
    visits = FeatureView("visits", source=Source("visits.parquet"), key="user_id", time="at")
    assert world.offline(Schema((Column("user_id", Kind.INTEGER),))).schema(visits)["user_id"].kind is kind


def test_taken_is_told_and_read_back() -> None:
    taken = Taken("abc", 17)
    assert Taken.from_dict(taken.to_dict()) == taken
    assert Taken.from_dict({"snapshot": "abc"}) == Taken("abc")


def test_what_the_source_does_not_have_is_named(world: OfflineWorld, creative: FeatureView) -> None:
    wrong = FeatureView("creative", source=creative.source, key="ad", time="at", columns=["wdth"])
    with pytest.raises(DeclarationError, match=r"names the column 'wdth'.*; did you mean 'width'\?"):
        world.offline().rows(wrong)


def test_two_at_once_store_one_result(world: OfflineWorld, creative: FeatureView) -> None:
    world.offline().take(creative)
    together = threading.Barrier(2, timeout=60)

    @creative.features
    def doubled(rows: pl.DataFrame) -> pl.Series:
        together.wait()
        return rows["width"] * 2

    def read() -> list[float | None]:
        return world.offline().rows(creative).collect()["doubled"].to_list()

    with ThreadPoolExecutor(2) as pool:
        found = [future.result() for future in [pool.submit(read) for _ in range(2)]]
    assert found == [[3.0, 5.0, None]] * 2
    (table,) = world.tables.names("results/creative")
    assert world.tables.scan(table).collect().height == 3
