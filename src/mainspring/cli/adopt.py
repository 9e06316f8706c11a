"""`mainspring adopt`: a model that was made elsewhere becomes a release."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainspring.cli.session import Session
from mainspring.domain.task import Task
from mainspring.errors import ProjectError

if TYPE_CHECKING:
    from mainspring.loop.releases.adoption import Adoption
    from mainspring.workspace import Workspace


def adopt(
    session: Session,
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="An .onnx, .skops, .pkl or .joblib file, an MLflow folder or URI."),
    ],
    name: Annotated[str, typer.Option(metavar="NAME", help="What the model is called here.")],
    data: Annotated[list[str], typer.Option(metavar="FILE…", help="At least 200 rows as the model gets them.")],
    target: Annotated[str | None, typer.Option(metavar="COLUMN", help="Where the rows hold the truth.")] = None,
    key: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column that names a row.")] = None,
    features: Annotated[
        str | None,
        typer.Option(metavar="A,B,…", help="The model's columns in its order, if it does not know them."),
    ] = None,
    task: Annotated[Task | None, typer.Option(help="What the model does, if it does not tell.")] = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="A,B,…", help="Its classes in the order of its answers, if it does not tell."),
    ] = None,
    positive: Annotated[
        str | None, typer.Option(metavar="CLASS", help="The positive class; else the second of two.")
    ] = None,
    schema: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A schema.toml that says how every column is read.")
    ] = None,
    tracking: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The MLflow store of a URI; else MLFLOW_TRACKING_URI, or ours."),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="The file is from somebody trusted: loading it may run its code.")
    ] = False,
    trust_type: Annotated[
        list[str],
        typer.Option(metavar="TYPE", help="A type that a skops file may hold; may be given several times."),
    ] = [],  # noqa: B006 - read only
    promote: Annotated[bool, typer.Option("--promote", help="Make it the champion at once.")] = False,
) -> None:
    """Make a release of an existing model.

    An ONNX or skops file, or an MLflow model of such a flavor, is read without running its code. A pickle, a
    joblib file and any other MLflow model run code when they are loaded, and need --trust. The release holds the
    model as it is and answers as it does, which its golden requests prove. It answers nobody until promoted.
    """
    from mainspring.loop.releases.adoption import AdoptionRequest, adopt
    from mainspring.release.adoption.sample import SampleOrder
    from mainspring.release.adoption.settling import Said

    with _workspace(session) as workspace:
        request = AdoptionRequest(
            model=name,
            place=model,
            sample=SampleOrder(tuple(data), Path(), _listed(features), target, key, schema),
            said=Said(task, positive, _listed(classes)),
            tracking=tracking or session.environ.get("MLFLOW_TRACKING_URI") or workspace.settings.tracking_url,
            trust=trust,
            trusted=tuple(trust_type),
        )
        adopted = adopt(workspace, request, session.environ)
        if promote:
            _promote(session, workspace, adopted)
        _tell(session, adopted, trust=trust, promoted=promote)


def _workspace(session: Session) -> "Workspace":
    from mainspring.workspace import Workspace

    try:
        return Workspace(session.project().settings)
    except ProjectError as error:
        if type(error) is not ProjectError:
            raise
        raise ProjectError(
            error.message,
            cure="go to the project's folder, name it with --project, or make one here: touch mainspring.toml",
            where=error.where,
        ) from error


def _promote(session: Session, workspace: "Workspace", adopted: "Adoption") -> None:
    from mainspring.loop.rollout import promotion

    record = workspace.catalogue.find(adopted.manifest.ref)
    _, everywhere = promotion.make_champion(
        workspace.records, record, actor=session.actor, reason="adopted", clock=workspace.clock, wait_seconds=30.0
    )
    if not everywhere:
        session.output.note("Not every gateway worker has taken it over within 30 s; see mainspring status")
    if not adopted.unmirrored:
        promotion.mirror_champion(workspace.tracking, record)


def _tell(session: Session, adopted: "Adoption", *, trust: bool, promoted: bool) -> None:
    from mainspring.cli.views import release_of, show_metrics

    manifest, output = adopted.manifest, session.output
    output.document(
        {
            **release_of(manifest),
            "about": adopted.about,
            "inputs": [one.name for one in manifest.inputs],
            "output": manifest.output,
            "adopted_before": adopted.again,
            "promoted": promoted,
            "digest": adopted.record.digest,
        }
    )
    before = " already: the same model with the same sample was adopted before" if adopted.again else ""
    output.line(f"{manifest.ref} is {adopted.about}{before}.", style="bold green")
    output.line(f"It predicts {_what(manifest.output)} from {', '.join(one.name for one in manifest.inputs)}.")
    output.line(
        f"Runtime {manifest.runtime.kind}: {manifest.runtime.reason} (tolerance {manifest.runtime.tolerance:g})."
    )
    for warning in manifest.warnings:
        output.line(f"warning    {warning}")
    if manifest.metrics:
        show_metrics(output, manifest.metrics, manifest.naive, measured_on="sample")
    if trust:
        output.note("Loaded on your word (--trust): whatever code the model holds has run.")
    if adopted.unmirrored:
        output.note(f"MLflow's registry was not told: {adopted.unmirrored}")
    if promoted:
        output.line(f"{manifest.ref} is the champion.")
    else:
        output.line(f"It answers nobody before it is promoted: mainspring promote {manifest.ref}")


def _what(output: object) -> str:
    from mainspring.domain.release import OutputSpec

    assert isinstance(output, OutputSpec)
    if not output.classes:
        return "a number"
    shown = ", ".join(output.classes[:10]) + (" …" if len(output.classes) > 10 else "")
    return shown + (f" (positive: {output.positive} from {output.threshold:g} on)" if output.positive else "")


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else ()
