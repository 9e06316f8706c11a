"""`mainspring releases`: the releases, newest first."""

from typing import Annotated

import typer

from mainspring.cli.session import Session


def releases(
    session: Session,
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="Only those of this model.")] = None,
) -> None:
    """List the releases, newest first."""
    from mainspring.cli.plain import when
    from mainspring.cli.views import metrics_line, release_json

    with session.workspace() as workspace:
        found = workspace.records.releases(model)
    session.output.document([release_json(record) for record in found])
    if not found:
        session.output.line("There is no release yet; make one with: mainspring run")
        return
    session.output.table(
        ["release", "aliases", "runtime", "metrics", "created"],
        [
            [
                str(r.ref),
                ", ".join(r.aliases),
                str(r.runtime),
                metrics_line({name: estimate.value for name, estimate in r.metrics.items()}),
                when(r.created_at),
            ]
            for r in found
        ],
    )
