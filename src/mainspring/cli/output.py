"""What a verb says: one JSON document on standard output with `--json`, otherwise tables; the rest on stderr.

With `--json`, everything that anything else in the process (the user's code, a library, a child process) writes to
standard output goes to standard error instead, so that nothing can break the document.
"""

import json
import os
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from mainspring.cli.plain import one_line, printable, to_json
from mainspring.errors import MainspringError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

# A table that is piped or stored must not be cut to the 80 columns of a terminal that is not there.
_PIPED_WIDTH = 160
INTERRUPTED = 130


class Output:
    """The two streams of one call; a context manager.

    Args:
        as_json: whether `--json` was given.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._document_fd: int | None = None
        self._stdout: TextIO | None = None
        self._emitted = False

    def __enter__(self) -> Self:
        if self.as_json:
            sys.stdout.flush()
            self._document_fd = os.dup(1)
            os.dup2(2, 1)
            self._stdout, sys.stdout = sys.stdout, sys.stderr  # it need not write to descriptor 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        sys.stdout.flush()
        if self._stdout is not None:
            sys.stdout = self._stdout
        if self._document_fd is not None:
            os.dup2(self._document_fd, 1)
            os.close(self._document_fd)
            self._document_fd = None

    def document(self, value: Any) -> None:
        """The one JSON document; without `--json` nothing."""
        if self._document_fd is None or self._emitted:
            return
        self._emitted = True
        text = json.dumps(to_json(value), ensure_ascii=False, indent=2) + "\n"
        content = text.encode("utf-8", "backslashreplace")
        while content:
            content = content[os.write(self._document_fd, content) :]

    def line(self, text: str = "", *, style: str | None = None) -> None:
        """A line of the answer for people; with `--json` nothing."""
        if self.as_json:
            return
        if style is None:  # as the terminal library would, without importing it
            sys.stdout.write(f"{printable(text)}\n")
        else:
            self._console().print(printable(text), style=style, soft_wrap=True)

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        *,
        title: str | None = None,
        right: Sequence[str] = (),
    ) -> None:
        """A table for people; with `--json` nothing.

        Args:
            right: the columns that stand at the right, as numbers do.
        """
        if self.as_json:
            return
        from rich import box
        from rich.table import Table

        table = Table(
            title=printable(title) if title else None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
        )
        for column in columns:
            table.add_column(column, justify="right" if column in right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(one_line(str(cell), 400) for cell in row))
        self._console().print(table)

    def render(self, thing: "RenderableType") -> None:
        """Anything that the terminal library can show; with `--json` nothing."""
        if not self.as_json:
            self._console().print(thing)

    def note(self, text: str) -> None:
        """A line beside the answer, on standard error, with and without `--json`."""
        self.errors().print(printable(text), soft_wrap=True)

    def errors(self) -> "Console":
        """Standard error, for progress and notes."""
        return _console(stderr=True)

    def _console(self) -> "Console":
        return _console(stderr=False)

    def error(self, error: MainspringError) -> int:
        """Tell what was wrong, where, and the cure, on one screen; return the exit code."""
        self.document({**error.to_dict(), "exit_code": error.exit_code})
        if not self.as_json:
            from rich.text import Text

            console = self.errors()
            console.print(Text.assemble(("error: ", "bold red"), printable(error.message)), soft_wrap=True)
            width = max((len(str(key)) for key in error.where), default=0)
            for key, value in error.where.items():
                if value is not None:
                    console.print(
                        f"  {one_line(str(key)):<{width}}  {one_line(_told(value), 200)}", soft_wrap=True
                    )
            if error.cure:
                console.print(Text.assemble(("cure: ", "bold green"), printable(error.cure)), soft_wrap=True)
        return error.exit_code

    def bug(self, error: BaseException) -> int:
        """Tell of an exception that nobody foresaw: the traceback is what a report needs."""
        self.document(
            {
                "error": "Bug",
                "message": f"{type(error).__name__}: {error}",
                "cure": "report it with the traceback on standard error",
                "where": {},
                "exit_code": 1,
            }
        )
        trace = "".join(traceback.format_exception(error))
        sys.stderr.write(f"{trace}\nThis is a bug in Mainspring; please report it with the lines above.\n")
        return 1


def _told(value: object) -> str:
    """What an error's `where` holds, as people read it: of a list of rows each one's facts."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return "; ".join(_told(one) for one in value) if isinstance(value, list | tuple) else str(value)


def _console(*, stderr: bool) -> "Console":
    # Made for each use: the streams may have been replaced, and making one costs microseconds.
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(
        file=stream,
        markup=False,
        highlight=False,
        emoji=False,
        width=None if stream.isatty() else _PIPED_WIDTH,
    )
