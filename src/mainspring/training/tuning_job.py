"""What is searched, and what the search found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from mainspring.domain.budget import Budget
from mainspring.domain.ids import digest_bytes, digest_json
from mainspring.domain.model import Model
from mainspring.domain.release import TrainingRecord
from mainspring.stores.atomic import write_atomic
from mainspring.training.dataset import TrainingData
from mainspring.training.seeding import derive_seed
from mainspring.training.threads import Parallelism, choose_parallelism
from mainspring.training.trial_record import TrialRecord
from mainspring.training.windows import WindowPlan

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
        windows: of the training rows, to be tried with the winner's parameters; all rows where not given.
        keeps: how a release was trained whose parameters are taken in place of a search.
    """

    folder: Path
    model_file: Path
    model: Model
    data: TrainingData
    budget: Budget
    cores: int
    spent: float = 0.0
    windows: WindowPlan | None = None
    keeps: TrainingRecord | None = None

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
                "windows": None if self.windows is None else msgspec.to_builtins(self.windows),
                "keeps": None if self.keeps is None else [self.keeps.candidate, self.keeps.params],
            }
        )


@dataclass(frozen=True, slots=True)
class TuningResult:
    """What the search found.

    Attributes:
        winner: the trial whose parameters are fitted finally.
        trials: all of them, by number.
        ended_because: `budget`, `stopped` (by hand), `nothing left to try`, or `parameters kept`: there was none.
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


def is_same_search(job: TuningJob) -> bool:
    """Whether what is on record in the job's folder came of the same code, rows and budget."""
    mark = job.folder / _MARK
    return mark.exists() and bool(msgspec.json.decode(mark.read_bytes()) == {"search": job.fingerprint()})


def mark_search(job: TuningJob) -> None:
    """Say in the job's folder of which search it holds the records; done last, once the rest is in place."""
    write_atomic(job.folder / _MARK, msgspec.json.encode({"search": job.fingerprint()}), role="the search")
