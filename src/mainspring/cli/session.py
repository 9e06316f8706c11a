"""What every verb has in common: the options `--project` and `--json`, the project, the workspace, the output."""

import functools
import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.cli.output import Output

if TYPE_CHECKING:
    from mainspring.project import Project
    from mainspring.workspace import Workspace


@dataclass(frozen=True)
class Call:
    """What `main` hands to the verb: the output of this call, and the environment, read once."""

    output: Output
    environ: Mapping[str, str]


@dataclass(frozen=True)
class Session:
    """One call of one verb.

    Attributes:
        start: the folder from which, upward, the project is looked for.
    """

    output: Output
    environ: Mapping[str, str]
    start: Path

    def project(self) -> "Project":
        """The project, its `model.py` not yet run."""
        from mainspring.project import open_project

        return open_project(self.start, self.environ)

    def loaded_project(self) -> "Project":
        """The project, its `model.py` run."""
        from mainspring.project import load_project

        return load_project(self.start, self.environ)

    def workspace(self) -> AbstractContextManager["Workspace"]:
        """The project's workspace."""
        from mainspring.workspace import Workspace

        return Workspace(self.project().settings)

    @property
    def actor(self) -> str:
        """Who does it, for the audit."""
        return self.environ.get("USER") or self.environ.get("LOGNAME") or "cli"


def verb(function: Callable[..., None]) -> Callable[..., None]:
    """Make a function of a session and its own options into a verb with the options that every verb has."""
    own = list(inspect.signature(function).parameters.values())[1:]
    shared = [
        inspect.Parameter(
            "project",
            inspect.Parameter.KEYWORD_ONLY,
            default=Path(),
            annotation=Annotated[
                Path, typer.Option("--project", metavar="DIR", help="The project's folder.", show_default=False)
            ],
        ),
        inspect.Parameter(
            "json",
            inspect.Parameter.KEYWORD_ONLY,
            default=False,
            annotation=Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")],
        ),
    ]
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    parameters = [
        context,
        *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own if p.name != "project"),
        *(p for p in shared),
    ]

    @functools.wraps(function)
    def call(context: typer.Context, project: Path, json: bool, **options: Any) -> None:  # noqa: ARG001 - read by main
        given: Call = context.obj
        function(Session(given.output, given.environ, project), **options)

    del call.__wrapped__
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {p.name: p.annotation for p in parameters}
    return call
