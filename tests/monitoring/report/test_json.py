import json
import math
from dataclasses import replace

import pytest

from mainspring.domain.measurement import State
from mainspring.domain.monitor import MonitorKind
from mainspring.monitoring.alerts.document import alert_document
from mainspring.monitoring.report.contents import build_report
from mainspring.monitoring.report.json import report_to_dict
from mainspring.testing.fortnight import END, PERIOD, fortnight, measured


@pytest.fixture(scope="module")
def data():
    return json.loads(json.dumps(report_to_dict(fortnight().report()), allow_nan=False))


def test_it_holds_the_same_facts_as_the_page(data):
    assert (data["model"], data["state"], data["releases"]) == ("adclick", "bad", [7])
    assert data["headline"]["harm"] == "yes"
    assert data["changes"][0]["name"] == "price"
    assert data["changes"][0]["picture"]["bars"][0].keys() >= {"reference", "window"}
    assert [alert["state"] for alert in data["alerts"]] == ["firing", "resolved"]
    assert data["alerts"][0]["causes"][0]["example"]["range"] == "60 to 80"
    assert {one["monitor"] for one in data["unsaid"]} == {"feature_age", "performance_roc_auc"}
    assert sum(rows for _, rows in data["volume"]) > 100_000


def test_every_series_has_its_points_and_its_newest(data):
    (estimate,) = [one for one in data["series"] if one["monitor"] == "estimate_roc_auc"]
    assert estimate["newest"]["estimated"] is True
    assert estimate["points"][-1]["end"] == END.isoformat()
    assert estimate["state"] == "bad"
    assert estimate["since"] is not None


def test_an_alert_is_as_everywhere_else(data):
    alerts = fortnight().report().alerts
    assert data["alerts"] == json.loads(json.dumps([alert_document(alert) for alert in alerts]))


def test_what_is_no_number_is_null():
    odd = measured(
        "m", MonitorKind.BUSINESS, "x", END, value=math.nan, low=-math.inf, example={"a": math.nan, "b": END}
    )
    report = build_report("m", period=PERIOD, generated_at=END, measurements=[replace(odd, state=State.BAD)])
    data = json.loads(json.dumps(report_to_dict(report), allow_nan=False))
    (series,) = data["series"]
    assert series["newest"]["value"] is None
    assert series["newest"]["example"] == {"a": None, "b": END.isoformat()}
