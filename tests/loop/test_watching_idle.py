"""A watcher that is asked all the time looks when there is something to see, and else costs next to nothing."""

import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mainspring.domain.alert import AlertState, Silence
from mainspring.domain.model import Model
from mainspring.domain.monitor import Monitor
from mainspring.domain.release import Alias
from mainspring.domain.source import Source
from mainspring.loop.watching import Watch, monitoring_stores
from mainspring.monitoring.evaluation import evaluate
from mainspring.monitoring.jobs.watcher import JobWatcher
from mainspring.release.sealing import seal
from mainspring.release.signing import signing_key
from mainspring.settings import load_settings
from mainspring.stores.tables_delta import DeltaTables
from mainspring.testing.clock import FakeClock
from mainspring.testing.production import store_answers
from mainspring.testing.sealed import a_seal_order, put_sealed, some_rows
from mainspring.workspace import Workspace

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sealed")
    with Workspace(load_settings(root, {})) as workspace:
        folder = workspace.settings.releases / "adclick" / "1"
        manifest = seal(a_seal_order(rows=2_000), folder=folder, key=signing_key(workspace.keys))
        put_sealed(workspace, manifest, folder)
    return root


class Shop:
    """A release, a clock, and answers of it."""

    def __init__(self, root: Path, clock: FakeClock) -> None:
        self.clock = clock
        self.workspace = Workspace(load_settings(root, {}), clock)
        (record,) = self.workspace.records.releases("adclick")
        self.manifest = self.workspace.catalogue.manifest(record)
        self.release = self.workspace.open_release(record)
        self._count = 0

    def forward(self, time: timedelta) -> None:
        """Not by sleeping, in which the watcher's lease would run out."""
        self.clock.set(self.clock.now() + time)

    def promote(self) -> None:
        self.workspace.records.set_alias("adclick", Alias.CHAMPION, 1, actor="test", reason="test")

    def rows(self, count: int, older: int = 0) -> tuple[pl.DataFrame, Any]:
        self._count += 1
        frame = some_rows(count, seed=self._count).with_columns(pl.col("age") + older)
        return frame, self.release.runtime.predict_frame(frame)

    def answer(self, count: int, *, older: int = 0, at: datetime | None = None) -> None:
        frame, outputs = self.rows(count, older)
        ids = [f"{self._count}-{n}" for n in range(count)]
        moments = [at or self.clock.now()] * count
        store_answers(self.workspace.tables, self.manifest, frame, outputs, moments, ids)

    def score(self, folder: Path, count: int) -> None:
        frame, outputs = self.rows(count)
        watcher = JobWatcher(self.workspace.tables, self.manifest, self.clock, name="out.csv")
        watcher.begin(folder)
        watcher.part(folder / "0.kept", 0, frame, outputs)
        watcher.end([folder / "0.kept"], count)

    def watch(self, monitors: Sequence[Monitor]) -> Watch:
        return Watch(self.workspace, Model("adclick", source=Source("a.csv"), target="clicked", monitors=monitors))


@pytest.fixture
def shop(sealed: Path, tmp_path: Path) -> Iterator[Shop]:
    shutil.copytree(sealed, tmp_path / "w")
    found = Shop(tmp_path / "w", FakeClock(START + HOUR / 2))
    with found.release, found.workspace:
        yield found


def test_it_says_why_it_says_nothing(shop: Shop) -> None:
    with shop.watch([Monitor.drift(window="1h")]) as watch:
        assert watch.look().silence == "none of its answers has been stored yet"
        shop.answer(300)
        assert watch.look().silence == "it has no champion; promote a release of it: mainspring promote adclick@N"
        shop.promote()
        assert watch.look().silence.startswith("no monitor is due before 2026-03-02 01:01 UTC")
        shop.forward(40 * MINUTE)
        look = watch.look()
        assert look.measurements
        assert look.silence == ""
        assert watch.look().silence.startswith("no monitor is due before 2026-03-02 02:01 UTC")


def test_while_nothing_can_be_due_nothing_is_read_or_written(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.promote()
    shop.answer(300)
    touched = []

    def noted(self: DeltaTables, *given: Any, _name: str = "", **named: Any) -> Any:
        touched.append(given)
        raise AssertionError("an idle look opened a table")

    with shop.watch([Monitor.drift(window="1h")]) as watch:
        watch.look()
        with monkeypatch.context() as patch:
            patch.setattr(DeltaTables, "_open", noted)
            generation = shop.workspace.records.routes().generation
            for _ in range(5):
                shop.forward(5 * MINUTE)
                assert watch.look().measurements == ()
        assert touched == []
        assert shop.workspace.records.routes().generation == generation
        shop.forward(6 * MINUTE)
        assert watch.look().measurements


def test_what_is_due_is_seen_at_the_minute(shop: Shop) -> None:
    shop.promote()
    shop.answer(300)
    seen = []
    with shop.watch(
        [Monitor.drift(window="2h", every="20m"), Monitor.prediction(window="2h", every="1h")]
    ) as watch:
        for _ in range(100):
            shop.forward(MINUTE)
            seen += [
                (one.monitor, one.at) for one in watch.look().measurements if one.subject in ("age", "prediction")
            ]
    ticks = {name: sorted({at for monitor, at in seen if monitor == name}) for name in ("drift", "prediction")}
    assert ticks["drift"] == [START + place * HOUR / 3 for place in range(1, 7)]
    assert ticks["prediction"] == [START + HOUR, START + 2 * HOUR]


def test_a_score_job_is_seen_at_once(shop: Shop, tmp_path: Path) -> None:
    shop.promote()
    shop.answer(300)
    with shop.watch([Monitor.drift(window="1h")]) as watch:
        watch.look()
        shop.forward(MINUTE)
        shop.score(tmp_path, 400)
        assert {one.job for one in watch.look().measurements} == {"out.csv"}
        shop.forward(MINUTE)
        assert watch.look().measurements == ()


def test_a_clock_that_is_put_back_or_forward_stops_nothing(shop: Shop) -> None:
    shop.promote()
    shop.answer(300)
    with shop.watch([Monitor.drift(window="1h")]) as watch:
        watch.look()
        shop.clock.set(START + timedelta(days=30))
        watch.look()
        shop.clock.set(START + 2 * HOUR)
        shop.answer(300, at=START + HOUR)
        assert watch.look().silence
        shop.clock.set(START + timedelta(days=30, hours=2))
        shop.answer(300, at=START + timedelta(days=30, hours=1))
        assert watch.look().measurements


def test_an_alert_is_told_soon_after_its_silence_is_over(shop: Shop) -> None:
    shop.promote()
    with shop.watch([Monitor.drift(window="1h")]) as watch:
        watch.look()
        records = shop.workspace.records
        shop.clock.set(START + HOUR + 2 * MINUTE)
        shop.answer(400, older=30, at=START + HOUR / 2)
        silence = Silence(
            id="s",
            model="*",
            monitor="*",
            created_at=shop.clock.now(),
            until=shop.clock.now() + 10 * MINUTE,
            by="ana",
            reason="campaign",
        )
        records.add_silence(silence)
        assert watch.look().events == ()
        (alert,) = records.alerts("adclick", states=(AlertState.FIRING,))
        assert alert.told_at is None
        told = []
        for _ in range(15):
            shop.forward(MINUTE)
            told += [(event.alert.monitor, shop.clock.now()) for event in watch.look().events]
        assert told == [("drift", silence.until)]


def test_who_is_told_to_stop_leaves_what_is_left_to_the_next_look(shop: Shop) -> None:
    shop.promote()
    hours = 8
    for _ in range(hours):
        shop.answer(300)
        shop.forward(HOUR)
    monitors = [Monitor.drift(window="1h"), Monitor.prediction(window="1h")]
    stores, asked = monitoring_stores(shop.workspace), count()
    seen: list[tuple[str, datetime]] = []
    for stop_after, windows in ((0, 0), (3, 3), (7, 7), (100, 6)):
        start = next(asked)
        found = evaluate(
            stores, "adclick", monitors, stopping=lambda last=start + stop_after: next(asked) > last
        ).measurements
        ticks = sorted({(one.monitor, one.at) for one in found if one.subject in ("age", "prediction")})
        assert len(ticks) == windows
        seen += ticks
    expected = [(one.name, START + (place + 1) * HOUR) for one in monitors for place in range(hours)]
    assert sorted(seen) == sorted(expected)
