"""The search itself: which trial begins when, and what is kept of each."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from mainspring.clock import Clock
from mainspring.domain.budget import Budget
from mainspring.domain.durations import parse_duration
from mainspring.domain.model import Model, parse_memory
from mainspring.domain.task import METRICS
from mainspring.errors import CandidateError, MainspringError, TrialOutOfMemory, TrialTimeout
from mainspring.training.allocation import next_candidate
from mainspring.training.sampling import PastTrial
from mainspring.training.scoring import TrialOrder
from mainspring.training.seeding import derive_seed
from mainspring.training.threads import Parallelism
from mainspring.training.trial_client import Ended, TrialServer
from mainspring.training.trial_record import TrialRecord, TrialState, write_record

_SCORED = (TrialState.FINISHED, TrialState.PRUNED)
_LOOK_EVERY = 0.25  # seconds between two looks at the clock and the stop sign
_STOP_LONGEST = 10.0
_FINAL_EXTRA = 1.0  # seconds of the final fit besides the fit: the fork, the answers, the files


@dataclass(frozen=True, slots=True)
class _Running:
    order: TrialOrder
    started_at: datetime
    started: float


class Search:
    """A search over the trials of one folder.

    A trial depends on its number, the seed and the trials that it may look back at. Where trials are counted it
    looks back at those that ended at least `parallelism.trials` numbers before it, which are the same however
    long each takes; where time is counted, at all that have ended.
    """

    def __init__(
        self,
        *,
        job_folder: Path,
        candidates: tuple[str, ...],
        metric: str,
        budget: Budget,
        parallelism: Parallelism,
        model: Model,
        clock: Clock,
        began: float,
        on_trial: Callable[[TrialRecord, TrialRecord | None], None],
        trial_environment: Callable[[int], Mapping[str, str]],
        stop: threading.Event,
        fits_at_end: int = 1,
    ) -> None:
        self._folder = job_folder
        self._candidates = candidates
        self._metric = METRICS[metric]
        self._budget = budget
        self._parallelism = parallelism
        self._model = model
        self._clock = clock
        self._began = began
        self._on_trial = on_trial
        self._environment = trial_environment
        self._stop = stop
        self._fits_at_end = fits_at_end
        self._records: dict[int, TrialRecord] = {}
        self._running: dict[int, _Running] = {}
        self._folds = 1
        self._lost = False
        self.ended_because = "budget"

    def take_over(self, kept: Iterable[TrialRecord]) -> None:
        """Go on from trials on record; one that was stopped midway begins anew."""
        for record in kept:
            if record.state is not TrialState.STOPPED:
                self._records[record.number] = record
                self._on_trial(record, self.best())

    def records(self) -> list[TrialRecord]:
        return [self._records[number] for number in sorted(self._records)]

    def best(self) -> TrialRecord | None:
        """The finished trial of the best score; of equal ones the first."""
        return self._best_of(self.records())

    def spent(self) -> float:
        """Seconds of the budget used so far."""
        return self._clock.monotonic() - self._began

    def stopped(self) -> None:
        self._running.clear()
        self.ended_because = "stopped"

    def lost_server(self) -> bool:
        """Whether the server went away midway; the trials that were running begin anew."""
        lost = bool(self._running) or self._lost
        self._running.clear()
        return lost

    def run(self, server: TrialServer) -> None:
        """Begin and end trials until the budget is used up, nothing is left to try, or it is to stop."""
        self._folds = server.folds
        try:
            while True:
                if self._stop.is_set():
                    self._cut(server, "stopped")
                    return
                self._fill(server)
                if not self._running:
                    return
                self._await_one(server, _LOOK_EVERY)
                if self._is_over() and self.best() is not None:
                    self._cut(server, "budget")
                    return
        except KeyboardInterrupt:
            self._cut(server, "stopped")

    def _fill(self, server: TrialServer) -> None:
        while len(self._running) < self._parallelism.trials:
            number = self._next_number()
            if self._is_over() or (self._budget.trials is not None and number >= self._budget.trials):
                self.ended_because = "budget"
                return
            visible = self._visible(number)
            if visible is None:
                return  # a trial that this one may look back at still runs
            name = self._choose(number, visible)
            if name is None:
                return
            self._begin(server, number, name, visible)

    def _next_number(self) -> int:
        number = 0
        while number in self._records or number in self._running:
            number += 1
        return number

    def _visible(self, number: int) -> list[TrialRecord] | None:
        if self._budget.trials is None:
            return self.records()
        last = number - self._parallelism.trials
        if any(earlier not in self._records for earlier in range(last + 1)):
            return None
        return [record for record in self.records() if record.number <= last]

    def _choose(self, number: int, visible: list[TrialRecord]) -> str | None:
        begun = [self._candidate_of(earlier) for earlier in range(number)]
        fitting = self._candidates if self._budget.trials is not None else self._that_fit(begun)
        name = next_candidate(
            fitting,
            visible,
            begun,
            greater_is_better=self._metric.greater_is_better,
            cost=self._costs(begun),
        )
        if name is None:
            self.ended_because = "nothing left to try" if fitting == self._candidates else "budget"
        return name

    def _candidate_of(self, number: int) -> str:
        if number in self._running:
            return self._running[number].order.candidate
        return self._records[number].candidate

    def _that_fit(self, begun: list[str]) -> tuple[str, ...]:
        """The candidates whose trials are short enough to end in time; the first of each is always begun."""
        left = self._seconds_left()
        return tuple(name for name in self._candidates if name not in begun or self._usual_seconds(name) < left)

    def _usual_seconds(self, name: str) -> float:
        """What a trial of the candidate takes: the mean of those that ended, or what one has taken so far."""
        ended = [record.seconds for record in self._records.values() if record.candidate == name]
        now = self._clock.monotonic()
        running = [now - one.started for one in self._running.values() if one.order.candidate == name]
        return max(float(np.mean(ended)) if ended else 0.0, *running, 0.0)

    def _costs(self, begun: list[str]) -> dict[str, float]:
        if self._budget.trials is not None:
            return {name: float(begun.count(name)) for name in self._candidates}
        costs = dict.fromkeys(self._candidates, 0.0)
        for record in self._records.values():
            costs[record.candidate] += record.seconds
        now = self._clock.monotonic()
        for running in self._running.values():
            costs[running.order.candidate] += now - running.started
        return costs

    def _begin(self, server: TrialServer, number: int, name: str, visible: list[TrialRecord]) -> None:
        best = self._best_of(visible)
        order = TrialOrder(
            number=number,
            candidate=name,
            seed=derive_seed(self._model.seed, "trial", number),
            threads=self._parallelism.threads,
            metric=self._metric.name,
            first=all(self._candidate_of(earlier) != name for earlier in range(number)),
            history=self._history(name, visible),
            best_folds=best.fold_scores if best is not None else (),
        )
        self._running[number] = _Running(order, self._clock.now(), self._clock.monotonic())
        server.begin(
            "trial",
            order,
            seconds=parse_duration(self._model.trial_time).total_seconds(),
            memory=parse_memory(self._model.trial_memory),
            environment=self._environment(number),
        )

    def _history(self, name: str, visible: list[TrialRecord]) -> tuple[PastTrial, ...]:
        """For the sampler a trial that took too much did as badly as the worst, so as to keep away."""
        own = [r for r in visible if r.candidate == name and r.distributions]
        scores = [r.score for r in own if r.state in _SCORED and r.score is not None]
        if not scores:
            return ()
        worst = min(scores) if self._metric.greater_is_better else max(scores)
        return tuple(PastTrial(r.params, r.distributions, r.score if r.score is not None else worst) for r in own)

    def _best_of(self, records: Iterable[TrialRecord]) -> TrialRecord | None:
        sign = 1.0 if self._metric.greater_is_better else -1.0
        finished = [r for r in records if r.state is TrialState.FINISHED and r.score is not None]
        return max(finished, key=lambda r: (sign * (r.score or 0.0), -r.number), default=None)

    def _is_over(self) -> bool:
        """Whether time is up. Each candidate has its first trial all the same, until one of them has finished."""
        if self._seconds_left() > 0:
            return False
        seen = {record.candidate for record in self._records.values()}
        seen |= {running.order.candidate for running in self._running.values()}
        return self.best() is not None or seen.issuperset(self._candidates)

    def _seconds_left(self) -> float:
        """Until the search must end, so that the fits at its end still fall within the budget."""
        if self._budget.seconds is None:
            return float("inf")
        best = self.best()
        rows = self._folds / (self._folds - 1) if self._folds > 1 else 1.25
        one = _FINAL_EXTRA + (1.5 * best.fit_seconds * rows if best is not None else 0.0)
        final = one * self._fits_at_end
        return self._budget.seconds - min(final, self._budget.seconds / 2) - self.spent()

    def _await_one(self, server: TrialServer, timeout: float) -> None:
        try:
            ended = server.next_ended(timeout)
        except MainspringError:
            self._lost = True
            raise
        if ended is None:
            return
        running = self._running.pop(ended.number)
        record = self._record(ended, running)
        if record.state is not TrialState.STOPPED:
            write_record(record, self._folder / f"{record.number:05d}")
        self._records[record.number] = record
        self._on_trial(record, self.best())

    def _cut(self, server: TrialServer, reason: str) -> None:
        """End what is running, and no more of it than that."""
        self.ended_because = reason
        for number in self._running:
            server.stop(number)
        deadline = self._clock.monotonic() + _STOP_LONGEST
        while self._running and self._clock.monotonic() < deadline:
            self._await_one(server, _LOOK_EVERY)
        self._running.clear()

    def _record(self, ended: Ended, running: _Running) -> TrialRecord:
        order, done = running.order, ended.done or {}
        state, error = _state_of(ended, order, self._model)
        record = TrialRecord(
            number=order.number,
            candidate=order.candidate,
            state=state,
            params=done.get("params", ended.suggested.get("params", {})),
            distributions=done.get("distributions", ended.suggested.get("distributions", {})),
            score=None,
            fold_scores=tuple(done.get("fold_scores", ())),
            metrics=done.get("metrics", {}),
            settled=done.get("settled", {}),
            frozen=done.get("frozen", {}),
            seeds={"model": self._model.seed, "trial": order.seed, **done.get("seeds", {})},
            threads=order.threads,
            started_at=running.started_at,
            ended_at=self._clock.now(),
            seconds=self._clock.monotonic() - running.started,
            fit_seconds=done.get("fit_seconds", 0.0),
            peak_memory=ended.peak,
            spent=self.spent(),
            error=error.to_dict() if error is not None else None,
            output=ended.output[-4000:],
        )
        if done.get("repeated"):
            return self._repeated(record)
        if state in _SCORED:
            return replace(record, score=_score(record.fold_scores, order.best_folds))
        return record

    def _repeated(self, record: TrialRecord) -> TrialRecord:
        """The same parameters gave what they gave before."""
        earlier = next(r for r in self.records() if r.candidate == record.candidate and r.params == record.params)
        return replace(
            record,
            state=earlier.state,
            score=earlier.score,
            fold_scores=earlier.fold_scores,
            metrics=earlier.metrics,
            frozen=earlier.frozen,
            fit_seconds=earlier.fit_seconds,
            error=earlier.error,
            notes=("repeated", f"as trial {earlier.number}"),
        )


def _score(folds: tuple[float, ...], best: tuple[float, ...]) -> float:
    """The mean over the folds; of a pruned trial the best trial's mean, less the gap on the folds it did."""
    if len(folds) >= len(best):
        return float(np.mean(folds))
    gaps = [mine - theirs for mine, theirs in zip(folds, best, strict=False)]
    return float(np.mean(best) + np.mean(gaps))


def _state_of(ended: Ended, order: TrialOrder, model: Model) -> tuple[TrialState, MainspringError | None]:
    who = f"trial {order.number} of the candidate {order.candidate!r}"
    where = {"candidate": order.candidate, "trial": order.number}
    if ended.done is not None:
        return (TrialState.PRUNED if ended.done["pruned"] else TrialState.FINISHED), None
    if ended.ended_for == "stop":
        return TrialState.STOPPED, None
    if ended.ended_for == "time":
        return TrialState.TIMEOUT, TrialTimeout(
            f"{who} took longer than {model.trial_time}",
            cure="let it try smaller parameters, or raise Model(trial_time=…)",
            where=where,
        )
    if ended.ended_for == "memory":
        return TrialState.OUT_OF_MEMORY, TrialOutOfMemory(
            f"{who} took more than {model.trial_memory} of memory",
            cure="let it try smaller parameters, or raise Model(trial_memory=…)",
            where=where,
        )
    if ended.error is not None:
        error = ended.error
        if error["error"] == TrialOutOfMemory.__name__:
            return TrialState.OUT_OF_MEMORY, TrialOutOfMemory(
                error["message"], cure=error["cure"], where=where | error["where"]
            )
        return TrialState.FAILED, CandidateError(
            error["message"], cure=error["cure"], where=where | error["where"]
        )
    return TrialState.FAILED, CandidateError(
        f"{who} {_manner(ended.exit)} before it had a result",
        cure="look for what ends the process in it, or in the libraries that it uses",
        where=where,
    )


def _manner(code: int) -> str:
    if code >= 0:
        return f"ended its process with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
