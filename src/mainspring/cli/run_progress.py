"""What a run tells while it goes on: a bar on a terminal, one line a stage elsewhere; always on standard error."""

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from mainspring.cli.output import Output
from mainspring.cli.plain import number, one_line
from mainspring.domain.run import Stage


class RunProgress:
    """`loop.progress.Progress` for people; a context manager."""

    def __init__(self, output: Output) -> None:
        self._console = output.errors()
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[said]}", markup=False),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=None, said="")
        self._trials = 0
        self._told: set[str] = set()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def started(self, run_id: str, resumed_at: Stage | None) -> None:
        resumed = f", going on at {resumed_at}" if resumed_at is not None else ""
        self.say(f"run {run_id}{resumed}")

    def stage_started(self, stage: Stage) -> None:
        self._bar.reset(self._task, total=None, description=f"{stage:<9}", said="")

    def stage_ended(self, stage: Stage, seconds: float, summary: str) -> None:
        self.say(f"{stage:<9} {seconds:7.1f} s  {one_line(summary, 200)}")

    def rows_read(self, rows: int) -> None:
        self._bar.update(self._task, said=f"{rows:,} rows")

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
        self._trials += 1
        result = state if score is None else number(score)
        said = f"{one_line(candidate, 30)} {result}, best so far {number(best)}"
        self._bar.update(
            self._task, total=1.0, completed=min(share, 1.0), said=f"{self._trials} trials; last: {said}"
        )
        if not self._console.is_terminal:
            self.say(f"  trial {index}: {said}")
        if problem and candidate not in self._told:  # once: it is likely to fail again in the same way
            self._told.add(candidate)
            self.say(f"  trial {index}: {one_line(problem, 400)}")

    def say(self, text: str) -> None:
        """A line that stays, above the bar."""
        self._bar.console.print(text, soft_wrap=True)
