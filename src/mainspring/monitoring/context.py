"""What the monitors of one model are given: tables, releases, the time, and what they knew at their last look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.domain.ports import Tables
from mainspring.domain.prediction_log import predictions_table
from mainspring.domain.release import Manifest

if TYPE_CHECKING:
    from collections.abc import Collection

    import polars as pl

    from mainspring.domain.agreement import ViewAgreement
    from mainspring.domain.materialised import Materialised
    from mainspring.domain.measurement import Window
    from mainspring.monitoring.hours.window_profile import WindowProfile
    from mainspring.monitoring.jobs.job import Job

    Recompute = Callable[[Window], Sequence[ViewAgreement]]


@dataclass(frozen=True, slots=True)
class Context:
    """One look at one model: at the answers of its prediction log, or at the rows of one score job.

    Attributes:
        now: the time of the look; nothing that came later is seen.
        champion: the number of the release that answers.
        manifests: of the champion and of every other release that answered lately, by number.
        folders: the folders of these releases.
        challengers: the releases whose answers are compared with the champion's.
        label_delay: how long after an answer its label is due, where the model says so.
        states: by monitor what it wants to know at its next look (plain JSON); monitors replace their entry.
        gateway_metrics: the text of the gateway's `/metrics`; `None` where no gateway answers.
        materialised: how far the feature views have come in the online store.
        agreement: computes the champion's features anew, of the answers of a window; `None` where nobody can.
        job: the score job that is looked at, whose release stands as the champion; windows other than its own are
            of the rows of the jobs that began in them.
    """

    model: str
    tables: Tables
    now: datetime
    champion: int
    manifests: Mapping[int, Manifest]
    folders: Mapping[int, Path]
    challengers: tuple[int, ...] = ()
    label_delay: timedelta | None = None
    states: dict[str, dict[str, Any]] = field(default_factory=dict)
    gateway_metrics: str | None = None
    materialised: Sequence[Materialised] = ()
    agreement: Recompute | None = None
    job: Job | None = None

    @property
    def manifest(self) -> Manifest:
        """The champion's."""
        return self.manifests[self.champion]

    def joined(self, window: Window, *, role: str | None = None) -> pl.DataFrame:
        """The answers of the window beside what came true, as it was known at the time of the look."""
        from mainspring.data.predictions import predictions
        from mainspring.monitoring.jobs.seen import job_rows_beside_truth

        if self.job is not None:
            return job_rows_beside_truth(self.tables, self.model, self.job, window, as_of=self.now)
        found = predictions(
            self.tables, self.model, since=window.start, until=window.end, as_of=self.now, role=role
        )
        return found.sort("at", "id").collect()

    def profile(
        self,
        window: Window,
        *,
        release: int | None = None,
        roles: Collection[str] | None = None,
        slice: Mapping[str, str] | None = None,  # noqa: A002  the word of the measurement
    ) -> WindowProfile:
        """What the rows of the window were like; the arguments are those of `window_profile`."""
        from mainspring.monitoring.hours.window_profile import window_profile
        from mainspring.monitoring.jobs.seen import job_profile

        if self.job is not None:
            return job_profile(self.tables, self.manifest, self.job, window, slice or {})
        return window_profile(self.tables, self.model, window, release=release, roles=roles, slice=slice)

    def sample(self, window: Window, *, release: int | None = None) -> pl.DataFrame:
        """A uniform sample of the window's rows, as `window_sample` gives it."""
        from mainspring.monitoring.hours.window_profile import window_sample
        from mainspring.monitoring.jobs.seen import job_sample

        if self.job is not None:
            return job_sample(self.tables, self.model, self.job, window)
        return window_sample(self.tables, self.model, window, release=release)

    def slices(self, window: Window, by: Collection[str]) -> list[tuple[dict[str, str], int]]:
        """The slices by these columns that the window has, and the rows of each, the greatest first."""
        from mainspring.monitoring.hours.window_profile import slices_of
        from mainspring.monitoring.jobs.seen import job_slices

        if self.job is not None:
            return job_slices(self.tables, self.manifest, self.job, window, by)
        return slices_of(self.tables, self.model, window, by)

    @property
    def rows_table(self) -> str:
        """The table of which the rows of samples and of `joined` are, and by whose columns inputs are named."""
        from mainspring.monitoring.jobs.tables import job_samples_table

        return predictions_table(self.model) if self.job is None else job_samples_table(self.model)
