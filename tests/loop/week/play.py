"""Plays a week hour by hour to the real processes, and kills them on the way.

At the full hour the clock waits until the loop has done all that is due: it looks, trains, proves and promotes. At
half past the customers come, and what came true of those of the hour before is said; the clock goes on when the
tables have all of it. So whatever is decided rests on the same rows in every play, however often somebody was
killed. Kills fall into all of it, at any moment.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from mainspring.domain.prediction_log import labels_table, predictions_table
from mainspring.domain.run import RunState
from mainspring.project import load_project
from mainspring.workspace import Workspace

from .processes import ControllerProcess, Gateway, WeekClock, running, until
from .strikes import Amid, Strike, striking
from .world import HOUR, START, World

MODEL = "shop"
_STEP = timedelta(seconds=280)  # by which the clock is put on
_LEASES = timedelta(seconds=301)  # the longest lease that a killed process leaves
_CUSTOMERS, _OVER = "the customers come", "the customers have been"
_AT_ONCE = 8  # requests, and then so many labels


@dataclass
class Played:
    """What the client of a play knows.

    Attributes:
        answers: by request id what was acknowledged: the release and the probability of a yes.
        sent: how often a request or a message was sent until it was acknowledged, by its id.
        kills: who was killed at which hour, and what was going on.
    """

    answers: dict[str, tuple[str, float]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    sent: Counter[str] = field(default_factory=Counter)
    kills: list[tuple[int, tuple[str, ...], str]] = field(default_factory=list)


def first_release(project: Path, clock: WeekClock) -> None:
    """Run the project for the first time, as a person does."""
    command = [sys.executable, "-m", "mainspring", "run"]
    environ = {**os.environ, **clock.environ}
    subprocess.run(command, cwd=project, env=environ, check=True, capture_output=True)


def play(project: Path, world: World, strikes: dict[int, list[Strike]], clock: WeekClock) -> Played:
    """Play the week; the project has its first release."""
    clock.set(START + world.first * HOUR)
    with (
        Workspace(load_project(project, {}).settings) as workspace,
        running(project, clock) as (gateway, controller),
    ):
        week = _Week(workspace, world, clock, gateway, controller)
        for hour in range(world.first, world.first + world.hours):
            week.hour(hour, strikes.get(hour, []))
        return week.played


class _Week:
    def __init__(
        self,
        workspace: Workspace,
        world: World,
        clock: WeekClock,
        gateway: Gateway,
        controller: ControllerProcess,
    ) -> None:
        self.played = Played()
        self._workspace = workspace
        self._world = world
        self._clock = clock
        self._gateway = gateway
        self._controller = controller
        self._now = 0
        self._doing = ""

    def hour(self, hour: int, strikes: Sequence[Strike]) -> None:
        """From half an hour before the full hour until the customers have been, half an hour after it."""
        self._now = hour
        both = {"gateway": self._gateway, "controller": self._controller}
        self._doing = "time goes on"
        with striking(strikes, both, self._is_amid, self._struck) as are_over:
            self._go_on_to(START + hour * HOUR)
            self._doing = "the loop is due"
            with self._controller.may_train():
                self._settle()
            self._doing = "time goes on"
            self._go_on_to(START + hour * HOUR + HOUR / 2)
            self._doing = _CUSTOMERS
            self._customers(hour)
            self._doing = _OVER
            until(lambda: not self._tend() and are_over(), "the last strike of the hour")

    def _go_on_to(self, moment: datetime) -> None:
        """Put the clock on, step by step, each of which the loop sees."""
        while (now := self._clock.now()) < moment:
            self._tend()
            follows = self._controller.runs
            after = now + (_STEP if follows else _LEASES)
            if after > moment and not follows:  # who comes after one that was killed waits for its lease
                self._clock.set(moment)
                return
            self._clock.set(min(after, moment))
            self._see_a_turn()

    def _see_a_turn(self) -> None:
        pid, now = self._controller.pid, self._clock.now()
        until(
            lambda: self._tend() or self._controller.pid != pid or self._controller.has_turned(now),
            f"a turn at {now}",
        )

    def _tend(self) -> bool:
        """Start again who was killed; whether the controller was."""
        if self._gateway.is_gone:
            self._gateway.again()
        if not self._controller.is_gone:
            return False
        self._controller.again()
        return True

    def _settle(self) -> None:
        """Wait until the loop has done all that is due."""
        seen: tuple[int, int, object] | None = None
        if not self._controller.runs:
            self._clock.put_on(_LEASES)

        def has_nothing_left() -> bool:
            nonlocal seen
            if self._tend():
                self._clock.put_on(_LEASES)
            one = self._controller
            pid, turns = one.pid, one.turns
            if not one.has_turned(self._clock.now()) or one.trains:
                seen = None
                return False
            # The next turn may have begun before this look; the one after it has seen all that there is now.
            if seen is not None and seen[0] == pid and turns < seen[1] + 2:
                return False
            now = self._state()
            is_same = seen is not None and (seen[0], seen[2]) == (pid, now)
            seen = (pid, turns, now)
            return is_same

        until(has_nothing_left, f"the loop has done what is due at {self._clock.now()}")

    def _state(self) -> object:
        """Whatever the loop writes down."""
        records = self._workspace.records
        rollout = records.rollout(MODEL)
        return (
            records.history_head(),
            records.loop_state(MODEL),
            None if rollout is None else rollout.version,
            [(run.id, run.state, run.stage) for run in records.runs(MODEL, limit=3)],
            records.alert_looks(MODEL),
        )

    def _customers(self, hour: int) -> None:
        at = self._clock.now()
        rows, _ = self._world.visitors(hour)
        before = hour - 1 >= self._world.first
        came_before, truth = self._world.visitors(hour - 1) if before else ([], [])
        labels = dict(zip((str(row["id"]) for row in came_before), truth, strict=True))
        for start in range(0, len(rows), _AT_ONCE):
            for row in rows[start : start + _AT_ONCE]:
                self._predict(row)
            self._say(dict(list(labels.items())[start : start + _AT_ONCE]))
        ids = {str(row["id"]) for row in rows}
        until(lambda: not self._tend() and self._are_stored(at, ids, labels), f"the tables have the hour {hour}")

    def _predict(self, row: dict[str, object]) -> None:
        """Ask until there is an answer: with the same id, by which a second one in the log is known as such."""
        name = str(row["id"])
        answer = self._post("/predict/shop", {"rows": [row]}, [name])
        self.played.answers[name] = answer["release"], answer["predictions"][0]["probabilities"]["yes"]

    def _say(self, labels: dict[str, str]) -> None:
        if not labels:
            return
        messages = [
            {"prediction_id": name, "label": label, "feedback_id": f"f-{name}"} for name, label in labels.items()
        ]
        self._post("/feedback/shop", messages, [one["feedback_id"] for one in messages])
        self.played.labels.update(labels)

    def _post(self, path: str, document: object, ids: Sequence[str]) -> dict[str, Any]:
        answer: dict[str, Any] | None = None

        def is_acknowledged() -> bool:
            nonlocal answer
            self._tend()
            self.played.sent.update(ids)
            answer = self._gateway.post(path, document, {"x-request-id": ids[0]})
            return answer is not None

        until(is_acknowledged, f"{path} takes {ids[0]}")
        assert answer is not None
        return answer

    def _are_stored(self, at: datetime, ids: set[str], labels: dict[str, str]) -> bool:
        answered = self._ids(predictions_table(MODEL), "request_id", at)
        said = self._ids(labels_table(MODEL), "feedback_id", at)
        return ids <= answered and {f"f-{name}" for name in labels} <= said

    def _ids(self, table: str, column: str, at: datetime) -> set[str]:
        tables = self._workspace.tables
        if not tables.exists(table):
            return set()
        # Messages that come in the same microsecond are put a few apart.
        then = pl.col("at").is_between(at - timedelta(seconds=1), at)
        found = tables.scan(table).filter(pl.col("day") == at.date(), then).select(column).collect()
        return set(found.get_column(column))

    def _is_amid(self, what: Amid) -> bool:
        if what is Amid.ANYTHING or self._doing == _OVER:
            return True
        return self._controller.trains if what is Amid.TRAINING else self._doing == _CUSTOMERS

    def _struck(self, roles: tuple[str, ...]) -> None:
        newest = self._workspace.records.runs(MODEL, limit=1)[0]
        rollout = self._workspace.records.rollout(MODEL)
        doing = self._doing
        if self._controller.trains:
            doing += f", training: {newest.stage if newest.state is RunState.RUNNING else 'no stage'}"
        if rollout is not None:
            doing += f", proving: {rollout.stage}"
        self.played.kills.append((self._now, roles, doing))
