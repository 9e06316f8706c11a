"""`mainspring score`: a table of any size, answered row by row into another."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.cli.findings import FOUND, tell_findings
from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.domain.model import Model


def score(
    session: Session,
    model: Annotated[str, typer.Argument(metavar="MODEL[@N]", help="The model, or one release of it.")],
    input_: Annotated[
        list[str],
        typer.Option("--input", metavar="FILE…", help="The rows: files, globs or a Delta table."),
    ],
    output: Annotated[
        str, typer.Option(metavar="FILE", help="Where to: .parquet, .csv or .delta; replaced if it is there.")
    ],
    keep_columns: Annotated[bool, typer.Option("--keep-columns", help="Keep the input's columns.")] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, max=256, metavar="N", help="Parts in work at a time; else one a core.")
    ] = None,
    monitor: Annotated[
        bool, typer.Option("--monitor", help="Say what the monitors of model.py find; 3 if one is bad.")
    ] = False,
) -> None:
    """Score a whole table.

    It streams, so the table may be larger than memory; stopped and started again, it goes on where it was, and
    each row comes out exactly once. Columns that the release does not know are ignored. The output has the key
    (or the row's number), the prediction, and of a classifier one probability column a class.

    Features of views may be left out where the rows have their keys. They are joined as of each row's time where
    the rows have the time column of the model's source, as for training; else they are those of now, from the
    online store, as for a request.

    What the rows and the answers were like is kept (of more than 65,536 rows, of a uniform sample), and the
    monitors of model.py look at it: with --monitor at once, else at the next `mainspring monitor run`.
    """
    from mainspring.cli.opening import opened
    from mainspring.cli.score_progress import RowProgress
    from mainspring.clock import SYSTEM_CLOCK
    from mainspring.loop.scoring.scored import measure_scored, score_release

    declared = _declared(session, model) if monitor else None
    began = SYSTEM_CLOCK.monotonic()
    with session.workspace() as workspace:
        with opened(workspace, model) as release, RowProgress(session.output) as bar:
            scored = score_release(
                workspace,
                session.project(),
                release,
                input_,
                output,
                root=Path(),
                keep_columns=keep_columns,
                threads=threads or len(os.sched_getaffinity(0)),
                on_rows=bar.advance,
            )
        seconds = SYSTEM_CLOCK.monotonic() - began
        findings = None if declared is None else measure_scored(workspace, declared, scored.job)
    result, ref = scored.result, release.manifest.ref
    document: dict[str, Any] = {
        "release": str(ref),
        "rows": result.rows,
        "resumed_rows": result.resumed_rows,
        "output": result.output,
        "seconds": seconds,
        "job": scored.job,
    }
    if findings is not None:
        document["measurements"] = findings.measurements
        document["events"] = [{"kind": one.kind, "monitor": one.alert.monitor} for one in findings.events]
    session.output.document(document)
    session.output.line(
        f"{result.rows:,} rows by {ref} in {seconds:.1f} s, written to {result.output}"
        + (f" ({result.resumed_rows:,} of them by an earlier attempt)" if result.resumed_rows else "")
    )
    if findings is not None and tell_findings(session.output, findings.measurements, findings.events):
        raise typer.Exit(FOUND)


def _declared(session: Session, text: str) -> "Model":
    """The model of `model.py`, whose monitors are asked for."""
    from mainspring.domain.release import ReleaseRef
    from mainspring.errors import UsageError

    asked, declared = ReleaseRef.parse(text).model, session.loaded_project().model
    if declared.name != asked:
        raise UsageError(
            f"model.py declares {declared.name!r}, so it has no monitors of {asked!r}",
            cure="leave out --monitor, or score by a release of the project's own model",
        )
    return declared
