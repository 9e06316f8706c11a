"""Filling the online store: what is disturbed in the middle is told, and the next filling makes it whole."""

import contextlib
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from mainspring.clock import SYSTEM_CLOCK
from mainspring.domain.feature_view import FeatureView
from mainspring.domain.materialised import MaterialisationState, Materialised
from mainspring.domain.source import Source
from mainspring.errors import StoreError, ValidationFailed
from mainspring.features import images
from mainspring.features.filling import Filler
from mainspring.features.online.opening import open_online
from mainspring.features.online_values import online_values
from mainspring.testing.offline import OfflineWorld

SCHEMA = (
    '[columns.ad]\nkind = "id"\n[columns.at]\nkind = "time"\ntime_format = "iso"\n'
    '[columns.width]\nkind = "integer"\nmaximum = 9\nseverity = "{}"\n'
)
ADS = FeatureView("ads", source=Source("ads.csv"), key="ad", time="at", columns=["width"])


class Shelf:
    """A store, and what fills it."""

    def __init__(self, world: OfflineWorld) -> None:
        self.world = world
        self.url = f"sqlite:///{world.root / 'features.db'}"
        self.store = open_online(self.url)

    def fill(self, view: FeatureView = ADS, written: Callable[[int], object] = print) -> Materialised:
        world = self.world
        filler = Filler(world.offline(), self.store, world.records, world.tables, SYSTEM_CLOCK, set)
        return filler.fill(view, written=written)

    def values(self, feature: str, *ads: str, view: FeatureView = ADS) -> list[object]:
        definition = self.world.offline().definition(view)
        found = online_values(self.store, definition, [{"ad": ad} for ad in ads], SYSTEM_CLOCK.now())
        return found[feature].to_list()


@pytest.fixture
def shelf(world: OfflineWorld) -> Iterator[Shelf]:
    (world.root / "schemas").mkdir()
    (world.root / "schemas" / "ads.toml").write_text(SCHEMA.format("error"))
    write(world, 3, 4)
    shelf = Shelf(world)
    yield shelf
    shelf.store.close()


def write(world: OfflineWorld, *widths: int) -> None:
    rows = {"ad": [f"a{place}" for place in range(len(widths))], "at": "2026-03-01", "width": widths}
    world.write("ads.csv", pl.DataFrame(rows))


def test_a_store_that_is_flushed_in_the_middle_is_told_and_filled_again(shelf: Shelf) -> None:
    done = shelf.fill()
    write(shelf.world, 5, 6)
    with contextlib.closing(open_online(shelf.url)) as another, pytest.raises(StoreError) as told:
        shelf.fill(written=lambda entities: another.drop(done.id))
    (known,) = shelf.world.records.feature_views("ads")
    assert (known.state, known.trouble) == (MaterialisationState.FAILED, str(told.value))
    assert shelf.store.marked(done.id) is None, "no mark stands for what is gone"
    assert shelf.fill().written == 2
    assert shelf.values("width", "a0", "a1") == [5, 6]


def test_rows_that_break_a_promise_leave_the_store_as_it_was(shelf: Shelf) -> None:
    shelf.fill()
    write(shelf.world, 7, 10)
    with pytest.raises(ValidationFailed, match=r"the view 'ads', column 'width': .*above the maximum 9"):
        shelf.fill()
    (known,) = shelf.world.records.feature_views("ads")
    assert known.state is MaterialisationState.FAILED
    assert "first ads.csv row 2" in known.trouble
    assert shelf.values("width", "a0", "a1") == [3, 4]
    (shelf.world.root / "schemas" / "ads.toml").write_text(SCHEMA.format("warning"))
    done = shelf.fill()
    assert done.trouble == ""
    (remark,) = done.remarks
    assert remark.startswith("ads.width: 1 of 2 rows are above the maximum 9")
    assert shelf.values("width", "a0", "a1") == [7, 10]
    write(shelf.world, 7, 8)
    assert shelf.fill().remarks == ()


def test_a_changed_picture_reaches_the_store_and_no_other_entity_is_written(shelf: Shelf) -> None:
    world = shelf.world
    from PIL import Image

    def paint(name: str, colour: str, day: int) -> None:
        Image.new("RGB", (4, 4), colour).save(world.root / name)
        then = datetime(2026, 3, day, tzinfo=UTC).timestamp()
        os.utime(world.root / name, (then, then))

    paint("a.png", "white", 1)
    paint("b.png", "white", 1)
    rows = {"ad": ["a", "b"], "at": "2026-03-01", "picture": ["a.png", "b.png"]}
    world.write("pictures.csv", pl.DataFrame(rows))
    creative = FeatureView("creative", source=Source("pictures.csv", images="picture"), key="ad", time="at")

    @creative.features
    def light(ads: pl.DataFrame) -> pl.Series:
        return images.brightness(ads["picture"])

    assert shelf.fill(creative).written == 2
    assert shelf.fill(creative).written == 0
    paint("b.png", "black", 2)
    assert shelf.fill(creative).written == 1
    assert shelf.values("light", "a", "b", view=creative) == [1.0, 0.0]
    Path(world.root / "b.png").unlink()
    done = shelf.fill(creative)
    assert shelf.values("light", "a", "b", view=creative) == [1.0, None]
    (remark,) = done.remarks
    assert "b.png: there is no such file" in remark
