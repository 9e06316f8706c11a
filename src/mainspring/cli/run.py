"""`mainspring run`: from the source to a release, or to a refusal that says why."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.cli.output import Output
from mainspring.cli.session import Session
from mainspring.errors import UsageError

if TYPE_CHECKING:
    from mainspring.domain.budget import Budget
    from mainspring.domain.release import Manifest
    from mainspring.loop.lifecycle.workflow import RunOutcome
    from mainspring.project import Project


def run(
    session: Session,
    budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="How long to search, e.g. 120s or 10m.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="How many trials instead; only this repeats exactly.")
    ] = None,
) -> None:
    """Take the model from its data to a release.

    Snapshot, checks, search, judgement, sealing; a run that was killed goes on where it was. Exit code 3 when a
    gate failed or was inconclusive; then nothing is registered. Ctrl-C ends the search with the best so far.
    """
    project = session.loaded_project()
    chosen = _budget(project, budget, trials)

    from mainspring.cli.run_progress import RunProgress
    from mainspring.loop.lifecycle import workflow as lifecycle

    with RunProgress(session.output) as progress:
        outcome = lifecycle.run(project, budget=chosen, progress=progress, actor=session.actor)
    session.output.document(_json(outcome))
    _tell(session.output, outcome)
    if outcome.error is not None:
        session.output.error(outcome.error)
        raise typer.Exit(outcome.error.exit_code)


def _budget(project: "Project", budget: str | None, trials: int | None) -> "Budget":
    from mainspring.domain.budget import Budget
    from mainspring.settings import parse_budget

    if budget is not None and trials is not None:
        raise UsageError("both --budget and --trials are given", cure="give one of the two")
    if trials is not None:
        return Budget(trials=trials)
    return parse_budget(budget, "--budget") if budget is not None else project.settings.budget


def _json(outcome: "RunOutcome") -> dict[str, Any]:
    from mainspring.cli.views import release_of, run_json
    from mainspring.data.report import report_to_dict

    error = outcome.error
    return {
        "run": run_json(outcome.run),
        "state": outcome.run.state,
        "release": release_of(outcome.manifest) if outcome.manifest is not None else None,
        "verdicts": outcome.verdicts,
        "validation": report_to_dict(outcome.report) if outcome.report is not None else None,
        "error": error.to_dict() if error is not None else None,
        "exit_code": error.exit_code if error is not None else 0,
    }


def _tell(output: Output, outcome: "RunOutcome") -> None:
    from mainspring.cli.views import show_metrics, show_report, show_verdicts

    if outcome.report is not None:
        show_report(output, outcome.report)
    show_verdicts(output, outcome.verdicts)
    if outcome.manifest is not None:
        show_metrics(output, outcome.manifest.metrics, outcome.manifest.naive)
        _tell_release(output, outcome.manifest)


def _tell_release(output: Output, manifest: "Manifest") -> None:
    from mainspring.cli.plain import counted
    from mainspring.cli.views import params_line

    output.line(f"Released {manifest.ref}.", style="bold green")
    if manifest.training is not None:
        params = params_line(manifest.training.params)
        output.line(f"  candidate  {manifest.training.candidate} ({params})")
        output.line(f"  search     {counted(manifest.training.trials, 'trial')}")
    output.line(f"  runtime    {manifest.runtime.kind}: {manifest.runtime.reason}")
    for warning in manifest.warnings:
        output.line(f"  warning    {warning}")
    output.line(f"Next: mainspring serve, mainspring show {manifest.ref}, mainspring reproduce {manifest.ref}")
