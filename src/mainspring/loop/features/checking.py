"""`mainspring features check`: how well training and serving agree, now, and kept as a measurement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from mainspring.domain.measurement import Measurement, Window
from mainspring.domain.monitor import FEATURE_AGREEMENT, Monitor
from mainspring.errors import UsageError
from mainspring.loop.features.agreement import ROWS, recompute
from mainspring.project import Project
from mainspring.workspace import Workspace

if TYPE_CHECKING:
    from mainspring.domain.agreement import ViewAgreement


@dataclass(frozen=True, slots=True)
class AgreementCheck:
    """What a check found.

    Attributes:
        release: the champion, whose answers were looked at.
        views: of each of its views.
        measurements: the same, judged by the bar of the model's monitor of it.
    """

    release: str
    window: Window
    views: tuple[ViewAgreement, ...]
    measurements: tuple[Measurement, ...]


def check_agreement(
    workspace: Workspace, project: Project, *, period: timedelta, rows: int = ROWS
) -> AgreementCheck:
    """Compute the features of the champion's newest answers anew; what is found is kept as a measurement.

    Args:
        period: how far back.
        rows: so many answers at most.

    Raises:
        UsageError: there is no champion, or it takes no features of views.
        DataError, FeatureError: see `recompute`.
    """
    from mainspring.loop.watching import monitoring_stores
    from mainspring.monitoring.features import agreement_measurements
    from mainspring.monitoring.look import Look
    from mainspring.monitoring.measurements import write_measurements
    from mainspring.monitoring.opening import open_context

    model, now = project.model.name, workspace.clock.now()
    context = open_context(monitoring_stores(workspace), model, now, None)
    if context is None:
        raise UsageError(f"{model} has no champion", cure="train one with `mainspring run`")
    if not context.manifest.views:
        raise UsageError(
            f"{context.manifest.ref} takes no features of views, so there is nothing to compare",
            cure="name some in model.py: features=[…, VIEW[NAME]]",
        )
    # Up to the next microsecond: an answer of this very moment is one of them.
    window = Window(now - period, now + timedelta(microseconds=1))
    found = recompute(workspace, project, context.manifest, window, rows=rows)
    measured = agreement_measurements(Look(context, _monitor(project), window), found)
    write_measurements(workspace.tables, model, measured, ticks={})
    return AgreementCheck(str(context.manifest.ref), window, found, tuple(measured))


def _monitor(project: Project) -> Monitor:
    """The model's own monitor of it, else the one that every model with views has."""
    declared = (one for one in project.model.watched if one.subject == FEATURE_AGREEMENT.subject)
    return next(declared, FEATURE_AGREEMENT)
