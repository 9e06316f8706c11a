"""The search for the best candidate and parameters within a budget."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec

from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.domain.task import metric_named
from mainspring.errors import CandidateError, MainspringError, NoTrialFinished, TrainingError, TrainingStopped
from mainspring.stores.atomic import write_atomic
from mainspring.training.dataset_files import save_training_data
from mainspring.training.fitting import WINNER, fit_with_server
from mainspring.training.keeping import kept_parameters
from mainspring.training.search import Search
from mainspring.training.trial_client import TrialServer
from mainspring.training.trial_record import TrialRecord, TrialState, error_of, read_records
from mainspring.training.tuning_job import TuningJob, TuningResult, is_same_search, mark_search

__all__ = ["TuningJob", "TuningResult", "tune"]

OnTrial = Callable[[TrialRecord, TrialRecord | None], None]
TrialEnvironment = Callable[[int], Mapping[str, str]]
_SERVER_DEATHS = 2


def tune(
    job: TuningJob,
    *,
    on_trial: OnTrial | None = None,
    trial_environment: TrialEnvironment | None = None,
    stop: threading.Event | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> TuningResult:
    """Search until the budget is used up, or not at all where the job keeps the parameters of a release.

    The winner is fitted finally by the same process, which is warm; `fitting.fit_winner` gives that fit.

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
    if job.keeps is not None:
        return kept_parameters(job, job.keeps, clock)
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
        fits_at_end=1 + (len(job.windows.windows) if job.windows is not None else 0),
    )
    search.take_over(kept)
    if finished.exists():
        return msgspec.json.decode(finished.read_bytes(), type=TuningResult)
    folds = _run(job, search, trial_environment or _no_environment)
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
    for old in [job.folder / "tuning.json", job.folder / WINNER, *(job.folder / "trials").glob("*/trial.json")]:
        old.unlink(missing_ok=True)
    save_training_data(job.data, job.folder / "data")
    mark_search(job)


def _run(job: TuningJob, search: Search, trial_environment: TrialEnvironment) -> int:
    """Search and fit with a server, and with a new one where the system ended it, as lack of memory may."""
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
                if (winner := search.best()) is not None:
                    with suppress(TrainingError):  # `fit_winner` fits again, and raises what is wrong
                        fit_with_server(server, job, winner, environment=trial_environment(winner.number))
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
        *(
            ["the search was interrupted before its budget was used up"]
            if search.ended_because == "stopped"
            else []
        ),
        *seen.values(),
        *(f"no trial of the candidate {name!r} finished within the budget" for name in sorted(unfinished)),
    )


def _ignore(record: TrialRecord, best: TrialRecord | None) -> None:
    """Where nobody wants to be told."""


def _no_environment(number: int) -> Mapping[str, str]:  # noqa: ARG001 - as the caller's would be
    return {}
