"""Whole streams through the whole process: answered, labelled late, looked at hour by hour, told or left in peace.

The model learns from the first 8,000 rows and never again. The monitors are those that a model has by default.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from mainspring.domain.alert import Alert, EventKind
from mainspring.domain.budget import Budget
from mainspring.domain.model import Model
from mainspring.domain.monitor import DEFAULT_MONITORS, Monitor
from mainspring.domain.prediction_log import labels_table, predictions_table
from mainspring.domain.release import Manifest, ReleaseRef
from mainspring.domain.source import Source
from mainspring.loop.lifecycle.workflow import run
from mainspring.loop.watching import Watch
from mainspring.project import load_project
from mainspring.serving.upkeep import Upkeep
from mainspring.testing.clock import FakeClock
from mainspring.testing.production import store_answers, store_labels
from mainspring.workspace import Workspace

pytestmark = pytest.mark.timeout(1_800)  # seconds; hundreds of looks, also on a busy machine

START = datetime(2030, 1, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
LEARNT = 8_000
INPUTS = ("attrib1", "attrib2", "attrib3")
CHANGES = (12_500, 25_000, 37_500)
WITHIN = 1_500

MODEL = """
from lightgbm import LGBMClassifier

from mainspring import Model, Source

model = Model("sea", source=Source("rows.csv"), target="class", task="binary", positive="1")


@model.candidate
def trees(trial):
    return LGBMClassifier(n_estimators=60, verbose=-1, n_jobs=1)
"""


def stream(folder: Path, name: str) -> pl.DataFrame:
    """The rows with their truth as text."""
    if name != "sea":
        rows = pl.read_csv(folder / "sea" / f"{name}.csv")
    else:
        data = pl.read_csv(folder / "sea" / "SEA_training_data.csv", has_header=False, new_columns=list(INPUTS))
        truth = pl.read_csv(folder / "sea" / "SEA_training_class.csv", has_header=False, new_columns=["class"])
        rows = data.hstack(truth)
    return rows.with_columns(pl.col("class").cast(pl.String))


@pytest.fixture(scope="module")
def project(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes of a stream a project whose champion has learnt its first rows."""

    @cache
    def made(name: str) -> Path:
        folder = tmp_path_factory.mktemp("streams") / name
        folder.mkdir()
        (folder / "mainspring.toml").write_text('name = "sea"\n')
        (folder / "model.py").write_text(MODEL)
        stream(real_data, name).head(LEARNT).write_csv(folder / "rows.csv")
        outcome = run(load_project(folder, {}), budget=Budget(trials=1))
        assert outcome.manifest is not None, outcome.error
        return folder

    return lambda name: Path(shutil.copytree(made(name), tmp_path_factory.mktemp("copies") / name))


@dataclass
class Told:
    """A person was told of something, after so many rows had been answered."""

    row: int
    alert: Alert


@dataclass
class Production:
    """A stream that is answered row by row, a look after each hour.

    Args:
        rows: of the whole stream; the first ones were learnt.
        an_hour: how many are answered in an hour.
        delay: how many rows are answered between a row and its label.
    """

    workspace: Workspace
    clock: FakeClock
    manifest: Manifest
    rows: pl.DataFrame
    outputs: NDArray[np.float64]
    an_hour: int
    delay: int
    monitors: tuple[Monitor, ...] = DEFAULT_MONITORS
    answered: int = LEARNT
    labelled: int = LEARNT
    told: list[Told] = field(default_factory=list)

    def go_on(self, until: int) -> None:
        """Answer the rows up to this one."""
        model = Model("sea", source=Source("rows.csv"), target="class", monitors=self.monitors)
        while self.answered < until:
            self._hour()
            self.clock.sleep(120)  # the hour's answers have come to the table
            with Watch(self.workspace, model) as watch:  # one at a time: its lease is of minutes
                events = watch.look().events
            self.clock.sleep(-120)
            self.told += [Told(self.answered, one.alert) for one in events if one.kind is EventKind.FIRED]

    def row_at(self, moment: datetime) -> int:
        """The row that was answered then."""
        return LEARNT + int((moment - START) / HOUR * self.an_hour)

    def _hour(self) -> None:
        first = self.answered
        last = min(first + self.an_hour, self.rows.height)
        places = range(first, last)
        at = [self.clock.now() + HOUR * ((place - first) / self.an_hour) for place in places]
        store_answers(
            self.workspace.tables,
            self.manifest,
            self.rows[first:last],
            self.outputs[first:last],
            at,
            [str(place) for place in places],
        )
        self.clock.sleep(3600)
        self.answered = last
        self._tend()
        known = max(self.labelled, last - self.delay)
        if known > self.labelled:
            truth = self.rows.get_column("class")[self.labelled : known].to_list()
            ids = [str(place) for place in range(self.labelled, known)]
            store_labels(self.workspace.tables, self.manifest, ids, truth, self.clock.now())
        self.labelled = known

    def _tend(self) -> None:
        """What the gateway's drainer does every hour."""
        upkeep = Upkeep(self.workspace.tables, self.clock, None)
        for table in (predictions_table("sea"), labels_table("sea")):
            if self.workspace.tables.exists(table):
                upkeep.merge_today(table)
                upkeep.tend(table)


@contextmanager
def production(project: Path, rows: pl.DataFrame, *, an_hour: int, delay: int) -> Iterator[Production]:
    clock = FakeClock(START)
    with Workspace(load_project(project, {}).settings, clock) as workspace:
        record = workspace.catalogue.find(ReleaseRef("sea", 1))
        with workspace.open_release(record) as release:
            outputs = release.runtime.predict_frame(rows)
        manifest = workspace.catalogue.manifest(record)
        yield Production(workspace, clock, manifest, rows, outputs, an_hour, delay)


@pytest.mark.parametrize(
    ("an_hour", "delay"),
    [(500, 0), pytest.param(125, 0, marks=pytest.mark.soak), pytest.param(100, 500, marks=pytest.mark.soak)],
    ids=["while the alert before is open", "after it is over", "by late labels"],
)
def test_each_change_of_sea_is_told_soon_and_nothing_else_is(
    an_hour: int, delay: int, project: Callable[[str], Path], real_data: Path
) -> None:
    rows = stream(real_data, "sea")
    with production(project("sea"), rows, an_hour=an_hour, delay=delay) as made:
        made.go_on(rows.height)
        assert [one.alert.monitor for one in made.told] == ["concept_residual"] * 3
        assert len({one.alert.id for one in made.told}) == 3
        for one, change in zip(made.told, CHANGES, strict=True):
            assert change < one.row <= change + WITHIN
            assert one.alert.changed_at is not None
            assert abs(made.row_at(one.alert.changed_at) - change) <= 500


@pytest.mark.parametrize(
    ("name", "an_hour"),
    [
        ("sea_stream", 1_000),
        ("sea_big", 2_000),
        pytest.param("sea_stream", 100, marks=pytest.mark.soak),
        pytest.param("sea_big", 250, marks=pytest.mark.soak),
    ],
)
def test_where_nothing_changes_nobody_is_told(
    name: str, an_hour: int, project: Callable[[str], Path], real_data: Path
) -> None:
    rows = stream(real_data, name)
    with production(project(name), rows, an_hour=an_hour, delay=500) as made:
        made.go_on(rows.height)
        assert made.told == []
        states = made.workspace.records.monitor_states("sea")["concept_residual"]["streams"]
        assert states["timely"]["detector"]["columns"][0]["seen"] > 0.9 * (rows.height - LEARNT)
