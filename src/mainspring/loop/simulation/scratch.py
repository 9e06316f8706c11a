"""A copy of the project with a workspace of its own, so that a simulation touches nothing that is real."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mainspring.domain.feature_view import VIEW_SCHEMAS
from mainspring.domain.source import Source
from mainspring.loop.simulation.pushed import copy_pushed
from mainspring.project import SCHEMA_FILE, Project, load_project
from mainspring.settings import FILE_NAME

if TYPE_CHECKING:
    import polars as pl

_ROWS = "stream-start.parquet"


@dataclass(frozen=True, slots=True)
class Scratch:
    """Where the copy of a project is: all that a process needs to open it.

    Attributes:
        folder: of the copy.
        original: the project's own, in which what its feature views read stands.
        name: the project's.
    """

    folder: str
    original: str
    name: str

    @classmethod
    def of(cls, project: Project, folder: Path) -> Self:
        return cls(str(folder), str(project.root), project.settings.name)

    def opened(self, environ: Mapping[str, str]) -> Project:
        """The copy, with every store in its folder and nobody told of alerts.

        Args:
            environ: where `$NAME` in a database URL is taken from.
        """
        settings = {"MAINSPRING_NAME": self.name, "MAINSPRING_ALERTS_CONSOLE": "off"}
        project = load_project(Path(self.folder), settings)
        project.environ = environ
        for view in project.views.values():
            if isinstance(view.source, Source):
                view.source = _in_place(view.source, Path(self.original))
        if (project.root / _ROWS).exists():
            declared = project.model.source
            project.model.source = replace(Source(_ROWS), key=declared.key, time=declared.time)
        return project


def scratch_project(project: Project, scratch: Scratch, rows: pl.DataFrame | None = None) -> Project:
    """The project's code and schemas in another folder, opened.

    Its feature views read the sources that the project's read, and have the rows that were pushed to these.

    Args:
        rows: of a stream, which become its source in place of what it declares; the features of views in them are
            left out, and are joined as for every source.
    """
    folder = Path(scratch.folder)
    for place in project.source_files:
        copy = folder / place
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(project.root / place, copy)
    if project.schema_path.exists():
        shutil.copyfile(project.schema_path, folder / SCHEMA_FILE)
    if (project.root / VIEW_SCHEMAS).is_dir():
        shutil.copytree(project.root / VIEW_SCHEMAS, folder / VIEW_SCHEMAS)
    (folder / FILE_NAME).write_text("", encoding="utf-8")
    if rows is not None:
        _write_rows(project, rows, folder / _ROWS)
    opened = scratch.opened(project.environ)
    copy_pushed(project, opened)
    return opened


def _write_rows(project: Project, rows: pl.DataFrame, place: Path) -> None:
    from mainspring.data.columns import columns_of

    joined = {ref.column for ref in project.model.view_features}
    columns_of(rows, [name for name in rows.columns if name not in joined]).write_parquet(place)


def _in_place(source: Source, root: Path) -> Source:
    """The source where it stands, seen from anywhere."""
    if "://" in source.locations[0]:
        return source
    return replace(source, location=tuple(str(root / place) for place in source.locations))
