"""What is due is done, also after a kill; what fails is tried again, and holds up nothing."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mainspring.clock import SYSTEM_CLOCK
from mainspring.connection_features import Features
from mainspring.errors import UsageError
from mainspring.features.push import push_frame, record_rows
from mainspring.loop.features.feeder import Feeder
from mainspring.loop.processes.child import Child
from mainspring.project import load_project
from mainspring.testing.clock import FakeClock
from mainspring.testing.redis import redis_server
from mainspring.testing.viewed import NOON, make_viewed, spending_rows, write_spending
from mainspring.workspace import Workspace

MINUTE = timedelta(minutes=1)
SPENT = [(1, NOON - 50 * MINUTE, 4.0), (2, NOON - 20 * MINUTE, 20.0)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = make_viewed(tmp_path / "shop", SPENT)
    text = (place / "model.py").read_text()
    (place / "model.py").write_text(text.replace('owner="ana"', 'schedule="0 * * * *"'))
    return place


@pytest.fixture
def workspace(folder: Path) -> Iterator[Workspace]:
    with Workspace(load_project(folder, {}).settings, FakeClock(NOON)) as workspace:
        yield workspace


@pytest.fixture
def features(workspace: Workspace, folder: Path) -> Features:
    return Features(workspace, load_project(folder, {}))


@pytest.fixture
def feeder(workspace: Workspace, folder: Path) -> Iterator[Feeder]:
    feeder = Feeder(workspace, load_project(folder, {}))
    yield feeder
    feeder.close()


def until_of(workspace: Workspace, view: str = "spending") -> object:
    found = workspace.records.feature_views(view)
    return found[0].until if found else None


def amount(features: Features, user: int) -> object:
    return features.get("spending", {"user": user}).item(0, "amount")


def test_a_schedule_fills_at_once_and_then_at_its_moments(feeder: Feeder, workspace: Workspace) -> None:
    feeder.step()
    assert until_of(workspace) == NOON
    assert until_of(workspace, "habits") is None, "it has no schedule, and nothing was pushed"
    for minutes, expected in ((30, NOON), (29, NOON), (1, NOON + 60 * MINUTE), (59, NOON + 60 * MINUTE)):
        workspace.clock.sleep(minutes * 60)
        feeder.step()
        assert until_of(workspace) == expected
    workspace.clock.sleep(5 * 3_600)
    feeder.step()
    feeder.step()
    assert until_of(workspace) == NOON + (5 * 60 + 119) * MINUTE, "moments that were missed are one"


def test_another_definition_is_filled_at_once(feeder: Feeder, workspace: Workspace, folder: Path) -> None:
    feeder.step()
    (before,) = workspace.records.feature_views("spending")
    text = (folder / "model.py").read_text()
    (folder / "model.py").write_text(text.replace('"sum", "amount", over="1h"', '"sum", "amount", over="2h"'))
    workspace.clock.sleep(1)
    edited = Feeder(workspace, load_project(folder, {}))
    edited.step()
    (after,) = workspace.records.feature_views("spending")
    assert after.id != before.id
    assert after.until == NOON + timedelta(seconds=1)
    edited.close()


def test_rows_that_others_pushed_are_soon_in_the_store(
    feeder: Feeder, features: Features, workspace: Workspace
) -> None:
    feeder.step()
    record_rows(workspace.tables, "spending", push_frame(spending_rows([(1, NOON, 7.0)]), ["a"], NOON))
    workspace.clock.sleep(1)
    feeder.step()
    assert amount(features, 1) == 7.0
    assert features.get("habits", {"user": 1}).item(0, "large") is False
    done = until_of(workspace)
    workspace.clock.sleep(1)
    feeder.step()
    assert until_of(workspace) == done, "there is nothing new"


def test_what_fails_is_told_once_tried_again_later_and_holds_up_no_other(
    feeder: Feeder, features: Features, workspace: Workspace, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "spending.csv").unlink()
    with caplog.at_level(logging.ERROR, "mainspring"):
        for _ in range(12):
            feeder.step()
            workspace.clock.sleep(4)
    told = [record.message for record in caplog.records if "view spending" in record.message]
    assert len(told) == 1
    assert "spending.csv" in told[0]
    write_spending(folder, SPENT)
    workspace.clock.sleep(60)
    feeder.step()
    assert amount(features, 2) == 20.0


def test_one_that_is_busy_elsewhere_is_left_alone(feeder: Feeder, workspace: Workspace) -> None:
    with workspace.records.lease("features/spending", "another", ttl=60):
        feeder.step()
    assert until_of(workspace) is None
    workspace.clock.sleep(5)
    feeder.step()
    assert until_of(workspace) is not None


def test_a_stream_of_no_view_is_refused(folder: Path) -> None:
    stream = '[[stream]]\nview = "spendng"\nname = "purchases"\nurl = "redis://localhost"\n'
    (folder / "mainspring.toml").write_text(f'name = "shop"\n{stream}')
    project = load_project(folder, {})
    with Workspace(project.settings) as workspace, pytest.raises(UsageError, match="did you mean 'spending'"):
        Feeder(workspace, project)


def wait_for(what: Callable[[], bool], words: str) -> None:
    deadline = time.monotonic() + 120
    while not what():
        assert time.monotonic() < deadline, f"never: {words}"
        time.sleep(0.05)


@pytest.mark.timeout(300)
def test_the_process_takes_streams_and_goes_on_after_it_was_killed(folder: Path) -> None:
    with redis_server() as server:
        stream = f'[[stream]]\nview = "spending"\nname = "purchases"\nurl = "{server.url}"\n'
        (folder / "mainspring.toml").write_text(f'name = "shop"\n{stream}')
        project = load_project(folder, {})
        with Workspace(project.settings) as workspace:
            features = Features(workspace, project)

            def has(user: int, spent: float) -> bool:
                done = workspace.records.feature_views("spending")
                return bool(done and done[0].until) and amount(features, user) == spent

            for user in (11, 12):
                child = Child(
                    "mainspring.loop.features.feeder_process",
                    {"project": str(folder), "json_logs": False},
                    SYSTEM_CLOCK,
                )
                try:
                    at = "2026-03-01T13:00:00Z"
                    server.ask("XADD", "purchases", "*", "user", user, "at", at, "amount", user)
                    wait_for(lambda user=user: has(user, float(user)), "the row is in the store")  # type: ignore[misc]
                finally:
                    os.kill(child.pid, signal.SIGKILL)
                    child.kill()
            assert features.get("spending", {"user": 11}).item(0, "amount") == 11.0


# Says so once it begins to work, and once it is done.
FILL = """
import sys
from pathlib import Path
import mainspring.features.changes
from mainspring.connection_features import Features
from mainspring.project import load_project
from mainspring.workspace import Workspace
project = load_project(Path(sys.argv[1]), {})
with Workspace(project.settings) as workspace:
    features = Features(workspace, project)
    features.offline
    print("began", flush=True)
    features.materialize("spending")
    print("done", flush=True)
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_killed_anywhere_and_done_again_it_is_as_undisturbed(tmp_path: Path, store: str) -> None:
    spent = [(user, NOON - (user % 50) * MINUTE, float(user % 7)) for user in range(4_000)]
    folder = make_viewed(tmp_path / "shop", spent)
    with redis_server() as server:
        if store == "redis":
            (folder / "mainspring.toml").write_text(f'name = "shop"\n[features]\nurl = "{server.url}"\n')
        for seconds in (0.05, 0.3, 1.0, None):
            process = subprocess.Popen(
                [sys.executable, "-c", FILL, str(folder)], stdout=subprocess.PIPE, text=True
            )
            assert process.stdout is not None
            assert process.stdout.readline() == "began\n"
            if seconds is None:
                assert process.stdout.readline() == "done\n"
            else:
                time.sleep(seconds)
                process.kill()
            process.communicate()
        project = load_project(folder, {})
        with Workspace(project.settings) as workspace:
            features = Features(workspace, project)
            assert features.newest()["spending"].keys == len(spent)
            found = features.get("spending", [{"user": user} for user, _, _ in spent])
            assert found.get_column("amount").to_list() == [amount for _, _, amount in spent]
            assert features.materialize("spending")[0].written == 0
