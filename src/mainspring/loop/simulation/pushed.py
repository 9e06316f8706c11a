"""The rows that were pushed to a project's views, for a simulation: history has those, too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.domain.schema import Kind
from mainspring.features.push import APPLICATION, DAY, NUMBER, pushed_table
from mainspring.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl

    from mainspring.domain.ports import Tables
    from mainspring.project import Project

_PIECE = 250_000  # rows in memory


def copy_pushed(project: Project, scratch: Project) -> None:
    """Give the copy of a project the rows that were pushed to its views so far.

    When each became known stands in it, so that nothing of the stream sees one that came later.

    Args:
        scratch: as `scratch_project` makes it.
    """
    if not project.settings.workspace.is_dir():  # nothing was ever done in it
        return
    with Workspace(project.settings) as real, Workspace(scratch.settings) as own:
        offline = own.offline(scratch)
        for view in scratch.views.values():
            if view.base is view and real.tables.offset(pushed_table(view.name), APPLICATION):
                pictures = [column.name for column in offline.schema(view) if column.kind is Kind.IMAGE]
                _copy(real.tables, own.tables, pushed_table(view.name), pictures, project.root)


def _copy(real: Tables, own: Tables, table: str, pictures: Sequence[str], root: Path) -> None:
    import polars as pl

    number, count = pl.col(NUMBER), real.offset(table, APPLICATION)
    for first in range(0, count, _PIECE):
        last = min(first + _PIECE, count)
        rows = real.scan(table).filter(number >= first, number < last).collect()
        rows = _with_places(rows, pictures, root)
        own.record(table, rows, partition=DAY, offsets={APPLICATION: (first, last)})


def _with_places(rows: pl.DataFrame, pictures: Sequence[str], root: Path) -> pl.DataFrame:
    """The rows with the paths of their pictures, which are relative to the project's folder, absolute."""
    import polars as pl

    from mainspring.data.columns import values_of

    for name in pictures:
        paths = [None if path is None else str(root / path) for path in values_of(rows, name).to_list()]
        rows = rows.replace_column(rows.get_column_index(name), pl.Series(name, paths, dtype=pl.String))
    return rows
