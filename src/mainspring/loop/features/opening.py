"""Opens what the rows of a project's feature views are read from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainspring.project import Project
from mainspring.workspace import Workspace

if TYPE_CHECKING:
    from mainspring.features.rows import Offline


def open_offline(workspace: Workspace, project: Project) -> Offline:
    """The rows of the project's views, as the workspace keeps them.

    A view whose source has no schema yet takes the kinds of its keys from the model's schema, where there is one.
    """
    return workspace.offline(project)
