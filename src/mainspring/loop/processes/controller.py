"""The one process of a workspace that runs the loop: it watches, proves, retrains and promotes, turn by turn.

All that it decides is written down before it is done, under the lease `controller` with its fencing token. So a
controller that is killed at any moment is followed by another one that goes on, and one that hung and wakes up
late can write nothing.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mainspring.domain.durations import parse_duration
from mainspring.domain.trigger import Trigger
from mainspring.domain.trigger_signals import Held
from mainspring.errors import MainspringError, WorkspaceBusy
from mainspring.loop.ab.ending import end_tests
from mainspring.loop.features.feeding import Feeding
from mainspring.loop.processes.score_process import ScoreOrders
from mainspring.loop.processes.training_process import TrainingOrders
from mainspring.loop.processes.work_process import WorkProcess
from mainspring.loop.retraining.breaker import tell_breaker
from mainspring.loop.retraining.triggers import ACTOR, Triggers
from mainspring.loop.rollout.lost_target import LostTargets
from mainspring.loop.rollout.rollouts import advance_rollouts
from mainspring.loop.scoring.schedule import DueScore, ScheduledScores
from mainspring.loop.watching import Look, Watch
from mainspring.stores.lease_keeping import CONTROLLER, SECONDS, kept

if TYPE_CHECKING:
    from mainspring.domain.ports import Lease
    from mainspring.project import Project
    from mainspring.workspace import Workspace

_LOG = logging.getLogger("mainspring.controller")
TURN = 2.0
"""Seconds between two turns."""
_LOOK_AT_MOST = timedelta(minutes=1)
_ASK_AGAIN = 2.0  # seconds between two attempts to get the lease
_WATCH_AGAIN = 60.0  # seconds, where another process watches the model


class Controller:
    """Runs the loop of one project's model until it is stopped.

    Args:
        pause: seconds between two turns.
        json_logs: as its trainings log.
    """

    def __init__(
        self, project: Project, workspace: Workspace, *, pause: float = TURN, json_logs: bool = False
    ) -> None:
        self._project = project
        self._workspace = workspace
        self._model = project.model
        self._pause = pause
        self._json_logs = json_logs
        self._stopping = threading.Event()
        self._watching = ExitStack()
        self._triggers = Triggers(workspace, project.model, project.root, project.environ)
        self._lost_targets = LostTargets(workspace, project.model)
        self._training: WorkProcess | None = None
        self._scores = ScheduledScores(workspace, project.settings.scores)
        self._scoring: tuple[DueScore, WorkProcess] | None = None
        self._feeding = Feeding(project, workspace.clock, json_logs=json_logs)
        self._watch: Watch | None = None
        self._watch_at = self._look_at = 0.0
        self._code = _stamp(project)
        self._troubles: dict[str, str] = {}
        self._held: Held | None = None

    def stop(self) -> None:
        """Make `run` return soon; may be called from a signal handler or another thread."""
        self._stopping.set()

    def run(self, began: Callable[[], object] = lambda: None) -> None:
        """Wait for the lease, then take turn after turn.

        A training that is under way when it ends is killed; the next controller goes on with it.

        Args:
            began: called once the lease is ours.

        Raises:
            WorkspaceBusy: the lease was lost.
        """
        lease = self._leased()
        if lease is None:
            return
        records = self._workspace.records
        with lease, records.fenced(lease), kept(lease, self.stop), self._watching:
            _LOG.info("the loop of %s runs", self._model.name)
            began()
            try:
                while not self._stopping.is_set():
                    lease.renew()
                    self.turn()
                    self._stopping.wait(self._pause)
            finally:
                self._interrupt()

    def turn(self) -> None:
        """Do once what is due; what fails is logged, and tried again at the next turn."""
        for name, step in (
            ("the monitors did not look", self._look),
            ("the rollout was not looked at", self._prove),
            ("the A/B tests were not looked at", self._end_tests),
            ("the triggers did not look", self._train),
            ("the score jobs were not looked at", self._score),
            ("the feature views are not kept fresh", self._feeding.tend),
        ):
            try:
                step()
            except MainspringError as error:
                if self._troubles.get(name) != str(error):
                    _LOG.error("%s: %s", name, error)
                self._troubles[name] = str(error)
            else:
                self._troubles.pop(name, None)
        if _stamp(self._project) != self._code:
            self._reload()

    def _leased(self) -> Lease | None:
        """The controller's lease, waited for; `None` where it was stopped before."""
        told = ""
        while not self._stopping.is_set():
            try:
                return self._workspace.records.lease(
                    CONTROLLER, f"controller of process {os.getpid()}", ttl=SECONDS
                )
            except WorkspaceBusy as busy:
                if str(busy.message) != told:
                    _LOG.warning("waiting: %s", busy.message)
                told = busy.message
            self._stopping.wait(_ASK_AGAIN)
        return None

    def _look(self) -> None:
        now = self._workspace.clock.monotonic()
        if not self._model.watched or now < self._look_at:
            return
        if self._watch is None:
            if now < self._watch_at:
                return
            self._watch_at = now + _WATCH_AGAIN
            self._watch = self._watching.enter_context(Watch(self._workspace, self._model, self._project))
        every = min([_LOOK_AT_MOST, *(parse_duration(monitor.every) for monitor in self._model.watched)])
        self._look_at = now + every.total_seconds()
        try:
            _tell(self._watch.look())
        except WorkspaceBusy:  # another process has taken the monitors over, or this one slept for too long
            self._watch = None
            self._watching.close()
            raise

    def _prove(self) -> None:
        for decision in advance_rollouts(self._workspace, self._model, actor=ACTOR):
            state = decision.state
            where = state.end or (f"{state.stage} {state.step + 1}" if state.stage == "canary" else state.stage)
            _LOG.info("rollout of %s@%d: %s: %s", state.model, state.challenger, where, state.note)
        self._lost_targets.tell()

    def _end_tests(self) -> None:
        for model in end_tests(self._workspace, actor=ACTOR):
            _LOG.info("the A/B test of %s is over, and the champion answers in the place of its arms", model)

    def _train(self) -> None:
        if self._training is not None and not self._is_trained(self._training):
            return
        self._training = None
        found = self._triggers.next()
        tell_breaker(self._workspace, self._model, self._triggers.stopped)
        if isinstance(found, Held) and (self._held is None or found.because != self._held.because):
            _LOG.info("no training now for %s (%s): %s", found.trigger.kind, found.trigger.reason, found.because)
        self._held = found if isinstance(found, Held) else None
        if isinstance(found, Trigger):
            _LOG.info("training, for %s: %s", found.kind, found.reason)
            orders = TrainingOrders(str(self._project.root), found, self._json_logs)
            self._training = self._started("training", orders)

    def _is_trained(self, training: WorkProcess) -> bool:
        """Whether the training's process has ended, one that takes too long by force."""
        ended = training.ended()
        if ended is not None:
            if ended.trouble is not None:
                self._triggers.put_off(ended.trouble)
            return True
        if not training.is_late:
            return False
        training.kill()
        self._triggers.give_up(f"it took longer than run.timeout, {training.seconds:g} s")
        return True

    def _score(self) -> None:
        if self._scoring is not None:
            due, process = self._scoring
            ended = process.ended()
            if ended is None and not process.is_late:
                return
            self._scoring = None
            if ended is None:
                process.kill()
                self._scores.put_off(due, f"it took longer than run.timeout, {process.seconds:g} s")
            elif ended.trouble is not None:
                self._scores.put_off(due, ended.trouble)
            else:
                _LOG.info("the score job %s of %s is done", due.job.name, due.moment)
                self._scores.done(due)
        found = self._scores.next()
        if found is not None:
            _LOG.info("the score job %s of %s begins", found.job.name, found.moment)
            orders = ScoreOrders(str(self._project.root), found.job, found.moment, found.attempt, self._json_logs)
            self._scoring = found, self._started("score", orders)

    def _started(self, work: str, orders: TrainingOrders | ScoreOrders) -> WorkProcess:
        return WorkProcess(
            f"mainspring.loop.processes.{work}_process",
            msgspec.to_builtins(orders),
            seconds=self._workspace.settings.run_timeout,
            clock=self._workspace.clock,
        )

    def _interrupt(self) -> None:
        """End what is under way; the next controller goes on with it."""
        for what, process in (
            ("training", self._training),
            ("score job", self._scoring[1] if self._scoring else None),
        ):
            if process is not None:
                _LOG.info("the %s is interrupted; it goes on when the controller is back", what)
                process.kill()
        self._feeding.end()

    def _reload(self) -> None:
        """After an edit: end, to be started again with the new code if that loads; else go on with the old one."""
        from mainspring.project import load_project

        self._code = _stamp(self._project)
        try:
            load_project(self._project.root, self._project.environ)
        except MainspringError as error:
            _LOG.error("the project was edited and does not load; the loop goes on by what it knows: %s", error)
        else:
            _LOG.info("the project was edited; the controller starts again")
            self.stop()


def _stamp(project: Project) -> tuple[tuple[int, int] | None, ...]:
    """Changes when somebody writes a file of the project's code or its settings."""
    from mainspring.settings import FILE_NAME

    places = [project.root / place for place in (*project.source_files, Path(FILE_NAME))]
    return tuple((p.stat().st_mtime_ns, p.stat().st_size) if p.exists() else None for p in places)


def _tell(look: Look) -> None:
    for event in look.events:
        alert = event.alert
        causes = ", ".join(one.subject for one in alert.causes[:3] if one.subject)
        _LOG.warning("alert %s: %s%s", event.kind, alert.monitor, f" ({causes})" if causes else "")
