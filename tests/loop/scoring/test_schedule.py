"""Score jobs by schedule: each moment once, gone on with after a kill, tried again where rows come late."""

import logging
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from mainspring.domain.scheduled_score import ScheduledScore
from mainspring.errors import SourceNotFound
from mainspring.loop.processes.controller import Controller
from mainspring.loop.processes.score_process import score_moment
from mainspring.loop.scoring.schedule import DueScore, ScheduledScores
from mainspring.project import load_project
from mainspring.settings import load_settings
from mainspring.testing.clock import FakeClock
from mainspring.workspace import Workspace

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
JOB = ScheduledScore(
    name="nightly",
    model="shop",
    inputs=("in/{date}.csv",),
    output="out/{date}.parquet",
    schedule="0 4 * * *",
)
MOMENT = datetime(2026, 3, 3, 4, tzinfo=UTC)

KILLED = """
import os, signal, sys
from pathlib import Path
import mainspring.loop.processes.score_process as process
from mainspring.project import load_project
from tests.loop.scoring.test_schedule import JOB, MOMENT

real = getattr(process, sys.argv[2])

def killed(*arguments, **named):
    if sys.argv[3] == "end":
        real(*arguments, **named)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(process, sys.argv[2], killed)
process.score_moment(load_project(Path(sys.argv[1]), {}), process.DueScore(JOB, MOMENT, 1))
"""


@pytest.fixture
def scored_shop(released_shop: Path) -> Path:
    """The shop, with rows to score for the third of March."""
    (released_shop / "in").mkdir()
    shutil.copy(released_shop / "rows.csv", released_shop / "in" / "2026-03-03.csv")
    return released_shop


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def workspace(tmp_path: Path, clock: FakeClock) -> Iterator[Workspace]:
    with Workspace(load_settings(tmp_path, {}), clock) as found:
        yield found


def told(folder: Path) -> list[str]:
    with Workspace(load_project(folder, {}).settings) as workspace:
        return [entry.reason for entry in workspace.records.history("shop") if entry.kind == "score"]


def test_a_moment_is_scored_and_told_once(scored_shop: Path) -> None:
    project = load_project(scored_shop, {})
    found = score_moment(project, DueScore(JOB, MOMENT, 1))
    assert (found.release, found.rows, found.output) == ("shop@1", 1_500, "out/2026-03-03.parquet")
    output = scored_shop / "out" / "2026-03-03.parquet"
    assert pl.read_parquet(output).height == 1_500
    output.unlink()
    assert score_moment(project, DueScore(JOB, MOMENT, 1)) == found
    assert not output.exists(), "it was done, and is not done again"
    assert told(scored_shop) == ["nightly: 1,500 rows by shop@1, written to out/2026-03-03.parquet"]


@pytest.mark.parametrize(("function", "moment"), [("_score", "start"), ("_score", "end"), ("tell_score", "start")])
def test_killed_anywhere_it_goes_on_and_all_is_told_once(scored_shop: Path, function: str, moment: str) -> None:
    root = Path(__file__).parents[3]
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(scored_shop), function, moment],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    found = score_moment(load_project(scored_shop, {}), DueScore(JOB, MOMENT, 1))
    assert found.rows == 1_500
    assert pl.read_parquet(scored_shop / "out" / "2026-03-03.parquet").height == 1_500
    assert len(told(scored_shop)) == 1


def test_rows_that_come_late_are_scored_by_another_attempt(scored_shop: Path) -> None:
    project = load_project(scored_shop, {})
    rows = (scored_shop / "in" / "2026-03-03.csv").rename(scored_shop / "late.csv")
    with pytest.raises(SourceNotFound):
        score_moment(project, DueScore(JOB, MOMENT, 1))
    rows.rename(scored_shop / "in" / "2026-03-03.csv")
    assert score_moment(project, DueScore(JOB, MOMENT, 2)).rows == 1_500


def test_what_is_due_stands_until_it_is_done(workspace: Workspace, clock: FakeClock) -> None:
    assert ScheduledScores(workspace, [JOB]).next() is None
    clock.sleep(86_400)
    due = ScheduledScores(workspace, [JOB]).next()
    assert due == DueScore(JOB, MOMENT, 1)
    assert ScheduledScores(workspace, [JOB]).next() == due, "the controller was killed"
    ScheduledScores(workspace, [JOB]).done(due)
    assert ScheduledScores(workspace, [JOB]).next() is None


def test_what_fails_is_tried_again_with_growing_pauses_and_then_given_up(
    workspace: Workspace, clock: FakeClock
) -> None:
    scores = ScheduledScores(workspace, [JOB])
    assert scores.next() is None
    clock.set(MOMENT)
    waited = timedelta(0)
    for attempt in range(1, 9):
        due = scores.next()
        assert due == DueScore(JOB, MOMENT, attempt)
        scores.put_off(due, "there is no file in/2026-03-03.csv")
        began = clock.now()
        while scores.next() is None and clock.now() - began < timedelta(days=1) and attempt < 8:
            clock.sleep(30)
        waited += clock.now() - began
    assert timedelta(hours=2) < waited < timedelta(hours=3)
    assert scores.next() is None
    (entry,) = workspace.records.history("shop")
    assert (entry.kind, entry.detail["state"]) == ("score", "failed")
    clock.sleep(86_400)
    later = scores.next()
    assert later is not None
    assert later.moment == MOMENT + timedelta(days=1)


@pytest.mark.timeout(600)
def test_the_controller_scores_when_it_is_time(scored_shop: Path, caplog: pytest.LogCaptureFixture) -> None:
    (scored_shop / "mainspring.toml").write_text(
        'name = "shop"\n[[score]]\nname = "nightly"\nmodel = "shop"\ninput = "in/{date}.csv"\n'
        'output = "out/{date}.parquet"\nschedule = "0 4 * * *"\n'
    )
    project = load_project(scored_shop, {})
    clock = FakeClock(MOMENT - timedelta(minutes=1))
    with Workspace(project.settings, clock) as workspace, caplog.at_level(logging.INFO, "mainspring"):
        controller = Controller(project, workspace)
        controller.turn()
        clock.set(MOMENT)
        deadline = time.monotonic() + 180
        while "is done" not in caplog.text:
            assert time.monotonic() < deadline, caplog.text
            controller.turn()
            time.sleep(0.05)
        controller.turn()
    assert pl.read_parquet(scored_shop / "out" / "2026-03-03.parquet").height == 1_500
    assert caplog.text.count("the score job nightly of 2026-03-03 04:00:00+00:00 begins") == 1
    assert len(told(scored_shop)) == 1
