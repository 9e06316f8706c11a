"""`mainspring alerts`: what is listed, what is told of one, who is silenced, and whether a test arrives."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mainspring.cli.main import call
from mainspring.domain.alert import Alert, AlertState, resolve
from mainspring.domain.notification import Notification
from mainspring.settings import load_settings
from mainspring.stores.records import SqlRecords
from mainspring.testing.contracts.records_alerts import a_cause, a_notification, an_alert
from mainspring.testing.receiver import answer, receiver

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "mainspring.toml").write_text('name = "shop"\n[alerts]\nallowed_hosts = "localhost"\n')
    return tmp_path


@pytest.fixture
def records(project: Path) -> Iterator[SqlRecords]:
    settings = load_settings(project, {})
    settings.workspace.mkdir()
    opened = SqlRecords(settings.records_url)
    yield opened
    opened.close()


@pytest.fixture
def alerts(project: Path, capfd: pytest.CaptureFixture[str]):
    def run(*arguments: str, as_json: bool = True, **environ: str):
        given = ["alerts", *arguments, "--project", str(project), *(["--json"] if as_json else [])]
        code = call(given, {"USER": "ana", **environ})
        streams = capfd.readouterr()
        return code, json.loads(streams.out) if as_json else streams.out, streams.err

    return run


def put(records: SqlRecords, *alerts: Alert, notifications: tuple[Notification, ...] = ()) -> None:
    looks = {one.monitor: (None, NOW) for one in alerts}
    records.record_looks("adclick", looks, alerts=alerts, notifications=notifications)


def firing(alert_id: str, monitor: str = "drift", **other) -> Alert:
    at = NOW - timedelta(hours=3)
    given = {
        "fired_at": at,
        "told_at": at,
        "owner": "ben",
        "causes": (
            a_cause(
                "payment", slice={"city": "Chicago"}, at=at, p_value=1e-9, example={"value": "Prcard", "rows": 12}
            ),
            a_cause("age\x1b[31m", at=at),
        ),
        **other,
    }
    return an_alert(alert_id, monitor, **given)


def test_where_nothing_is_wrong(alerts) -> None:
    code, found, _ = alerts("list")
    assert (code, found["alerts"], found["silences"], found["untold"]) == (0, [], [], [])
    assert found["noise"]["fired"] == 0
    code, text, _ = alerts("list", as_json=False)
    assert "There are no open alerts." in text
    assert "0 of 5 alerts in 7 days" in text


def test_open_alerts_are_listed_and_those_that_are_over_on_demand(alerts, records: SqlRecords) -> None:
    over, _ = resolve(firing("over-11"), NOW)
    put(records, over, firing("open-22", "performance"))
    _, found, _ = alerts("list")
    assert [one["id"] for one in found["alerts"]] == ["open-22"]
    _, found, _ = alerts("list", "--all")
    assert {one["id"]: one["state"] for one in found["alerts"]} == {"open-22": "firing", "over-11": "resolved"}
    assert alerts("list", "--model", "churn")[1]["alerts"] == []
    _, text, _ = alerts("list", as_json=False)
    assert re.search(r"open-22\s+adclick\s+performance\s+warning\s+firing\s.*payment where city is Chicago", text)
    assert "and 1 more" in text
    assert "\x1b" not in text


def test_an_alert_is_shown_with_its_cause(alerts, records: SqlRecords) -> None:
    put(records, firing("alert-11", times_changed=3))
    code, text, _ = alerts("show", "alert-1", as_json=False)
    assert code == 0
    for said in (
        "drift of adclick: firing (warning)",
        "since      ",
        "owner      ben",
        "went to and fro 3 times",
        "payment where city is Chicago: KS 0.31 (bad above 0.1)",
        "example: value Prcard, rows 12",
        "p-value: 1e-09",
        "release: 7",
        "mainspring monitor report adclick --html report.html",
        "mainspring show adclick@7",
    ):
        assert said in text, said
    assert "\x1b" not in text
    _, found, _ = alerts("show", "drift")
    assert found["id"] == "alert-11"
    assert found["causes"][0]["slice"] == {"city": "Chicago"}
    assert found["look_further"][0].startswith("mainspring monitor report adclick")
    code, found, _ = alerts("show", "nosuch")
    assert (code, found["cure"]) == (2, "see `mainspring alerts list --all`")


def test_a_silence_from_its_beginning_to_its_end(alerts, records: SqlRecords) -> None:
    put(records, firing("alert-11"), firing("alert-22", "performance"))
    code, made, said = alerts("silence", "ad*/drift", "--for", "3h", "--reason", "campaign")
    assert code == 0
    assert (made["model"], made["monitor"], made["by"], made["reason"]) == ("ad*", "drift", "ana", "campaign")
    lasts = datetime.fromisoformat(made["until"]) - datetime.fromisoformat(made["created_at"])
    assert lasts == timedelta(hours=3)
    assert f"alerts silence --end {made['id']}" in said
    _, found, _ = alerts("list")
    assert {one["id"]: one["silenced"] for one in found["alerts"]} == {"alert-11": True, "alert-22": False}
    assert "firing, silenced" in alerts("list", as_json=False)[1]
    assert "by ana: campaign" in alerts("show", "alert-11", as_json=False)[1]
    code, _, _ = alerts("silence", "--end", made["id"])
    assert code == 0
    assert alerts("list")[1]["silences"] == []
    by_id = alerts("silence", "alert-22")[1]
    assert (by_id["model"], by_id["monitor"]) == ("adclick", "performance")
    whole = alerts("silence", "churn")[1]
    assert (whole["model"], whole["monitor"]) == ("churn", "*")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "not said what to silence"),
        (["a", "--end", "b"], "something to silence and one to end"),
        (["--end", "nosuch"], "no silence 'nosuch'"),
        (["a", "--for", "99999999999d"], "beyond all calendars"),
    ],
)
def test_wrong_use_of_silence(alerts, arguments: list[str], said: str) -> None:
    code, found, _ = alerts("silence", *arguments)
    assert code == 2
    assert said in found["message"]
    assert alerts("list")[1]["silences"] == []


def test_what_could_not_be_told_is_listed(alerts, records: SqlRecords) -> None:
    alert = firing("alert-11")
    put(records, alert, notifications=(a_notification(alert, at=NOW),))
    said = "webhook: 1 message not sent yet; `mainspring monitor run` sends them"
    assert said in alerts("list", as_json=False)[1]
    (taken,) = records.take_notifications("webhook", now=NOW, hold=timedelta(0))
    records.settle_notification(replace(taken, error="the host is away"))
    (untold,) = alerts("list")[1]["untold"]
    assert (untold["sink"], untold["state"], untold["attempts"]) == ("webhook", "waiting", 1)
    assert re.search(r"webhook: 1 attempt, tried again .*: the host is away", alerts("list", as_json=False)[1])


def test_more_alerts_than_people_read_are_said_to_be_noise(alerts, records: SqlRecords) -> None:
    over = [resolve(firing(f"alert-{number}", f"monitor{number // 5}"), NOW)[0] for number in range(6)]
    put(records, *over)
    _, found, _ = alerts("list")
    assert (found["noise"]["fired"], found["noise"]["over"]) == (6, True)
    assert found["noise"]["by_monitor"][0] == {"model": "adclick", "monitor": "monitor0", "fired": 5}
    assert "monitor0 of adclick fired most often (5)" in alerts("list", as_json=False)[1]
    assert alerts("list", MAINSPRING_ALERTS_BUDGET_PER_WEEK="6")[1]["noise"]["over"] is False


def test_a_test_alert_says_plainly_what_happened(alerts, project: Path) -> None:
    place = {"MAINSPRING_ALERTS_FILE": str(project / "alerts.jsonl")}
    with receiver() as good, receiver(behave=answer(500, b"broken")) as bad:
        urls = {
            "MAINSPRING_ALERTS_WEBHOOK_URL": f"{good.url}/secret",
            "MAINSPRING_ALERTS_ALERTMANAGER_URL": bad.url,
        }
        code, found, said = alerts("test", **place, **urls)
        assert code == 1
        assert {one["sink"]: one["error"] for one in found["deliveries"]} == {
            "console": "",
            "file": "",
            "webhook": "",
            "alertmanager": "127.0.0.1 answered 500: broken",
        }
        assert "nothing is wrong" in said
        assert good.got[0].body["kind"] == "test"
        assert json.loads((project / "alerts.jsonl").read_text())["kind"] == "test"
        code, text, _ = alerts("test", as_json=False, **urls)
        assert code == 1
        assert re.search(r"webhook: delivered in \d\.\d\d s", text)
        assert "alertmanager: NOT delivered: 127.0.0.1 answered 500: broken" in text
        assert "secret" not in text
        assert alerts("test", **place)[0] == 0
    assert alerts("list", "--all")[1]["alerts"] == [], "a test is no alert"


def test_alerts_that_go_nowhere(alerts) -> None:
    code, found, _ = alerts("test", MAINSPRING_ALERTS_CONSOLE="off")
    assert (code, found["message"]) == (2, "alerts go nowhere")
    assert "[alerts]" in found["cure"]


def test_open_states_only_are_listed_as_silenced(alerts, records: SqlRecords) -> None:
    pending = firing("alert-11", state=AlertState.PENDING, fired_at=None, told_at=None)
    put(records, pending)
    alerts("silence", "adclick")
    (found,) = alerts("list")[1]["alerts"]
    assert (found["state"], found["silenced"]) == ("pending", True)
    records.record_looks("adclick", {"drift": (NOW, NOW)}, alerts=[resolve(pending, NOW)[0]])
    (found,) = alerts("list", "--all")[1]["alerts"]
    assert (found["state"], found["silenced"]) == ("resolved", False)


def test_what_fires_is_seen_at_a_glance(
    project: Path, records: SqlRecords, capfd: pytest.CaptureFixture[str]
) -> None:
    put(records, firing("a1"), resolve(firing("a2", "quality"), NOW)[0])
    assert call(["status", "--project", str(project), "--json"], {}) == 0
    (told,) = json.loads(capfd.readouterr().out)["alerts"]
    assert (told["id"], told["model"], told["monitor"], told["severity"]) == ("a1", "adclick", "drift", "warning")
    assert call(["status", "--project", str(project)], {}) == 0
    text = " ".join(capfd.readouterr().out.split())
    assert f"Warning: drift of adclick: {told['summary']}; see: mainspring alerts show a1" in text
    assert "quality" not in text
