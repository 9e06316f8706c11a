"""Alert rules for Prometheus, made from the project's models and monitors.

When something is bad is decided in one place, by Mainspring's own alerts with their waiting, hysteresis and
grouping; the rules hand these on. What Mainspring cannot tell of itself (that it is not there, that its monitors
stand still, that its log loses rows) the rules see by its metrics.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from mainspring.domain.durations import parse_duration
from mainspring.domain.monitor import AlertSeverity, Monitor
from mainspring.monitoring.metrics_text import FIRING, MEASURED

_LOOKS_MISSED = 3  # so many before a monitor is said to stand still
_LEAST_STANDSTILL = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert of Prometheus.

    Attributes:
        expression: in PromQL.
        wait: for how long it must hold, in Prometheus' notation.
    """

    alert: str
    expression: str
    wait: str
    severity: AlertSeverity
    summary: str
    description: str
    labels: Mapping[str, str] = field(default_factory=dict)


def prometheus_rules(models: Mapping[str, Sequence[Monitor]]) -> str:
    """The rules as YAML.

    Args:
        models: by name their monitors.
    """
    lines = [
        "# Made by Mainspring from the project's models and monitors; make it anew instead of editing it.",
        "groups:",
        *_group("mainspring-gateway", gateway_rules()),
    ]
    for model, monitors in sorted(models.items()):
        lines += _group(f"mainspring-{model}", model_rules(model, monitors))
    return "\n".join(lines) + "\n"


def model_rules(model: str, monitors: Sequence[Monitor]) -> list[Rule]:
    """Of each monitor that its alert fires, and that it stands still; of all that they never began."""
    rules = []
    for monitor in monitors:
        # A score job has nobody who waits for the next one, so of those no look can be missed.
        twin = monitor.of_jobs
        rules += [_bad(model, one) for one in (monitor, *((twin,) if twin is not None else ()))]
        still = max(_LEAST_STANDSTILL, _LOOKS_MISSED * parse_duration(monitor.every))
        rules.append(
            Rule(
                "MainspringMonitorStale",
                f"time() - max({MEASURED}{{{_of(model, monitor)}}}) > {int(still.total_seconds())}",
                "5m",
                AlertSeverity.WARNING,
                f"{monitor.name} of {model} has not measured for {_LOOKS_MISSED} looks",
                "Nobody watches it meanwhile. Look once by hand: mainspring monitor run --once",
                _about(model, monitor),
            )
        )
    if monitors:
        rules.append(
            Rule(
                "MainspringMonitorsAbsent",
                f"absent({MEASURED}{{model={quoted(model)}}})",
                "1h",
                AlertSeverity.WARNING,
                f"no monitor of {model} has measured anything",
                "Nobody watches it. Look once by hand: mainspring monitor run --once",
                {"model": model},
            )
        )
    return rules


def _bad(model: str, monitor: Monitor) -> Rule:
    return Rule(
        "MainspringMonitorBad",
        f"max(max_over_time({FIRING}{{{_of(model, monitor)}}}[5m])) > 0",
        "0s",
        monitor.severity,
        f"{monitor.name} of {model} is not as it should be",
        f"See what and since when: mainspring alerts list; mainspring monitor report {model}",
        _about(model, monitor),
    )


def _of(model: str, monitor: Monitor) -> str:
    return f"model={quoted(model)},monitor={quoted(monitor.name)}"


def _about(model: str, monitor: Monitor) -> dict[str, str]:
    return {"model": model, "monitor": monitor.name, "owner": monitor.owner}


def gateway_rules() -> list[Rule]:
    """What goes wrong around the models."""
    return [
        Rule(
            "MainspringGatewayAbsent",
            "absent(mainspring_requests_in_flight)",
            "5m",
            AlertSeverity.CRITICAL,
            "no gateway is seen",
            "Prometheus reads no /metrics of any gateway: it is down, or not among the targets.",
        ),
        Rule(
            "MainspringErrors",
            'sum by (model) (rate(mainspring_requests_total{status=~"5.."}[5m]))'
            " / sum by (model) (rate(mainspring_requests_total[5m])) > 0.01",
            "5m",
            AlertSeverity.CRITICAL,
            "more than 1 % of the requests for {{ $labels.model }} fail",
            "The gateway answers {{ $value | humanizePercentage }} of them with 5xx; see its log.",
        ),
        Rule(
            "MainspringLogDrops",
            "sum(increase(mainspring_log_dropped_total[15m])) > 0",
            "0s",
            AlertSeverity.CRITICAL,
            "the prediction log loses rows",
            "What is not logged cannot be monitored; is the disk full, or too slow?",
        ),
        Rule(
            "MainspringLogFailing",
            "max(mainspring_log_failing) > 0",
            "10m",
            AlertSeverity.CRITICAL,
            "predictions cannot be stored in tables",
            "They wait on the gateway's disk; /healthz says what is the matter.",
        ),
        Rule(
            "MainspringReleaseRefused",
            'sum by (model) (increase(mainspring_release_loads_total{outcome="refused"}[15m])) > 0',
            "0s",
            AlertSeverity.CRITICAL,
            "a release of {{ $labels.model }} was refused",
            "It did not verify, or did not answer its golden requests as sealed; see the gateway's log.",
        ),
    ]


def quoted(text: str) -> str:
    """A string of PromQL or of YAML: what JSON writes both understand.

    Examples:
        >>> quoted('a"b')
        '"a\\\\"b"'
    """
    return json.dumps(text, ensure_ascii=True)


def _group(name: str, rules: Sequence[Rule]) -> list[str]:
    lines = [f"  - name: {quoted(name)}", "    rules:"] if rules else []
    for rule in rules:
        labels = {"severity": str(rule.severity), **{name: text for name, text in rule.labels.items() if text}}
        lines += [
            f"      - alert: {rule.alert}",
            f"        expr: {quoted(rule.expression)}",
            f"        for: {rule.wait}",
            "        labels:",
            *(f"          {name}: {quoted(text)}" for name, text in labels.items()),
            "        annotations:",
            f"          summary: {quoted(rule.summary)}",
            f"          description: {quoted(rule.description)}",
        ]
    return lines
