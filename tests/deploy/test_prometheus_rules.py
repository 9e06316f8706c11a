import json
from dataclasses import replace

import yaml

from mainspring.deploy.prometheus_rules import prometheus_rules
from mainspring.domain.alert import AlertState
from mainspring.domain.monitor import DEFAULT_MONITORS, Monitor
from mainspring.monitoring.metrics_text import FIRING, MEASURED, monitor_metrics
from mainspring.testing.fortnight import fortnight

MODELS = {
    "adclick": (
        *DEFAULT_MONITORS,
        Monitor.performance(
            "roc_auc", at_least=0.7, every="1d", window="7d", severity="critical", owner='the "ads" team'
        ),
        Monitor.fairness("sex"),
    ),
    "churn": DEFAULT_MONITORS,
    "bare": (),
}  # fmt: skip


def rules(models=MODELS):
    data = yaml.safe_load(prometheus_rules(models))
    return {group["name"]: group["rules"] for group in data["groups"]}


def of(model, alert):
    return [rule for rule in rules()[f"mainspring-{model}"] if rule["alert"] == alert]


def test_every_monitor_has_its_rules_and_a_model_without_monitors_none():
    assert set(rules()) == {"mainspring-gateway", "mainspring-adclick", "mainspring-churn"}
    named = {rule["labels"]["monitor"] for rule in of("adclick", "MainspringMonitorBad")}
    twins = {monitor.of_jobs.name for monitor in MODELS["adclick"] if monitor.of_jobs}
    assert twins
    assert named == {monitor.name for monitor in MODELS["adclick"]} | twins
    waited_for = {rule["labels"]["monitor"] for rule in of("adclick", "MainspringMonitorStale")}
    assert not waited_for & twins, "nobody knows when the next score job comes"


def test_severity_and_owner_are_the_monitors():
    (rule,) = [r for r in of("adclick", "MainspringMonitorBad") if r["labels"]["monitor"] == "performance_roc_auc"]
    assert rule["labels"]["severity"] == "critical"
    assert rule["labels"]["owner"] == 'the "ads" team'
    assert "adclick" in rule["annotations"]["summary"]


def test_how_long_a_monitor_may_stand_still_goes_by_how_often_it_looks():
    (rule,) = [
        r for r in of("adclick", "MainspringMonitorStale") if r["labels"]["monitor"] == "performance_roc_auc"
    ]
    assert rule["expr"].endswith(f"> {3 * 86_400}")


def test_the_same_project_makes_the_same_file():
    assert prometheus_rules(MODELS) == prometheus_rules(dict(reversed(MODELS.items())))


def test_prometheus_takes_the_rules(tmp_path, promtool):
    file = tmp_path / "rules.yml"
    file.write_text(prometheus_rules(MODELS))
    done = promtool("check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


def test_the_exposition_passes_prometheus_own_lint(promtool):
    example = fortnight()
    done = promtool("check", "metrics", read=monitor_metrics({"adclick": example.measurements}, example.alerts))
    assert (done.returncode, done.stderr) == (0, "")


def test_what_fires_in_mainspring_fires_in_prometheus_and_ends_there_too(tmp_path, promtool):
    (tmp_path / "rules.yml").write_text(prometheus_rules({"adclick": (Monitor.drift(),)}))
    labels = 'model="adclick",monitor="drift",severity="warning",owner=""'
    story = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": f"{FIRING}{{{labels}}}", "values": "0x9 1x20 0x200"},
                    # Measured at minute 0 and 60, then never again.
                    {"series": f'{MEASURED}{{model="adclick",monitor="drift"}}', "values": "0x59 3600x400"},
                    {"series": "mainspring_requests_in_flight", "values": "0x500"},
                    {"series": 'mainspring_requests_total{model="adclick",status="200"}', "values": "0+98x500"},
                    {
                        "series": 'mainspring_requests_total{model="adclick",status="503"}',
                        "values": "0+2x100 200x400",
                    },
                    {"series": 'mainspring_log_dropped_total{reason="full"}', "values": "0x200 5x300"},
                ],
                "alert_rule_test": [
                    *_bad_at({5: False, 12: True, 25: True, 60: False}),
                    *_firing("MainspringMonitorStale", {100: False, 230: False, 300: True}, _stale()),
                    *_firing("MainspringErrors", {60: True, 200: False}, _errors()),
                    *_firing("MainspringLogDrops", {199: False, 205: True, 240: False}, _drops()),
                ],
            }
        ],
    }
    (tmp_path / "test.yml").write_text(json.dumps(story))  # JSON is YAML
    done = promtool("test", "rules", tmp_path / "test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def _rule(alert):
    data = rules({"adclick": (Monitor.drift(),)})
    found = [one for group in data.values() for one in group if one["alert"] == alert]
    (rule,) = [one for one in found if one["labels"].get("monitor") != "drift of jobs"]
    return rule


def _firing(alert, minutes, expected):
    return [
        {"eval_time": f"{minute}m", "alertname": alert, "exp_alerts": [expected] if fires else []}
        for minute, fires in minutes.items()
    ]


def _bad_at(minutes):
    rule = _rule("MainspringMonitorBad")
    return _firing(
        "MainspringMonitorBad", minutes, {"exp_labels": rule["labels"], "exp_annotations": rule["annotations"]}
    )


def _stale():
    rule = _rule("MainspringMonitorStale")
    return {"exp_labels": rule["labels"], "exp_annotations": rule["annotations"]}


def _errors():
    return {
        "exp_labels": {"severity": "critical", "model": "adclick"},
        "exp_annotations": {
            "summary": "more than 1 % of the requests for adclick fail",
            "description": "The gateway answers 2% of them with 5xx; see its log.",
        },
    }


def _drops():
    rule = _rule("MainspringLogDrops")
    return {"exp_labels": rule["labels"], "exp_annotations": rule["annotations"]}


def test_a_pending_alert_does_not_fire_in_prometheus():
    waiting = fortnight().alerts[0]
    text = monitor_metrics({}, [replace(waiting, state=AlertState.PENDING)])
    assert next(line for line in text.splitlines() if line.startswith(FIRING)).endswith(" 0.0")
