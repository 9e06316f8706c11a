"""`mainspring show`: one release, one run or one snapshot."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from mainspring.cli.output import Output
from mainspring.cli.session import Session
from mainspring.domain.instants import zoned
from mainspring.domain.release import ReleaseRef
from mainspring.errors import UnknownRelease, UsageError

if TYPE_CHECKING:
    from mainspring.domain.release import Manifest
    from mainspring.domain.run import Run
    from mainspring.domain.snapshot import Snapshot
    from mainspring.workspace import Workspace

_SNAPSHOT = re.compile(r"[0-9a-f]{6,64}")
_RUN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_RUNS = 100_000  # among which a run is looked for
_RUN_START = re.compile(r"[0-9a-f][0-9a-f-]{5,35}")


def show(
    session: Session,
    what: Annotated[
        str | None,
        typer.Argument(metavar="WHAT", help="MODEL@N, or a run's or a snapshot's id (6 characters do)."),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="The newest snapshot of then, e.g. 2026-05-01T12:00."),
    ] = None,
    head: Annotated[int, typer.Option(min=0, max=1_000, metavar="N", help="How many rows of a snapshot.")] = 3,
) -> None:
    """Show a release, a run or a snapshot."""
    with session.workspace() as workspace:
        if as_of is not None:
            if what is not None:
                raise UsageError("both WHAT and --as-of are given", cure="give one of the two")
            snapshot = _snapshot_as_of(workspace, _time(as_of))
            _show_snapshot(session.output, workspace, snapshot, head)
        elif what is None:
            raise UsageError(
                "show needs to know what", cure="name a release, a run or a snapshot, or give --as-of TIME"
            )
        elif _RUN.fullmatch(what):
            _show_run(session.output, workspace, what)
        elif "@" in what:
            _show_release(session.output, workspace, what)
        else:
            _show_either(session.output, workspace, what, head)


def _show_either(output: Output, workspace: "Workspace", what: str, head: int) -> None:
    """A name that may be a snapshot's id, a model's (`decade` is both) or how a run's id begins."""
    snapshot = workspace.records.snapshot(what) if _SNAPSHOT.fullmatch(what) else None
    if snapshot is not None:
        _show_snapshot(output, workspace, snapshot, head)
        return
    try:
        _show_release(output, workspace, what)
    except (UnknownRelease, UsageError) as error:
        if not _RUN_START.fullmatch(what):
            raise
        runs = [run.id for run in workspace.records.runs(limit=_RUNS) if run.id.startswith(what)]
        if not runs:
            raise UsageError(
                f"{what!r} names no release, no run and no snapshot",
                cure="see `mainspring releases` and `mainspring runs`",
                where={"id": what},
            ) from error
        if len(runs) > 1:
            raise UsageError(
                f"{len(runs):,} runs begin with {what}", cure="write more of the id", where={"run": what}
            ) from error
        _show_run(output, workspace, runs[0])


def _show_release(output: Output, workspace: "Workspace", what: str) -> None:
    from mainspring.cli.plain import when
    from mainspring.cli.views import release_of, show_metrics, show_verdicts

    record = workspace.catalogue.find(ReleaseRef.parse(what))
    manifest = workspace.catalogue.manifest(record)
    folder = workspace.catalogue.folder(record)
    output.document(
        {
            **release_of(manifest),
            "aliases": list(record.aliases),
            "digest": record.digest,
            "folder": folder,
            "run": manifest.run_id,
            "target": manifest.target,
            "inputs": manifest.inputs,
            "views": manifest.views,
            "functions": manifest.functions,
            "output": manifest.output,
            "verdicts": manifest.verdicts,
            "files": manifest.files,
            "training": manifest.training,
            "code_digest": manifest.code_digest,
            "lock_digest": manifest.lock_digest,
        }
    )
    facts = {
        "release": f"{manifest.ref}" + (f" ({', '.join(record.aliases)})" if record.aliases else ""),
        "task": f"{manifest.task} of {manifest.target}" if manifest.target else str(manifest.task),
        "origin": manifest.origin,
        "created": when(manifest.created_at),
        "runtime": f"{manifest.runtime.kind}: {manifest.runtime.reason}",
        "run": manifest.run_id,
        "snapshots": ", ".join(manifest.snapshots) or "–",
        "parent": manifest.parent or "–",
        "code": manifest.code_digest or "–",
        "folder": str(folder),
    }
    for name, value in {**facts, **_training_facts(manifest)}.items():
        output.line(f"{name:<10} {value}")
    for warning in manifest.warnings:
        output.line(f"warning    {warning}")
    measured_on = "holdout" if manifest.training is not None else "sample"
    show_metrics(output, manifest.metrics, manifest.naive, measured_on=measured_on)
    show_verdicts(output, manifest.verdicts)
    output.table(
        [
            "input",
            "kind",
            "required",
            "seen in training" if manifest.training is not None else "seen in the sample",
        ],
        [
            [i.name, str(i.kind), "yes" if i.required else "no", _seen(i.categories, i.minimum, i.maximum)]
            for i in manifest.inputs
        ],
    )
    _show_views(output, workspace, manifest)


def _show_views(output: Output, workspace: "Workspace", manifest: "Manifest") -> None:
    """Which views the release takes features of, where their rows were from, and whether the online store has
    them."""
    from mainspring.cli.features_words import far

    if not manifest.views:
        return
    known, now = {one.id: one for one in workspace.records.feature_views()}, workspace.clock.now()
    output.table(
        ["view", "by key", "features", "rows from", "in the online store"],
        [
            [
                view.id,
                ", ".join(key.name for key in view.keys),
                ", ".join(view.features),
                _rows_of(workspace, manifest, view.view),
                far(known.get(view.id), now),
            ]
            for view in manifest.views
        ],
    )


def _rows_of(workspace: "Workspace", manifest: "Manifest", view: str) -> str:
    """Where the rows of a view were from, in the words of the model card."""
    from mainspring.release.card_views import rows_from

    training = manifest.training
    taken = {} if training is None else training.views.get(view, {})
    snapshot = workspace.records.snapshot(taken.get("snapshot") or "")
    return "–" if snapshot is None else rows_from(snapshot.source, int(taken.get("pushed") or 0))


def _training_facts(manifest: "Manifest") -> dict[str, str]:
    from mainspring.cli.views import params_line

    training = manifest.training
    if training is None:
        return {}
    return {
        "candidate": f"{training.candidate} ({params_line(training.params)})",
        "rows": f"{training.rows_trained:,} trained on, {training.rows_holdout:,} held out",
        "trials": f"{training.trials:,}",
    }


def _seen(categories: Sequence[str] | None, minimum: float | None, maximum: float | None) -> str:
    from mainspring.cli.plain import number

    if categories is not None:
        more = f", … ({len(categories)})" if len(categories) > 6 else ""
        return ", ".join(categories[:6]) + more
    return f"{number(minimum)} to {number(maximum)}" if minimum is not None else "–"


def _show_run(output: Output, workspace: "Workspace", run_id: str) -> None:
    from mainspring.cli.views import run_json, show_run

    run: Run | None = workspace.records.run(run_id)
    if run is None:
        raise UsageError(f"there is no run {run_id}", cure="see `mainspring runs`", where={"run": run_id})
    output.document(run_json(run))
    show_run(output, run)
    error = run.detail.get("error")
    if error:
        output.line(f"ended with  {error.get('message')}; {error.get('cure')}")


def _show_snapshot(output: Output, workspace: "Workspace", snapshot: "Snapshot", head: int) -> None:
    from mainspring.cli.plain import one_line, when
    from mainspring.data.columns import columns_of

    frame = workspace.snapshots.read(snapshot.id).head(head).collect() if head else None
    rows = [] if frame is None else columns_of(frame, [name for name, _ in snapshot.columns]).rows()
    output.document(
        {
            "id": snapshot.id,
            "source": snapshot.source,
            "rows": snapshot.rows,
            "created_at": snapshot.created_at,
            "table": snapshot.table,
            "version": snapshot.version,
            "parent": snapshot.parent,
            "parts": snapshot.parts,
            "columns": [{"name": name, "kind": kind} for name, kind in snapshot.columns],
            "head": [dict(zip([name for name, _ in snapshot.columns], row, strict=True)) for row in rows],
        }
    )
    facts = {
        "snapshot": snapshot.id,
        "source": snapshot.source,
        "rows": f"{snapshot.rows:,}",
        "taken": when(snapshot.created_at),
        "parent": snapshot.parent or "–",
    }
    for name, value in facts.items():
        output.line(f"{name:<10} {value}")
    output.table(
        ["part", "rows", "digest"],
        [[p.name, f"{p.rows:,}", p.digest[:16]] for p in snapshot.parts[:20]],
        right=["rows"],
    )
    if len(snapshot.parts) > 20:
        output.line(f"and {len(snapshot.parts) - 20} parts more")
    # One line a column: tables are wider than terminals.
    output.table(
        ["column", "kind", *(f"row {number}" for number in range(len(rows)))],
        [
            [name, kind, *("–" if row[place] is None else one_line(str(row[place]), 40) for row in rows)]
            for place, (name, kind) in enumerate(snapshot.columns)
        ],
    )


def _snapshot_as_of(workspace: "Workspace", moment: datetime) -> "Snapshot":
    from mainspring.errors import UnknownSnapshot

    found = workspace.records.snapshots(as_of=moment, limit=1)
    if not found:
        raise UnknownSnapshot(
            f"there was no snapshot at {moment.isoformat()}",
            cure="see when the first was taken: mainspring runs",
            where={"time": moment.isoformat()},
        )
    return found[0]


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"--as-of {text!r} is no time", cure="write e.g. 2026-05-01 or 2026-05-01T12:00:00Z; UTC is meant"
        ) from error
    return zoned(moment)
