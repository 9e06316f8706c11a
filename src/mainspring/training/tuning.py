"""The search for the best candidate and parameters within a budget."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.domain.budget import Budget
from mainspring.domain.ids import digest_bytes, digest_json
from mainspring.domain.model import Model
from mainspring.errors import CandidateError, MainspringError, NoTrialFinished, TrainingStopped
from mainspring.stores.atomic import write_atomic
from mainspring.training.dataset import TrainingData
from mainspring.training.dataset_files import save_training_data
from mainspring.training.search import Search
from mainspring.training.seeding import derive_seed
from mainspring.training.threads import Parallelism, choose_parallelism
from mainspring.training.trial_client import TrialServer
from mainspring.training.trial_record import TrialRecord, TrialState, error_of, read_records

OnTrial = Callable[[TrialRecord, TrialRecord | None], None]
TrialEnvironment = Callable[[int], Mapping[str, str]]
_SERVER_DEATHS = 2
_MARK = "search.json"


@dataclass(frozen=True, slots=True)
class TuningJob:
    """What to search.

    Attributes:
        folder: the run's own folder for training; trials are kept in it as they end, and a second call with the
            same job goes on from them.
        model_file: the project's `model.py`, loaded again in the trials' process.
        cores: that may be used.
        spent: seconds of the budget that the run has used before.
    """

    folder: Path
    model_file: Path
    model: Model
    data: TrainingData
    budget: Budget
    cores: int
    spent: float = 0.0

    @property
    def metric(self) -> str:
        return self.model.primary_metric(self.data.task)

    @property
    def parallelism(self) -> Parallelism:
        return choose_parallelism(self.cores, int((~self.data.holdout).sum()) * self.data.X.shape[1])

    @property
    def folds_seed(self) -> int:
        return derive_seed(self.model.seed, "folds")

    def fingerprint(self) -> str:
        """Which search this is: trials of another one are not gone on from."""
        return digest_json(
            {
                "code": digest_bytes(self.model_file.read_bytes()),
                "rows": digest_bytes(np.ascontiguousarray(self.data.row).tobytes() + self.data.holdout.tobytes()),
                "target": digest_bytes(np.ascontiguousarray(self.data.y).tobytes()),
                "columns": [str(name) for name in self.data.X.columns],
                "seed": self.model.seed,
                "metric": self.metric,
                "parallel": [self.parallelism.trials, self.parallelism.threads],
                "budget": self.budget.to_dict(),
            }
        )


@dataclass(frozen=True, slots=True)
class TuningResult:
    """What the search found.

    Attributes:
        winner: the trial whose parameters are fitted finally.
        trials: all of them, by number.
        ended_because: `budget`, `stopped` (by hand) or `nothing left to try`.
        threads, parallel: threads per trial, and trials at once.
        seconds: of the budget used.
        warnings: candidates that failed, in words.
    """

    winner: TrialRecord
    trials: tuple[TrialRecord, ...]
    metric: str
    folds: int
    ended_because: str
    threads: int
    parallel: int
    seconds: float
    warnings: tuple[str, ...]


def tune(
    job: TuningJob,
    *,
    on_trial: OnTrial | None = None,
    trial_environment: TrialEnvironment | None = None,
    stop: threading.Event | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> TuningResult:
    """Search until the budget is used up.

    A budget in trials is exact, and repeats: the same job gives the same trials, also when it was killed in
    between. A budget in seconds holds back the time of the final fit. A `KeyboardInterrupt`, or `stop` being set,
    ends the search with the best so far.

    Args:
        on_trial: told of each trial as it ends, with the best so far; after a restart of those on record again.
        trial_environment: the variables that the user's code of the trial of a number gets.

    Raises:
        TrainingStopped: stopped before the first trial finished.
        CandidateError, TrialTimeout, TrialOutOfMemory: no trial finished, all for this reason.
        NoTrialFinished: no trial finished, for several reasons.
        ModelFileError: `model.py` does not load in the trials' process.
        DeclarationError: the metric is not one of the task.
    """
    _check(job)
    began = clock.monotonic() - job.spent
    _make_ready(job)
    finished = job.folder / "tuning.json"
    kept = list(read_records(job.folder / "trials"))
    search = Search(
        job_folder=job.folder / "trials",
        candidates=tuple(job.model.candidates),
        metric=job.metric,
        budget=job.budget,
        parallelism=job.parallelism,
        model=job.model,
        clock=clock,
        began=began - max((record.spent for record in kept), default=0.0),
        on_trial=on_trial or _ignore,
        trial_environment=trial_environment or _no_environment,
        stop=stop or threading.Event(),
    )
    search.take_over(kept)
    if finished.exists():
        return msgspec.json.decode(finished.read_bytes(), type=TuningResult)
    folds = _run(job, search)
    winner = search.best()
    if winner is None:
        raise _nothing(search)
    result = TuningResult(
        winner=winner,
        trials=tuple(search.records()),
        metric=job.metric,
        folds=folds,
        ended_because=search.ended_because,
        threads=job.parallelism.threads,
        parallel=job.parallelism.trials,
        seconds=search.spent(),
        warnings=_warnings(search),
    )
    write_atomic(finished, msgspec.json.encode(result), role="the result of the search")
    return result


def _check(job: TuningJob) -> None:
    from mainspring.domain.task import metric_named

    metric_named(job.metric, job.data.task)
    if not job.model.candidates:
        raise CandidateError(
            f"the model {job.model.name!r} has no candidates",
            cure=f"write a function that returns an estimator and decorate it with @{job.model.name}.candidate",
        )


def _make_ready(job: TuningJob) -> None:
    """The training data on disk, and no trials of another search."""
    job.folder.mkdir(parents=True, exist_ok=True)
    if is_same_search(job):
        return
    for old in [job.folder / "tuning.json", *(job.folder / "trials").glob("*/trial.json")]:
        old.unlink(missing_ok=True)
    save_training_data(job.data, job.folder / "data")
    write_atomic(job.folder / _MARK, msgspec.json.encode({"search": job.fingerprint()}), role="the search")


def is_same_search(job: TuningJob) -> bool:
    """Whether what is on record in the job's folder came of the same code, rows and budget."""
    mark = job.folder / _MARK
    return mark.exists() and bool(msgspec.json.decode(mark.read_bytes()) == {"search": job.fingerprint()})


def _run(job: TuningJob, search: Search) -> int:
    """Search with a server, and with a new one where the system ended it, as lack of memory may."""
    for death in range(_SERVER_DEATHS + 1):
        try:
            with TrialServer(
                model_file=job.model_file,
                model=job.model.name,
                data=job.folder / "data",
                threads=job.parallelism.threads,
                folds_seed=job.folds_seed,
                log=job.folder / "server.log",
            ) as server:
                search.run(server)
                return server.folds
        except KeyboardInterrupt:
            search.stopped()
            return 0
        except MainspringError:
            if not search.lost_server() or death == _SERVER_DEATHS:
                raise
    raise AssertionError("the loop ends by return or raise")


def _nothing(search: Search) -> MainspringError:
    if search.ended_because == "stopped":
        return TrainingStopped(
            "stopped before the first trial finished, so there is nothing to keep",
            cure="start again when you like",
        )
    failures = [(record, error) for record in search.records() if (error := error_of(record)) is not None]
    if failures and len({record.state for record, _ in failures}) == 1:
        return failures[0][1]
    reasons = "; ".join(f"{record.candidate}: {error.message}" for record, error in failures[:3])
    return NoTrialFinished(
        f"none of {len(search.records())} trials finished" + (f": {reasons}" if reasons else ""),
        cure="mend the candidates, or give a greater budget",
    )


def _warnings(search: Search) -> tuple[str, ...]:
    seen: dict[str, str] = {}
    for record in search.records():
        error = error_of(record)
        if error is not None:
            seen.setdefault(f"{record.candidate}/{record.state}", f"trial {record.number}: {error.message}")
    unfinished = {r.candidate for r in search.records() if r.state is TrialState.STOPPED} - {
        r.candidate for r in search.records() if r.state is not TrialState.STOPPED
    }
    return (
        *seen.values(),
        *(f"no trial of the candidate {name!r} finished within the budget" for name in sorted(unfinished)),
    )


def _ignore(record: TrialRecord, best: TrialRecord | None) -> None:
    """Where nobody wants to be told."""


def _no_environment(number: int) -> Mapping[str, str]:  # noqa: ARG001 - as the caller's would be
    return {}
