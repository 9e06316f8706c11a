"""The processes of the simulated week, which are killed and started again."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import psutil

from mainspring.clock import SYSTEM_CLOCK
from mainspring.loop.processes.child import Child
from mainspring.testing import waiting

PATIENCE = 400.0
ON_PATH = Path(__file__).parent / "path"
until = partial(waiting.until, patience=PATIENCE)


class WeekClock:
    """The time of every process of a play; see `path/sitecustomize.py`."""

    def __init__(self, place: Path, start: datetime) -> None:
        self._place = place
        self.set(start)

    @property
    def environ(self) -> dict[str, str]:
        """What puts a process under it."""
        path = [str(ON_PATH), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {"MAINSPRING_TESTS_CLOCK": str(self._place), "PYTHONPATH": os.pathsep.join(path)}

    def now(self) -> datetime:
        return datetime.fromisoformat(self._place.read_text())

    def set(self, moment: datetime) -> None:
        draft = self._place.with_name(f"{self._place.name}.draft")
        draft.write_text(moment.isoformat())
        draft.replace(self._place)

    def put_on(self, by: timedelta) -> None:
        self.set(self.now() + by)


class Process:
    """A process that is there until it is killed, and then again."""

    def __init__(self, module: str, orders: dict[str, Any], environ: Mapping[str, str]) -> None:
        self.orders = orders
        self._module = module
        self._environ = environ
        self._guard = threading.Lock()  # who kills is another thread than who starts
        self._doomed: list[psutil.Process] = []
        self._child = self._started()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def told(self) -> dict[str, Any]:
        """What it told since it was started."""
        return self._child.told or {}

    @property
    def is_gone(self) -> bool:
        return self._child.poll() is not None

    def kill(self, *, whole: bool) -> bool:
        """Kill -9; with `whole` all that it has started, too. Whether there was something to kill."""
        with self._guard:
            if self.is_gone:
                return False
            self._doomed = _descendants(self.pid)
            os.kill(self.pid, signal.SIGKILL)
            for one in self._doomed if whole else ():
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            return True

    def again(self) -> None:
        """Start it once nothing is left of the one that was killed: what it had started goes by itself."""
        with self._guard:
            _, alive = psutil.wait_procs(self._doomed, timeout=PATIENCE)
            assert alive == [], "what it started is gone with it"
            self._child.kill()
            self._child = self._started()

    def end(self) -> None:
        with self._guard:
            self._doomed += _descendants(self.pid)
            self._child.kill()
            for one in self._doomed:
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            _, alive = psutil.wait_procs(self._doomed, timeout=PATIENCE)
            assert alive == []

    def _started(self) -> Child:
        return Child(self._module, self.orders, SYSTEM_CLOCK, self._environ)


class Gateway(Process):
    """The product's own process, on one port for all its lives."""

    def __init__(self, project: Path, clock: WeekClock) -> None:
        orders = {"project": str(project), "json_logs": False, "host": "127.0.0.1", "port": 0, "workers": 1}
        super().__init__("mainspring.loop.processes.gateway_process", orders, clock.environ)

    def keep_port(self) -> None:
        """Wait until it listens, where it is asked to listen ever after."""
        until(lambda: self.told, "the gateway listens")
        self.orders["port"] = urlsplit(str(self.told["address"])).port

    def post(self, path: str, document: object, headers: Mapping[str, str]) -> dict[str, Any] | None:
        """The answer; `None` where there is none, since it is dead, or not ready yet."""
        connection = http.client.HTTPConnection("127.0.0.1", self.orders["port"], timeout=PATIENCE)
        try:
            connection.request("POST", path, json.dumps(document), dict(headers))
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            return None
        finally:
            connection.close()
        assert response.status in (200, 202, 404, 503), answer
        return answer if response.status in (200, 202) else None


class Note(msgspec.Struct, frozen=True):
    """What the controller says of its newest turn.

    Attributes:
        turn: its number.
        at: when it began, by the clock of the week.
        trains: whether it left a training under way.
    """

    pid: int
    turn: int
    at: datetime
    trains: bool


class ControllerProcess(Process):
    """The product's controller, in `path/week_controller.py`."""

    def __init__(self, project: Path, clock: WeekClock) -> None:
        self._notes, self._due = (project.with_suffix(suffix) for suffix in (".turns", ".due"))
        orders = {"project": str(project), "notes": str(self._notes), "due": str(self._due)}
        super().__init__("week_controller", orders, {**clock.environ, "MAINSPRING_TESTS_CLOCK_LASTS": "1"})

    @contextmanager
    def may_train(self) -> Iterator[None]:
        """While the block runs."""
        self._due.touch()
        try:
            yield
        finally:
            self._due.unlink()

    @property
    def runs(self) -> bool:
        """Whether this process has the loop, and has done a turn."""
        return self._note().pid == self.pid

    def has_turned(self, at: datetime) -> bool:
        """Whether its newest turn began at this time."""
        return self.runs and self._note().at == at

    @property
    def trains(self) -> bool:
        """Whether its newest turn left a training under way."""
        return self.runs and self._note().trains

    @property
    def turns(self) -> int:
        """How many it has done."""
        return self._note().turn if self.runs else 0

    def _note(self) -> Note:
        try:
            return msgspec.json.decode(self._notes.read_bytes(), type=Note)
        except FileNotFoundError:
            return Note(0, 0, datetime.min, trains=False)


@contextmanager
def running(project: Path, clock: WeekClock) -> Iterator[tuple[Gateway, ControllerProcess]]:
    """Both, which are gone with all that they started at the end, however that comes."""
    gateway = Gateway(project, clock)
    try:
        gateway.keep_port()
        controller = ControllerProcess(project, clock)
        try:
            yield gateway, controller
        finally:
            controller.end()
    finally:
        gateway.end()


def _descendants(pid: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        found: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
        return found
    return []
