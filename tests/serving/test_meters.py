"""What a worker counts, how long each stage took, and that no label grows without end."""

from pathlib import Path

import pytest

from mainspring.serving.exposition import exposition
from mainspring.serving.meters import Meters

from .conftest import ROW, Running


def value(text: str, start: str) -> float:
    found = [line for line in text.splitlines() if line.startswith(start)]
    assert len(found) == 1, (start, found)
    return float(found[0].rpartition(" ")[2])


def test_stages_add_up_over_workers(tmp_path: Path) -> None:
    first, second = Meters(tmp_path, 0), Meters(tmp_path, 1)
    for meters in (first, second):
        meters.staged("adult", "adult@1", 10.0, (10.001, 10.004, 10.0045), 10.005)
        meters.connected(3)
        meters.write()
    text = exposition(first.everything(), first.folder).decode()
    labels = 'model="adult",release="adult@1",stage='
    for stage, seconds in (("read", 0.002), ("predict", 0.006), ("log", 0.001), ("encode", 0.001)):
        assert value(text, f'mainspring_stage_seconds_count{{{labels}"{stage}"}}') == 2
        assert value(text, f'mainspring_stage_seconds_sum{{{labels}"{stage}"}}') == pytest.approx(seconds)
    assert value(text, "mainspring_connections") == 6


def test_releases_without_end_do_not_swell_the_metrics(tmp_path: Path) -> None:
    meters = Meters(tmp_path, 0)
    for number in range(3_000):
        meters.answered("adult", f"adult@{number}", 200, 0.001)
        meters.staged("adult", f"adult@{number}", 0.0, (0.0, 0.001, 0.001), 0.001)
    text = exposition(meters.everything(), meters.folder).decode()
    assert text.count("mainspring_request_seconds_count{") == 201
    assert text.count("mainspring_requests_total{") == 201
    assert text.count("mainspring_stage_seconds_count{") == 201 * 4
    assert value(text, 'mainspring_requests_total{model="other",release="other",status="200"}') == 2_800


def test_what_the_monitors_left_is_told_too(tmp_path: Path) -> None:
    meters = Meters(tmp_path / "8000" / "metrics", 0)
    assert "mainspring_monitor" not in exposition(meters.everything(), meters.folder).decode()
    (tmp_path / "monitors.prom").write_text('mainspring_monitor_value{model="adult"} 0.25\n')
    text = exposition(meters.everything(), meters.folder).decode()
    assert value(text, "mainspring_monitor_value") == 0.25
    assert "mainspring_requests_in_flight" in text
    (tmp_path / "monitors.prom").write_text("x" * 5_000_000)
    assert len(exposition(meters.everything(), meters.folder)) < 100_000, "nobody's file fills the answer"


def test_over_http(gateway: Running) -> None:
    for path in ("/predict/adult", "/predict/nosuch", "/predict/adult@999", "/" + "a" * 500):
        gateway.request("POST", path, ROW)
    for _ in range(3):
        gateway.request("POST", "/predict/adult", {"wrong": 1})
    text = gateway.request("GET", "/metrics")[2]
    labels = 'model="adult",release="adult@2",stage='
    counts = {
        value(text, f'mainspring_stage_seconds_count{{{labels}"{s}"}}')
        for s in ("read", "predict", "log", "encode")
    }
    assert counts == {1}
    requests = 'mainspring_requests_total{model="%s",release="",status="%d"}'
    assert value(text, requests % ("adult", 422)) == 3
    assert value(text, requests % ("adult", 404)) == 1, "the release that is not there is of a model that is"
    assert value(text, requests % ("", 404)) == 2
    assert "nosuch" not in text
    assert "adult@999" not in text
    assert "aaaa" not in text
    assert value(text, "mainspring_requests_in_flight") == 1, "this one"
