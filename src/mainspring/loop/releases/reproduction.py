"""Fit a release again from what it is made of, and compare; the sealed model itself is never read."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mainspring.domain.release import Manifest, ReleaseRef
from mainspring.errors import MainspringError
from mainspring.loop.releases.sealed_data import sealed_data, sealed_project
from mainspring.workspace import Workspace

if TYPE_CHECKING:
    from mainspring.project import Project
    from mainspring.release.golden import GoldenRequest
    from mainspring.training.refit import Refitted

_NAMED = 10


@dataclass(frozen=True, slots=True)
class ReproductionReport:
    """Whether the refit answers bit for bit as the original did.

    Attributes:
        golden_rows, golden_equal: the sealed golden answers, and how many of them came out the same.
        holdout_rows, holdout_equal: the same for the holdout, known by its digest alone.
        differences: what differs, in words: of the environment, code, data, machine, or the answers.
    """

    release: str
    holds: bool
    golden_rows: int
    golden_equal: int
    holdout_rows: int
    holdout_equal: bool
    differences: tuple[str, ...]


def reproduce(workspace: Workspace, reference: ReleaseRef, environ: Mapping[str, str]) -> ReproductionReport:
    """Refit the release's winner in a clean process from its snapshot, sealed source and frozen parameters.

    Raises:
        UnknownRelease: there is no such release.
        TamperedRelease: its manifest or its source is not what was sealed.
        NotReproduced: it was adopted, so nobody knows how it was made.
        UnknownSnapshot: the rows are gone.
    """
    from mainspring.release.files import read_verified
    from mainspring.release.golden import GOLDEN, decode_golden
    from mainspring.release.signed_manifest import read_manifest
    from mainspring.release.signing import trusted_keys

    record = workspace.catalogue.find(reference)
    folder = workspace.catalogue.folder(record)
    manifest = read_manifest(folder, trusted_keys(workspace.trusted), expected_digest=record.digest)
    golden = decode_golden(read_verified(folder, manifest, GOLDEN), release=str(manifest.ref))
    with (
        sealed_project(workspace, manifest, environ) as project,
        tempfile.TemporaryDirectory(prefix="mainspring-refit-") as working,
    ):
        refitted = _refit(workspace, project, manifest, golden, Path(working))
    return _report(folder, manifest, golden, refitted)


def _refit(
    workspace: Workspace, project: Project, manifest: Manifest, golden: Sequence[GoldenRequest], working: Path
) -> Refitted:
    from mainspring.data.estimator_frame import estimator_frame
    from mainspring.features.request_time import RequestFunctions
    from mainspring.features.request_time_frames import with_outputs
    from mainspring.release.wire import from_wire
    from mainspring.training.refit import refit

    assert manifest.training is not None
    _, _, data = sealed_data(workspace, manifest, project)
    asked = from_wire([row for request in golden for row in request.rows], manifest.inputs)
    if manifest.functions:
        assert project.features_code is not None, "it was sealed with its functions"
        asked = with_outputs(asked, RequestFunctions(project.features_code, manifest.functions, manifest.inputs))
    return refit(
        manifest.training,
        data,
        model=project.model,
        model_file=project.root / "model.py",
        folder=working,
        frames={"golden": estimator_frame(asked, manifest.model_fields)},
    )


def _report(
    folder: Path, manifest: Manifest, golden: Sequence[GoldenRequest], refitted: Refitted
) -> ReproductionReport:
    assert manifest.training is not None
    expected = np.array([answer for request in golden for answer in request.outputs], dtype=np.float64)
    equal = (refitted.outputs["golden"] == expected).all(axis=1)
    holdout_equal = refitted.digests["holdout"] == manifest.training.holdout_digest
    holds = bool(equal.all()) and holdout_equal
    differences: list[str] = []
    if not holds:
        differences = [*_environment_differences(folder, manifest), *refitted.differences]
        if not holdout_equal:
            differences.append(f"the answers on the {manifest.training.rows_holdout:,} held-out rows differ")
        if not equal.all():
            worst = float(np.abs(refitted.outputs["golden"] - expected).max())
            differences.append(
                f"{int((~equal).sum()):,} of {len(equal):,} golden answers differ, by up to {worst:.3g}"
            )
    return ReproductionReport(
        release=str(manifest.ref),
        holds=holds,
        golden_rows=len(equal),
        golden_equal=int(equal.sum()),
        holdout_rows=manifest.training.rows_holdout,
        holdout_equal=holdout_equal,
        differences=tuple(differences),
    )


def _environment_differences(folder: Path, manifest: Manifest) -> list[str]:
    """Packages of another version than at sealing, of those that the release's lock names."""
    from mainspring.release.files import read_verified
    from mainspring.release.lock import LOCK, environment_lock

    def versions(lock: str) -> dict[str, str]:
        return dict(line.split("==", 1) for line in lock.splitlines() if "==" in line)

    try:
        sealed = versions(read_verified(folder, manifest, LOCK).decode())
    except MainspringError as error:
        return [error.message]
    present = versions(environment_lock())
    changed = [
        f"{name} is {present.get(name, 'not installed')}, was {version}"
        for name, version in sealed.items()
        if present.get(name) != version
    ]
    shown = [f"environment: {change}" for change in changed[:_NAMED]]
    return shown + (
        [f"environment: {len(changed) - _NAMED} more packages differ"] if len(changed) > _NAMED else []
    )
