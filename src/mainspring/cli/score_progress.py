"""How far a table is scored: rows and rows per second, on standard error, where that is a terminal."""

from types import TracebackType
from typing import Self

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from mainspring.cli.output import Output


class RowProgress:
    """Counts rows; a context manager. How many there are is not known before the last one is read."""

    def __init__(self, output: Output) -> None:
        console = output.errors()
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.completed:,.0f} rows", markup=False),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("rows", total=None, rate="")

    def advance(self, rows: int) -> None:
        """So many rows more are done."""
        self._bar.advance(self._task, rows)
        speed = self._bar.tasks[0].finished_speed or self._bar.tasks[0].speed
        self._bar.update(self._task, rate=f"{speed:,.0f} a second" if speed else "")

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
