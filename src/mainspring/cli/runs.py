"""`mainspring runs`: the runs, newest first."""

from typing import Annotated

import typer

from mainspring.cli.session import Session


def runs(
    session: Session,
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="Only those of this model.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, metavar="N", help="How many at most.")] = 20,
) -> None:
    """List the runs, newest first."""
    from mainspring.cli.plain import when
    from mainspring.cli.views import run_json
    from mainspring.domain.run import RunState

    with session.workspace() as workspace:
        found = workspace.records.runs(model, limit)
    session.output.document([run_json(run) for run in found])
    if not found:
        session.output.line("There is no run yet; start one with: mainspring run")
        return
    session.output.table(
        ["run", "model", "state", "stage", "release", "started", "ended"],
        [
            [
                run.id,
                run.model,
                "under way or killed" if run.state is RunState.RUNNING else str(run.state),
                str(run.stage),
                f"{run.model}@{run.release}" if run.release is not None else "–",
                when(run.started_at),
                when(run.ended_at),
            ]
            for run in found
        ],
    )
    if any(run.state is RunState.RUNNING for run in found):
        session.output.line("A run that was killed goes on where it was with: mainspring run")
