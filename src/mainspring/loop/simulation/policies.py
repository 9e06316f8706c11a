"""The loop's own policies over a stream: the monitors, the rollouts and the triggers, turn by turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from mainspring.domain.alert import EventKind
from mainspring.domain.release import ReleaseRef
from mainspring.domain.run import RunState
from mainspring.domain.trigger import Trigger
from mainspring.domain.trigger_signals import Held
from mainspring.errors import TrainingError
from mainspring.loop.lifecycle import workflow as lifecycle
from mainspring.loop.retraining.breaker import tell_breaker
from mainspring.loop.retraining.triggers import Triggers
from mainspring.loop.rollout.rollouts import advance_rollouts
from mainspring.loop.simulation.clock import SimulatedClock, processor_seconds
from mainspring.loop.simulation.gateway import Heard, SimulatedGateway
from mainspring.loop.simulation.outcome import SimulatedChange, SimulatedTraining
from mainspring.loop.simulation.scratch import Scratch
from mainspring.loop.simulation.training_process import SimulatedTrainingOrders, train
from mainspring.loop.watching import Watch
from mainspring.monitoring.windows import SETTLED

if TYPE_CHECKING:
    from mainspring.domain.budget import Budget
    from mainspring.domain.release import TrainingRecord
    from mainspring.loop.simulation.delay import LabelDelay
    from mainspring.loop.simulation.stream import Stream
    from mainspring.project import Project
    from mainspring.workspace import Workspace

ACTOR = "simulation"
_MOST_MOVES = 20  # of a rollout at one moment
_DAY = timedelta(days=1)


@dataclass(slots=True)
class Log:
    """What happened, as it happens."""

    trainings: list[SimulatedTraining]
    changes: list[SimulatedChange]
    alerts: list[tuple[str, datetime]]
    held: str = ""


class Policies:
    """The loop of one project in a workspace of its own.

    Args:
        scratch: a copy of the project, its source the stream's first rows.
        project: it, opened.
        clock: the workspace's.
        budget: of the trainings.
    """

    def __init__(
        self,
        scratch: Scratch,
        project: Project,
        workspace: Workspace,
        clock: SimulatedClock,
        *,
        budget: Budget,
    ) -> None:
        self._scratch = scratch
        self._project = project
        self._workspace = workspace
        self._clock = clock
        self._budget = budget
        self._model = project.model
        self.log = Log([], [], [])

    def first_release(self) -> float:
        """Train on the rows that are there, by hand; the seconds that it took.

        Raises:
            MainspringError: there is no release; why.
        """
        began = processor_seconds()
        outcome = lifecycle.run(self._project, budget=self._budget, clock=self._clock, actor=ACTOR)
        if outcome.error is not None:
            raise outcome.error
        if self._champion() is None:
            raise TrainingError("the first release did not become champion", cure="see mainspring status")
        return processor_seconds() - began

    def follow(
        self,
        stream: Stream,
        gateway: SimulatedGateway,
        delay: LabelDelay,
        pause: timedelta,
        target: str,
        told: Callable[[int, Log], object],
    ) -> Heard:
        """Answer the stream row by row, let its labels come, and take a turn of the loop after each pause.

        Args:
            told: after each turn, how many rows have been answered and what has happened.
        """
        known = _Labels(stream, delay, target)
        heard: list[Heard] = []
        day = stream.begins_at + _DAY
        for first, last, end in stream.batches(pause):
            self._clock.put_on(stream.at[first])
            ids = [name_of(row) for row in range(first, last)]
            heard.append(gateway.answer(stream.rows[first:last], stream.at[first:last], ids))
            self._clock.put_on(end)
            rows, truth = known.come_by(end, last)
            if rows:
                gateway.learn([name_of(row) for row in rows], truth)
            # The hour that has just ended is measured once its answers have settled.
            self._clock.put_on(end + SETTLED)
            self._turn(last)
            if end >= day:
                gateway.tend()
                day = end + _DAY
            told(last, self.log)
        return Heard(
            np.concatenate([one.outputs for one in heard]), np.concatenate([one.releases for one in heard])
        )

    def _turn(self, row: int) -> None:
        """What the controller does at each of its turns, in the same order."""
        with Watch(self._workspace, self._model) as watch:
            look = watch.look()
        before = self._champion()
        if self._model.rollout is not None:
            for _ in range(_MOST_MOVES):
                if not advance_rollouts(self._workspace, self._model, actor=ACTOR):
                    break
        triggers = Triggers(self._workspace, self._model)
        found = triggers.next()
        events = [*look.events, *tell_breaker(self._workspace, self._model, triggers.stopped)]
        self.log.alerts += [(one.alert.monitor, one.at) for one in events if one.kind is EventKind.FIRED]
        self.log.held = found.because if isinstance(found, Held) else ""
        if isinstance(found, Trigger):
            self._train(found, row)
        after = self._champion()
        if before is not None and after is not None and before != after:
            self.log.changes.append(SimulatedChange(row, self._clock.now(), before, after))

    def _train(self, trigger: Trigger, row: int) -> None:
        began = processor_seconds()
        orders = SimulatedTrainingOrders(self._scratch, trigger, self._budget, self._clock.now())
        train(orders, clock=self._clock, environ=self._project.environ)
        run = self._workspace.records.runs(self._model.name, limit=1)[0]
        is_released = run.state is RunState.RELEASED
        training = self._training_of(run.release) if is_released else None
        window = None if training is None else training.window
        self.log.trainings.append(
            SimulatedTraining(
                row=row,
                at=self._clock.now(),
                kind=str(trigger.kind),
                reason=trigger.reason,
                since=trigger.since,
                state=str(run.state),
                seconds=processor_seconds() - began,
                release=run.release if is_released else None,
                window="" if window is None else window.window,
                rows=0 if training is None else training.rows_trained,
                problem=run.detail.get("error", {}).get("message", ""),
            )
        )

    def _training_of(self, number: int | None) -> TrainingRecord | None:
        catalogue = self._workspace.catalogue
        return catalogue.manifest(catalogue.find(ReleaseRef(self._model.name, number))).training

    def _champion(self) -> int | None:
        found = self._workspace.records.find_release(ReleaseRef(self._model.name, alias="champion"))
        return None if found is None else found.number


class _Labels:
    """The truth of the stream's rows, as it comes to be known."""

    def __init__(self, stream: Stream, delay: LabelDelay, target: str) -> None:
        self._truth = stream.rows.get_column(target)
        at = stream.known_at(delay)
        # Truths need not come in the order of the rows: a delay in time keeps it, and so does one in rows.
        self._at = [at[row] for row in range(stream.start, len(at))]
        self._next, self._start = 0, stream.start

    def come_by(self, moment: datetime, answered: int) -> tuple[list[int], Sequence[Any]]:
        """The rows whose truth has come to be known by then, and the truth; each once.

        Args:
            answered: so many rows have been answered.
        """
        first = self._next
        while self._start + self._next < answered:
            at = self._at[self._next]
            if at is None or at > moment:
                break
            self._next += 1
        rows = list(range(self._start + first, self._start + self._next))
        return rows, self._truth[rows].to_list() if rows else []


def name_of(row: int) -> str:
    """The request id of a row of the stream."""
    return f"row-{row:08d}"
