"""The whole: a stream whose law turns round, played through the real loop."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mainspring.data.predictions import predictions
from mainspring.domain.prediction_log import predictions_table
from mainspring.errors import UsageError
from mainspring.loop.own_alerts import BREAKER
from mainspring.loop.simulation.delay import LabelDelay
from mainspring.loop.simulation.outcome import Simulated
from mainspring.loop.simulation.page import simulation_html
from mainspring.loop.simulation.quality import in_all
from mainspring.loop.simulation.simulate import NEVER, OURS, SimulationPlan, Turn, schedules_of, simulate
from mainspring.project import load_project
from mainspring.settings import load_settings
from mainspring.stores.tables_delta import DeltaTables
from mainspring.testing.turning import STARTED, TURNED, make_turning
from mainspring.workspace import Workspace

pytestmark = pytest.mark.timeout(900)


def a_plan(folder: Path, **changes: object) -> SimulationPlan:
    given: dict[str, object] = {
        "files": (str(folder / "stream.csv"),),
        "start": STARTED,
        "delay": LabelDelay(rows=200),
        "rows_an_hour": 100.0,
        "metric": "accuracy",
    }
    return SimulationPlan(**(given | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Simulated, list[Turn]]:
    root = tmp_path_factory.mktemp("played")
    folder, turns = make_turning(root / "visits"), []
    kept = root / "kept"
    kept.mkdir()
    plan = a_plan(folder, schedules=schedules_of([LabelDelay(rows=1_000)], STARTED))
    found = simulate(load_project(folder, {}), plan, told=turns.append, folder=kept)
    return root, found, turns


def test_the_loop_finds_the_change_and_learns_from_what_came_since(
    played: tuple[Path, Simulated, list[Turn]],
) -> None:
    _, found, _ = played
    first = found.trainings[0]
    assert first.kind == "drift"
    assert first.state == "released"
    assert first.window == "since_change"
    assert first.row > TURNED
    assert first.since is not None
    answered = next(row for row, at in enumerate(found.at) if at >= first.since)
    assert abs(STARTED + answered - TURNED) <= 200
    assert [monitor for monitor, _ in found.alerts][:1] == ["concept_residual"]
    assert [(one.before, one.after) for one in found.changes][:1] == [(1, 2)]
    assert found.changes[0].row == first.row
    assert found.changes[0].low is None or found.changes[0].low > 0


def test_what_it_brings_stands_beside_no_training_and_beside_schedules(
    played: tuple[Path, Simulated, list[Turn]],
) -> None:
    _, found, _ = played
    assert [course.name for course in found.courses] == [
        OURS,
        NEVER,
        "every 1,000 rows, all rows",
        "every 1,000 rows, the last 1,000 rows",
    ]
    ours, never, growing, sliding = (in_all(found, course) for course in found.courses)
    assert ours > never + 0.1
    assert sliding > growing
    assert [course.trainings for course in found.courses] == [len(found.trainings), 0, 3, 3]
    before = slice(0, TURNED - STARTED)
    np.testing.assert_array_equal(found.courses[0].outputs[before], found.courses[1].outputs[before])
    assert found.seconds > found.courses[0].seconds > 0


def test_each_row_is_answered_and_logged_once_and_each_truth_after_its_delay(
    played: tuple[Path, Simulated, list[Turn]],
) -> None:
    root, found, turns = played
    assert turns[-1].rows == turns[-1].of == len(found.truth) == 3_800
    assert [turn.rows for turn in turns] == sorted({turn.rows for turn in turns})
    tables = DeltaTables(str(load_settings(root / "kept" / "project", {}).tables_url))
    logged = predictions(tables, "visits").collect().sort("at")
    assert logged.height == logged.get_column("id").n_unique() == 3_800
    np.testing.assert_array_equal(np.array(logged.get_column("outputs").to_list()), found.courses[0].outputs)
    labelled = logged.filter(pl.col("label").is_not_null())
    assert 3_500 <= labelled.height <= 3_600
    assert labelled.get_column("label_delay").min() >= pl.Series([0]).cast(pl.Duration("us")).item()
    truth = (labelled.get_column("label") == "yes").to_numpy()
    np.testing.assert_array_equal(truth, found.truth[: labelled.height] == 1)
    assert tables.columns(predictions_table("visits"))["input_age"] == "double"


def test_nothing_of_the_project_is_touched(played: tuple[Path, Simulated, list[Turn]]) -> None:
    root, _, _ = played
    names = {place.name for place in (root / "visits").iterdir()} - {"__pycache__"}
    assert names == {"model.py", "schema.toml", "mainspring.toml", "stream.csv", "start.csv"}


def test_the_history_of_the_played_workspace_tells_the_same(played: tuple[Path, Simulated, list[Turn]]) -> None:
    root, found, _ = played
    with Workspace(load_settings(root / "kept" / "project", {})) as workspace:
        told = [entry for entry in workspace.records.history("visits", limit=1_000) if entry.kind == "trigger"]
        assert workspace.records.verify_history() is None
    assert [entry.at for entry in reversed(told)] == [one.at for one in found.trainings]


def test_the_page_says_why_and_shows_how(played: tuple[Path, Simulated, list[Turn]]) -> None:
    _, found, _ = played
    page = simulation_html(found)
    assert page.startswith("<!doctype html>")
    assert "<svg" in page
    assert found.trainings[0].reason in page
    assert "every 1,000 rows, the last 1,000 rows" in page


@pytest.mark.soak
def test_trainings_that_bring_nothing_end_by_the_breaker_which_is_told(tmp_path: Path) -> None:
    folder = make_turning(tmp_path / "visits", rows=TURNED + 1_500)
    model = (folder / "model.py").read_text()
    policy = 'Retrain(schedule="0 */12 * * *", windows=["all"], cooldown="1s", per_day=100, breaker=1)'
    model = model.replace('Retrain(on=["drift"])', f'{policy}, gates=[Gate("roc_auc", at_least=0.85)]')
    (folder / "model.py").write_text(model.replace("import Model", "import Gate, Model"))
    found = simulate(load_project(folder, {}), a_plan(folder))
    refused = [one.row for one in found.trainings if one.state == "refused"]
    assert len(refused) == 1
    assert found.trainings[-1].row == refused[0], "none is started any more"
    assert [monitor for monitor, _ in found.alerts].count(BREAKER.name) == 1


def test_without_a_schema_it_says_what_to_do_first(visits: Path) -> None:
    (visits / "schema.toml").unlink()
    with pytest.raises(UsageError, match=r"schema\.toml is not there yet") as error:
        simulate(load_project(visits, {}), a_plan(visits))
    assert "mainspring init" in (error.value.cure or "")


def test_a_metric_of_another_task_is_refused_before_anything_is_played(visits: Path) -> None:
    with pytest.raises(UsageError, match="rmse"):
        simulate(load_project(visits, {}), a_plan(visits, metric="rmse"))
