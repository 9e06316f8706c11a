"""`mainspring features history | get | push`: rows in, rows out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.cli.session import Session
from mainspring.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from mainspring.cli.output import Output
    from mainspring.connection_features import Features

_SHOWN = 10  # rows


def history(
    session: Session,
    events: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="The events: CSV, Parquet or JSON lines; a glob, a table.")
    ],
    feature: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VIEW.FEATURE", help="Only this, or all of VIEW; may be given several times [the model's]."
        ),
    ] = None,
    time: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="When an event happened [the model's time].")
    ] = None,
    output: Annotated[
        str | None, typer.Option(metavar="FILE", help="Where to: .parquet, .csv or .delta; shows some if absent.")
    ] = None,
) -> None:
    """Join features to events as they were known at each event's time.

    Every event stays, once and in its order.
    """
    from mainspring.connection_features import Features

    project = session.loaded_project()
    with session.workspace() as workspace:
        features = Features(workspace, project)
        column = time or project.model.source.time
        frame = _events(session, features, events, feature, column)
        found = features.history(frame, feature, time=column)
    if output is not None:
        _write(found, output)
    shown = found.head(_SHOWN)
    session.output.document(
        {
            "rows": found.height,
            "columns": found.columns,
            "output": output,
            "head": [dict(zip(found.columns, row, strict=True)) for row in shown.rows()],
        }
    )
    if output is not None:
        session.output.line(f"{found.height:,} rows, written to {output}")
        return
    _table(session.output, shown)
    if found.height > _SHOWN:
        session.output.line(f"and {found.height - _SHOWN:,} rows more; write them all with --output FILE")


def get(
    session: Session,
    view: Annotated[str, typer.Argument(metavar="VIEW", help="The view.")],
    keys: Annotated[
        list[str],
        typer.Argument(metavar="KEY…", help="The entity: its key, or NAME=KEY of each where it has several."),
    ],
) -> None:
    """Show what the online store answers of an entity now."""
    from mainspring.connection_features import Features

    project = session.loaded_project()
    with session.workspace() as workspace:
        features = Features(workspace, project)
        definition = features.offline.definition(features.view(view))
        found = features.get(view, _named(definition, keys))
    row = dict(zip(found.columns, found.row(0), strict=True))
    names = set(definition.names)
    session.output.document(
        {
            "view": view,
            "keys": {name: row[name] for name in definition.key_names},
            "features": {name: row[name] for name in definition.names},
            "event_time": row["event_time"],
            "outcome": row["outcome"],
        }
    )
    from mainspring.cli.plain import when

    facts = ", ".join(f"{name} {row[name]}" for name in definition.key_names)
    since = "" if row["event_time"] is None else f", newest event {when(row['event_time'])}"
    session.output.line(f"{view}, {facts}: {row['outcome']}{since}")
    session.output.table(
        ["feature", "value"], [[name, "–" if row[name] is None else row[name]] for name in row if name in names]
    )


def push(
    session: Session,
    view: Annotated[str, typer.Argument(metavar="VIEW", help="The view.")],
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE…", help="CSV, Parquet or JSON lines; files, globs or a Delta table."),
    ],
    id_: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="COLUMN",
            help="The column of the rows' ids, by which each counts once [made of the row].",
        ),
    ] = None,
) -> None:
    """Add rows to a view, and bring the online store up to them.

    The files are checked as a whole before the first row is stored, and may be pushed again: a row counts once.
    """
    from mainspring.connection_features import Features

    project = session.loaded_project()
    with session.workspace() as workspace:
        features = Features(workspace, project)
        frame = _pushed(session, features, view, files, id_)
        ids = None if id_ is None else frame.get_column(id_).to_list()
        done = features.push(view, frame if id_ is None else frame.drop(id_), ids)
    session.output.document(
        {"view": view, "rows": frame.height, "new": done.new, "repeated": done.repeated, "remarks": done.remarks}
    )
    repeated = f", {done.repeated:,} that were there already" if done.repeated else ""
    session.output.line(f"{view}: {done.new:,} new rows{repeated}")
    for remark in done.remarks:
        session.output.line(f"warning: {remark}")


def _events(
    session: Session, features: "Features", files: list[str], wanted: list[str] | None, time: str | None
) -> "pl.DataFrame":
    """The events; what the views name by keys is read as they have it."""
    import polars as pl

    from mainspring.data.inference import infer
    from mainspring.data.reading import read_batches
    from mainspring.domain.schema import Column
    from mainspring.domain.source import Source

    refs = features.refs(wanted) if wanted else ()
    views = {ref.view.name: ref.view for ref in refs} or {view.name: view for view in features.views.values()}
    found = infer(Source(tuple(files)), Path(), time=time, environ=session.environ)
    schema = found.schema
    for view in views.values():
        for key in features.offline.definition(view).keys:
            if key.name in schema and schema[key.name].kind is not key.kind:
                schema = schema.with_column(Column(key.name, key.kind, missing=schema[key.name].missing))
    batches = list(read_batches(found.source, schema, Path(), environ=session.environ))
    return pl.concat(batches) if batches else pl.DataFrame()


def _pushed(
    session: Session, features: "Features", view: str, files: list[str], id_: str | None
) -> "pl.DataFrame":
    """The files' rows, typed as the view's source has them, and the ids."""
    import polars as pl

    from mainspring.data.parsing import as_text
    from mainspring.data.reading import BATCH_ROWS
    from mainspring.data.sources.opening import open_source
    from mainspring.domain.source import Source
    from mainspring.features.push import typed_rows

    target = features.target(view)
    frames = []
    with open_source(Source(tuple(files)), Path(), session.environ) as parts:
        for part in parts:
            for batch in part.batches(BATCH_ROWS, None):
                raw = batch.frame
                if id_ is not None and id_ not in raw.columns:
                    raise UsageError(
                        f"{part.name} has no column {id_!r}", cure=f"there are: {', '.join(raw.columns)}"
                    )
                rows = raw.drop(id_) if id_ is not None else raw
                typed = typed_rows(rows, target.schema, target.needed, view, texts=True, decimal=part.decimal)
                frames.append(
                    typed if id_ is None else typed.with_columns(as_text(raw.get_column(id_)).alias(id_))
                )
    return pl.concat(frames) if frames else pl.DataFrame()


def _named(definition: Any, texts: list[str]) -> dict[str, Any]:
    """The keys that the command line names, of the kinds that the view has."""
    names = definition.key_names
    given = dict(text.split("=", 1) for text in texts if text.partition("=")[0] in names and "=" in text)
    if not given and len(texts) == len(names) == 1:
        given = {names[0]: texts[0]}
    if len(given) != len(texts):
        example = " ".join(f"{name}=…" for name in names)
        raise UsageError(
            f"{' '.join(texts)!r} names no entity of the view {definition.name!r}",
            cure=f"write: mainspring features get {definition.name} {example}",
        )
    return {name: _key(definition, name, text) for name, text in given.items()}


def _key(definition: Any, name: str, text: str) -> Any:
    from mainspring.domain.schema import Kind

    kind = next(key.kind for key in definition.keys if key.name == name)
    try:
        if kind is Kind.INTEGER:
            return int(text)
        if kind is Kind.BOOLEAN:
            return {"true": True, "false": False}[text.lower()]
    except (ValueError, KeyError) as error:
        raise UsageError(
            f"{name}={text} is no {kind}, which the key of the view {definition.name!r} is",
            cure="write e.g. 17" if kind is Kind.INTEGER else "write true or false",
            where={"key": name},
        ) from error
    return text


def _write(frame: "pl.DataFrame", output: str) -> None:
    from tempfile import TemporaryDirectory

    from mainspring.batch.formats import format_of
    from mainspring.domain.ids import uuid7

    place = Path(output).absolute()
    form = format_of(output)
    place.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=place.parent, prefix=".history-") as folder:
        part = Path(folder) / f"part{form.suffix}"
        form.write(frame, part, True)
        form.join([part], Path(folder), place, uuid7())


def _table(output: "Output", frame: "pl.DataFrame") -> None:
    """One line a column: tables are wider than terminals."""
    from mainspring.cli.plain import one_line

    rows = frame.rows()
    output.table(
        ["column", *(f"row {number}" for number in range(len(rows)))],
        [
            [name, *("–" if row[place] is None else one_line(str(row[place]), 40) for row in rows)]
            for place, name in enumerate(frame.columns)
        ],
    )
