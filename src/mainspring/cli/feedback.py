"""`mainspring feedback`: a file of what came true, into the model's labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainspring.cli.session import Session
from mainspring.errors import UnknownRelease, UsageError

if TYPE_CHECKING:
    from mainspring.domain.release import ReleaseRecord
    from mainspring.workspace import Workspace


def feedback(
    session: Session,
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE…", help="CSV, Parquet or JSON lines; files, globs or a Delta table."),
    ],
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Whose predictions; not needed where there is one model.")
    ] = None,
    id_: Annotated[
        str | None, typer.Option("--id", metavar="COLUMN", help="The column of prediction ids [prediction_id].")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Or that of the events' keys [the name at training, or key]."),
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The truth [label, or the target's name at training].")
    ] = None,
    outcome: Annotated[
        list[str],
        typer.Option(metavar="NAME[=COLUMN]", help="A business outcome, a number; may be given several times."),
    ] = [],  # noqa: B006 - read only
    at: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="When it came true, in ISO 8601 [happened_at].")
    ] = None,
    message_id: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Ids of your own; a message counts once by its id [feedback_id]."),
    ] = None,
) -> None:
    """Say what came true of predictions, once or corrected.

    Labels and outcomes may come before or long after their predictions. A file is checked as a whole before its
    first row is stored. What holds already is not stored again, so a file may be loaded again, or be an export of
    everything known; the last word holds. An empty cell says nothing.

    Example: mainspring feedback sales.csv --key order_id --label bought --outcome revenue=eur
    """
    from mainspring.cli.score_progress import RowProgress
    from mainspring.data.feedback_columns import Wanted
    from mainspring.data.feedback_file import load_feedback
    from mainspring.data.sources.opening import open_source
    from mainspring.domain.source import Source
    from mainspring.release.target_column import target_column
    from mainspring.serving.kept_key import kept_key
    from mainspring.serving.personal import personal_secret

    wanted = Wanted(
        prediction_id=id_,
        key=key,
        label=label,
        outcomes=dict(_named(text) for text in outcome),
        happened_at=at,
        feedback_id=message_id,
    )
    with session.workspace() as workspace:
        record = _release(workspace, model)
        manifest = workspace.catalogue.manifest(record)
        secret = personal_secret(workspace.keys)
        with (
            open_source(Source(tuple(files)), Path(), session.environ) as parts,
            RowProgress(session.output) as bar,
        ):
            done = load_feedback(
                parts,
                wanted,
                manifest,
                target=target_column(manifest, workspace.catalogue.folder(record)),
                tables=workspace.tables,
                clock=workspace.clock,
                key_kept=lambda text: kept_key(manifest, text, secret),
                on_rows=bar.advance,
            )
    session.output.document(
        {
            "model": manifest.model,
            "rows": done.rows,
            "messages": done.messages,
            "new": done.new,
            "repeated": done.messages - done.new,
        }
    )
    repeated = f", {done.messages - done.new:,} that held already" if done.messages > done.new else ""
    session.output.line(f"{manifest.model}: {done.new:,} new of {done.rows:,} rows{repeated}")


def _named(text: str) -> tuple[str, str]:
    name, _, column = text.partition("=")
    return name, column or name


def _release(workspace: "Workspace", model: str | None) -> "ReleaseRecord":
    """The champion, or where there is none the newest release: what can come true is what it answers."""
    from mainspring.domain.release import ReleaseRef

    records = workspace.records
    if model is None:
        models = sorted({record.model for record in records.releases()})
        if len(models) > 1:
            raise UsageError(f"there are several models: {', '.join(models)}", cure="name one with --model")
        if not models:
            raise UnknownRelease("there is no release yet", cure="make one with: mainspring run")
        model = models[0]
    champion = records.find_release(ReleaseRef.parse(model))
    return champion or workspace.catalogue.find(ReleaseRef(ReleaseRef.parse(model).model, alias="latest"))
