"""In place of a search: the parameters that a release has proved already."""

from __future__ import annotations

from mainspring.clock import Clock
from mainspring.domain.release import TrainingRecord
from mainspring.training.trial_record import TrialRecord, TrialState
from mainspring.training.tuning_job import TuningJob, TuningResult

KEPT = "parameters kept"


def kept_parameters(job: TuningJob, record: TrainingRecord, clock: Clock) -> TuningResult:
    """The result of a search that did not need to be: the record's winner, under its own number and seed.

    Args:
        record: of a release that was made by the same code from the same features.
    """
    now, parallelism = clock.now(), job.parallelism
    winner = TrialRecord(
        number=record.trial,
        candidate=record.candidate,
        state=TrialState.FINISHED,
        params=record.params,
        distributions={},
        score=None,
        fold_scores=(),
        metrics={},
        settled={},
        frozen={},
        seeds={"model": job.model.seed, "trial": record.seeds["trial"]},
        threads=parallelism.threads,
        started_at=now,
        ended_at=now,
        seconds=0.0,
        fit_seconds=0.0,
        peak_memory=0,
        spent=0.0,
    )
    return TuningResult(
        winner=winner,
        trials=(),
        metric=job.metric,
        folds=0,
        ended_because=KEPT,
        threads=parallelism.threads,
        parallel=parallelism.trials,
        seconds=0.0,
        warnings=(),
    )
