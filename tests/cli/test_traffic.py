"""`mainspring traffic`: rules as people write them, set, shown and taken back."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mainspring.cli.main import call
from mainspring.domain.release import Alias
from mainspring.domain.routing import Arm, Share, Traffic
from mainspring.settings import load_settings
from mainspring.stores.records import SqlRecords
from mainspring.testing.contracts.records import a_release


@pytest.fixture
def traffic(tmp_path: Path, capfd: Any) -> Any:
    (tmp_path / "mainspring.toml").write_text('name = "shop"\n')
    settings = load_settings(tmp_path, {})
    settings.workspace.mkdir()
    records = SqlRecords(settings.records_url)
    for number in (1, 2, 3, 4):
        records.put_release(a_release(number))
    records.set_alias("adclick", Alias.CHAMPION, 1, actor="ana", reason="first")

    def run(*arguments: str, as_json: bool = True) -> tuple[int, Any]:
        given = ["traffic", *arguments, "--project", str(tmp_path), *(["--json"] if as_json else [])]
        code = call(given, {"USER": "ana"})
        streams = capfd.readouterr()
        return code, json.loads(streams.out) if as_json else streams.out + streams.err

    run.records = records  # type: ignore[attr-defined]
    yield run
    records.close()


def test_rules_are_set_shown_and_taken_back(traffic: Any) -> None:
    code, told = traffic(
        "adclick", "--canary", "2=10%", "--arm", "blue:3=.25", "--shadow", "4=1", "--reason", "try"
    )
    assert code == 0
    assert told == {
        "model": "adclick",
        "canary": {"number": 2, "share": 0.1},
        "arms": [{"name": "blue", "number": 3, "share": 0.25}],
        "shadows": [{"number": 4, "share": 1.0}],
        "arms_end": None,
        "generation": 2,
        "acknowledged": True,
    }
    route = traffic.records.routes().of("adclick")
    assert route.traffic == Traffic(Share(2, 0.1), (Arm("blue", 3, 0.25),), (Share(4, 1.0),))
    change = traffic.records.audit()[0]
    assert (change["actor"], change["reason"], change["alias"]) == ("ana", "try", "traffic")
    shown = traffic("adclick", as_json=False)[1]
    for words in ("arm blue", "adclick@3", "25%"):
        assert words in shown
    assert traffic("adclick")[1]["canary"] == {"number": 2, "share": 0.1}
    assert "answers everything" in traffic("adclick", "--clear", as_json=False)[1]
    assert not traffic.records.routes().of("adclick").traffic


def test_an_ab_test_is_given_a_time(traffic: Any) -> None:
    before = datetime.now(UTC)
    code, told = traffic("adclick", "--arm", "blue:3=25%", "--for", "1d12h")
    assert code == 0
    end = datetime.fromisoformat(told["arms_end"])
    assert before <= end - timedelta(hours=36) <= datetime.now(UTC)
    assert traffic.records.routes().of("adclick").traffic.arms_end == end
    words = " ".join(traffic("adclick", as_json=False)[1].split())
    assert f"The A/B test: The loop (mainspring up) ends it at {end:%Y-%m-%d %H:%M:%S}Z." in words
    words = " ".join(traffic("adclick", "--arm", "blue:3=25%", as_json=False)[1].split())
    assert "It goes on until you end it: mainspring traffic adclick --clear" in words
    assert traffic("adclick")[1]["arms_end"] is None, "what is given replaces all"


def test_who_answers_beside_the_champion_is_seen_at_a_glance(traffic: Any, tmp_path: Path, capfd: Any) -> None:
    def status() -> str:
        assert call(["status", "--project", str(tmp_path)], {}) == 0
        return " ".join(capfd.readouterr().out.split())

    assert "Beside the champion" not in status()
    traffic("adclick", "--canary", "2=10%", "--arm", "blue:3=25%")
    assert "Beside the champion of adclick: canary adclick@2 10%, arm blue adclick@3 25%" in status()
    end = datetime.fromisoformat(traffic("adclick", "--arm", "blue:3=25%", "--for", "14d")[1]["arms_end"])
    assert f"arm blue adclick@3 25%, until {end:%Y-%m-%d %H:%M:%S}Z" in status()


def test_a_gateway_that_does_not_follow_is_told_of(traffic: Any) -> None:
    traffic.records.heartbeat("w", "g", 99, ttl=60, behind={"adclick": 1})
    code, said = traffic("adclick", "--canary", "2=5%", "--wait", "0", as_json=False)
    assert code == 0
    assert "Not every gateway worker follows it" in said
    traffic.records.heartbeat("w", "g", 99, ttl=60, behind={"other": 1})
    assert "Every gateway worker (1) follows it" in traffic("adclick", "--canary", "2=6%", as_json=False)[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nosuch"], "no champion"),
        (["nosuch", "--canary", "2=10%"], "no champion"),
        (["adclick", "--canary", "9=10%"], "no release adclick@9"),
        (["adclick", "--canary", "1=10%"], "adclick@1 is the champion"),
        (["adclick", "--canary", "2=110%"], "no share of traffic"),
        (["adclick", "--canary", "2=0%"], "no share of traffic"),
        (["adclick", "--canary", "other@2=10%"], "cannot be read"),
        (["adclick", "--canary", "2"], "write it as 7=25%"),
        (["adclick", "--canary", "blue:2=10%"], "write it as 7=25%"),
        (["adclick", "--arm", "3=10%"], "write it as blue:7=25%"),
        (["adclick", "--arm", "Blue!:3=10%"], "no name of an arm"),
        (["adclick", "--arm", "a:3=60%", "--arm", "b:4=60%"], "120% of the traffic"),
        (["adclick", "--shadow", "2=-1"], "cannot be read"),
        (["adclick", "--clear", "--shadow", "2=1"], "no other rule"),
        (["../adclick", "--clear"], "names no release"),
        (["adclick", "--canary", "2=10%", "--for", "14d"], "give --arm too"),
        (["adclick", "--for", "14d"], "give --arm too"),
        (["adclick", "--arm", "a:3=60%", "--for", "two weeks"], "--for 'two weeks' is no time"),
        (["adclick", "--arm", "a:3=60%", "--for", "0d"], "over at once"),
        (["adclick", "--arm", "a:3=60%", "--for", "9999999w"], "beyond all calendars"),
    ],
)
def test_mistakes_are_told(traffic: Any, arguments: list[str], said: str) -> None:
    code, told = traffic(*arguments, as_json=False)
    assert code in (1, 2)
    assert said in " ".join(told.split())
    assert "Traceback" not in told
    assert traffic.records.routes().generation == 1
