"""What `ports.Records` owes to the history, as tests that every backend must pass; part of `RecordsContract`."""

import dataclasses
import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from types import MappingProxyType

import numpy as np
import pytest

from mainspring.domain.alert import Silence
from mainspring.domain.history import BEGINNING, Head, Production, chained, digest_of
from mainspring.domain.ports import Records
from mainspring.domain.routing import Share, Traffic
from mainspring.domain.run import Run, RunState, Stage
from mainspring.errors import UsageError
from mainspring.stores.records import SqlRecords
from mainspring.testing.clock import FakeClock
from mainspring.testing.contracts.children import child, end, go, line
from mainspring.testing.contracts.records_keys import a_key
from mainspring.testing.contracts.records_traffic import CHALLENGER, CHAMPION, NOON, a_release

_NOTHING = chained(Head(), at=NOON, model="", kind="", actor="", reason="", detail={})
_ROUTE = ("champion", "challenger", "traffic")
MINUTE = timedelta(minutes=1)
TRIGGER = {"id": "alert-1", "kind": "drift", "reason": "age has drifted since Monday"}


def a_training(run_id: str = "r1", **detail: object) -> Run:
    return Run(run_id, "adclick", RunState.RUNNING, Stage.SNAPSHOT, {"trials": 2}, NOON, detail=detail)


class HistoryContract:
    """Needs the fixtures of `RecordsContract`."""

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock(NOON)

    @pytest.fixture
    def timed(self, url: str, clock: FakeClock) -> Iterator[Records]:
        opened = SqlRecords(url, clock)
        yield opened
        opened.close()

    def test_nothing_has_happened_yet(self, records: Records) -> None:
        assert records.history() == []
        assert records.history_head() == Head(0, BEGINNING)
        assert records.verify_history() is None
        assert records.route_at("adclick", NOON) is None

    def test_an_event_reads_back_as_it_was_written(
        self, timed: Records, open_records: Callable[[], Records]
    ) -> None:
        detail = {"text": "quote ' \" \\ ;-- ünïcode 🎈", "rows": [1, {"a": None}], "share": 0.1, "huge": 2**63}
        first = timed.record_event("adclick", "trigger", actor="ana", reason="by hand", detail=detail)
        assert (first.id, first.at, first.previous, first.detail) == (1, NOON, BEGINNING, detail)
        second = timed.record_event("", "loop stopped", actor="controller", reason="no space")
        assert (second.id, second.previous, second.detail) == (2, first.digest, {})
        other = open_records()
        assert other.history() == [second, first]
        assert other.history_head() == Head(2, second.digest)
        assert [digest_of(one) for one in other.history()] == [second.digest, first.digest]
        assert other.verify_history() is None
        for noted in (first.digest, second.digest, BEGINNING):
            assert other.verify_history(noted) is None
        broken = other.verify_history("f" * 64)
        assert broken is not None
        assert (broken.entry, "no entry has the digest" in broken.reason) == (None, True)

    def test_what_json_does_not_have_becomes_what_it_has(self, records: Records) -> None:
        entry = records.record_event(
            "adclick",
            "trigger",
            actor="an\udce4\0",  # bytes of a command line that are no UTF-8, and what PostgreSQL does not keep
            reason="",
            detail=MappingProxyType(
                {
                    "nan": float("nan"),
                    "inf": [float("inf")],
                    "numpy": {"a": np.float64(0.5), "b": np.arange(2)},
                    "state": RunState.REFUSED,
                    "at": NOON,
                }
            ),
        )
        assert entry.actor == "an\\udce4\\x00"
        assert entry.detail == {
            "nan": None,
            "inf": [None],
            "numpy": {"a": 0.5, "b": [0, 1]},
            "state": "refused",
            "at": "2026-03-01T12:00:00.123457Z",
        }
        assert records.history() == [entry]
        assert records.verify_history() is None

    def test_a_cause_is_told_once(self, records: Records, open_records: Callable[[], Records]) -> None:
        told = {"actor": "controller", "reason": "drift", "detail": {"rows": 1}, "once": "alert-1"}
        first = records.record_event("adclick", "trigger", **told)  # type: ignore[arg-type]
        assert first.once == "alert-1"
        again = {**told, "detail": {"rows": 2}, "reason": "again"}
        assert open_records().record_event("adclick", "trigger", **again) == first  # type: ignore[arg-type]
        for model, kind, once in (("churn", "trigger", "alert-1"), ("adclick", "breaker", "alert-1")):
            records.record_event(model, kind, actor="controller", reason="another", once=once)
        for _ in range(2):
            records.record_event("adclick", "trigger", actor="controller", reason="without a name")
        assert [one.id for one in records.history()] == [5, 4, 3, 2, 1]

    @pytest.mark.parametrize(
        "kind", ["champion", "challenger", "traffic", "key", "silence", "", "Trigger", "x\n", "1", " a", "a" * 41]
    )
    def test_kinds_that_are_none_of_an_event(self, records: Records, kind: str) -> None:
        with pytest.raises(UsageError, match="is no kind of an event"):
            records.record_event("adclick", kind, actor="ana", reason="a forged promotion")
        assert records.history() == []

    def test_a_part_of_the_history(self, timed: Records, clock: FakeClock) -> None:
        for number in range(4):
            clock.set(NOON + number * MINUTE)
            timed.record_event("churn" if number == 2 else "adclick", "trigger", actor="ana", reason=str(number))
        assert [one.reason for one in timed.history(limit=2)] == ["3", "2"]
        assert [one.reason for one in timed.history("adclick")] == ["3", "1", "0"]
        between = timed.history(since=NOON + MINUTE, until=NOON + 3 * MINUTE)
        assert [one.reason for one in between] == ["2", "1"], "from the first moment on, up to the last one"
        assert timed.history("adclick", since=NOON + 4 * MINUTE) == []

    # What tells of itself

    def test_what_changes_who_answers_or_decides_is_in_it(self, timed: Records) -> None:
        for number in (1, 2):
            timed.put_release(a_release(number))
        timed.set_alias("adclick", CHAMPION, 1, actor="ana", reason="first")
        timed.set_alias("adclick", CHALLENGER, 2, actor="run r2", reason="passed")
        timed.set_traffic("adclick", Traffic(canary=Share(2, 0.1)), actor="controller", reason="step 1")
        timed.set_alias("adclick", CHAMPION, 2, actor="controller", reason="better")
        timed.add_key(a_key("k1", "web"), actor="ana")
        timed.revoke_key("web", actor="ben", reason="it leaked")
        quiet = Silence(
            id="s1", model="ad*", monitor="drift", created_at=NOON, until=NOON + MINUTE, by="ana", reason="x"
        )
        timed.add_silence(quiet)
        timed.add_silence(quiet)
        timed.end_silence("s1", NOON, actor="ben")
        timed.end_silence("s1", NOON, actor="ben")
        told = [(one.model, one.kind, one.actor, one.reason) for one in reversed(timed.history())]
        assert told == [
            ("adclick", "champion", "ana", "first"),
            ("adclick", "challenger", "run r2", "passed"),
            ("adclick", "traffic", "controller", "step 1"),
            ("adclick", "champion", "controller", "better"),
            ("adclick", "challenger", "controller", "better"),
            ("adclick", "traffic", "controller", "better"),
            ("", "key", "ana", "created for predict"),
            ("", "key", "ben", "revoked: it leaked"),
            ("ad*", "silence", "ana", "silenced: x"),
            ("ad*", "silence", "ben", "ended before its time"),
        ]
        champion = timed.history(limit=7)[-1]
        assert champion.detail == {"before": 1, "after": 2, "generation": 4}
        assert timed.history_head().entries == 10
        assert timed.verify_history() is None

    def test_trainings_begin_and_end(self, records: Records) -> None:
        run = records.begin_run(a_training(trigger=TRIGGER))
        records.begin_run(run)
        records.update_run(dataclasses.replace(run, stage=Stage.GATES))
        refused = dataclasses.replace(
            run,
            state=RunState.REFUSED,
            stage=Stage.GATES,
            snapshot="s",
            ended_at=NOON,
            detail={**run.detail, "error": {"error": "Refused", "message": "roc_auc is under 0.9"}},
        )
        records.update_run(refused)
        records.update_run(refused)
        by_hand = records.begin_run(a_training("r2", actor="ana"))
        records.update_run(dataclasses.replace(by_hand, state=RunState.RELEASED, stage=Stage.ROLLOUT, release=3))
        killed = records.begin_run(a_training("r3"))
        records.update_run(dataclasses.replace(killed, state=RunState.CANCELLED, detail={"reason": "superseded"}))
        assert [(one.actor, one.reason) for one in reversed(records.history("adclick"))] == [
            ("controller", "age has drifted since Monday"),
            ("run r1", "roc_auc is under 0.9"),
            ("ana", "by hand"),
            ("run r2", "released"),
            ("run r3", "by hand"),
            ("run r3", "superseded"),
        ]
        released, end_of_first = records.history()[2].detail, records.history()[4].detail
        assert (released["release"], released["state"], "trigger" in released) == (3, "released", False)
        assert (end_of_first["trigger"], end_of_first["stage"]) == (TRIGGER, "gates")

    def test_what_was_refused_is_not_told(self, records: Records) -> None:
        records.put_release(a_release(1))
        with pytest.raises(UsageError):
            records.set_traffic("adclick", Traffic(canary=Share(1, 0.5)), actor="ana", reason="no champion")
        with pytest.raises(UsageError):
            records.revoke_key("web", actor="ana", reason="there is none")
        records.set_alias("adclick", CHALLENGER, None, actor="ana", reason="none there")
        assert records.history() == []

    # What was in production

    def test_what_answered_at_any_time(self, timed: Records, clock: FakeClock) -> None:
        """Whatever is done in whatever order, each moment gives back the routes of then, exactly."""
        chance = random.Random(17)  # noqa: S311 - a walk, no secret
        for number in range(1, 7):
            timed.put_release(a_release(number))
        seen: dict[datetime, Production | None] = {NOON - MINUTE: None}
        for step in range(120):
            clock.sleep(chance.choice([0, 1e-6, 60]))
            number = chance.choice([None, *range(1, 7)])
            route = timed.routes().of("adclick")
            others = [one for one in range(1, 7) if route is None or one != route.champion]
            match chance.choice(["champion", "challenger", "traffic", "event"]):
                case "champion":
                    timed.set_alias("adclick", CHAMPION, number, actor="a", reason=str(step))
                case "challenger":
                    timed.set_alias("adclick", CHALLENGER, number, actor="a", reason=str(step))
                case "traffic" if route is not None:
                    canary, shadow = chance.sample(others, 2)
                    rules = Traffic(canary=Share(canary, chance.random() or 1), shadows=(Share(shadow, 1),))
                    timed.set_traffic("adclick", chance.choice([rules, Traffic()]), actor="a", reason=str(step))
                case _:
                    timed.record_event("adclick", "trigger", actor="a", reason=str(step))
            seen[clock.now()] = _present(timed)
        assert {one.champion for one in seen.values() if one} == {None, *range(1, 7)}, "the walk went everywhere"
        found = {moment: timed.route_at("adclick", moment) for moment in seen}
        assert {moment: _bare(one) for moment, one in found.items()} == seen
        changes = [entry for entry in timed.history(limit=1_000) if entry.kind in _ROUTE]
        for moment, one in found.items():
            newest = next((entry for entry in changes if entry.at <= moment), None)
            assert (one and one.entry) == newest
        assert timed.route_at("churn", clock.now()) is None

    def test_a_clock_that_was_set_back(self, timed: Records, clock: FakeClock) -> None:
        for number in (1, 2, 3):
            timed.put_release(a_release(number))
        for number, hour in ((1, 0), (2, 5), (3, 1)):
            clock.set(NOON + timedelta(hours=hour))
            timed.set_alias("adclick", CHAMPION, number, actor="ana", reason="next")
        found = [timed.route_at("adclick", NOON + timedelta(hours=hour)) for hour in (0.5, 1, 6)]
        assert [one.champion for one in found if one] == [1, 3, 3], "what was written last holds"
        assert [one.id for one in timed.history()] == [3, 2, 1]
        assert timed.verify_history() is None

    # Several processes

    def test_two_writers_make_one_chain(self, records: Records, url: str) -> None:
        script = """
print("up", flush=True)
input()
for number in range(40):
    records.record_event("adclick", "trigger", actor=str(os.getpid()), reason=str(number), once=str(number % 30))
    records.record_event("adclick", "note", actor=str(os.getpid()), reason=str(number))
print("done", flush=True)
"""
        children = [child(url, script) for _ in range(2)]
        assert [line(one) for one in children] == ["up", "up"]
        for one in children:
            go(one)
        assert [line(one) for one in children] == ["done", "done"]
        for one in children:
            end(one)
        entries = records.history(limit=1_000)
        assert [entry.id for entry in reversed(entries)] == list(range(1, 111))
        assert sorted(entry.once for entry in entries if entry.once) == sorted(map(str, range(30)))
        for one in children:
            mine = [int(entry.reason) for entry in entries if entry.kind == "note" and entry.actor == str(one.pid)]
            assert mine == list(range(39, -1, -1))
        assert records.verify_history() is None

    def test_a_killed_writer_leaves_a_whole_chain(self, records: Records, url: str) -> None:
        script = """
for number in range(1, 100_000):
    records.record_event("adclick", "trigger", actor="child", reason=str(number), detail={"pad": "x" * 5_000})
    print(number, flush=True)
"""
        for seed in range(2):
            before = records.history_head().entries
            writer = child(url, script)
            acknowledged = int(line(writer))
            time.sleep(random.Random(seed).uniform(0, 0.05))  # noqa: S311 - a moment, not a secret
            writer.kill()
            assert writer.stdout is not None
            acknowledged = max([acknowledged, *map(int, writer.stdout.read().split())])
            end(writer)
            assert acknowledged <= records.history_head().entries - before <= acknowledged + 1
            assert records.verify_history() is None
            assert records.record_event("adclick", "trigger", actor="me", reason="on").id == (
                records.history_head().entries
            )


def _present(records: Records) -> Production | None:
    """What the records say of the present, so far as routes tell it."""
    route = records.routes().of("adclick")
    if route is not None:
        return _production(route.champion, route.challenger, route.traffic)
    told = records.audit("adclick")
    challenger = next((one["after"] for one in told if one["alias"] == CHALLENGER), None)
    return _production(None, challenger, Traffic()) if told else None


def _bare(one: Production | None) -> Production | None:
    return None if one is None else _production(one.champion, one.challenger, one.traffic)


def _production(champion: int | None, challenger: int | None, traffic: Traffic) -> Production:
    return Production(
        model="adclick",
        champion=champion,
        challenger=challenger,
        traffic=traffic,
        entry=_NOTHING,
    )
