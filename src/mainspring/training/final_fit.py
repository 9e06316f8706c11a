"""The winner's fit on all that may be learnt from, in the process forked for it."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.data.estimator_outputs import outputs_of
from mainspring.errors import CandidateError
from mainspring.stores.atomic import naming_a_full_disk, write_atomic
from mainspring.training.dataset_files import TrainingPart, load_frame
from mainspring.training.frozen import fitted_decisions
from mainspring.training.scoring import Candidate, estimator_from
from mainspring.training.seeding import seed_everything
from mainspring.training.settling import settle
from mainspring.training.trial import ReplayTrial
from mainspring.training.weighing import fit_estimator

ESTIMATOR = "estimator.pkl"


@dataclass(frozen=True, slots=True)
class SavedRows:
    """Some of the training rows, as files (`numpy.load`).

    Attributes:
        places: int64, in the order of the training rows.
        weights: float64, of each; none where each counts once.
    """

    places: str
    weights: str | None = None


@dataclass(frozen=True, slots=True)
class FitOrder:
    """What to fit and what to ask it.

    Attributes:
        number: the trial's, as the candidate saw it.
        seed: the trial's.
        folder: where the estimator and its answers are written.
        frames: name → folder of a saved frame; the answers are written as `NAME.npy`.
        keep: whether the estimator itself is written.
        rows: the training rows to learn from; all where not given.
    """

    number: int
    candidate: str
    params: dict[str, Any]
    seed: int
    threads: int
    folder: str
    frames: dict[str, str]
    keep: bool = True
    rows: SavedRows | None = None


@dataclass(frozen=True, slots=True)
class FitOutcome:
    settled: dict[str, Any]
    frozen: dict[str, Any]
    seeds: dict[str, int]
    fit_seconds: float
    digests: dict[str, str]  # name of a frame → SHA-256 of the answers


def fit_finally(order: FitOrder, candidate: Candidate, part: TrainingPart) -> FitOutcome:
    """Fit once more as the trial did, on the training rows, and ask the estimator for its answers.

    Raises:
        CandidateError: the estimator cannot be pickled, cannot be asked, or takes no weights of rows.
        DiskFull: there is no room.
        Exception: whatever the user's code raises.
    """
    seeds = seed_everything(order.seed)
    estimator = estimator_from(candidate, ReplayTrial(order.params, order.number), order.candidate)
    settled = settle(estimator, seed=order.seed, threads=order.threads)
    X, y, weights = part.X, part.y, None
    if order.rows is not None:
        places = np.load(order.rows.places, allow_pickle=False)
        X, y = X.iloc[places].reset_index(drop=True), y[places]
        weights = None if order.rows.weights is None else np.load(order.rows.weights, allow_pickle=False)
    seed_everything(order.seed)
    started = time.perf_counter()
    fitted = fit_estimator(estimator, X, y, weights, order.candidate)
    seconds = time.perf_counter() - started
    estimator = estimator if fitted is None else fitted
    folder = Path(order.folder)
    folder.mkdir(parents=True, exist_ok=True)
    digests = {}
    for name, place in order.frames.items():
        outputs = outputs_of(estimator, load_frame(Path(place)), part.task, part.classes)
        with naming_a_full_disk("the winner's answers"):
            np.save(folder / f"{name}.npy", outputs, allow_pickle=False)
        digests[name] = outputs_digest(outputs)
    if order.keep:
        write_atomic(folder / ESTIMATOR, _pickled(estimator, order.candidate), role="the fitted estimator")
    return FitOutcome(settled, fitted_decisions(estimator), seeds, seconds, digests)


def outputs_digest(outputs: NDArray[np.float64]) -> str:
    """SHA-256 of the answers' bytes, little-endian doubles in row order."""
    return hashlib.sha256(np.ascontiguousarray(outputs, dtype="<f8").tobytes()).hexdigest()


def _pickled(estimator: Any, candidate: str) -> bytes:
    import cloudpickle

    try:
        content: bytes = cloudpickle.dumps(estimator)
    except Exception as error:
        raise CandidateError(
            f"the estimator of the candidate {candidate!r} cannot be stored: {type(error).__name__}: {error}",
            cure="keep no open files, locks or connections in it",
            where={"candidate": candidate},
        ) from error
    return content
