"""How far a simulation has come, on standard error: a bar on a terminal, and a line for each training."""

from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from mainspring.cli.output import Output
from mainspring.cli.plain import one_line, printable

if TYPE_CHECKING:
    from mainspring.loop.simulation.simulate import Turn


class SimulationProgress:
    """Told of each turn; a context manager."""

    def __init__(self, output: Output) -> None:
        console = self._console = output.errors()
        self._bar = Progress(
            TextColumn("{task.completed:,.0f} of {task.total:,.0f} rows", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[said]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("rows", total=1, said="the first release is trained")
        self._told = 0

    def turned(self, turn: "Turn") -> None:
        """A turn of the loop is over."""
        log = turn.log
        for one in log.trainings[self._told :]:
            result = one.problem or (f"release {one.release}" if one.release is not None else one.state)
            text = f"row {one.row:,}: {one.kind}: {one.reason}: {result}"
            self._console.print(printable(one_line(text, 200)), soft_wrap=True)
        self._told = len(log.trainings)
        said = one_line(log.held, 60) if log.held else f"{len(log.trainings)} trainings"
        self._bar.update(self._task, total=turn.of, completed=turn.rows, said=said)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
