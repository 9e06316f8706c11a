"""Fits the windows that are to be compared, each in a limited process of its own, and takes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mainspring.domain.window import TrainingWindow
from mainspring.errors import TrainingError
from mainspring.training.dataset_files import save_frame
from mainspring.training.final_fit import FitOrder
from mainspring.training.fit_in_child import fit_with
from mainspring.training.seeding import derive_seed
from mainspring.training.window_choice import decide_window, window_choices

if TYPE_CHECKING:
    from mainspring.training.trial_client import TrialServer
    from mainspring.training.trial_record import TrialRecord
    from mainspring.training.tuning_job import TuningJob

NEWER = "newer"  # the name of the answers on the rows that all windows are asked about


def choose_window(
    server: TrialServer, job: TuningJob, winner: TrialRecord, *, environment: Mapping[str, str]
) -> TrainingWindow | None:
    """Try the job's windows with the winner's parameters; `None` where the job leaves nothing to choose.

    A window whose fit fails, or takes too long, is left out and says why.

    Raises:
        DiskFull: there is no room.
    """
    if job.windows is None or job.data.training_when is None:
        return None
    choices = window_choices(job.windows, job.data)
    outputs = {}
    if choices.is_comparison:
        folder = job.folder / "windows"
        asked = job.data.training_features.iloc[choices.newer].reset_index(drop=True)
        save_frame(asked, folder / NEWER)
        for number, fit in enumerate(choices.fits):
            place = folder / str(number)
            order = FitOrder(
                number=winner.number,
                candidate=winner.candidate,
                params=winner.params,
                seed=winner.seeds["trial"],
                threads=winner.threads,
                folder=str(place.resolve()),
                frames={NEWER: str((folder / NEWER).resolve())},
                keep=False,
                rows=fit.rows.save(place),
            )
            try:
                fit_with(
                    server,
                    order,
                    trial_time=job.model.trial_time,
                    trial_memory=job.model.trial_memory,
                    environment=environment,
                )
            except TrainingError as error:
                choices = replace(choices, notes={**choices.notes, fit.window: error.message})
                continue
            outputs[fit.window] = np.load(place / f"{NEWER}.npy", allow_pickle=False)
    seed = derive_seed(job.model.seed, "windows")
    taken = decide_window(choices, outputs, job.data, seed=seed)
    is_told = choices.is_comparison or job.windows.change is not None or taken.rule["kind"] != "all"
    return taken if is_told else None
