"""A copy of the project with a workspace of its own, so that a simulation touches nothing that is real."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.domain.feature_view import VIEW_SCHEMAS
from mainspring.domain.source import Source
from mainspring.loop.simulation.pushed import copy_pushed
from mainspring.project import SCHEMA_FILE, load_project
from mainspring.settings import FILE_NAME

if TYPE_CHECKING:
    import polars as pl

    from mainspring.project import Project

_ROWS = "stream-start.parquet"


def scratch_project(project: Project, folder: Path) -> Project:
    """The project's code and schemas in another folder, with every store there and nobody told of alerts.

    Its feature views read the sources that the project's read, and have the rows that were pushed to these.
    """
    for place in project.source_files:
        copy = folder / place
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(project.root / place, copy)
    if project.schema_path.exists():
        shutil.copyfile(project.schema_path, folder / SCHEMA_FILE)
    if (project.root / VIEW_SCHEMAS).is_dir():
        shutil.copytree(project.root / VIEW_SCHEMAS, folder / VIEW_SCHEMAS)
    (folder / FILE_NAME).write_text("", encoding="utf-8")
    settings = {"MAINSPRING_NAME": project.settings.name, "MAINSPRING_ALERTS_CONSOLE": "off"}
    scratch = load_project(folder, settings)
    scratch.environ = project.environ
    for view in scratch.views.values():
        if isinstance(view.source, Source):
            view.source = _in_place(view.source, project.root)
    copy_pushed(project, scratch)
    return scratch


def _in_place(source: Source, root: Path) -> Source:
    """The source where it stands, seen from anywhere."""
    if "://" in source.locations[0]:
        return source
    return replace(source, location=tuple(str(root / place) for place in source.locations))


def learn_from(project: Project, rows: pl.DataFrame) -> None:
    """Make these rows the project's source, in place of what it declares.

    Args:
        rows: of a stream; the features of views in them are left out, and are joined as for every source.
    """
    from mainspring.data.columns import columns_of

    joined = {ref.column for ref in project.model.view_features}
    columns_of(rows, [name for name in rows.columns if name not in joined]).write_parquet(project.root / _ROWS)
    declared = project.model.source
    project.model.source = replace(Source(_ROWS), key=declared.key, time=declared.time)
