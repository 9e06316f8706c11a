"""The report for programs: the same facts as plain JSON, without NaN and infinity."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import datetime
from typing import Any

from mainspring.domain.measurement import Measurement, Window
from mainspring.monitoring.alerts.document import alert_document
from mainspring.monitoring.report.change import Change
from mainspring.monitoring.report.contents import Report
from mainspring.monitoring.report.series import Series

FORMAT = 2  # since 2 an alert is as `alerts show --json` has it


def report_to_dict(report: Report) -> dict[str, Any]:
    """The whole report. Of each series at most the points that the page draws."""
    headline = report.headline
    return {
        "format": FORMAT,
        "model": report.model,
        "period": _window(report.period),
        "generated_at": _moment(report.generated_at),
        "releases": list(report.releases),
        "state": str(report.state),
        "headline": {
            "title": headline.title,
            "changed": headline.changed,
            "since": headline.since,
            "hurts": headline.hurts,
            "harm": str(headline.harm),
        },
        "alerts": [_plain(alert_document(alert)) for alert in report.alerts],
        "changes": [_change(change) for change in report.changes],
        "series": [_series(one) for one in report.series],
        "volume": [[_moment(hour), rows] for hour, rows in report.volume],
        "jobs": [_plain(asdict(job)) for job in report.jobs],
        "unsaid": [
            {
                "monitor": one.monitor,
                "note": one.note,
                "subjects": list(one.subjects),
                "known": _moment(one.known),
            }
            for one in report.unsaid
        ],
    }


def _change(change: Change) -> dict[str, Any]:
    picture = change.picture
    return {
        "name": change.name,
        "is_answer": change.is_answer,
        "release": change.release,
        "of_jobs": change.of_jobs,
        "state": str(change.state),
        "since": _moment(change.since),
        "sentence": change.sentence,
        "monitor": change.worst.monitor,
        "newest": _measurement(change.worst.shown),
        "picture": None if picture is None else _plain(asdict(picture)),
    }


def _series(series: Series) -> dict[str, Any]:
    return {
        "monitor": series.monitor,
        "kind": series.kind,
        "subject": series.subject,
        "release": series.release,
        "slice": dict(series.slice),
        "of_jobs": series.of_jobs,
        "state": str(series.state),
        "since": _moment(series.since),
        "current": series.current,
        "newest": _measurement(series.newest),
        "points": [
            {
                "end": _moment(one.window.end),
                "value": _plain(one.value),
                "low": _plain(one.low),
                "high": _plain(one.high),
                "rows": one.rows,
                "state": str(one.state),
            }
            for one in series.points
        ],
    }


def _measurement(one: Measurement) -> dict[str, Any]:
    return {
        "subject": one.subject,
        "release": one.release,
        "slice": dict(one.slice),
        "window": _window(one.window),
        "at": _moment(one.at),
        "state": str(one.state),
        "value": _plain(one.value),
        "low": _plain(one.low),
        "high": _plain(one.high),
        "reference": _plain(one.reference),
        "bar": _plain(one.bar),
        "rows": one.rows,
        "method": one.method,
        "p_value": _plain(one.p_value),
        "estimated": one.estimated,
        "note": one.note,
        "example": _plain(dict(one.example)),
        "job": one.job,
    }


def _window(window: Window) -> dict[str, str | None]:
    return {"start": _moment(window.start), "end": _moment(window.end)}


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _plain(value: Any) -> Any:
    """What JSON can hold; a number that is none is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return _moment(value)
    return value if value is None or isinstance(value, bool | int) else str(value)
