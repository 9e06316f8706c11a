"""Dashboards for Grafana, made from the project's models and monitors: one a model, and one of the gateway.

The data source is a variable of the dashboard, so that the same file can be imported anywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.deploy.prometheus_rules import quoted
from mainspring.domain.monitor import OF_JOBS, Monitor, MonitorKind
from mainspring.monitoring.metrics_text import BAR, FIRING, MEASURED, STATE, VALUE

SCHEMA_VERSION = 39  # of Grafana 10 and newer
_WIDTH = 24  # columns of a dashboard
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_UNITS = {
    "latency_p50": "s",
    "latency_p99": "s",
    "log_lag": "s",
    "label_delay": "s",
    "feature_age": "s",
    "error_share": "percentunit",
    "refused_share": "percentunit",
    "label_share": "percentunit",
    "feature_agreement": "percentunit",
}
_STATES = [
    {"type": "value", "options": {"-1": {"text": "not enough to say", "color": "yellow", "index": 0}}},
    {"type": "value", "options": {"0": {"text": "fine", "color": "green", "index": 1}}},
    {"type": "value", "options": {"1": {"text": "bad", "color": "red", "index": 2}}},
]


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture.

    Attributes:
        kind: Grafana's name of it.
        queries: in PromQL, with the words of the legend.
        width, height: in Grafana's grid.
        mapped: that its numbers are states.
    """

    title: str
    kind: str
    queries: tuple[tuple[str, str], ...]
    width: int = 8
    height: int = 7
    unit: str = "short"
    about: str = ""
    mapped: bool = False


def dashboards(models: Mapping[str, Sequence[Monitor]]) -> dict[str, dict[str, Any]]:
    """By the name of their file: one dashboard for each model, and one of the gateway.

    Args:
        models: by name their monitors.
    """
    made = {f"mainspring-{model}.json": model_dashboard(model, monitors) for model, monitors in models.items()}
    return {"mainspring-gateway.json": gateway_dashboard(), **dict(sorted(made.items()))}


def model_dashboard(model: str, monitors: Sequence[Monitor]) -> dict[str, Any]:
    """Is anything bad, since when, and the figures of each monitor with their bars."""
    of = f"model={quoted(model)}"
    rows: list[tuple[str, list[Panel]]] = [
        (
            "At a glance",
            [
                Panel(
                    "Alerts firing",
                    "stat",
                    ((f"sum({FIRING}{{{of}}}) or vector(0)", ""),),
                    width=4,
                    height=5,
                    about="mainspring alerts list",
                ),
                Panel(
                    "Oldest look",
                    "stat",
                    ((f"time() - min({MEASURED}{{{of},monitor!~{quoted(f'.*{OF_JOBS}')}}})", ""),),
                    width=4,
                    height=5,
                    unit="s",
                    about="How long ago the monitor that waits longest measured; not those of score jobs.",
                ),
                Panel(
                    "Monitors over time",
                    "state-timeline",
                    ((f"max by (monitor) ({STATE}{{{of}}})", "{{monitor}}"),),
                    width=16,
                    height=max(5, min(12, 2 + len(monitors))),
                    mapped=True,
                    about="The worst of all that a monitor measures.",
                ),
            ],
        ),
        ("Requests", _requests(of)),
    ]
    for kind, title in _TITLES.items():
        panels = [_monitor_panel(of, monitor) for monitor in monitors if monitor.kind is kind]
        if panels:
            rows.append((title, panels))
    return _dashboard(f"Mainspring: {model}", f"model:{model}", rows)


_TITLES = {
    MonitorKind.DRIFT: "Inputs",
    MonitorKind.PREDICTION: "Answers",
    MonitorKind.PERFORMANCE: "Performance by labels",
    MonitorKind.ESTIMATE: "Performance estimated without labels",
    MonitorKind.CONCEPT: "Concept",
    MonitorKind.BUSINESS: "Business",
    MonitorKind.FAIRNESS: "Fairness",
    MonitorKind.TECHNICAL: "Technical",
}


def gateway_dashboard() -> dict[str, Any]:
    """The gateway and its prediction log, over all models."""
    log = [
        Panel("Rows logged and stored", "timeseries", (
            ("sum(rate(mainspring_log_rows_total[5m]))", "logged"),
            ("sum(rate(mainspring_log_stored_rows_total[5m]))", "stored in tables"),
        ), unit="ops"),
        Panel("Dropped and damaged", "timeseries", (
            ("sum by (reason) (increase(mainspring_log_dropped_total[5m]))", "dropped: {{reason}}"),
            ("sum by (unit) (increase(mainspring_log_damaged_total[5m]))", "damaged {{unit}}"),
        )),
        Panel("Waiting in the spool", "timeseries", (
            ("sum(mainspring_log_waiting_bytes)", "bytes"),
        ), unit="bytes"),
    ]  # fmt: skip
    load = [
        Panel("Requests under way and connections", "timeseries", (
            ("sum(mainspring_requests_in_flight)", "requests"),
            ("sum(mainspring_connections)", "connections"),
        )),
        Panel("Memory of loaded releases", "timeseries", (
            ("sum by (model, release) (mainspring_resident_bytes)", "{{model}} {{release}}"),
        ), unit="bytes"),
        Panel("Releases loaded or refused", "timeseries", (
            ("sum by (model, outcome) (increase(mainspring_release_loads_total[15m]))", "{{model}} {{outcome}}"),
        )),
    ]  # fmt: skip
    every = 'model=~".+"'
    rows = [("Requests", _requests(every)), ("Load", load), ("Prediction log", log)]
    return _dashboard("Mainspring: gateway", "gateway", rows)


def _requests(of: str) -> list[Panel]:
    total = f"sum by (model, release) (rate(mainspring_requests_total{{{of}}}[5m]))"
    failed = f'sum by (model) (rate(mainspring_requests_total{{{of},status=~"5.."}}[5m]))'
    refused = f'sum by (model) (rate(mainspring_requests_total{{{of},status=~"4.."}}[5m]))'
    whole = f"sum by (model) (rate(mainspring_requests_total{{{of}}}[5m]))"
    spread = f"sum by (le, model) (rate(mainspring_request_seconds_bucket{{{of}}}[5m]))"
    return [
        Panel("Requests a second", "timeseries", ((total, "{{model}} release {{release}}"),), unit="reqps"),
        Panel("Failed and refused", "timeseries", (
            (f"{failed} / {whole}", "{{model}} failed"),
            (f"{refused} / {whole}", "{{model}} refused"),
        ), unit="percentunit"),
        Panel("Latency", "timeseries", tuple(
            (f"histogram_quantile({share}, {spread})", f"{{{{model}}}} {share}") for share in (0.5, 0.99)
        ), unit="s"),
    ]  # fmt: skip


def _monitor_panel(of: str, monitor: Monitor) -> Panel:
    of = f"{of},monitor={quoted(monitor.name)}"
    words = f"{monitor.name}, {monitor.window} every {monitor.every}"
    if monitor.kind in (MonitorKind.DRIFT, MonitorKind.PREDICTION):
        # Of 500 features the ten that changed most; each on its own scale, where the bar is 1.
        relative = f"{VALUE}{{{of}}} / ({BAR}{{{of}}} > 0)"
        queries = ((f"topk(10, {relative})", "{{subject}} {{slice}} {{release}}"),)
        about = "How far each is on the way to its bar: from 1 on it matters. The ten that are furthest."
        return Panel(words, "timeseries", queries, width=16, about=about)
    unit = _UNITS.get(monitor.subject, "short") if monitor.kind is MonitorKind.TECHNICAL else "short"
    return Panel(
        words,
        "timeseries",
        ((f"{VALUE}{{{of}}}", "{{subject}} {{slice}} {{release}}"), (f"max by (subject) ({BAR}{{{of}}})", "bar")),
        unit="percentunit" if monitor.subject == "positive_rate" else unit,
        about="An estimate made without labels." if monitor.kind is MonitorKind.ESTIMATE else "",
    )


def _dashboard(title: str, identity: str, rows: Sequence[tuple[str, Sequence[Panel]]]) -> dict[str, Any]:
    """The same input gives the same file, so that it can be kept under version control."""
    panels: list[dict[str, Any]] = []
    top = 0
    for name, members in rows:
        panels.append(_row(len(panels) + 1, name, top))
        top += 1
        left, tallest = 0, 0
        for panel in members:
            if left + panel.width > _WIDTH:
                left, top, tallest = 0, top + tallest, 0
            panels.append(_panel(len(panels) + 1, panel, left, top))
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest
    return {
        "uid": hashlib.sha256(f"mainspring:{identity}".encode()).hexdigest()[:16],
        "title": title,
        "tags": ["mainspring"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": "now-14d", "to": "now"},
        "timezone": "utc",
        "annotations": {"list": []},
        "links": [],
        "templating": {
            "list": [{"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"}]
        },
        "panels": panels,
    }


def _row(number: int, title: str, top: int) -> dict[str, Any]:
    place = {"h": 1, "w": _WIDTH, "x": 0, "y": top}
    return {"id": number, "type": "row", "title": title, "gridPos": place, "collapsed": False, "panels": []}


def _panel(number: int, panel: Panel, left: int, top: int) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + place), "datasource": _SOURCE, "expr": query, "legendFormat": words or "__auto"}
        for place, (query, words) in enumerate(panel.queries)
    ]
    defaults: dict[str, Any] = {"unit": panel.unit, "mappings": _STATES if panel.mapped else []}
    if panel.kind == "timeseries":
        defaults["custom"] = {"lineWidth": 2, "fillOpacity": 0, "spanNulls": False, "showPoints": "never"}
    overrides = [
        {
            "matcher": {"id": "byName", "options": "bar"},
            "properties": [
                {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 6]}},
                {"id": "color", "value": {"mode": "fixed", "fixedColor": "red"}},
            ],
        }
        for _, words in panel.queries
        if words == "bar"
    ]
    if panel.title == "Alerts firing":
        defaults["color"] = {"mode": "thresholds"}
        defaults["thresholds"] = {
            "mode": "absolute",
            "steps": [{"color": "green", "value": None}, {"color": "red", "value": 1}],
        }
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "gridPos": {"h": panel.height, "w": panel.width, "x": left, "y": top},
        "fieldConfig": {"defaults": defaults, "overrides": overrides},
        "targets": targets,
    }
