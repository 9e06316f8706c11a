"""A model watched from its first answer on: what its monitors say, which alerts follow, what others are told."""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mainspring.domain.alert import AlertState
from mainspring.domain.measurement import METRICS_FILE, Measurement, State
from mainspring.domain.model import Model
from mainspring.domain.monitor import Monitor
from mainspring.domain.release import Alias, Manifest, ReleaseRef
from mainspring.domain.source import Source
from mainspring.errors import WorkspaceBusy
from mainspring.loop.reporting import model_report
from mainspring.loop.watching import Look, Watch
from mainspring.monitoring.measurements import measurements_table, read_measurements
from mainspring.release.sealing import seal
from mainspring.release.signing import signing_key
from mainspring.settings import load_settings
from mainspring.testing.clock import FakeClock
from mainspring.testing.production import store_answers, store_labels
from mainspring.testing.sealed import a_seal_order, put_sealed, some_rows
from mainspring.workspace import Workspace

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
MONITORS = (Monitor.drift(window="6h"), Monitor.performance("roc_auc", at_least=0.7, window="6h"))


def a_model(monitors: Sequence[Monitor] = MONITORS) -> Model:
    return Model("adclick", source=Source("clicks.csv"), target="clicked", monitors=monitors)


@dataclass
class Production:
    """A served model, whose clients and whose clock the test is."""

    workspace: Workspace
    clock: FakeClock
    manifest: Manifest
    told: Path
    served: int = 0

    def serve(self, hours: int, *, rows: int = 300, older: int = 0, labelled: bool = True) -> None:
        """So many hours of answers; labels come at once.

        Args:
            older: years that are added to every age.
        """
        record = self.workspace.catalogue.find(self.manifest.ref)
        with self.workspace.open_release(record) as release:
            for _ in range(hours):
                self.served += 1
                frame = some_rows(rows, seed=1_000 + self.served).with_columns(pl.col("age") + older)
                ids = [f"{self.served}-{n}" for n in range(rows)]
                at = [self.clock.now() + HOUR * (n / rows) for n in range(rows)]
                outputs = release.runtime.predict_frame(frame)
                store_answers(self.workspace.tables, self.manifest, frame, outputs, at, ids)
                self.clock.sleep(3600)
                if labelled:
                    truth = frame.get_column("clicked").to_list()
                    store_labels(self.workspace.tables, self.manifest, ids, truth, self.clock.now())

    def look(self, model: Model | None = None) -> Look:
        """Two minutes past the hour, when the hour's answers have come to the table."""
        self.clock.sleep(120)
        with Watch(self.workspace, model or a_model()) as watch:
            found = watch.look()
        self.clock.sleep(-120)
        return found

    def told_events(self) -> list[dict[str, Any]]:
        if not self.told.exists():
            return []
        return [json.loads(line) for line in self.told.read_text().splitlines()]


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose champion is the only release."""
    root = tmp_path_factory.mktemp("sealed")
    with Workspace(load_settings(root, {})) as workspace:
        folder = workspace.settings.releases / "adclick" / "1"
        manifest = seal(a_seal_order(rows=6_000), folder=folder, key=signing_key(workspace.keys))
        put_sealed(workspace, manifest, folder)
        workspace.records.set_alias("adclick", Alias.CHAMPION, 1, actor="test", reason="test")
    return root


@pytest.fixture
def production(sealed: Path, tmp_path: Path) -> Iterator[Production]:
    shutil.copytree(sealed, tmp_path, dirs_exist_ok=True)
    told = tmp_path / "alerts.jsonl"
    clock = FakeClock(START)
    settings = load_settings(tmp_path, {"MAINSPRING_ALERTS_FILE": str(told)})
    with Workspace(settings, clock) as workspace:
        manifest = workspace.catalogue.manifest(workspace.catalogue.find(ReleaseRef("adclick", number=1)))
        yield Production(workspace, clock, manifest, told)


def of(look: Look, monitor: str, subject: str) -> list[Measurement]:
    return [one for one in look.measurements if (one.monitor, one.subject) == (monitor, subject)]


def test_nothing_is_wrong_while_all_is_as_it_was(production: Production) -> None:
    assert production.look().measurements == (), "nothing was answered"
    for _ in range(3):
        production.serve(4)
        look = production.look()
        assert look.rows == 1_200
        assert look.events == ()
    assert {one.state for one in look.measurements if one.window.length == 6 * HOUR} <= {State.FINE, State.UNKNOWN}
    assert of(look, "drift", "age")[-1].state is State.FINE
    (performance,) = of(look, "performance_roc_auc", "roc_auc")[-1:]
    assert performance.state is State.FINE
    assert performance.rows == 1_800
    assert performance.low is not None
    assert 0.7 < performance.low < (performance.value or 0) < 1
    assert production.look().measurements == (), "each window is measured once"


def test_a_change_is_told_once_with_its_cause_and_is_told_when_it_is_over(production: Production) -> None:
    production.serve(8)
    production.look()
    production.serve(4, older=12)
    look = production.look()
    assert [str(event.kind) for event in look.events] == ["fired"]
    (alert,) = production.workspace.records.alerts("adclick", states=(AlertState.FIRING,))
    assert alert.monitor == "drift"
    assert {cause.subject for cause in alert.causes} == {"age", "age: out of range"}
    production.serve(2, older=12)
    assert production.look().events == (), "it is known"
    (event,) = production.told_events()
    assert "age" in json.dumps(event)
    production.serve(12)
    look = production.look()
    assert [str(event.kind) for event in look.events] == ["resolved"]
    assert len(production.told_events()) == 2


def test_who_is_killed_before_the_alert_raises_it_at_the_next_start(
    production: Production, monkeypatch: pytest.MonkeyPatch
) -> None:
    production.serve(8)
    production.look()
    production.serve(4, older=20)

    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("mainspring.monitoring.alerts.raising.raise_alerts", killed)
        with pytest.raises(Killed):
            production.look()
    assert production.workspace.records.alerts("adclick") == []
    look = production.look()
    assert look.measurements == (), "what was measured is measured"
    assert [event.alert.monitor for event in look.events] == ["drift"]


def test_a_monitor_that_fails_says_so_and_blinds_no_other(production: Production) -> None:
    def broken(_: pl.DataFrame) -> float:
        raise RuntimeError("no such column")

    def clicks(rows: pl.DataFrame) -> pl.Series:
        return (rows.get_column("label") == "yes").cast(pl.Float64)

    model = a_model([Monitor.business(broken, window="6h"), Monitor.business(clicks, window="6h"), *MONITORS])
    production.serve(8)
    look = production.look(model)
    (failed,) = of(look, "broken", "broken")[-1:]
    assert failed.state is State.UNKNOWN
    assert "no such column" in failed.note
    (share,) = of(look, "clicks", "clicks")[-1:]
    # Labels take up to an hour, so the window is that of an hour ago.
    truth = [some_rows(300, seed=1_000 + hour).get_column("clicked") == "yes" for hour in range(2, 8)]
    assert share.value == pytest.approx(np.mean([one.mean() for one in truth]))
    assert of(look, "drift", "age")[-1].state is State.FINE


def test_one_watches_at_a_time(production: Production) -> None:
    with (
        Watch(production.workspace, a_model()),
        pytest.raises(WorkspaceBusy),
        Watch(production.workspace, a_model()),
    ):
        pass


def test_what_was_found_is_told_to_the_gateway_and_in_the_report(production: Production) -> None:
    production.serve(8)
    production.look()
    production.serve(4, older=20)
    production.look()
    text = (production.workspace.gateway_folder / METRICS_FILE).read_text()
    assert "mainspring_alert_firing{" in text
    assert 'subject="age"' in text
    report = model_report(production.workspace, "adclick", timedelta(days=1))
    assert report.state is State.BAD
    assert report.rows == 12 * 300
    assert report.changes[0].name == "age"


def test_looking_at_every_hour_or_seldom_measures_the_same(production: Production, tmp_path: Path) -> None:
    production.serve(6)
    for _ in range(4):
        production.serve(1)
        production.look()

    def measured() -> list[tuple[Any, ...]]:
        found = read_measurements(
            production.workspace.tables, "adclick", since=START, until=START + timedelta(days=30), monitor="drift"
        )
        return [(one.at, one.subject, one.window, round(one.value or 0, 9), one.state) for one in found]

    often = measured()
    for name in ("measurements", "profiles", "samples"):
        folder = tmp_path / ".mainspring" / "tables" / name
        assert folder.exists()
        folder.rename(tmp_path / name)
    production.look()
    assert measured() == often


def test_the_looks_of_a_day_that_is_over_are_one_file(production: Production) -> None:
    for _ in range(4):
        production.serve(8, rows=50)
        production.look()
    files = production.workspace.tables.partitions(measurements_table("adclick"))
    assert [len(sizes) for sizes in files.values()] == [1, 2]
