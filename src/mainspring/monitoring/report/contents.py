"""What a report says, before it is a page, a screen or JSON: a person reads it in a minute.

It is made of measurements, alerts, pictures of columns and the rows per hour: never of the prediction log, so that
its cost does not grow with the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mainspring.domain.alert import Alert, AlertState
from mainspring.domain.measurement import Measurement, State, Window
from mainspring.domain.monitor import AlertSeverity, MonitorKind
from mainspring.monitoring.jobs.job import Job
from mainspring.monitoring.report.change import Change, changes_of
from mainspring.monitoring.report.headline import Headline, headline_of
from mainspring.monitoring.report.picture import FeaturePicture
from mainspring.monitoring.report.series import Series, series_of
from mainspring.monitoring.report.words import counted

Volume = tuple[datetime, int]
"""An hour's beginning and how many rows it has."""

_ALERT_ORDER = {AlertState.FIRING: 0, AlertState.PENDING: 1, AlertState.RESOLVED: 2}
_SEVERITY_ORDER = {AlertSeverity.CRITICAL: 0, AlertSeverity.WARNING: 1, AlertSeverity.INFO: 2}


@dataclass(frozen=True, slots=True)
class Unsaid:
    """Why something could not be measured at its newest look.

    Attributes:
        subjects: of what, with their slices and releases.
        known: when the newest of them was last known, if ever.
    """

    monitor: str
    note: str
    subjects: tuple[str, ...]
    known: datetime | None


@dataclass(frozen=True, slots=True)
class Report:
    """How a model did over some time.

    Attributes:
        releases: the numbers of those that answered, in order.
        state: bad if anything is, fine if something is and nothing is bad, else unknown.
        changes: of inputs and answers, the worst first.
        series: of everything that was measured.
        alerts: firing ones first, then pending, then those resolved in this time; the worst and newest first.
        volume: answers per hour, in order.
        jobs: the score jobs that ended, in order.
        unsaid: what there was not enough to say about.
    """

    model: str
    period: Window
    generated_at: datetime
    releases: tuple[int, ...]
    state: State
    headline: Headline
    changes: tuple[Change, ...]
    series: tuple[Series, ...]
    alerts: tuple[Alert, ...]
    volume: tuple[Volume, ...]
    unsaid: tuple[Unsaid, ...]
    jobs: tuple[Job, ...] = ()

    @property
    def rows(self) -> int:
        return sum(rows for _, rows in self.volume)

    @property
    def seen(self) -> str:
        """How many rows of which kind, in words; empty where there were none."""
        of_jobs = f"{counted(sum(job.rows for job in self.jobs), 'row')} of {counted(len(self.jobs), 'score job')}"
        parts = [counted(self.rows, "row")] if self.volume else []
        return " and ".join([*parts, *([of_jobs] if self.jobs else [])])

    def of_kind(self, *kinds: MonitorKind) -> list[Series]:
        """The series of these kinds, those of the newest look first, then by subject, slice and release."""
        found = [one for one in self.series if one.kind in kinds]
        return sorted(found, key=lambda one: (not one.current, one.subject, len(one.slice), one.slice))


def build_report(
    model: str,
    *,
    period: Window,
    generated_at: datetime,
    measurements: Sequence[Measurement],
    alerts: Sequence[Alert] = (),
    pictures: Sequence[FeaturePicture] = (),
    volume: Sequence[Volume] = (),
    jobs: Sequence[Job] = (),
    releases: Sequence[int] = (),
) -> Report:
    """Put together what there is to say about a model.

    Args:
        period: measurements whose window ends in it, and its end, are told of.
        releases: the numbers of those that answered, beside those that the measurements name.
        volume: hours outside of the period are left out.
    """
    told = [one for one in measurements if period.start < one.window.end <= period.end]
    series = tuple(series_of(told))
    changes = tuple(changes_of(series, pictures))
    lasting = tuple(sorted((one for one in alerts if _within(one, period)), key=_alert_order))
    numbers = {one.release for one in series if one.release is not None} | set(releases)
    return Report(
        model=model,
        period=period,
        generated_at=generated_at,
        releases=tuple(sorted(numbers)),
        state=_state(series, lasting),
        headline=headline_of(series, changes, lasting, generated_at, period),
        changes=changes,
        series=series,
        alerts=lasting,
        volume=tuple(sorted((hour, rows) for hour, rows in volume if hour in period)),
        unsaid=tuple(_unsaid(series)),
        jobs=tuple(job for job in jobs if job.ended in period),
    )


def _state(series: Sequence[Series], alerts: Sequence[Alert]) -> State:
    states = {one.state for one in series if one.current}
    if State.BAD in states or any(one.state is AlertState.FIRING for one in alerts):
        return State.BAD
    return State.FINE if State.FINE in states else State.UNKNOWN


def _within(alert: Alert, period: Window) -> bool:
    return alert.since <= period.end and (alert.resolved_at is None or alert.resolved_at > period.start)


def _alert_order(alert: Alert) -> tuple[int, int, float]:
    return (_ALERT_ORDER[alert.state], _SEVERITY_ORDER[alert.severity], -alert.since.timestamp())


def _unsaid(series: Sequence[Series]) -> list[Unsaid]:
    reasons: dict[tuple[str, str], list[Series]] = {}
    for one in series:
        if one.current and one.newest.state is State.UNKNOWN:
            reasons.setdefault((one.monitor, one.newest.note or "no reason was given"), []).append(one)
    return [
        Unsaid(
            monitor,
            note,
            tuple(one.title for one in found),
            max((one.known.window.end for one in found if one.known is not None), default=None),
        )
        for (monitor, note), found in sorted(reasons.items())
    ]
