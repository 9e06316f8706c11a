"""What was answered with is computed anew: where serving and training see the same, and where they do not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mainspring.domain.agreement import ViewAgreement
from mainspring.domain.measurement import State, Window
from mainspring.domain.monitor import FEATURE_AGREEMENT
from mainspring.domain.prediction_log import Role
from mainspring.domain.release import ReleaseRef
from mainspring.errors import UsageError
from mainspring.loop.features.agreement import recompute
from mainspring.loop.features.checking import check_agreement
from mainspring.loop.lifecycle.model_rows import ModelRows
from mainspring.loop.watching import Watch
from mainspring.monitoring.measurements import read_measurements
from mainspring.project import load_project
from mainspring.testing.clock import FakeClock
from mainspring.testing.production import store_answers
from mainspring.workspace import Workspace

MIDNIGHT = datetime(2026, 3, 16, tzinfo=UTC)
YESTERDAY = Window(MIDNIGHT - timedelta(days=1), MIDNIGHT)


class Answering:
    """A released project in production: answers of yesterday, with the features as history has them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = load_project(folder, {})
        self.workspace = Workspace(self.project.settings, FakeClock(MIDNIGHT + timedelta(minutes=2)))
        self.manifest = self.workspace.catalogue.manifest(self.workspace.catalogue.find(ReleaseRef("posters", 1)))
        made = ModelRows(self.workspace, self.project)
        source = self.workspace.snapshots.read(self.manifest.snapshots[0]).collect().head(400)
        at = [YESTERDAY.start + timedelta(minutes=3 * number) for number in range(source.height)]
        self.rows = made.with_view_features(source.with_columns(pl.Series("shown_at", at)))

    def answer(self, rows: pl.DataFrame, *, role: Role = Role.CHAMPION, first: int = 0) -> None:
        with self.workspace.open_release(self.workspace.catalogue.find(self.manifest.ref)) as release:
            outputs = release.runtime.predict_frame(rows)
        ids = [f"q{first + number}" for number in range(rows.height)]
        at = rows.get_column("shown_at").to_list()
        store_answers(self.workspace.tables, self.manifest, rows, outputs, at, ids, role=role)

    def found(self, rows: int = 1_000) -> dict[str, ViewAgreement]:
        project = load_project(self.folder, {})
        return {one.view: one for one in recompute(self.workspace, project, self.manifest, YESTERDAY, rows=rows)}


@pytest.fixture
def answering(released_posters: Path) -> Iterator[Answering]:
    answering = Answering(released_posters)
    with answering.workspace:
        yield answering


def test_what_was_answered_as_history_has_it_agrees(answering: Answering) -> None:
    answering.answer(answering.rows)
    found = answering.found()
    assert {one.view: (one.rows, one.agreeing, one.worst, one.note) for one in found.values()} == {
        "creative": (400, 400, (), ""),
        "visitor": (400, 400, (), ""),
    }
    assert answering.found(rows=150)["creative"].rows == 150


def test_features_that_differ_are_counted_and_the_worst_named(answering: Answering) -> None:
    brightness = answering.rows.get_column("creative.brightness").to_numpy().copy()
    brightness[7] *= 1 + 1e-12  # no more than a rounding
    brightness[50:60] += 0.01
    brightness[60] = -1_000.0
    counts = answering.rows.get_column("visitor.count_7d").to_list()
    counts[3] = None
    answering.answer(
        answering.rows.with_columns(
            pl.Series("creative.brightness", brightness), pl.Series("visitor.count_7d", counts)
        )
    )
    found = answering.found()
    assert (found["creative"].rows, found["creative"].agreeing) == (400, 389)
    worst = found["creative"].worst[0]
    assert (worst.prediction, worst.feature, worst.answered) == ("q60/0", "creative.brightness", -1_000.0)
    assert worst.recomputed == answering.rows.get_column("creative.brightness")[60]
    assert len(found["creative"].worst) == 10
    (absent,) = found["visitor"].worst
    assert (absent.prediction, absent.answered, absent.at) == ("q3/0", None, answering.rows["shown_at"][3])


def test_shadows_and_other_times_are_left_out(answering: Answering) -> None:
    wrong = answering.rows.with_columns(pl.lit(7.0).alias("creative.brightness"))
    answering.answer(answering.rows.head(100))
    answering.answer(wrong.head(50), role=Role.SHADOW, first=1_000)
    later = wrong.with_columns(pl.col("shown_at") + timedelta(days=1))
    answering.answer(later.head(20), first=2_000)
    assert (answering.found()["creative"].rows, answering.found()["creative"].agreeing) == (100, 100)


def test_rows_of_a_view_that_came_too_late_for_an_answer_are_no_disagreement(answering: Answering) -> None:
    answering.answer(answering.rows)
    with (answering.folder / "ads.csv").open("a") as file:
        # Drawn long ago, and known since today only.
        file.writelines(f"{ad},2026-01-01T00:00:00Z,{MIDNIGHT:%Y-%m-%dT%H:%M:%SZ},0\n" for ad in range(42))
    assert answering.found()["creative"].share == 1.0
    noon = YESTERDAY.start + timedelta(hours=10)
    with (answering.folder / "ads.csv").open("a") as file:
        # Known since yesterday morning: from then on the gateway should have answered with it.
        file.writelines(f"{ad},{noon:%Y-%m-%dT%H:%M:%SZ},{noon:%Y-%m-%dT%H:%M:%SZ},128\n" for ad in range(42))
    late = (answering.rows.get_column("shown_at") >= noon).to_numpy()
    other = np.abs(answering.rows.get_column("creative.brightness").to_numpy()) > 1e-9
    assert answering.found()["creative"].agreeing == int((~(late & other)).sum())


def test_a_view_that_is_another_now_cannot_be_compared(answering: Answering) -> None:
    answering.answer(answering.rows)
    place = answering.folder / "model.py"
    place.write_text(place.read_text().replace('1 - ads["ink"] / 128', '1 - ads["ink"] / 90'))
    found = answering.found()
    assert (found["creative"].rows, found["visitor"].rows) == (0, 400)
    assert "defined otherwise" in found["creative"].note


def test_a_check_is_kept_as_a_measurement_and_says_what_is_bad(answering: Answering) -> None:
    brightness = answering.rows.get_column("creative.brightness").to_numpy().copy()
    brightness[:200] += 0.5
    answering.answer(answering.rows.with_columns(pl.Series("creative.brightness", brightness)))
    check = check_agreement(answering.workspace, answering.project, period=timedelta(days=2))
    assert check.release == "posters@1"
    states = {one.slice["view"]: (one.state, one.value, one.bar) for one in check.measurements}
    assert states == {"creative": (State.BAD, 0.5, 0.99), "visitor": (State.FINE, 1.0, 0.99)}
    now = answering.workspace.clock.now()
    kept = read_measurements(answering.workspace.tables, "posters", since=now - timedelta(minutes=9), until=now)
    assert [one.monitor for one in kept] == [FEATURE_AGREEMENT.name] * 2
    assert kept[0].example["feature"] == "creative.brightness"


def test_a_model_without_views_has_nothing_to_check(released_shop: Path) -> None:
    project = load_project(released_shop, {})
    with Workspace(project.settings) as workspace, pytest.raises(UsageError, match="nothing to compare"):
        check_agreement(workspace, project, period=timedelta(days=1))


def test_the_monitor_of_it_looks_by_itself_and_raises_an_alert(answering: Answering) -> None:
    wrong = answering.rows.with_columns(pl.col("creative.brightness") + 0.5)
    answering.answer(wrong)
    with Watch(answering.workspace, answering.project.model, answering.project) as watch:
        look = watch.look()
    found = {one.slice.get("view"): one for one in look.measurements if one.monitor == "feature_agreement"}
    assert found["creative"].state is State.BAD
    assert found["visitor"].state is State.FINE
    assert "feature_agreement" in [event.alert.monitor for event in look.events]
    ages = [one for one in look.measurements if one.monitor == "feature_age"]
    assert {one.slice["view"] for one in ages} == {"creative", "visitor"}
    assert {one.state for one in ages} == {State.FINE}, "the run has filled them"
