"""`mainspring history` and `status --at`: what is told, to people and to programs, and what is found altered."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mainspring.cli.main import call
from mainspring.domain.release import Alias
from mainspring.domain.rollout_state import RolloutEnd, RolloutStage
from mainspring.domain.routing import Share, Traffic
from mainspring.domain.run import RunState, Stage
from mainspring.settings import load_settings
from mainspring.stores.records import SqlRecords
from mainspring.stores.records_engine import Engine
from mainspring.testing.clock import FakeClock
from mainspring.testing.contracts.records import a_release
from mainspring.testing.contracts.records_history import TRIGGER, a_training
from mainspring.testing.contracts.records_keys import a_key
from mainspring.testing.contracts.records_loop import a_rollout

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVIDENCE = {
    "requests": 12_034,
    "quality": {"metric": "log_loss", "rows": 12_034, "mean": 0.0131, "low": 0.002, "high": 0.0242},
    "guards": [{"name": "latency", "outcome": "pass", "note": "1.1 times the champion's"}],
}


@pytest.fixture
def history(tmp_path: Path, capfd: Any) -> Any:
    (tmp_path / "mainspring.toml").write_text('name = "shop"\n')

    def run(*arguments: str, verb: str = "history", as_json: bool = True) -> tuple[int, Any, str]:
        given = [verb, *arguments, "--project", str(tmp_path), *(["--json"] if as_json else [])]
        code = call(given, {"USER": "ana"})
        streams = capfd.readouterr()
        return code, json.loads(streams.out) if as_json else streams.out, streams.err

    return run


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def url(tmp_path: Path) -> str:
    settings = load_settings(tmp_path, {})
    settings.workspace.mkdir(exist_ok=True)
    return settings.records_url


@pytest.fixture
def records(history: Any, url: str, clock: FakeClock) -> Iterator[SqlRecords]:
    """A training, its rollout, and the promotion, a minute each from noon on; then a key."""
    opened = SqlRecords(url, clock)
    for number in (1, 2):
        opened.put_release(a_release(number))
    steps = [
        lambda: opened.set_alias("adclick", Alias.CHAMPION, 1, actor="ana", reason="first"),
        lambda: opened.record_event(
            "adclick",
            "trigger",
            actor="controller",
            reason="age has drifted",
            detail={"since": "2026-02-28T07:00:00Z", "evidence": {"alert": "a1", "p": 1e-9}},
        ),
        lambda: opened.begin_run(a_training(trigger=TRIGGER)),
        lambda: opened.update_run(replace(a_training(), state=RunState.RELEASED, stage=Stage.ROLLOUT, release=2)),
        lambda: opened.put_rollout(a_rollout(), actor="run r1"),
        lambda: opened.set_traffic(
            "adclick", Traffic(canary=Share(2, 0.025)), actor="controller", reason="canary step 1"
        ),
        lambda: opened.put_rollout(
            replace(
                a_rollout(), version=1, stage=RolloutStage.CANARY, note="better in the shadow", evidence=EVIDENCE
            )
        ),
        lambda: opened.set_alias("adclick", Alias.CHAMPION, 2, actor="controller", reason="better"),
        lambda: opened.add_key(a_key("k1", "web"), actor="ben\x1b[31m"),
    ]
    for step in steps:
        step()
        clock.sleep(60)
    yield opened
    opened.close()


def test_where_nothing_has_happened(history: Any, url: str) -> None:
    assert history()[:2] == (0, {"entries": [], "more": False})
    assert "Nothing has happened yet." in history(as_json=False)[1]
    assert "Nothing happened then." in history("--since", "7d", as_json=False)[1]
    code, found, _ = history("--verify")
    assert (code, found["holds"], found["entries"]) == (0, True, 0)
    assert history("--at", "2026-03-01")[1]["models"] == {}
    assert "nothing had been decided yet" in history("--at", "1h", as_json=False)[1]


@pytest.mark.usefixtures("records")
def test_what_programs_read(history: Any) -> None:
    code, found, _ = history("adclick", "--limit", "2")
    assert (code, found["more"]) == (0, True)
    traffic, champion = found["entries"]
    assert (traffic["kind"], champion["kind"]) == ("traffic", "champion")
    assert champion["at"] == "2026-03-01T12:07:00+00:00"
    assert champion["detail"] == {"before": 1, "after": 2, "generation": 3}
    assert traffic["previous"] == champion["digest"]
    whole = history("--limit", "100")[1]
    assert whole["more"] is False
    assert [entry["id"] for entry in whole["entries"]] == list(range(10, 0, -1))


@pytest.mark.usefixtures("records")
def test_what_people_read(history: Any) -> None:
    text = history(as_json=False)[1]
    for words in (
        "2026-03-01 12:08:00Z  key web\n  by ben\\x1b[31m: created for predict  (entry 10)",
        "2026-03-01 12:07:00Z  traffic of adclick: all to the champion\n  by controller: better",
        "adclick@2 is champion, after adclick@1\n  by controller: better  (entry 8)",
        "the rollout of adclick@2: shadow → canary step 1\n  by controller: better in the shadow  (entry 7)\n"
        "    log_loss: better by 0.0131 (0.002 to 0.0242) on 12,034 rows\n"
        "    requests: 12,034\n"
        "    latency: pass, 1.1 times the champion's\n2026",
        "traffic of adclick: canary adclick@2 2.5%\n  by controller: canary step 1",
        "the rollout of adclick@2 against adclick@1 begins: shadow\n  by run r1: a run passed its gates",
        "    plan: alpha 0.05, bake 1h, canary each 5m, steps (2.5; 50), deadline 7d",
        "the training has made adclick@2\n  by run r1: released",
        "a training of adclick has begun\n  by controller: age has drifted since Monday",
        "12:01:00Z  trigger\n  by controller: age has drifted  (entry 2)\n    alert: a1\n    p: 1e-09\n"
        "    since: 2026-02-28T07:00:00Z\n",
        "12:00:00Z  adclick@1 is champion\n  by ana: first  (entry 1)",
    ):
        assert words in text
    assert text.index("entry 10") < text.index("entry 9") < text.index("entry 1)")


def test_the_end_and_the_pause_of_a_rollout(history: Any, records: SqlRecords) -> None:
    state = records.rollout("adclick")
    assert state is not None
    state = records.put_rollout(replace(state, paused_at=NOON, note="lunch"), actor="ana")
    state = records.put_rollout(replace(state, paused_at=None, note="back"), actor="ana")
    state = records.put_rollout(replace(state, step=1))
    state = records.put_rollout(replace(state, stage=RolloutStage.BAKE, step=0))
    records.put_rollout(replace(state, ended_at=NOON, end=RolloutEnd.ROLLED_BACK, note="it is worse"))
    told = re.findall(r"Z  (.*)", history("adclick", "--limit", "5", as_json=False)[1])
    assert told == [
        "the rollout of adclick@2 ends: rolled back",
        "the rollout of adclick@2: canary step 2 → champion on trial",
        "the rollout of adclick@2: canary step 1 → canary step 2",
        "the rollout of adclick@2 goes on",
        "the rollout of adclick@2 is paused",
    ]


def test_a_training_that_failed(history: Any, records: SqlRecords) -> None:
    run = records.begin_run(a_training("r7"))
    error = {"error": "Refused", "message": "roc_auc is under 0.9"}
    records.update_run(replace(run, state=RunState.REFUSED, stage=Stage.GATES, detail={"error": error}))
    run = records.begin_run(a_training("r8"))
    records.update_run(replace(run, state=RunState.FAILED, stage=Stage.TRAIN))
    text = history("adclick", "--limit", "4", as_json=False)[1]
    assert "the training of adclick was refused at its stage gates\n  by run r7: roc_auc is under 0.9" in text
    assert "the training of adclick failed at its stage train\n" in text


@pytest.mark.usefixtures("records")
def test_a_part_of_it(history: Any) -> None:
    found = history("--since", "2026-03-01 12:01", "--until", "2026-03-01T14:03+02:00")[1]
    assert [entry["id"] for entry in found["entries"]] == [3, 2]
    assert history("--since", "1h")[1]["entries"] == [], "it was long ago"
    code, _, said = history("--limit", "3", as_json=False)
    assert code == 0
    assert "the newest 3" in said


@pytest.mark.usefixtures("records")
def test_what_was_in_production(history: Any) -> None:
    code, found, _ = history("--at", "2026-03-01 12:06:30")
    assert code == 0
    then = found["models"]["adclick"]
    assert (then["champion"], then["challenger"], then["entry"]["id"]) == (1, None, 6)
    assert then["traffic"]["canary"] == {"number": 2, "share": 0.025}
    assert history("--at", "2026-03-01 12:06:30", verb="status")[1] == found
    text = history("adclick", "--at", "2026-03-01 12:06:30", as_json=False)[1]
    assert text == (
        "At 2026-03-01 12:06:30Z:\n"
        "  adclick@1 answered for adclick\n"
        "    beside it: canary adclick@2 2.5%\n"
        "    since 2026-03-01 12:05:00Z, by controller: canary step 1 (entry 6)\n"
    )
    assert history("--at", "2026-03-01 11:59", verb="status")[1]["models"] == {}
    assert history("--at", "0s")[1]["models"]["adclick"]["champion"] == 2


@pytest.mark.usefixtures("records")
def test_an_altered_history_is_found(history: Any, url: str) -> None:
    code, found, _ = history("--verify")
    assert (code, found["holds"], found["entries"]) == (0, True, 10)
    noted = found["digest"]
    assert history("--verify", "--noted", noted)[0] == 0
    assert f"10 entries.\nThe newest digest is {noted}\n" in history("--verify", as_json=False)[1]
    code, found, _ = history("--verify", "--noted", "f" * 64)
    assert (code, found["holds"], found["broken"]["entry"]) == (3, False, None)
    engine = Engine(url)
    with engine.writing() as connection:
        connection.execute(sa.text("DROP TRIGGER history_no_update"))
        connection.execute(sa.text("UPDATE history SET actor = 'nobody', detail = '7' WHERE id = 7"))
    engine.close()
    code, found, _ = history("--verify")
    assert (code, found["broken"]["entry"]["id"]) == (3, 7)
    code, text, said = history("--verify", as_json=False)
    assert code == 3
    assert "entry 7 is not as it was written" in text
    assert "rollout (this entry was altered)\n  by nobody" in text
    assert "backup" in said
    assert "(entry 8)" in history(as_json=False)[1], "the rest can still be read"


@pytest.mark.usefixtures("records")
def test_an_end_of_arms_that_is_no_time_is_told_as_altered(history: Any, url: str) -> None:
    detail = '{"after": {"arms": [], "arms_end": "soon", "canary": null, "shadows": []}}'
    engine = Engine(url)
    with engine.writing() as connection:
        connection.execute(sa.text("DROP TRIGGER history_no_update"))
        connection.execute(
            sa.text("UPDATE history SET detail = :detail WHERE kind = 'traffic'"), {"detail": detail}
        )
    engine.close()
    code, text, _ = history(as_json=False)
    assert code == 0
    assert "traffic (this entry was altered)" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--since", "Monday"], "is no moment"),
        (["--at", "99999999999d"], "beyond all calendars"),
        (["--until", "0001-01-01T00:00+14:00"], "is no moment"),
        (["--verify", "--at", "1h"], "go with no other"),
        (["--verify", "--since", "1h"], "go with no other"),
        (["--at", "1h", "--until", "1h"], "go with no other"),
        (["--noted", "f" * 64], "with --verify only"),
        (["--verify", "--noted", "abc"], "is no digest"),
        (["nosuch"], "nothing ever happened to a model 'nosuch'"),
        (["nosuch", "--at", "1h"], "nothing ever happened"),
        (["--limit", "0"], "limit"),
    ],
)
@pytest.mark.usefixtures("records")
def test_wrong_use(history: Any, arguments: list[str], said: str) -> None:
    code, document, _ = history(*arguments)
    assert code == 2
    assert said in document["message"]


def test_a_day_is_from_midnight_on(history: Any, records: SqlRecords, clock: FakeClock) -> None:
    clock.set(NOON + timedelta(hours=12))
    records.record_event("adclick", "note", actor="ana", reason="midnight")
    assert [entry["reason"] for entry in history("--since", "2026-03-02")[1]["entries"]] == ["midnight"]
