"""A copy of the project with a workspace of its own, so that a simulation touches nothing that is real."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.domain.source import Source
from mainspring.project import SCHEMA_FILE, load_project
from mainspring.settings import FILE_NAME

if TYPE_CHECKING:
    import polars as pl

    from mainspring.project import Project

_ROWS = "stream-start.parquet"


def scratch_project(project: Project, folder: Path) -> Project:
    """The project's code and schema in another folder, with every store there and nobody told of alerts."""
    for place in project.source_files:
        copy = folder / place
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(project.root / place, copy)
    if project.schema_path.exists():
        shutil.copyfile(project.schema_path, folder / SCHEMA_FILE)
    (folder / FILE_NAME).write_text("", encoding="utf-8")
    return load_project(folder, {"MAINSPRING_NAME": project.settings.name, "MAINSPRING_ALERTS_CONSOLE": "off"})


def learn_from(project: Project, rows: pl.DataFrame) -> None:
    """Make these rows the project's source, in place of what it declares."""
    rows.write_parquet(project.root / _ROWS)
    declared = project.model.source
    project.model.source = replace(Source(_ROWS), key=declared.key, time=declared.time)
