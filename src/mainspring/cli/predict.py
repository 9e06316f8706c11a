"""`mainspring predict`: a few rows, answered in this process by the same release and rules as the gateway's."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.cli.session import Session
from mainspring.errors import InvalidInput, SourceFormatError, SourceNotFound, UsageError

if TYPE_CHECKING:
    from mainspring.domain.release import Manifest
    from mainspring.workspace import Workspace


def predict(
    session: Session,
    model: Annotated[str, typer.Argument(metavar="MODEL[@N]", help="The model, or one release of it.")],
    row: Annotated[
        list[str], typer.Option(metavar="JSON", help="A row as a JSON object; may be given several times.")
    ] = [],  # noqa: B006 - read only
    input_: Annotated[
        str | None,
        typer.Option("--input", metavar="FILE", help="Rows as JSON or JSON lines; - is standard input."),
    ] = None,
) -> None:
    """Predict for a few rows.

    Example: mainspring predict adult --row '{"age": 39, "sex": "Male"}'. For whole tables there is score. As in
    requests, a row may have the key of a view in place of its features: they are those that the online store has.
    """
    rows = _rows(row, input_)

    from mainspring.cli.opening import opened

    with session.workspace() as workspace, opened(workspace, model) as release:
        manifest = release.manifest
        outputs = release.runtime.predict_rows(_whole(workspace, manifest, rows))
    predictions = [_prediction(manifest.output, [float(v) for v in values]) for values in outputs]
    session.output.document({"model": manifest.model, "release": str(manifest.ref), "predictions": predictions})
    _tell(session, str(manifest.ref), predictions)


def _whole(workspace: "Workspace", manifest: "Manifest", rows: list[Any]) -> list[Any]:
    """The rows with the features of views that they lack, as of now."""
    if not manifest.views:
        return rows
    from mainspring.batch.view_features import check_filled
    from mainspring.domain.instants import microseconds
    from mainspring.serving.feature_rows import ReleaseViews

    views = ReleaseViews(manifest)
    wanted = views.wanted(rows)
    if not wanted:
        return rows
    asked = [one.asked for one in wanted]
    for view in manifest.views:
        if view.id in dict(asked):
            check_filled(workspace.online, view, manifest)
    found = workspace.online.read(asked)
    vectors = [[(vector, True) for vector in one] for one in found]
    return views.filled(rows, wanted, vectors, microseconds(workspace.clock.now()))[0]


def _prediction(spec: Any, values: Sequence[float]) -> dict[str, Any]:
    decided = spec.decide(values)
    if not spec.classes:
        return {"prediction": decided}
    return {"prediction": decided, "probabilities": dict(zip(spec.classes, values, strict=True))}


def _tell(session: Session, release: str, predictions: Sequence[dict[str, Any]]) -> None:
    classes = list(predictions[0].get("probabilities", {})) if predictions else []
    session.output.table(
        ["row", "prediction", *classes],
        [
            [index, p["prediction"], *(f"{p['probabilities'][label]:.4f}" for label in classes)]
            for index, p in enumerate(predictions)
        ],
        title=f"By {release}",
        right=["row", *classes],
    )


def _rows(given: Sequence[str], file: str | None) -> list[Any]:
    rows = [_json(text, f"--row number {number}") for number, text in enumerate(given, 1)]
    if file is not None:
        rows += _rows_of(_read(file), file)
    if not rows:
        raise UsageError("there is no row", cure="give --row JSON, or --input FILE")
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise InvalidInput(
                f"row {index} is no JSON object", cure='write {"feature": value, …}', where={"row": index}
            )
    return rows


def _read(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise SourceNotFound(f"there is no file {file}", cure="check the path", where={"file": file}) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SourceFormatError(
            f"{file} cannot be read: {getattr(error, 'strerror', None) or error}",
            cure="give a JSON file in UTF-8; for CSV and Parquet use `mainspring score`",
            where={"file": file},
        ) from error


def _rows_of(text: str, file: str) -> list[Any]:
    """The rows of a JSON document (an object, an array, `{"rows": […]}`), or of one document a line."""
    try:
        document = _json(text, file)
    except SourceFormatError:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        return [_json(line, f"{file}, line {number}") for number, line in enumerate(lines, 1)]
    if isinstance(document, dict) and set(document) == {"rows"}:
        document = document["rows"]
    return document if isinstance(document, list) else [document]


def _json(text: str, place: str) -> Any:
    def refuse(word: str) -> Any:
        raise ValueError(f"{word} is no JSON; send null for an unknown number")

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise SourceFormatError(
            f"{place} is no JSON: {error}", cure='write e.g. {"age": 39, "sex": null}', where={"place": place}
        ) from error
