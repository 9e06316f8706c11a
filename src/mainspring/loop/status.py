"""The state of a project at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from mainspring.domain.alert import Alert, AlertState
from mainspring.domain.run import RunState
from mainspring.loop.loop_status import loop_status
from mainspring.stores.lease_keeping import CONTROLLER
from mainspring.workspace import Workspace

_RECENT = 5
_LABELS_OF = timedelta(days=7)


def status(workspace: Workspace) -> dict[str, Any]:
    """What answers, what waits, what runs, and what happened last; plain data.

    Returns:
        `models`: per model its champion and challenger with their metrics, and its rules of traffic; `alerts`:
        those that fire; `controller`: which process runs the loop, if one does; `log`: how
        durable the prediction log is, what waits on its way to the tables, and what could not be kept; `labels`:
        per model that has answered in the last week how many of these predictions have a label, how many had it
        before they were made, and how late labels came, in seconds; `loop`: per model what starts its
        trainings and what is being proved (see `loop_status`); `runs`: the newest, with the stage of those under
        way; `workers`: the live gateway workers and the generation each answers by; `generation`: the present
        one; `changes`: the newest changes of a route, and why; `features`: per view how far it is in the online
        store, its age in seconds, and whether that is more than it may be.
    """
    records = workspace.records
    routes = records.routes()
    by_reference = {(r.model, r.number): r for r in records.releases()}
    models = [
        {
            "model": route.model,
            "champion": _release(by_reference.get((route.model, route.champion))),
            "challenger": _release(by_reference.get((route.model, route.challenger or 0))),
            "traffic": msgspec.to_builtins(route.traffic),
        }
        for route in routes.routes
    ]
    runs = records.runs(limit=_RECENT)
    looped = dict.fromkeys([*(route.model for route in routes.routes), *(run.model for run in runs)])
    return {
        "workspace": str(workspace.settings.workspace),
        "generation": routes.generation,
        "models": models,
        "alerts": [_alert(one) for one in records.alerts(states=(AlertState.FIRING,))],
        "controller": records.lease_holder(CONTROLLER),
        "log": _log(workspace),
        "labels": _labels(workspace, [route.model for route in routes.routes]),
        "loop": [loop_status(records, model, workspace.clock.now()) for model in looped],
        "runs": [_run(run) for run in runs],
        "workers": dict(records.workers()),
        "changes": [dict(change) for change in records.audit(limit=_RECENT)],
        "features": _features(workspace),
    }


def _alert(alert: Alert) -> dict[str, Any]:
    from mainspring.monitoring.alerts.wording import summary

    return {
        "id": alert.id,
        "model": alert.model,
        "monitor": alert.monitor,
        "severity": str(alert.severity),
        "since": alert.since.isoformat(),
        "summary": summary(alert),
    }


def _features(workspace: Workspace) -> list[dict[str, Any]]:
    now = workspace.clock.now()
    found = []
    for one in workspace.records.feature_views():
        age = one.age(now)
        plain: dict[str, Any] = msgspec.to_builtins(one)
        seconds = None if age is None else age.total_seconds()
        found.append({**plain, "age": seconds, "is_stale": one.is_stale(now)})
    return found


def _log(workspace: Workspace) -> dict[str, Any]:
    from mainspring.serving.log_report import log_report

    report = log_report(workspace.gateway_folder, workspace.settings.log.durability)
    return {**msgspec.to_builtins(report), "explanation": report.explanation}


def _labels(workspace: Workspace, models: Sequence[str]) -> list[dict[str, Any]]:
    from mainspring.data.coverage import coverage

    now = workspace.clock.now()
    found = {model: coverage(workspace.tables, model, now=now, window=_LABELS_OF) for model in models}
    return [
        {"model": model, "share": of.share, **msgspec.to_builtins(of)}
        for model, of in found.items()
        if of.predictions
    ]


def _release(record: Any) -> dict[str, Any] | None:
    if record is None:
        return None
    return {
        "release": str(record.ref),
        "created_at": record.created_at.isoformat(),
        "runtime": str(record.runtime),
        "metrics": msgspec.to_builtins(record.metrics),
    }


def _run(run: Any) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(run)
    # A run that was killed looks like one under way; only the lease's holder can tell, and `run` goes on with it.
    plain["resumable"] = run.state is RunState.RUNNING
    return plain
