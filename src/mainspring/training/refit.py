"""Fits a release's winner again, from its training record and the rows alone; never from the sealed model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mainspring.domain.model import Model
from mainspring.domain.release import TrainingRecord
from mainspring.errors import NotReproduced
from mainspring.training.dataset_files import save_frame, save_training_data
from mainspring.training.final_fit import FitOrder
from mainspring.training.fit_in_child import fit_with
from mainspring.training.fitted_rows import FittedRows, fitted_rows
from mainspring.training.fitting import HOLDOUT, describe_machine, throwaway_tracking
from mainspring.training.seeding import derive_seed
from mainspring.training.trial_client import TrialServer

if TYPE_CHECKING:
    import pandas as pd

    from mainspring.training.dataset import TrainingData


@dataclass(frozen=True, slots=True)
class Refitted:
    """What the refit answers.

    Attributes:
        outputs: by the name of each frame asked, float64 [n, k]; `holdout` among them.
        digests: SHA-256 of each; that of `holdout` is the record's `holdout_digest` if the refit holds.
        frozen: what the fit decided by itself, to be compared with the record's.
        machine: on which it was fitted.
        differences: what speaks against an equal result before any answer is compared, in words.
    """

    outputs: dict[str, NDArray[np.float64]]
    digests: dict[str, str]
    frozen: dict[str, Any]
    machine: dict[str, str]
    differences: tuple[str, ...]


def refit(
    record: TrainingRecord,
    data: TrainingData,
    *,
    model: Model,
    model_file: Path,
    folder: Path,
    frames: Mapping[str, pd.DataFrame],
) -> Refitted:
    """Fit with everything frozen, in a clean process, and ask the result.

    Args:
        data: prepared with the record's own split: `prepare(…, split=record.split)`.
        model: for its limits of time and memory.
        model_file: the release's sealed source, or a copy of it.
        folder: an empty one, for working files.
        frames: further rows to ask about, by name, e.g. the golden ones.

    Raises:
        NotReproduced: the rows are not those that the record speaks of.
        CandidateError, TrialTimeout, TrialOutOfMemory: as in training.
    """
    rows = fitted_rows(None if record.window is None else record.window.rule, data.training_when)
    _check_rows(record, data, rows)
    save_training_data(data, folder / "data")
    places = {HOLDOUT: folder / "data" / "holdout"}
    for name, frame in frames.items():
        places[name] = folder / "frames" / name
        places[name].mkdir(parents=True, exist_ok=True)
        save_frame(frame, places[name])
    order = FitOrder(
        number=record.trial,
        candidate=record.candidate,
        params=record.params,
        seed=record.seeds["trial"],
        threads=record.threads,
        folder=str((folder / "refit").resolve()),
        frames={name: str(place.resolve()) for name, place in places.items()},
        keep=False,
        rows=None if rows is None else rows.save(folder / "rows"),
    )
    with TrialServer(
        model_file=model_file,
        model=model.name,
        data=folder / "data",
        threads=record.threads,
        folds_seed=derive_seed(record.seeds["model"], "folds"),
        log=folder / "server.log",
    ) as server:
        outcome = fit_with(
            server,
            order,
            trial_time=model.trial_time,
            trial_memory=model.trial_memory,
            environment=throwaway_tracking(folder),
        )
    machine = describe_machine()
    return Refitted(
        outputs={name: np.load(folder / "refit" / f"{name}.npy", allow_pickle=False) for name in places},
        digests=outcome.digests,
        frozen=outcome.frozen,
        machine=machine,
        differences=differences(record, outcome.frozen, machine),
    )


def _check_rows(record: TrainingRecord, data: TrainingData, rows: FittedRows | None) -> None:
    held = int(data.holdout.sum())
    found = (len(data.y) - held if rows is None else len(rows.places), held)
    if found != (record.rows_trained, record.rows_holdout):
        raise NotReproduced(
            f"the snapshot gives {found[0]:,} rows to train on and {found[1]:,} held out, "
            f"and the release was made of {record.rows_trained:,} and {record.rows_holdout:,}",
            cure="use the snapshot and the split that the release names",
        )


def differences(record: TrainingRecord, frozen: dict[str, Any], machine: dict[str, str]) -> tuple[str, ...]:
    """What the refit has otherwise than the record, of machine and of decisions, in words."""
    found = [
        f"{name}: fitted on {was!r}, refitted on {machine.get(name)!r}"
        for name, was in record.machine.items()
        if machine.get(name) != was
    ]
    found += [
        f"{name}: the fit decided on {was}, the refit on {frozen.get(name)}"
        for name, was in record.frozen.items()
        if frozen.get(name) != was
    ]
    return tuple(found)
