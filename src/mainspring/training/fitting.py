"""The final fit of the search's winner, in a limited process of its own."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from mainspring.domain.window import TrainingWindow
from mainspring.errors import ModelFileError
from mainspring.stores.atomic import write_atomic
from mainspring.training.final_fit import ESTIMATOR, FitOrder
from mainspring.training.fit_in_child import fit_with
from mainspring.training.fitted_rows import fitted_rows
from mainspring.training.trial_client import TrialServer
from mainspring.training.trial_record import TrialRecord
from mainspring.training.tuning_job import TuningJob, TuningResult, is_same_search
from mainspring.training.window_fits import choose_window

WINNER = "winner.json"
HOLDOUT = "holdout"  # the name of the holdout's answers: `holdout.npy`


@dataclass(frozen=True, slots=True)
class FittedInfo:
    """What the final fit left behind, for evaluation, sealing and `TrainingRecord`.

    Attributes:
        estimator: the path of the estimator, by cloudpickle.
        outputs: the path of its answers on the holdout, float64 [n, k] in row order (`numpy.load`).
        outputs_digest: SHA-256 of these answers.
        number, candidate, params: the winning trial's.
        settled: what was set in the estimator because it was left open.
        frozen: what the fit decided by itself, e.g. iterations after early stopping.
        seeds: name → seed.
        seconds: of the fit alone.
        rows: fitted on.
        machine: what the result may depend on.
        window: of the training rows, where several could be tried.
    """

    estimator: str
    outputs: str
    outputs_digest: str
    number: int
    candidate: str
    params: dict[str, Any]
    settled: dict[str, Any]
    frozen: dict[str, Any]
    seeds: dict[str, int]
    threads: int
    seconds: float
    rows: int
    machine: dict[str, str]
    window: TrainingWindow | None = None


def fit_winner(job: TuningJob, result: TuningResult) -> FittedInfo:
    """The winner fitted on the rows outside the holdout, and its answers on the holdout.

    The search has left this fit behind; only where it was cut short is it done here.

    Raises:
        CandidateError, TrialTimeout, TrialOutOfMemory: as in a trial; the fit has a trial's limits.
        ModelFileError: `model.py` is no longer what the search tried.
        DiskFull: there is no room.
    """
    if not is_same_search(job):
        raise ModelFileError(
            f"{job.model_file.name} was changed while the run was on",
            cure="start the run again",
            where={"file": job.model_file.name},
        )
    kept = _kept(job, result.winner)
    if kept is not None:
        return kept
    with TrialServer(
        model_file=job.model_file,
        model=job.model.name,
        data=job.folder / "data",
        threads=job.parallelism.threads,
        folds_seed=job.folds_seed,
        log=job.folder / "server.log",
    ) as server:
        return fit_with_server(server, job, result.winner, environment=throwaway_tracking(job.folder))


def fit_with_server(
    server: TrialServer, job: TuningJob, winner: TrialRecord, *, environment: Mapping[str, str]
) -> FittedInfo:
    """Have a running server choose the window, fit the winner, and keep the fit in the job's folder.

    Args:
        environment: variables for the user's code.

    Raises:
        CandidateError, TrialTimeout, TrialOutOfMemory, DiskFull: see `fit_winner`.
    """
    folder = (job.folder / "winner").resolve()
    window = choose_window(server, job, winner, environment=environment)
    rows = None if window is None else fitted_rows(window.rule, job.data.training_when)
    order = FitOrder(
        number=winner.number,
        candidate=winner.candidate,
        params=winner.params,
        seed=winner.seeds["trial"],
        threads=winner.threads,
        folder=str(folder),
        frames={HOLDOUT: str((job.folder / "data" / "holdout").resolve())},
        rows=None if rows is None else rows.save(folder),
    )
    outcome = fit_with(
        server,
        order,
        trial_time=job.model.trial_time,
        trial_memory=job.model.trial_memory,
        environment=environment,
    )
    info = FittedInfo(
        estimator=str(folder / ESTIMATOR),
        outputs=str(folder / f"{HOLDOUT}.npy"),
        outputs_digest=outcome.digests[HOLDOUT],
        number=winner.number,
        candidate=winner.candidate,
        params=winner.params,
        settled=outcome.settled,
        frozen=outcome.frozen,
        seeds={"model": job.model.seed, "trial": order.seed, **outcome.seeds},
        threads=winner.threads,
        seconds=outcome.fit_seconds,
        rows=int((~job.data.holdout).sum()) if rows is None else len(rows.places),
        machine=describe_machine(),
        window=window,
    )
    write_atomic(job.folder / WINNER, msgspec.json.encode(info), role="the winner's fit")
    return info


def throwaway_tracking(folder: Path) -> dict[str, str]:
    """Where `mlflow.…` calls of the user's code go that belong to no run."""
    return {"MLFLOW_TRACKING_URI": f"sqlite:///{folder.resolve() / 'unused-tracking.db'}"}


def _kept(job: TuningJob, winner: TrialRecord) -> FittedInfo | None:
    place = job.folder / WINNER
    if not place.exists():
        return None
    info = msgspec.json.decode(place.read_bytes(), type=FittedInfo)
    return info if (info.number, info.params) == (winner.number, winner.params) else None


def describe_machine() -> dict[str, str]:
    """What a fit's last bits may depend on: processor architecture and model, operating system, Python."""
    return {
        "architecture": platform.machine(),
        "processor": _processor_model(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _processor_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
