"""A model's report, put together from what its monitors measured, from its sketches and from its alerts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from mainspring.domain.measurement import Window
from mainspring.domain.monitor import Monitor
from mainspring.errors import UsageError
from mainspring.loop.watching import monitoring_stores
from mainspring.workspace import Workspace

if TYPE_CHECKING:
    from mainspring.monitoring.context import Context
    from mainspring.monitoring.report.contents import Report
    from mainspring.monitoring.report.picture import FeaturePicture

_PICTURED = timedelta(days=1)  # the newest part of the period, beside the reference
_DAY = timedelta(days=1)  # a job that ended in the period may have begun before it
_MOST_ALERTS = 200


def model_report(workspace: Workspace, model: str, period: timedelta) -> Report:
    """How the model did over the time up to now. The prediction log itself is not read.

    Raises:
        UsageError: it has no champion, or has never been watched.
    """
    from mainspring.monitoring.hours.window_profile import rows_by_hour
    from mainspring.monitoring.jobs.tables import jobs_of
    from mainspring.monitoring.measurements import measurements_table, read_measurements
    from mainspring.monitoring.opening import open_context
    from mainspring.monitoring.report.contents import build_report

    tables, now = workspace.tables, workspace.clock.now()
    context = open_context(monitoring_stores(workspace), model, now, None)
    if context is None:
        raise UsageError(
            f"{model!r} has no champion", cure=f"promote a release of it first: mainspring promote {model}@N"
        )
    if not tables.exists(measurements_table(model)):
        raise UsageError(
            f"{model} has not been watched yet", cure="let its monitors look: mainspring monitor run --once"
        )
    window = Window(now - period, now)
    return build_report(
        model,
        period=window,
        generated_at=now,
        measurements=read_measurements(tables, model, since=window.start, until=now),
        alerts=workspace.records.alerts(model, limit=_MOST_ALERTS),
        pictures=_pictures(context, Window(max(window.start, now - _PICTURED), now)),
        volume=rows_by_hour(tables, model, since=window.start, until=now),
        jobs=jobs_of(tables, model, since=window.start - _DAY),
    )


def _pictures(context: Context, window: Window) -> list[FeaturePicture]:
    """Of the champion's inputs and answers; of what is a person's nothing is shown."""
    from mainspring.monitoring.drift.reference import reference_of
    from mainspring.monitoring.hours.window_profile import window_profile
    from mainspring.monitoring.report.picture import feature_pictures

    reference = reference_of(context, Monitor.drift(), window)
    if reference.absent:
        return []
    seen = window_profile(context.tables, context.model, window, release=context.champion)
    personal = {field.name for field in context.manifest.inputs if field.personal is not None}
    return [
        picture
        for before, now in ((reference.inputs, seen.inputs), (reference.prediction, seen.prediction))
        for picture in feature_pictures(before, now)
        if picture.name not in personal
    ]
