"""A run that tells the log how it goes on: where nobody watches a bar."""

from __future__ import annotations

import logging

from mainspring.domain.run import Stage
from mainspring.loop.lifecycle.progress import Silent

_LOG = logging.getLogger("mainspring.training")


class LoggedProgress(Silent):
    """One line a stage, and one for each better trial."""

    def __init__(self) -> None:
        self._best: float | None = None

    def started(self, run_id: str, resumed_at: Stage | None) -> None:
        resumed = f" goes on at {resumed_at}" if resumed_at is not None else " begins"
        _LOG.info("the run %s%s", run_id, resumed)

    def stage_ended(self, stage: Stage, seconds: float, summary: str) -> None:
        _LOG.info("%s: %s (%.1f s)", stage, summary, seconds)

    def trial_ended(
        self,
        index: int,
        candidate: str,
        score: float | None,  # noqa: ARG002
        best: float | None,
        share: float,
        state: str,  # noqa: ARG002
        problem: str,
    ) -> None:
        if problem:
            _LOG.warning("trial %d of %s: %s", index, candidate, problem)
        elif best is not None and best != self._best:
            _LOG.info("trial %d: %s has %.6g, the best so far (%.0f%%)", index, candidate, best, share * 100)
        self._best = best
