"""What two releases are compared by, and what their answers to rows of known truth add to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from mainspring.domain.release import Manifest, OutputSpec
from mainspring.domain.rollout import RANK_METRICS
from mainspring.domain.rollout_rules import is_proved_by_outcome
from mainspring.domain.rollout_state import RolloutState
from mainspring.loop.evidence.known import Known
from mainspring.loop.evidence.row_losses import MOST, Floats, logged_outputs, losses, metric_of, truth_of


@dataclass(frozen=True, slots=True)
class Compared:
    """What two releases are compared by.

    Attributes:
        is_outcome: the metric is a business outcome, which only who answers has.
    """

    before: Manifest
    challenger: Manifest
    metric: str
    is_outcome: bool

    @classmethod
    def of(cls, state: RolloutState, before: Manifest, challenger: Manifest) -> Compared:
        metric = metric_of(state.plan, challenger.task)
        return cls(before, challenger, metric, is_proved_by_outcome(state.plan))

    @property
    def most(self) -> float | None:
        """By how much one of the two can be better, in a row or a window, where that is known."""
        return 1.0 if self.is_ranked else MOST.get(self.metric)

    @property
    def is_ranked(self) -> bool:
        """The metric is no mean of rows, and its values are those of windows."""
        return self.metric in RANK_METRICS

    def take_pairs(
        self, known: Known, name: Literal["gains", "bake_gains"], rows: pl.DataFrame, before: Floats, after: Floats
    ) -> None:
        """Take in rows that both answered.

        Args:
            name: of the sums.
            rows: [n], with what came true.
            before, after: outputs [n, k] of the old release and of the challenger.
        """
        if self.is_ranked:
            areas = self._areas(known, name, rows, (before, self.before), (after, self.challenger))
            gains = areas[:, 1] - areas[:, 0]
        else:
            gains = self._losses(rows, before, self.before) - self._losses(rows, after, self.challenger)
        getattr(known, name).add(gains[np.isfinite(gains)])

    def take_alone(
        self, known: Known, name: Literal["champion", "canary"], rows: pl.DataFrame, manifest: Manifest
    ) -> None:
        """Take in rows that only this release answered: their losses, of a ranking one less the areas."""
        outputs = logged_outputs(rows, "outputs", manifest.output)
        if self.is_ranked:
            values = 1.0 - self._areas(known, name, rows, (outputs, manifest))[:, 0]
        else:
            values = self._losses(rows, outputs, manifest)
        getattr(known, name).add(values[np.isfinite(values)])

    def _losses(self, rows: pl.DataFrame, outputs: Floats, manifest: Manifest) -> Floats:
        return losses(self.metric, outputs, truth_of(rows, manifest.output), manifest.output)

    def _areas(self, known: Known, name: str, rows: pl.DataFrame, *answered: tuple[Floats, Manifest]) -> Floats:
        positive = self.before.output.positive
        said = rows.get_column("label")
        scores = np.column_stack([_chance(outputs, manifest.output, positive) for outputs, manifest in answered])
        whole = said.is_not_null().to_numpy() & np.isfinite(scores).all(axis=1)
        windows = known.windows_of(name, scores.shape[1])
        return windows.add((said == positive).fill_null(value=False).to_numpy()[whole], scores[whole])


def _chance(outputs: Floats, output: OutputSpec, name: str | None) -> Floats:
    """That each answer gives to the class; NaN where the release does not know it."""
    if name not in output.classes:
        return np.full(len(outputs), np.nan)
    return outputs[:, output.classes.index(name)]
