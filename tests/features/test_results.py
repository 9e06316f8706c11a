"""What functions gave is kept as long as it is used, and pictures are read again when they are others."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from mainspring.domain.feature_view import FeatureView
from mainspring.domain.source import Source
from mainspring.features import images
from mainspring.features.rows import Taken
from mainspring.testing.offline import OfflineWorld


def paint(world: OfflineWorld, name: str, colour: str, *, day: int = 1) -> None:
    """A picture; each day of which it is has another time."""
    from PIL import Image

    Image.new("RGB", (4, 4), colour).save(world.root / name)
    then = datetime(2026, 3, day, tzinfo=UTC).timestamp()
    os.utime(world.root / name, (then, then))


@pytest.fixture
def seen() -> list[list[str]]:
    """The pictures that the function was asked about, call by call."""
    return []


@pytest.fixture
def creative(world: OfflineWorld, seen: list[list[str]]) -> FeatureView:
    for name in ("a", "b", "c"):
        paint(world, f"{name}.png", "white")
    rows = {"ad": ["a", "b", "c"], "at": ["2026-03-01"] * 3, "picture": ["a.png", "b.png", "c.png"]}
    world.write("ads.csv", pl.DataFrame(rows))
    view = FeatureView("creative", source=Source("ads.csv", images="picture"), key="ad", time="at")

    @view.features
    def light(ads: pl.DataFrame) -> pl.Series:
        seen.append([Path(path).name for path in ads["picture"]])
        return images.brightness(ads["picture"])

    return view


def lights(world: OfflineWorld, view: FeatureView, taken: Taken | None = None) -> list[float | None]:
    return world.offline().rows(view, taken).collect()["light"].to_list()


def aged(world: OfflineWorld, days: float) -> None:
    """Make all tables of results look as if they had last been used so long ago."""
    then = (datetime.now(UTC) - timedelta(days=days)).timestamp()
    for log in (world.root / ".mainspring" / "tables" / "results").glob("*/*/_delta_log"):
        os.utime(log, (then, then))


def test_a_changed_picture_alone_is_read_again(
    world: OfflineWorld, creative: FeatureView, seen: list[list[str]]
) -> None:
    first = world.offline().take(creative)
    assert lights(world, creative, first) == [1.0, 1.0, 1.0]
    paint(world, "b.png", "black", day=2)
    second = world.offline().take(creative)
    assert (second.snapshot, second == first) == (first.snapshot, False)
    assert lights(world, creative, second) == [1.0, 0.0, 1.0]
    assert lights(world, creative) == [1.0, 0.0, 1.0]
    assert seen == [["a.png", "b.png", "c.png"], ["b.png"]]
    # What the former picture gave is still known to whoever asks for the former rows.
    assert lights(world, creative, first) == [1.0, 1.0, 1.0]
    paint(world, "b.png", "white", day=1)
    assert world.offline().take(creative) == first


def test_a_picture_that_went_is_missing_and_told_and_may_come_back(
    world: OfflineWorld, creative: FeatureView
) -> None:
    lights(world, creative)
    (world.root / "c.png").unlink()
    offline = world.offline()
    assert offline.rows(creative).collect()["light"].to_list() == [1.0, 1.0, None]
    (finding,) = offline.findings
    assert finding.examples == ({"file": "c.png", "problem": "there is no such file"},)
    paint(world, "c.png", "black", day=3)
    assert lights(world, creative) == [1.0, 1.0, 0.0]


def test_new_rows_leave_earlier_pictures_alone(
    world: OfflineWorld, creative: FeatureView, seen: list[list[str]]
) -> None:
    lights(world, creative)
    paint(world, "d.png", "black")
    at = pl.Series([datetime(2026, 3, 2, tzinfo=UTC)], dtype=pl.Datetime("us", "UTC"))
    world.push(creative, pl.DataFrame({"ad": ["d"], "at": at, "picture": ["d.png"]}))
    assert lights(world, creative) == [1.0, 1.0, 1.0, 0.0]
    paint(world, "d.png", "white", day=2)
    assert lights(world, creative) == [1.0, 1.0, 1.0, 1.0]
    assert seen == [["a.png", "b.png", "c.png"], ["d.png"], ["d.png"]]


def test_rows_whose_former_pictures_nobody_knows_any_more_say_so(
    world: OfflineWorld, creative: FeatureView
) -> None:
    offline = world.offline()
    first = offline.take(creative)
    offline.rows(creative, first)
    paint(world, "a.png", "black", day=2)
    lights(world, creative)
    aged(world, 8)
    lights(world, creative)  # is used, and stays
    offline.sweep(creative)
    later = world.offline()
    assert later.rows(creative, first).collect()["light"].to_list() == [0.0, 1.0, 1.0]
    assert [one.code for one in later.findings] == ["changed-picture"]


def test_a_function_that_fails_names_the_row_of_the_picture(world: OfflineWorld, creative: FeatureView) -> None:
    from mainspring.errors import FeatureError

    @creative.features
    def bad(ads: pl.DataFrame) -> pl.Series:
        return pl.Series([float("nan") if Path(one).stat().st_mtime_ns % 2 else 1.0 for one in ads["picture"]])

    world.offline().rows(creative)
    os.utime(world.root / "c.png", ns=(1, 1_767_225_600_000_000_001))
    with pytest.raises(FeatureError, match=r"'bad' .* in row 3"):
        world.offline().rows(creative)


def test_a_view_over_pictures_follows_them(world: OfflineWorld, creative: FeatureView) -> None:
    over = FeatureView("over", source=creative, key="ad")

    @over.features
    def dark(rows: pl.DataFrame) -> pl.Series:
        return rows["light"] < 0.5

    assert world.offline().rows(over).collect()["dark"].to_list() == [False] * 3
    paint(world, "a.png", "black", day=2)
    assert world.offline().rows(over).collect()["dark"].to_list() == [True, False, False]


def test_results_that_nobody_uses_go_and_are_made_again(world: OfflineWorld) -> None:
    world.write("ads.csv", pl.DataFrame({"ad": ["a"], "at": ["2026-03-01"], "width": [2]}))

    def view(times: int) -> FeatureView:
        found = FeatureView("creative", source=Source("ads.csv"), key="ad", time="at")

        @found.features
        def size(rows: pl.DataFrame) -> pl.Series:
            return rows["width"] * times

        return found

    def sizes(times: int) -> list[int]:
        return world.offline().rows(view(times)).collect()["size"].to_list()

    assert (sizes(2), sizes(3)) == ([4], [6])
    aged(world, 8)
    in_use = world.offline().rows(view(3))  # a reader at work
    world.offline().sweep(view(3))
    (left,) = world.tables.names("results/creative")
    assert in_use.collect()["size"].to_list() == [6]
    aged(world, 6)
    world.offline().sweep(view(3))
    assert world.tables.names("results/creative") == [left]
    assert sizes(2) == [4]
    assert len(world.tables.names("results/creative")) == 2


def test_a_filling_removes_what_is_not_used(tmp_path: Path) -> None:
    from mainspring.connection_features import Features
    from mainspring.project import load_project
    from mainspring.testing.viewed import NOON, make_viewed
    from mainspring.workspace import Workspace

    folder = make_viewed(tmp_path / "shop", [(1, NOON, 4.0)])

    def fill(change: Callable[[str], str] = str) -> list[str]:
        (folder / "model.py").write_text(change((folder / "model.py").read_text()))
        project = load_project(folder, {})
        with Workspace(project.settings) as workspace:
            Features(workspace, project).materialize("habits")
            found = list(workspace.tables.names("results/habits"))
            root = Path(workspace.settings.tables_url)
        then = (datetime.now(UTC) - timedelta(days=8)).timestamp()
        for log in root.glob("results/*/*/_delta_log"):
            os.utime(log, (then, then))
        return found

    (first,) = fill()
    (second,) = fill(lambda text: text.replace('rows["amount"] > 10', 'rows["amount"] > 11'))
    assert first != second
