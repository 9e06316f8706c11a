"""What a run tells about itself while it goes on."""

from typing import Protocol

from mainspring.domain.run import Stage


class Progress(Protocol):
    """Listens to a run. Called from the run's own thread; must return at once and never raise."""

    def started(self, run_id: str, resumed_at: Stage | None) -> None:
        """The run begins, or goes on at a stage after it was killed."""
        ...

    def stage_started(self, stage: Stage) -> None: ...

    def stage_ended(self, stage: Stage, seconds: float, summary: str) -> None: ...

    def rows_read(self, rows: int) -> None: ...

    def trial_ended(
        self,
        index: int,
        candidate: str,
        score: float | None,
        best: float | None,
        share: float,
        state: str,
        problem: str,
    ) -> None:
        """A trial ended.

        Args:
            score: its validation score, `None` when it has none.
            best: the best score so far.
            share: how much of the budget is used up, 0 to 1.
            state: as `TrialState` names it, e.g. `failed` or `stopped`.
            problem: what went wrong, in words; empty where nothing did.
        """
        ...


class Silent:
    """Listens and says nothing."""

    def started(self, run_id: str, resumed_at: Stage | None) -> None:
        pass

    def stage_started(self, stage: Stage) -> None:
        pass

    def stage_ended(self, stage: Stage, seconds: float, summary: str) -> None:
        pass

    def rows_read(self, rows: int) -> None:
        pass

    def trial_ended(
        self,
        index: int,
        candidate: str,
        score: float | None,
        best: float | None,
        share: float,
        state: str,
        problem: str,
    ) -> None:
        pass
