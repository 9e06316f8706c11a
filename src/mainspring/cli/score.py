"""`mainspring score`: a table of any size, answered row by row into another."""

import os
from pathlib import Path
from typing import Annotated

import typer

from mainspring.cli.session import Session
from mainspring.project import SCHEMA_FILE


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
) -> None:
    """Score a whole table.

    It streams, so the table may be larger than memory; stopped and started again, it goes on where it was, and
    each row comes out exactly once. Columns that the release does not know are ignored. The output has the key
    (or the row's number), the prediction, and of a classifier one probability column a class.
    """
    from mainspring.batch.table import score_table
    from mainspring.cli.opening import opened
    from mainspring.cli.score_progress import RowProgress
    from mainspring.clock import SYSTEM_CLOCK

    began = SYSTEM_CLOCK.monotonic()
    with session.workspace() as workspace, opened(workspace, model) as release, RowProgress(session.output) as bar:
        result = score_table(
            release.manifest,
            release.runtime_for_many_rows(),
            input_,
            output,
            schema_file=release.folder / "source" / SCHEMA_FILE,
            root=Path(),
            keep_columns=keep_columns,
            threads=threads or len(os.sched_getaffinity(0)),
            environ=session.environ,
            on_rows=bar.advance,
        )
    seconds = SYSTEM_CLOCK.monotonic() - began
    session.output.document(
        {
            "release": str(release.manifest.ref),
            "rows": result.rows,
            "resumed_rows": result.resumed_rows,
            "output": result.output,
            "seconds": seconds,
        }
    )
    session.output.line(
        f"{result.rows:,} rows by {release.manifest.ref} in {seconds:.1f} s, written to {result.output}"
        + (f" ({result.resumed_rows:,} of them by an earlier attempt)" if result.resumed_rows else "")
    )
