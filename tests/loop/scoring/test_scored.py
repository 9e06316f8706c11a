"""A table is scored, its monitors look at it, and people are told: the whole way, also when it is killed."""

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from mainspring.domain.alert import AlertState
from mainspring.domain.measurement import State
from mainspring.domain.release import ReleaseRef
from mainspring.errors import StoreError
from mainspring.loop.reporting import model_report
from mainspring.loop.scoring.scored import Scored, measure_scored, score_release
from mainspring.loop.watching import Watch
from mainspring.monitoring.jobs.tables import jobs_of
from mainspring.project import load_project, open_project
from mainspring.stores.tables_delta import DeltaTables
from mainspring.testing.shop import write_rows
from mainspring.workspace import Workspace


@pytest.fixture
def workspace(released_shop: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(released_shop)
    write_rows(released_shop / "new.csv", rows=2_000, seed=7, first_id=10_000)
    with Workspace(open_project(released_shop, {}).settings) as opened:
        yield opened


@pytest.fixture
def model(released_shop: Path):
    return load_project(released_shop, {}).model


def score(workspace: Workspace, inputs: str = "new.csv", output: str = "out.parquet") -> Scored:
    project, record = open_project(Path(), {}), workspace.catalogue.find(ReleaseRef.parse("shop"))
    with workspace.open_release(record) as release:
        return score_release(
            workspace, project, release, [inputs], output, root=Path(), keep_columns=False, threads=2
        )


def aged(years: int) -> str:
    rows = pl.read_csv("new.csv", infer_schema=False)
    older = rows.with_columns((pl.col("age").cast(pl.Int64) + years).cast(pl.String))
    older.write_csv("aged.csv")
    return "aged.csv"


def test_the_rows_are_scored_and_known_to_the_monitors(workspace: Workspace, model) -> None:
    scored = score(workspace)
    assert pl.read_parquet("out.parquet").height == scored.result.rows == scored.job.rows == 2_000
    assert jobs_of(workspace.tables, "shop") == [scored.job]
    found = measure_scored(workspace, model, scored.job)
    assert {one.state for one in found.measurements} == {State.FINE}
    assert {one.monitor for one in found.measurements} == {"drift of jobs", "prediction of jobs"}
    assert found.events == ()


def test_what_is_bad_is_told_once_and_is_over_with_a_job_that_is_fine(workspace: Workspace, model) -> None:
    scored = score(workspace, aged(25))
    found = measure_scored(workspace, model, scored.job)
    bad = {one.subject for one in found.measurements if one.state is State.BAD and one.monitor == "drift of jobs"}
    assert "age" in bad
    assert not bad & {"spend", "city"}
    fired = {event.alert.monitor for event in found.events}
    assert "drift of jobs" in fired
    firing = workspace.records.alerts("shop", states=(AlertState.FIRING,))
    assert {cause.job for alert in firing for cause in alert.causes} == {"out.parquet"}
    with Watch(workspace, model) as watch:
        assert watch.look().events == (), "each job is looked at once"
    again = measure_scored(workspace, model, scored.job)
    assert again.events == ()
    assert {one.subject for one in again.measurements if one.state is State.BAD} >= {"age"}


def test_the_watcher_looks_at_jobs_that_nobody_asked_about(workspace: Workspace, model) -> None:
    with Watch(workspace, model) as watch:
        look = watch.look()
        assert look.measurements == ()
        assert look.silence == "none of its answers has been stored yet"
        score(workspace, output="first.csv")
        scored = score(workspace, aged(25), "second.csv")
        look = watch.look()
        assert {one.job for one in look.measurements} == {"first.csv", "second.csv"}
        assert {one.job for one in look.measurements if one.state is State.BAD} == {"second.csv"}
        assert "drift of jobs" in {event.alert.monitor for event in look.events}
        assert watch.look().measurements == ()
        found = measure_scored(workspace, model, scored.job)
        assert {one.state for one in found.measurements} >= {State.BAD}, "also where another process watches"
        assert found.events == ()


def test_the_report_tells_of_jobs_beside_answers(workspace: Workspace, model) -> None:
    scored = score(workspace, aged(25))
    measure_scored(workspace, model, scored.job)
    report = model_report(workspace, "shop", timedelta(days=1))
    assert report.state is State.BAD
    assert report.changes[0].name == "age"
    assert report.changes[0].of_jobs
    assert report.rows == 0
    assert [(job.name, job.rows) for job in report.jobs] == [("out.parquet", 2_000)]


KILLED = """
import os, signal, sys
from pathlib import Path
from mainspring.batch import table
from mainspring.domain.release import ReleaseRef
from mainspring.loop.scoring.scored import score_release
from mainspring.monitoring.jobs import watcher
from mainspring.project import open_project
from mainspring.workspace import Workspace
table.score_table.__kwdefaults__["batch_rows"] = 100
where, done = sys.argv[1], 0
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
def rows(n):
    global done
    done += n
    if where == "scoring" and done >= 900: die()
if where == "ending": watcher.JobWatcher.end = die
if where == "recorded":
    import shutil
    shutil.rmtree = die
project = open_project(Path(), {})
with Workspace(project.settings) as w:
    with w.open_release(w.catalogue.find(ReleaseRef.parse("shop"))) as opened:
        score_release(w, project, opened, ["new.csv"], "out.parquet", root=Path(), keep_columns=False, threads=2,
            on_rows=rows)
"""


@pytest.mark.parametrize("where", ["scoring", "ending", "recorded"])
def test_a_killed_job_is_known_once(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    from mainspring.batch import table

    monkeypatch.setitem(table.score_table.__kwdefaults__, "batch_rows", 100)
    ended = subprocess.run([sys.executable, "-c", KILLED, where], check=False)
    assert ended.returncode == -signal.SIGKILL
    scored = score(workspace)
    assert scored.result.resumed_rows >= 800
    assert jobs_of(workspace.tables, "shop") == [scored.job]
    assert (scored.job.rows, scored.job.looked_at) == (2_000, 2_000)
    assert pl.read_parquet("out.parquet").height == 2_000


def test_where_nothing_can_be_kept_the_output_is_there_and_the_same_call_goes_on(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> int:
        raise StoreError("the table cannot be written", cure="mend it")

    with monkeypatch.context() as patch:
        patch.setattr(DeltaTables, "record", broken)
        with pytest.raises(StoreError, match="cannot be written"):
            score(workspace)
    assert pl.read_parquet("out.parquet").height == 2_000
    scored = score(workspace)
    assert scored.result.resumed_rows == 2_000
    assert jobs_of(workspace.tables, "shop") == [scored.job]
