"""`mainspring up`: one command that answers and runs the loop, and keeps doing so."""

import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from mainspring.demo.gateway import Client
from mainspring.project import open_project
from mainspring.stores.lease_keeping import CONTROLLER
from mainspring.testing import waiting
from mainspring.testing.postgres import postgres_server
from mainspring.testing.read_only import read_only
from mainspring.testing.shop import write_rows
from mainspring.workspace import Workspace

pytestmark = pytest.mark.timeout(600)

PATIENCE = 120.0
ROW = {"age": 50, "spend": 20.5, "city": "Ulm"}


until = partial(waiting.until, patience=PATIENCE)


def process_of(up: int, role: str) -> psutil.Process | None:
    """The gateway's or the controller's parent process, a child of `up`."""
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(up).children():
            with suppress(psutil.NoSuchProcess):  # one that was killed a moment ago
                if f"mainspring.loop.processes.{role}_process" in child.cmdline():
                    return child
    return None


class Started:
    """`up`, started in the project."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "mainspring", "up", "--json", *arguments]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(command, cwd=folder, text=True, **pipes)
        self.closing = ExitStack()

    def client(self, address: str) -> Client:
        """One that is closed in the end."""
        return self.closing.enter_context(closing(Client(address, None)))

    def document(self) -> dict[str, Any]:
        """What it prints when it listens."""
        assert self.process.stdout is not None
        text = ""
        for line in self.process.stdout:
            text += line
            if line.startswith("}"):
                break
        found: dict[str, Any] = json.loads(text)
        return found

    def controls(self) -> bool:
        """Whether a controller of ours has the lease."""
        with Workspace(open_project(self.folder, {}).settings) as workspace:
            return (
                workspace.records.lease_holder(CONTROLLER) == f"controller of process {self.pid_of('controller')}"
            )

    def pid_of(self, role: str) -> int | None:
        found = process_of(self.process.pid, role)
        return None if found is None else found.pid


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[Started]:
    up = Started(folder, *arguments)
    try:
        yield up
    finally:
        up.closing.close()
        tree = psutil.Process(up.process.pid).children(recursive=True) if up.process.poll() is None else []
        up.process.kill()
        up.process.communicate()
        for process in tree:
            if process.is_running():
                process.kill()


def ask(client: Client) -> str | None:
    try:
        return str(client.predict("shop", [ROW])["release"])
    except Exception:
        return None


def test_it_answers_and_runs_the_loop_and_what_dies_comes_back_in_its_place(released_shop: Path) -> None:
    with started(released_shop, "--port", "0") as up:
        document = up.document()
        assert document["models"] == ["shop"]
        client = up.client(document["address"])
        until(lambda: ask(client) == "shop@1", "an answer")
        until(up.controls, "the loop runs")
        told = subprocess.run(
            [sys.executable, "-m", "mainspring", "status"],
            cwd=released_shop,
            text=True,
            capture_output=True,
            check=True,
        ).stdout
        assert f"Loop: run by controller of process {up.pid_of('controller')}" in told
        gone = {role: up.pid_of(role) for role in ("gateway", "controller")}
        for pid in gone.values():
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
        until(lambda: up.pid_of("gateway") not in (None, gone["gateway"]), "another gateway")
        until(lambda: ask(client) == "shop@1", "an answer at the same address")
        until(up.controls, "the loop runs again")
        tree = psutil.Process(up.process.pid).children(recursive=True)
        up.process.terminate()
        _, errors = up.process.communicate(timeout=PATIENCE)
        assert up.process.returncode == 0, errors
        assert "by SIGKILL; it starts again" in errors
        assert "Traceback" not in errors
        _, alive = psutil.wait_procs(tree, timeout=PATIENCE)
        assert alive == []


def test_ctrl_c_ends_both_in_order(released_shop: Path) -> None:
    with started(released_shop, "--port", "0") as up:
        up.document()
        until(up.controls, "the loop runs")
        tree = psutil.Process(up.process.pid).children(recursive=True)
        up.process.send_signal(signal.SIGINT)
        _, errors = up.process.communicate(timeout=PATIENCE)
        assert up.process.returncode == 0, errors
        assert "Traceback" not in errors
        assert "killed" not in errors
        _, alive = psutil.wait_procs(tree, timeout=PATIENCE)
        assert alive == []
        with Workspace(open_project(released_shop, {}).settings) as workspace:
            assert workspace.records.lease_holder(CONTROLLER) is None


def test_killed_itself_it_leaves_nothing_behind(released_shop: Path) -> None:
    with started(released_shop, "--port", "0") as up:
        up.document()
        until(up.controls, "the loop runs")
        tree = psutil.Process(up.process.pid).children(recursive=True)
        up.process.kill()
        _, alive = psutil.wait_procs(tree, timeout=PATIENCE)
        assert alive == []


def test_a_port_that_is_taken_ends_it_with_the_cure(released_shop: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with started(released_shop, "--port", str(port)) as up:
            output, errors = up.process.communicate(timeout=PATIENCE)
        assert up.process.returncode == 2, errors
        assert f"the port {port} on 127.0.0.1 is taken" in json.loads(output)["message"]
        assert "--port" in json.loads(output)["cure"]


def test_a_schedule_that_makes_no_sense_is_told_with_its_line(released_shop: Path) -> None:
    model = released_shop / "model.py"
    text = model.read_text().replace("import Gate, Model, Source", "import Gate, Model, Retrain, Source")
    model.write_text(text.replace('task="binary",', 'task="binary", retrain=Retrain(schedule="0 25 * * *"),'))
    with started(released_shop) as up:
        output, _ = up.process.communicate(timeout=PATIENCE)
    assert up.process.returncode == 1
    found = json.loads(output)
    assert "'25' is no hour" in found["message"]
    assert found["where"]["file"] == "model.py"
    assert found["where"]["line"] is not None


def retrained_on_new_data(folder: Path) -> None:
    """Its model is trained again whenever its rows change."""
    model = folder / "model.py"
    text = model.read_text().replace("import Gate, Model, Source", "import Gate, Model, Retrain, Source")
    policy = 'Retrain(on="new_data", cooldown="1s", per_day=100, breaker=100)'
    model.write_text(text.replace('task="binary",', f'task="binary", monitors=[], retrain={policy},'))


def settings(folder: Path, **records: str) -> None:
    lines = ['name = "shop"', "[run]", 'budget = "1 trial"', "[records]"]
    lines += [f'{name} = "{value}"' for name, value in records.items()]
    (folder / "mainspring.toml").write_text("\n".join(lines) + "\n")


def answers_throughout(client: Client, release: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert ask(client) == release
        time.sleep(0.1)


def is_trained_and_answers(up: Started, client: Client, rows: int, release: str) -> None:
    """New rows bring a new champion."""
    write_rows(up.folder / "rows.csv", rows=rows)
    until(lambda: ask(client) == release, f"{release} answers")


def ended_well(up: Started) -> str:
    """What was logged until it ended."""
    up.process.terminate()
    _, errors = up.process.communicate(timeout=PATIENCE)
    assert up.process.returncode == 0, errors
    assert "Traceback" not in errors
    return str(errors)


def test_a_database_that_restarts_in_the_middle_ends_nothing(shop: Path) -> None:
    with postgres_server() as server:
        settings(shop, url=server.database())
        subprocess.run([sys.executable, "-m", "mainspring", "run"], cwd=shop, check=True, capture_output=True)
        with started(shop, "--port", "0") as up:
            client = up.client(up.document()["address"])
            until(lambda: ask(client) == "shop@1", "an answer")
            until(up.controls, "the loop runs")
            server.stop()
            answers_throughout(client, "shop@1", 4)
            server.start()
            until(up.controls, "the loop runs again")
            assert "the records database" in ended_well(up)
        with Workspace(open_project(shop, {}).settings) as workspace:
            assert workspace.records.verify_history() is None


def test_what_starts_on_a_database_that_cannot_be_written_answers_and_goes_on_when_it_can(
    released_shop: Path,
) -> None:
    place = released_shop / ".mainspring" / "records"
    place.mkdir()
    for file in (released_shop / ".mainspring").glob("records.db*"):
        file.rename(place / file.name)
    settings(released_shop, url=f"sqlite:///{place / 'records.db'}")
    with started(released_shop, "--port", "0") as up:
        client = up.client(up.document()["address"])
        until(lambda: ask(client) == "shop@1", "an answer")
        until(up.controls, "the loop runs")
        with read_only(place):
            gone = psutil.Process(up.process.pid).children(recursive=True)
            for pid in [up.pid_of("gateway"), up.pid_of("controller")]:
                assert pid is not None
                os.kill(pid, signal.SIGKILL)
            psutil.wait_procs(gone, timeout=PATIENCE)
            until(lambda: ask(client) == "shop@1", "another gateway answers")
            until(lambda: up.pid_of("controller"), "another controller tries")
            answers_throughout(client, "shop@1", 6)  # longer than a first look lasts
        until(up.controls, "the loop runs again")
        assert "readonly database" in ended_well(up)


@pytest.mark.soak
def test_a_database_that_is_locked_for_longer_than_anybody_waits_ends_nothing(released_shop: Path) -> None:
    retrained_on_new_data(released_shop)
    settings(released_shop)
    with started(released_shop, "--port", "0") as up:
        client = up.client(up.document()["address"])
        until(lambda: ask(client) == "shop@1", "an answer")
        until(up.controls, "the loop runs")
        gateway = psutil.Process(up.pid_of("gateway"))
        answering = {child.pid for child in gateway.children()}
        other = sqlite3.connect(released_shop / ".mainspring" / "records.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        answers_throughout(client, "shop@1", 75)  # who writes waits for 30 s, and may then wait again
        assert {child.pid for child in gateway.children()} == answering, "nobody was taken for dead"
        other.execute("ROLLBACK")
        other.close()
        until(up.controls, "the loop runs again")
        is_trained_and_answers(up, client, 1_600, "shop@2")
        assert "database is locked" in ended_well(up)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_killed_at_random_again_and_again_it_answers_and_trains_once_for_each_cause(released_shop: Path) -> None:
    dice = random.Random(7)
    retrained_on_new_data(released_shop)
    settings(released_shop)
    with (
        started(released_shop, "--port", "0") as up,
        Workspace(open_project(released_shop, {}).settings) as workspace,
    ):
        client = up.client(up.document()["address"])
        for release in range(2, 7):
            write_rows(released_shop / "rows.csv", rows=1_500 + 50 * release)
            deadline = time.monotonic() + 600
            while workspace.records.routes().of("shop").champion != release:
                assert time.monotonic() < deadline, "it goes on"
                time.sleep(
                    dice.expovariate(1 / 45)
                )  # some live long enough to get on: they start again ever later
                for role in dice.choice([("gateway",), ("controller",), ("gateway", "controller")]):
                    pid = up.pid_of(role)
                    if pid is not None:
                        os.kill(pid, signal.SIGKILL)
            until(lambda release=release: ask(client) == f"shop@{release}", "the new champion answers")
        assert workspace.records.verify_history() is None
        kinds = [entry.kind for entry in workspace.records.history("shop", limit=1_000)]
        assert kinds.count("trigger") == kinds.count("champion") - 1 == 5
        assert [record.number for record in workspace.records.releases("shop")] == [6, 5, 4, 3, 2, 1]
