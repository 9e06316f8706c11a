"""An A/B test that was given a time is ended by the loop, once, and nothing else of the traffic changes."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mainspring.domain.release import Alias
from mainspring.domain.routing import Arm, Share, Traffic
from mainspring.errors import WorkspaceBusy
from mainspring.loop.ab.ending import end_tests
from mainspring.loop.ab.period import newest_test
from mainspring.settings import load_settings
from mainspring.stores.records import SqlRecords
from mainspring.testing.clock import FakeClock
from mainspring.testing.contracts.records import a_release
from mainspring.workspace import Workspace

START = datetime(2026, 3, 28, 22, tzinfo=UTC)  # the clocks of Europe are put on in the night
END = START + timedelta(days=14)
ARMS = (Arm("control", 1, 0.4), Arm("new", 2, 0.4))
RULES = Traffic(canary=Share(3, 0.1), arms=ARMS, shadows=(Share(4, 1.0),), arms_end=END)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def workspace(tmp_path: Path, clock: FakeClock) -> Iterator[Workspace]:
    with Workspace(load_settings(tmp_path, {}), clock) as opened:
        for number in (1, 2, 3, 4):
            opened.records.put_release(a_release(number))
        opened.records.set_alias("adclick", Alias.CHAMPION, 1, actor="ana", reason="first")
        yield opened


def share(workspace: Workspace, rules: Traffic) -> None:
    workspace.records.set_traffic("adclick", rules, actor="ana", reason="a test")


def traffic_of(workspace: Workspace) -> Traffic:
    route = workspace.records.routes().of("adclick")
    assert route is not None
    return route.traffic


def meanwhile(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, theirs: Traffic) -> None:
    """Have a person set these rules just before the loop sets its own."""
    set_traffic = SqlRecords.set_traffic

    def second(records: SqlRecords, *arguments: object, **named: object) -> int:
        monkeypatch.undo()
        share(workspace, theirs)
        return set_traffic(records, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(SqlRecords, "set_traffic", second)


def end(workspace: Workspace) -> list[str]:
    return end_tests(workspace, actor="controller")


def test_it_ends_at_its_end_and_the_others_keep_their_shares(workspace: Workspace, clock: FakeClock) -> None:
    share(workspace, RULES)
    clock.set(END - timedelta(microseconds=1))
    assert not end(workspace)
    assert traffic_of(workspace) == RULES
    clock.set(END)
    assert end(workspace) == ["adclick"]
    assert traffic_of(workspace) == Traffic(canary=Share(3, 0.1), shadows=(Share(4, 1.0),))
    assert not end(workspace), "once"
    told = workspace.records.audit("adclick", 1)[0]
    assert (told["actor"], told["reason"]) == ("controller", "the A/B test was to end at 2026-04-11 22:00 UTC")
    period = newest_test(workspace.records, "adclick")
    assert period is not None
    assert (period.start, period.end, period.planned_end, period.arms) == (START, END, END, ARMS)


def test_without_an_end_it_goes_on_until_somebody_says_so(workspace: Workspace, clock: FakeClock) -> None:
    assert not end(workspace)
    share(workspace, Traffic(arms=ARMS))
    clock.sleep(10 * 365 * 86_400)
    assert not end(workspace)
    assert traffic_of(workspace).arms == ARMS


def test_a_later_end_is_the_same_test(workspace: Workspace, clock: FakeClock) -> None:
    share(workspace, RULES)
    clock.sleep(86_400)
    later = Traffic(arms=ARMS, arms_end=END + timedelta(days=7))
    share(workspace, later)
    clock.set(END)
    assert not end(workspace)
    period = newest_test(workspace.records, "adclick")
    assert period is not None
    assert (period.start, period.end, period.planned_end) == (START, None, END + timedelta(days=7))


def test_what_a_person_set_meanwhile_stands(
    workspace: Workspace, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    share(workspace, RULES)
    clock.set(END)
    theirs = Traffic(arms=ARMS, arms_end=END + timedelta(days=7))
    meanwhile(monkeypatch, workspace, theirs)
    assert end(workspace) == []
    assert traffic_of(workspace) == theirs


def test_what_a_person_set_beside_it_meanwhile_stays(
    workspace: Workspace, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    share(workspace, RULES)
    clock.set(END)
    meanwhile(monkeypatch, workspace, replace(RULES, canary=Share(3, 0.2)))
    assert end(workspace) == ["adclick"]
    assert traffic_of(workspace) == Traffic(canary=Share(3, 0.2), shadows=(Share(4, 1.0),))


def test_every_model_of_the_workspace_is_looked_at(workspace: Workspace, clock: FakeClock) -> None:
    for model in ("churn", "price"):
        for number in (1, 2):
            workspace.records.put_release(a_release(number, model, f"{model}{number}"))
        workspace.records.set_alias(model, Alias.CHAMPION, 1, actor="ana", reason="first")
        rules = Traffic(arms=(Arm("new", 2, 0.5),), arms_end=END)
        workspace.records.set_traffic(model, rules, actor="ana", reason="a test")
    share(workspace, replace(RULES, arms_end=END + timedelta(days=1)))
    clock.set(END)
    assert end(workspace) == ["churn", "price"]
    clock.sleep(86_400)
    assert end(workspace) == ["adclick"]


def test_a_controller_that_lost_its_lease_ends_nothing(workspace: Workspace, clock: FakeClock) -> None:
    share(workspace, RULES)
    records = workspace.records
    lost = records.lease("controller", "the first", ttl=30)
    clock.set(END)
    with records.lease("controller", "the second", ttl=30), records.fenced(lost), pytest.raises(WorkspaceBusy):
        end(workspace)
    assert traffic_of(workspace) == RULES


def test_it_is_ended_with_what_a_new_workspace_reads(
    workspace: Workspace, tmp_path: Path, clock: FakeClock
) -> None:
    share(workspace, RULES)
    workspace.close()
    copied = tmp_path.with_name("copied")
    shutil.copytree(tmp_path, copied)
    clock.set(END)
    with Workspace(load_settings(copied, {}), clock) as opened:
        assert end(opened)
        assert not traffic_of(opened).arms
