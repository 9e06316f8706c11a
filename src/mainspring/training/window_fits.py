"""Fits the windows that are to be compared, each in a limited process of its own, and takes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mainspring.domain.retrain import ALIKE
from mainspring.domain.window import TrainingWindow
from mainspring.errors import TrainingError
from mainspring.training.alike_rows import SINCE, Batches, batches_before, extended
from mainspring.training.dataset_files import save_frame
from mainspring.training.final_fit import FitOrder
from mainspring.training.fit_in_child import fit_with
from mainspring.training.metrics import Floats
from mainspring.training.seeding import derive_seed
from mainspring.training.window_choice import WindowChoices, WindowFit, decide_window, window_choices

if TYPE_CHECKING:
    from mainspring.training.trial_client import TrialServer
    from mainspring.training.trial_record import TrialRecord
    from mainspring.training.tuning_job import TuningJob


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
    fits = _Fits(server, job, winner, environment)
    if choices.is_comparison:
        fits.save(choices.newer, "newer")
        for fit in choices.fits:
            choices = fits.tried(choices, fit)
        if choices.seeks_alike:
            choices = extended(choices, fits.newer, fits.earlier, job.data)
            for fit in choices.fits:
                if fit.window == ALIKE:
                    choices = fits.tried(choices, fit)
    seed = derive_seed(job.model.seed, "windows")
    taken = decide_window(choices, fits.newer, job.data, seed=seed)
    is_told = choices.is_comparison or job.windows.change is not None or taken.rule["kind"] != "all"
    return taken if is_told else None


class _Fits:
    """The fits of one comparison, and what their estimators answered.

    Attributes:
        newer: window → the answers on the rows that all windows are asked about, [n, k].
        earlier: window since the change → what came before it, and the answers on what is asked of that, [m, k].
    """

    def __init__(
        self, server: TrialServer, job: TuningJob, winner: TrialRecord, environment: Mapping[str, str]
    ) -> None:
        self._server = server
        self._job = job
        self._winner = winner
        self._environment = environment
        self._folder = job.folder / "windows"
        self.newer: dict[str, Floats] = {}
        self.earlier: dict[str, tuple[Batches, Floats]] = {}
        self._begun = 0

    def save(self, places: NDArray[np.int64], name: str) -> None:
        """Write training rows that fits are to be asked about; they stay until others have the name."""
        asked = self._job.data.training_features.iloc[places].reset_index(drop=True)
        save_frame(asked, self._folder / name)

    def tried(self, choices: WindowChoices, fit: WindowFit) -> WindowChoices:
        """Fit a window and keep its answers; the choices, with a note where the fit failed."""
        asked, before = ["newer"], None
        if choices.seeks_alike and fit.window in SINCE:
            when = self._job.data.training_when
            assert when is not None, "windows need the time of the rows"
            before = batches_before(int(when[fit.rows.places].min()), when)
            self.save(before.asked, "earlier")
            asked.append("earlier")
        try:
            answers = self._answers(fit, asked)
        except TrainingError as error:
            return choices.noted(fit.window, error.message)
        self.newer[fit.window] = answers["newer"]
        if before is not None:
            self.earlier[fit.window] = before, answers["earlier"]
        return choices

    def _answers(self, fit: WindowFit, asked: Sequence[str]) -> dict[str, Floats]:
        place = self._folder / str(self._begun)
        self._begun += 1
        order = FitOrder(
            number=self._winner.number,
            candidate=self._winner.candidate,
            params=self._winner.params,
            seed=self._winner.seeds["trial"],
            threads=self._winner.threads,
            folder=str(place.resolve()),
            frames={name: str((self._folder / name).resolve()) for name in asked},
            keep=False,
            rows=fit.rows.save(place),
        )
        fit_with(
            self._server,
            order,
            trial_time=self._job.model.trial_time,
            trial_memory=self._job.model.trial_memory,
            environment=self._environment,
        )
        return {name: np.load(place / f"{name}.npy", allow_pickle=False) for name in asked}
