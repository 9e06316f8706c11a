"""A recorded stream: rows in the order of time, each with its truth, and the time at which each came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from mainspring.errors import UsageError
from mainspring.loop.simulation.delay import LabelDelay

if TYPE_CHECKING:
    from mainspring.project import Project
    from mainspring.workspace import Workspace

_HOUR = timedelta(hours=1)
_BEGINNING = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday; of a stream without times


@dataclass(frozen=True, slots=True)
class Stream:
    """n rows.

    Attributes:
        rows: typed by the project's schema, with the target, and with the features of views as of each row's time.
        at: [n], when each came; never falling.
        start: so many of the first rows are there before anything is answered: the first release learns from them.
    """

    rows: pl.DataFrame
    at: tuple[datetime, ...]
    start: int

    @property
    def begins_at(self) -> datetime:
        """When the first row that is answered comes."""
        return self.at[self.start]

    def batches(self, pause: timedelta) -> Iterator[tuple[int, int, datetime]]:
        """The rows between two looks of the loop, and the time of the look after them.

        Args:
            pause: between two looks; a time in which nothing came has no look.
        """
        first = self.start
        while first < len(self.at):
            steps = (self.at[first] - self.begins_at) // pause + 1
            end = self.begins_at + steps * pause
            last = first
            while last < len(self.at) and self.at[last] < end:
                last += 1
            yield first, last, end
            first = last

    def known_at(self, delay: LabelDelay) -> list[datetime | None]:
        """When the truth of each row is known; `None` where it is not known by the end of the stream."""
        if delay.time is not None:
            return [moment + delay.time for moment in self.at]
        rows = delay.rows or 0
        return [self.at[place + rows] if place + rows < len(self.at) else None for place in range(len(self.at))]


def read_stream(
    workspace: Workspace, project: Project, files: list[str], *, start: int, rows_an_hour: float | None
) -> Stream:
    """Read the files as the project's source would be read.

    Args:
        workspace: one of its own, which keeps the rows as a snapshot.
        files: paths or globs, as `Source` takes them.
        rows_an_hour: how fast the rows come; by the source's time column where not given.

    Raises:
        UsageError: the first release would get all of the rows, or nothing says how fast they come.
        DataError: the files cannot be read.
    """
    from mainspring.loop.lifecycle.model_rows import ModelRows

    source = replace(project.model.source, location=tuple(files), query=None)
    made = ModelRows(workspace, project)
    taken = workspace.snapshots.take(source, made.source_schema, Path.cwd(), environ=project.environ)
    rows = workspace.snapshots.read(taken.id).collect().drop("__row")
    rows = rows.filter(pl.col(project.model.target).is_not_null())
    if source.time is not None:
        rows = rows.filter(pl.col(source.time).is_not_null()).sort(source.time, maintain_order=True)
    if rows.height <= start:
        raise UsageError(
            f"the stream has {rows.height:,} rows with a target, and the first release is to learn from {start:,}",
            cure="give a longer stream, or fewer rows with --start",
        )
    return Stream(made.with_view_features(rows), _times(rows, source.time, rows_an_hour), start)


def _times(rows: pl.DataFrame, column: str | None, rows_an_hour: float | None) -> tuple[datetime, ...]:
    if rows_an_hour is not None:
        return tuple(_BEGINNING + _HOUR * (place / rows_an_hour) for place in range(rows.height))
    if column is None or not rows.schema[column].is_temporal():
        raise UsageError(
            "nothing says how fast the rows come: the source has no column of times",
            cure="give the rows that come in an hour, e.g. --speed 100",
        )
    return tuple(rows.get_column(column).cast(pl.Datetime("us", "UTC")).to_list())
