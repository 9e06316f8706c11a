"""A release's own project and rows, as they were when it was sealed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.domain.release import Manifest
from mainspring.errors import NotReproduced
from mainspring.loop.lifecycle.model_rows import ModelRows
from mainspring.loop.lifecycle.resolution import training_data
from mainspring.project import Project, load_project
from mainspring.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl

    from mainspring.training.dataset import TrainingData


@contextmanager
def sealed_project(workspace: Workspace, manifest: Manifest, environ: Mapping[str, str]) -> Iterator[Project]:
    """The sealed source, its very bytes verified, loaded from a folder that lasts as long as the block.

    Raises:
        TamperedRelease: a file of it is not what was sealed.
        NotReproduced: its code has another digest than the manifest says, or the release was adopted.
    """
    from mainspring.release.files import read_verified
    from mainspring.release.sealing import SOURCE

    if manifest.training is None:
        raise NotReproduced(
            f"{manifest.ref} was adopted: how it was trained is not known",
            cure="train it with `mainspring run` to get a release that can be reproduced",
            where={"release": str(manifest.ref)},
        )
    folder = workspace.catalogue.folder(workspace.catalogue.find(manifest.ref))
    with tempfile.TemporaryDirectory(prefix="mainspring-sealed-") as place:
        for name in manifest.files:
            if name.startswith(f"{SOURCE}/"):
                file = Path(place) / name.removeprefix(f"{SOURCE}/")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(read_verified(folder, manifest, name))
        project = load_project(Path(place), environ)
        if project.code_digest != manifest.code_digest:
            raise NotReproduced(
                f"the sealed code of {manifest.ref} has another digest than its manifest says",
                cure="fetch the release again from where it was sealed",
                where={"release": str(manifest.ref)},
            )
        yield project


def sealed_data(
    workspace: Workspace, manifest: Manifest, project: Project
) -> tuple[ModelRows, pl.DataFrame, TrainingData]:
    """How its rows are made, the snapshots' rows, and the training data that the release was made of, split by its
    own rule.

    Raises:
        UnknownSnapshot: the rows are gone.
    """
    assert manifest.training is not None, "sealed_project refuses adopted releases"
    made = ModelRows(workspace, project, manifest.training.views)
    rows = made.read(manifest.snapshots)
    model = replace(project.model, positive=manifest.output.positive)
    return made, rows, training_data(rows, model, made.resolved, made.schema, split=manifest.training.split)
