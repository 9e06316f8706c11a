import itertools
import json
import re
from pathlib import Path

import pytest

import mainspring.monitoring.metrics_text as metrics_text
from mainspring.deploy.grafana import dashboards
from mainspring.deploy.prometheus_rules import gateway_rules, model_rules
from mainspring.domain.monitor import DEFAULT_MONITORS, Monitor, MonitorKind
from mainspring.serving.counts import Counts
from mainspring.serving.exposition import RequestFamilies
from mainspring.serving.log_metrics import LogFamilies

MONITORS = (
    *DEFAULT_MONITORS,
    Monitor.performance("roc_auc", at_least=0.7),
    Monitor.estimate("roc_auc", at_least=0.7),
    Monitor.fairness("sex"),
    Monitor.business(len, at_least=1.0),
    Monitor.technical("latency_p99", at_most=0.02),
)
BOARDS = dashboards({"adclick": MONITORS, "bare": ()})


def queries():
    return {
        target["expr"]
        for board in BOARDS.values()
        for panel in board["panels"]
        for target in panel.get("targets", [])
    }


def exported(folder: Path) -> set[str]:
    """The names of all metrics that a gateway and its monitors show."""
    families = [*RequestFamilies(Counts()).collect(), *LogFamilies(Counts(), folder).collect()]
    names = {f"{one.name}{suffix}" for one in families for suffix in ("", "_total", "_bucket", "_count", "_sum")}
    return names | {value for value in vars(metrics_text).values() if str(value).startswith("mainspring_")}


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_is_whole(name):
    board = json.loads(json.dumps(BOARDS[name], allow_nan=False))
    assert (board["schemaVersion"], board["timezone"]) == (39, "utc")
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    assert [one["name"] for one in board["templating"]["list"]] == ["source"]
    for panel in board["panels"]:
        if panel["type"] != "row":
            assert panel["targets"]
            assert all(target["datasource"]["uid"] == "${source}" for target in panel["targets"])


@pytest.mark.parametrize("name", BOARDS)
def test_no_panel_lies_over_another_or_beyond_the_edge(name):
    places = [panel["gridPos"] for panel in BOARDS[name]["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in itertools.combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or apart


def test_every_monitor_has_a_panel_and_every_kind_a_title():
    board = BOARDS["mainspring-adclick.json"]
    titles = [panel["title"] for panel in board["panels"]]
    assert {monitor.kind for monitor in MONITORS} == set(MonitorKind)
    for monitor in MONITORS:
        assert sum(title.startswith(f"{monitor.name}, ") for title in titles) == 1


def test_dashboards_have_names_of_their_own_and_are_the_same_each_time():
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS) == 3
    assert dashboards({"bare": (), "adclick": MONITORS}) == BOARDS


def test_only_metrics_that_are_exported_are_asked_for(tmp_path):
    known = exported(tmp_path)
    rules = [*gateway_rules(), *model_rules("adclick", MONITORS)]
    for query in [*queries(), *(rule.expression for rule in rules)]:
        names = set(re.findall(r"mainspring_[a-z_]+", query))
        assert names
        assert names <= known, query


def test_prometheus_can_read_every_query(tmp_path, promtool):
    rules = [{"record": f"query:{n}", "expr": query} for n, query in enumerate(sorted(queries()))]
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    done = promtool("check", "rules", "--lint=none", file)
    assert done.returncode == 0, done.stdout + done.stderr
