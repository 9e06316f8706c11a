"""What the demo says at its end, whether the story came to its end or not."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mainspring.cli.demo_summary import tell_story
from mainspring.cli.output import Output
from mainspring.demo.click_through import ClickThrough
from mainspring.demo.features_seen import FeaturesSeen
from mainspring.demo.live import Lived
from mainspring.demo.story import Story
from mainspring.demo.traffic import Counts
from mainspring.domain.release import ReleaseRef
from mainspring.loop.releases.reproduction import ReproductionReport
from mainspring.testing.releases import a_manifest

RATES = ClickThrough(900, chosen=0.25, clicked=0.24, best=0.35, random=0.1)
WHOLE = Story(
    folder=Path("demo"),
    impressions=60_000,
    best_auc=0.72,
    manifest=a_manifest(number=1),
    lived=Lived(
        before=RATES,
        after=replace(RATES, chosen=0.07),
        renewed=replace(RATES, chosen=0.3),
        faulty=replace(RATES, chosen=0.02),
        champion=ReleaseRef("adclick", 2),
        faulty_release=ReleaseRef("adclick", 3),
        trigger="the alert concept_residual",
        window="since_change: the best",
        seconds={"alert": 41.0, "training": 43.0, "release": 60.0, "champion": 95.0, "rollback": 21.0},
        stages=["replay", "shadow", "canary 25%", "bake"],
        proof="log_loss is better by 0.1",
        rollback="it is worse",
        reproduction=ReproductionReport("adclick@2", True, 10, 10, 200, True, ()),
        features=(FeaturesSeen("visitor", asked=90_000, found=89_100, checked=1_000, agreeing=998),),
    ),
    counts=Counts(requests=10_000, predictions=90_000, labels=9_000, visits=9_000),
    history=(),
    history_holds=True,
    seconds={"simulate": 3.0, "run": 30.0, "up": 25.0, "change": 41.0},
)
BROKEN_OFF = replace(
    WHOLE,
    lived=Lived(before=RATES, missing="there was not an alert of the change within 600 s"),
    counts=Counts(requests=10, failed=1, failures=("the gateway answered 500",)),
    history_holds=False,
)


def document_of(story: Story, capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    with Output(as_json=True) as output:
        tell_story(output, story)
    found: dict[str, Any] = json.loads(capfd.readouterr().out)
    return found


def words_of(story: Story, capfd: pytest.CaptureFixture[str]) -> str:
    with Output(as_json=False) as output:
        tell_story(output, story)
    return capfd.readouterr().out


def test_a_whole_story_is_told_with_its_figures(capfd: pytest.CaptureFixture[str]) -> None:
    told = words_of(WHOLE, capfd)
    for words in (
        "41 s after the taste",
        "95 s after the change",
        "21 s after its promotion",
        "30.0%",
        "bit for bit",
        "99.0% of 90,000 rows found by key",
        "99.8% of 1,000 agree",
        "9,000 visits pushed",
    ):
        assert words in told
    assert "adclick@3" in told
    assert "never" not in told
    found = document_of(WHOLE, capfd)
    assert found["champion"] == "adclick@2"
    assert found["click_through"]["by_the_new_champion"]["of_possible"] == pytest.approx(0.8)
    assert found["seconds_from_the_change"] == {"alert": 41.0, "training": 43.0, "release": 60.0, "champion": 95.0}
    assert found["features"] == [
        {"view": "visitor", "rows": 90_000, "found": 0.99, "checked": 1_000, "agreeing": 0.998}
    ]
    assert found["missing"] is None
    assert found["reproduced"] is True


def test_what_did_not_come_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    told = words_of(BROKEN_OFF, capfd)
    assert "did not come to its end: there was not an alert of the change within 600 s" in told
    assert "Its chain DOES NOT HOLD" in told
    assert "A request failed: the gateway answered 500" in told
    assert told.count("it did not come to that") == 5
    found = document_of(BROKEN_OFF, capfd)
    assert found["missing"].startswith("there was not an alert")
    assert found["champion"] is None
    assert found["click_through"]["after_the_change"] is None
    assert found["failed_requests"] == 1
    assert found["reproduced"] is False
