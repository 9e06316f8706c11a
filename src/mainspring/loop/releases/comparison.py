"""Two releases side by side, on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from mainspring.domain.release import Manifest, ReleaseRef
from mainspring.domain.verdict import Estimate
from mainspring.errors import DataError, MainspringError, UsageError
from mainspring.loop.lifecycle.model_rows import ModelRows
from mainspring.loop.releases.answers import answers_of
from mainspring.loop.releases.sealed_data import sealed_data, sealed_project
from mainspring.project import Project
from mainspring.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ReleaseComparison:
    """What differs between two releases.

    Attributes:
        metrics: name → each release's own, as sealed, each on its own holdout.
        gains: name → by how much `b` is better than `a` on the same rows, with its paired interval; empty, and
            `note` says why, where they cannot be compared so.
        rows: compared on, of the snapshot that `b` was made of; neither has learnt from them.
        differences: name of a fact → its value in `a` and in `b`, where they differ.
    """

    a: str
    b: str
    metrics: dict[str, tuple[Estimate | None, Estimate | None]]
    gains: dict[str, Estimate]
    rows: int
    differences: dict[str, tuple[Any, Any]]
    note: str = ""


def compare(workspace: Workspace, a: ReleaseRef, b: ReleaseRef, environ: Mapping[str, str]) -> ReleaseComparison:
    """Compare two releases.

    Raises:
        UsageError: both are one.
        UnknownRelease: one of them is not there.
        TamperedRelease: one of them is not what was sealed.
    """
    first, second = (workspace.catalogue.find(ref) for ref in (a, b))
    if first.ref == second.ref:
        raise UsageError(f"{first.ref} would be compared with itself", cure="name two releases")
    one, other = workspace.catalogue.manifest(first), workspace.catalogue.manifest(second)
    names = dict.fromkeys([*one.metrics, *other.metrics])
    gains: dict[str, Estimate] = {}
    rows, note = 0, ""
    try:
        gains, rows = _paired(workspace, one, other, environ)
    except MainspringError as error:
        note = f"not compared on the same rows: {error.message}"
    return ReleaseComparison(
        a=str(one.ref),
        b=str(other.ref),
        metrics={name: (one.metrics.get(name), other.metrics.get(name)) for name in names},
        gains=gains,
        rows=rows,
        differences=_differences(one, other),
        note=note,
    )


def _paired(
    workspace: Workspace, a: Manifest, b: Manifest, environ: Mapping[str, str]
) -> tuple[dict[str, Estimate], int]:
    """The gains of `b` over `a` on rows that neither has learnt from."""
    from mainspring.training.evaluation import evaluate

    with sealed_project(workspace, b, environ) as project, ExitStack() as opened:
        made, rows, data = sealed_data(workspace, b, project)
        mine = answers_of(workspace, b.ref, rows, data, made)
        if a.views:
            made = _made_for(workspace, a, b, opened.enter_context(sealed_project(workspace, a, environ)))
        theirs = answers_of(workspace, a.ref, rows, data, made)
        for answers in (mine, theirs):
            if answers.note:
                raise DataError(answers.note)
        evaluation = evaluate(
            mine.outputs,
            data,
            replace(project.model, gates=(), slices=()),
            champion_outputs=theirs.outputs,
            unseen_by_champion=theirs.unseen,
        )
    if not evaluation.rows_compared:
        raise DataError(f"{a.ref} has learnt from every row that {b.ref} was judged on")
    return evaluation.champion_gains, evaluation.rows_compared


def _made_for(workspace: Workspace, a: Manifest, b: Manifest, project: Project) -> ModelRows:
    """How `a` takes features of its views for the rows of `b`: of the same rows of views where both take them."""
    assert a.training is not None, "sealed_project refuses adopted releases"
    assert b.training is not None, "and so it did"
    ids = {view.id for view in a.views}
    newer = {one.view: b.training.views[one.view] for one in b.views if one.id in ids}
    return ModelRows(workspace, project, {**a.training.views, **newer})


def _differences(a: Manifest, b: Manifest) -> dict[str, tuple[Any, Any]]:
    def facts(manifest: Manifest) -> dict[str, Any]:
        training = manifest.training
        return {
            "snapshot": ", ".join(snapshot[:12] for snapshot in manifest.snapshots),
            "inputs": ", ".join(field.name for field in manifest.inputs),
            "runtime": str(manifest.runtime.kind),
            "code": manifest.code_digest[:12],
            "environment": manifest.lock_digest[:12],
            "candidate": training.candidate if training else None,
            "params": training.params if training else None,
            "rows trained": training.rows_trained if training else None,
        }

    one, other = facts(a), facts(b)
    return {name: (one[name], other[name]) for name in one if one[name] != other[name]}
