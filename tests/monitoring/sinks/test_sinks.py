"""Each sink against a real end: a file, a server, a stream."""

import io
import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from mainspring.domain.alert import Event, EventKind, resolve
from mainspring.errors import NotDelivered
from mainspring.monitoring.alerts.document import document
from mainspring.monitoring.sinks.alertmanager import AlertmanagerSink
from mainspring.monitoring.sinks.console import ConsoleSink
from mainspring.monitoring.sinks.file import FileSink
from mainspring.monitoring.sinks.opening import open_sinks
from mainspring.monitoring.sinks.posting import Poster
from mainspring.monitoring.sinks.webhook import WebhookSink
from mainspring.settings_alerts import AlertSettings
from mainspring.testing.contracts.records_alerts import NOON, a_cause, an_alert
from mainspring.testing.full_disk import small_disk
from mainspring.testing.receiver import receiver

HOSTILE = "<!channel> *x* & <http://evil|ok>\x1b[31m\n"


def fired(*causes, **alert) -> Event:
    one = an_alert("0123456789", causes=causes or (a_cause(example={"value": "Prcard", "rows": 12}),), **alert)
    return Event(id=f"{one.id}-fired", kind=EventKind.FIRED, at=NOON, alert=one)


def ended(event: Event) -> Event:
    return resolve(event.alert, NOON + timedelta(hours=5))[1]


def test_the_console_gets_a_line_that_no_value_can_break() -> None:
    stream = io.StringIO()
    ConsoleSink(stream).send(fired(a_cause(HOSTILE)), key="k")
    ConsoleSink(stream).send(ended(fired()), key="k")
    first, second = stream.getvalue().splitlines()
    assert first.startswith("Warning: drift of adclick: <!channel> *x*")
    assert "KS 0.31 (bad above 0.1)" in first
    assert "mainspring alerts show 0123456789" in first
    assert "\x1b" not in first
    assert second == "Over: drift of adclick, after 5 hours"


def test_a_console_that_is_gone() -> None:
    stream = io.StringIO()
    stream.close()
    with pytest.raises(NotDelivered, match="standard error"):
        ConsoleSink(stream).send(fired(), key="k")


def test_the_file_gets_a_line_of_json_each(tmp_path: Path) -> None:
    place = tmp_path / "new" / "alerts.jsonl"
    sink = FileSink(place)
    sink.send(fired(), key="k1")
    with place.open("ab") as half:
        half.write(b'{"key": "a sender that di')
    sink.send(ended(fired()), key="k2")
    lines = place.read_text().splitlines()
    assert [json.loads(lines[n])["key"] for n in (0, 2)] == ["k1", "k2"]
    assert json.loads(lines[0]) == {"key": "k1", **json.loads(json.dumps(document(fired())))}
    assert stat.S_IMODE(place.stat().st_mode) == 0o600, "examples come from requests"


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 64 * 1024) as disk:
        (disk / "ballast").write_bytes(bytes(16 * 1024))
        sink = FileSink(disk / "alerts.jsonl")

        def fill() -> None:
            for number in range(1000):
                sink.send(fired(), key=str(number))

        with pytest.raises(NotDelivered, match=r"alerts\.jsonl cannot be written: No space left"):
            fill()
        (disk / "ballast").unlink()
        sink.send(fired(), key="after")
        assert json.loads((disk / "alerts.jsonl").read_text().splitlines()[-1])["key"] == "after"


def test_the_webhook_gets_a_document() -> None:
    with receiver() as there:
        sink = WebhookSink(Poster(there.url, ("localhost",), 5))
        sink.send(fired(a_cause(slice={"device": "phone"}, example={"value": "Prcard"})), key="k")
    (got,) = there.got
    assert got.headers["Idempotency-Key"] == "k"
    assert (got.body["format"], got.body["id"], got.body["kind"]) == (1, "0123456789-fired", "fired")
    (cause,) = got.body["alert"]["causes"]
    assert cause["text"] == "age where device is phone: KS 0.31 (bad above 0.1)"
    assert (cause["subject"], cause["slice"], cause["example"]) == (
        "age",
        {"device": "phone"},
        {"value": "Prcard"},
    )
    assert cause["from"] == "2026-02-28T12:00:00.123457+00:00"
    assert got.body["look_further"][0] == "mainspring alerts show 0123456789"


def test_slack_gets_its_shape_and_no_value_of_a_stranger_calls_a_channel() -> None:
    causes = [a_cause(HOSTILE, example={"value": HOSTILE})] + [a_cause(f"x{n}", note="y" * 900) for n in range(9)]
    with receiver() as there:
        WebhookSink(Poster(there.url, ("localhost",), 5), "slack").send(fired(*causes, owner="<@U1>"), key="k")
    (got,) = there.got
    assert set(got.body) == {"text", "blocks"}
    (block,) = got.body["blocks"]
    text = block["text"]["text"]
    assert (block["type"], block["text"]["type"]) == ("section", "mrkdwn")
    assert len(text) <= 3000
    for said in (text, got.body["text"]):
        assert "<" not in said
        assert ">" not in said
        assert "&lt;!channel&gt;" in said
        assert "*x*" not in said
    few = [a_cause(f"x{n}") for n in range(7)]
    with receiver() as there:
        WebhookSink(Poster(there.url, ("localhost",), 5), "slack").send(fired(*few).brief(6), key="k")
    text = there.got[0].body["blocks"][0]["text"]["text"]
    assert "and 2 more" in text
    assert "since 2026-03-01 12:00 UTC" in text
    assert "`mainspring alerts show 0123456789`" in text


def test_alertmanager_gets_labels_that_stay_the_same_until_the_end() -> None:
    now = NOON + timedelta(minutes=1)
    with receiver() as there:
        sink = AlertmanagerSink(Poster(there.url, ("localhost",), 5), lambda: now)
        event = fired(owner="ana")
        sink.send(event, key="k")
        sink.remind([event.alert])
        sink.send(ended(event), key="k2")
    assert [got.path for got in there.got] == ["/api/v2/alerts"] * 3
    told = [got.body[0] for got in there.got]
    labels = {
        "alertname": "MainspringMonitor",
        "model": "adclick",
        "monitor": "drift",
        "severity": "warning",
        "owner": "ana",
    }
    assert [one["labels"] for one in told] == [labels] * 3
    assert [one["startsAt"] for one in told] == [NOON.isoformat()] * 3
    assert told[0]["endsAt"] == told[1]["endsAt"] == (now + timedelta(days=1)).isoformat()
    assert told[2]["endsAt"] == (NOON + timedelta(hours=5)).isoformat()
    assert "age: KS 0.31" in told[0]["annotations"]["summary"]


def test_the_settings_name_the_sinks(tmp_path: Path) -> None:
    assert AlertSettings().sinks == ("console",)
    assert AlertSettings(console=False).sinks == ()
    given = AlertSettings(
        file=tmp_path / "a", webhook_url="https://a.example/secret", alertmanager_url="http://b.example"
    )
    opened = open_sinks(given, console=io.StringIO())
    assert tuple(sink.name for sink in opened) == given.sinks == ("console", "file", "webhook", "alertmanager")
    assert [sink.is_limited for sink in opened] == [False, False, True, False]
    assert "secret" not in repr(given)
