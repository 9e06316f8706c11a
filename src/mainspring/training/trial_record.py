"""What became of a trial, kept in its folder from the moment it ends."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from mainspring.errors import (
    CandidateError,
    MainspringError,
    TrainingError,
    TrialOutOfMemory,
    TrialTimeout,
)
from mainspring.stores.atomic import write_atomic


class TrialState(StrEnum):
    FINISHED = "finished"
    PRUNED = "pruned"  # ended between folds: it could not have won
    FAILED = "failed"  # the user's code raised, or its answers cannot be scored
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out of memory"
    STOPPED = "stopped"  # by the budget or by hand, before it could finish


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One trial.

    Attributes:
        distributions: the range of each parameter, as Optuna writes it in JSON.
        score: the mean over the folds of the metric that the tuner improves; of a pruned trial an estimate.
        fold_scores: of that metric, in the order of the folds.
        metrics: the mean over the folds of each metric of the task.
        settled: what was set in the estimator because it was left open.
        frozen: what the fit of the last fold decided by itself.
        seconds: from the fork to the end; `fit_seconds` the mean of one fold's fit.
        peak_memory: bytes, of the trial's processes together.
        spent: of the run's budget, in seconds, when it ended.
        error: as `MainspringError.to_dict` gives it.
        output: the last of what the user's code printed.
    """

    number: int
    candidate: str
    state: TrialState
    params: dict[str, Any]
    distributions: dict[str, str]
    score: float | None
    fold_scores: tuple[float, ...]
    metrics: dict[str, float]
    settled: dict[str, Any]
    frozen: dict[str, Any]
    seeds: dict[str, int]
    threads: int
    started_at: datetime
    ended_at: datetime
    seconds: float
    fit_seconds: float
    peak_memory: int
    spent: float
    error: dict[str, Any] | None = None
    output: str = ""
    notes: tuple[str, ...] = field(default=())


_ERRORS: dict[TrialState, type[TrainingError]] = {
    TrialState.FAILED: CandidateError,
    TrialState.TIMEOUT: TrialTimeout,
    TrialState.OUT_OF_MEMORY: TrialOutOfMemory,
}


def error_of(record: TrialRecord) -> MainspringError | None:
    """The error that ended a trial, to be raised or shown."""
    if record.error is None:
        return None
    kind = _ERRORS.get(record.state, TrainingError)
    return kind(record.error["message"], cure=record.error["cure"], where=record.error["where"])


def write_record(record: TrialRecord, folder: Path) -> None:
    """Keep the record as `trial.json` in the trial's folder, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "trial.json", msgspec.json.encode(record), role=f"trial {record.number}")


def read_records(folder: Path) -> Iterator[TrialRecord]:
    """The records of the trials in a folder of trial folders, by number; those that never ended have none."""
    for place in sorted(folder.glob("*/trial.json")):
        yield msgspec.json.decode(place.read_bytes(), type=TrialRecord)
