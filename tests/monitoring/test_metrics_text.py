import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from mainspring.domain.alert import AlertState
from mainspring.domain.measurement import State
from mainspring.domain.monitor import MonitorKind
from mainspring.monitoring.metrics_text import MOST_SERIES, label, monitor_metrics, write_monitor_metrics
from mainspring.testing.fortnight import END, HOUR, fortnight, measured


def samples(text):
    """By name and labels the numbers, as Prometheus' own reader takes them."""
    found = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            key = (one.name, *sorted(one.labels.items()))
            assert key not in found, f"twice: {key}"
            found[key] = one.value
    return found


def of(name, found, **labels):
    return [value for (n, *own), value in found.items() if n == name and set(labels.items()) <= set(own)]


@pytest.fixture(scope="module")
def found():
    example = fortnight()
    return samples(monitor_metrics({"adclick": example.measurements}, example.alerts))


def test_the_newest_of_every_monitor_is_there_with_its_bar_and_state(found):
    price = {"model": "adclick", "monitor": "drift", "subject": "price", "release": "7", "slice": ""}
    assert of("mainspring_monitor_state", found, **price) == [1.0]
    assert of("mainspring_monitor_bar", found, **price) == [0.1]
    assert of("mainspring_monitor_value", found, **price)[0] > 0.2
    assert of("mainspring_monitor_state", found, monitor="latency_p99") == [0.0]
    assert of("mainspring_monitor_state", found, monitor="feature_age") == [-1.0]
    assert of("mainspring_monitor_value", found, monitor="feature_age") == []
    assert of("mainspring_monitor_value", found, slice="sex=female") != []
    assert set(of("mainspring_monitor_measured_timestamp_seconds", found)) == {END.timestamp()}
    assert of("mainspring_monitor_series_left_out", found) == [0.0]


def test_an_open_alert_is_there_and_a_resolved_one_is_not(found):
    firing = [labels for labels in found if labels[0] == "mainspring_alert_firing"]
    assert [(dict(one[1:])["monitor"], found[one]) for one in firing] == [("drift", 1.0)]
    waiting = replace(fortnight().alerts[0], state=AlertState.PENDING)
    assert of("mainspring_alert_firing", samples(monitor_metrics({}, [waiting]))) == [0.0]


def test_what_the_newest_look_did_not_measure_is_gone():
    old = measured("drift", MonitorKind.DRIFT, "age", END - HOUR, value=0.4, release=3)
    new = measured("drift", MonitorKind.DRIFT, "age", END, value=0.1, release=4)
    assert of("mainspring_monitor_value", samples(monitor_metrics({"m": [new, old]}, []))) == [0.1]


def test_the_series_are_bounded_and_the_bad_ones_stay():
    many = [
        measured(
            "drift", MonitorKind.DRIFT, f"f{n}", END, value=0.1, state=State.BAD if n % 7 == 0 else State.FINE
        )
        for n in range(MOST_SERIES + 500)
    ]
    found = samples(monitor_metrics({"m": many}, []))
    states = of("mainspring_monitor_state", found)
    assert len(states) == MOST_SERIES
    assert sum(state == 1.0 for state in states) == len(range(0, MOST_SERIES + 500, 7))
    assert of("mainspring_monitor_series_left_out", found) == [500.0]


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(), st.text(), st.floats()), max_size=8, unique_by=lambda one: one[:2]))
def test_any_name_is_read_back_and_none_becomes_another(facts):
    given = [
        measured("drift", MonitorKind.DRIFT, subject, END, value=value, slice={"k": slice_})
        for subject, slice_, value in facts
    ]
    found = samples(monitor_metrics({"m": given}, []))
    assert len(of("mainspring_monitor_value", found)) == len(facts)


@settings(deadline=None)
@given(st.text(min_size=100, max_size=400), st.text(min_size=1, max_size=9))
def test_labels_are_bounded_and_stay_apart(text, more):
    assert len(label(text)) <= 120
    assert label(text) != label(text + more)


def test_half_a_pair_is_written_as_its_code():
    assert "\\ud800" in label("\ud800")


def test_the_file_is_replaced_whole(tmp_path: Path):
    place = tmp_path / "monitors.prom"
    write_monitor_metrics(place, {"m": [measured("a", MonitorKind.BUSINESS, "a", END, value=1.0)]}, [])
    write_monitor_metrics(place, {"m": [measured("a", MonitorKind.BUSINESS, "a", END, value=2.0)]}, [])
    assert of("mainspring_monitor_value", samples(place.read_text())) == [2.0]
    assert [one.name for one in tmp_path.iterdir()] == ["monitors.prom"]
    assert re.search(r"^# TYPE mainspring_monitor_value gauge$", place.read_text(), re.M)
