"""What `ports.Records` owes to the loop: rollouts, what triggers remember, fences; part of `RecordsContract`."""

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from mainspring.domain.ports import Records
from mainspring.domain.rollout import Canary, Rollout
from mainspring.domain.rollout_state import RolloutEnd, RolloutStage, RolloutState
from mainspring.domain.routing import Traffic
from mainspring.errors import UsageError, WorkspaceBusy
from mainspring.testing.contracts.records_keys import a_key
from mainspring.testing.contracts.records_traffic import CHALLENGER, CHAMPION, NOON, a_release

HOUR = timedelta(hours=1)


def a_rollout(rollout_id: str = "o1", model: str = "adclick", challenger: int = 2, hours: int = 0) -> RolloutState:
    return RolloutState(
        id=rollout_id,
        model=model,
        challenger=challenger,
        before=1,
        plan=Rollout(shadow="10m", canary=Canary([2.5, 50], each="5m"), metric="log_loss"),
        stage=RolloutStage.SHADOW,
        started_at=NOON + hours * HOUR,
        entered_at=NOON + hours * HOUR,
        note="a run passed its gates",
        evidence={"quality": {"rows": 3, "low": -0.25, "high": None}, "guards": [["failures", "pass", "0 of 3"]]},
    )


class LoopContract:
    """Needs the fixtures of `RecordsContract`."""

    def test_a_rollout_reads_back_as_it_was_written(
        self, records: Records, open_records: Callable[[], Records]
    ) -> None:
        assert records.rollout("adclick") is None
        assert records.rollouts() == []
        first = records.put_rollout(a_rollout())
        assert first == dataclasses.replace(a_rollout(), version=1)
        assert open_records().rollout("adclick") == first
        stepped = records.put_rollout(
            dataclasses.replace(first, stage=RolloutStage.CANARY, step=1, paused_at=NOON + HOUR, evidence={})
        )
        assert stepped.version == 2
        assert open_records().rollout("adclick") == stepped
        ended = records.put_rollout(
            dataclasses.replace(stepped, ended_at=NOON + 2 * HOUR, end=RolloutEnd.ROLLED_BACK, paused_at=None)
        )
        assert records.rollout("adclick") is None
        assert records.rollouts() == [ended]

    def test_a_model_has_one_open_rollout(self, records: Records) -> None:
        first = records.put_rollout(a_rollout())
        records.put_rollout(a_rollout("o2", model="churn"))
        with pytest.raises(UsageError, match=r"adclick@2 is on its way up already.*mainspring reject adclick"):
            records.put_rollout(a_rollout("o3", challenger=3))
        records.put_rollout(dataclasses.replace(first, ended_at=NOON, end=RolloutEnd.SUPERSEDED))
        records.put_rollout(a_rollout("o3", challenger=3, hours=1))
        assert [(one.id, one.is_open) for one in records.rollouts("adclick")] == [("o3", True), ("o1", False)]
        assert [one.id for one in records.rollouts(limit=2)] == ["o3", "o2"]

    def test_of_two_writers_one_is_told(self, records: Records, open_records: Callable[[], Records]) -> None:
        first = records.put_rollout(a_rollout())
        newer = open_records().put_rollout(dataclasses.replace(first, note="the other was faster"))
        for stale in (first, a_rollout(), dataclasses.replace(first, version=7)):
            with pytest.raises(WorkspaceBusy, match="another process has changed the rollout of adclick@2"):
                records.put_rollout(stale)
        with pytest.raises(WorkspaceBusy):
            records.put_rollout(dataclasses.replace(a_rollout("never seen", model="churn"), version=1))
        assert records.rollouts() == [newer]

    def test_a_rollout_that_has_ended_stays_as_it_is(self, records: Records) -> None:
        first = records.put_rollout(a_rollout())
        ended = records.put_rollout(dataclasses.replace(first, ended_at=NOON, end=RolloutEnd.REJECTED))
        for change in ({"note": "on second thoughts"}, {"end": None, "ended_at": None}):
            with pytest.raises(UsageError, match=r"has ended \(rejected\)"):
                records.put_rollout(dataclasses.replace(ended, **change))
        assert records.rollouts() == [ended]

    def test_the_moves_of_a_rollout_are_told_with_their_evidence(self, records: Records) -> None:
        state = records.put_rollout(a_rollout(), actor="run r2")
        state = records.put_rollout(dataclasses.replace(state, evidence={"requests": 7}, note="too few"))
        state = records.put_rollout(
            dataclasses.replace(state, stage=RolloutStage.CANARY, evidence={"requests": 500}, note="better")
        )
        state = records.put_rollout(dataclasses.replace(state, step=1, note="still better"))
        state = records.put_rollout(dataclasses.replace(state, paused_at=NOON, note="lunch"), actor="ana")
        state = records.put_rollout(
            dataclasses.replace(state, paused_at=None, ending=RolloutEnd.ROLLED_BACK, settled=False, note="slower")
        )
        records.put_rollout(
            dataclasses.replace(state, end=RolloutEnd.ROLLED_BACK, ended_at=NOON + HOUR, settled=True)
        )
        told = records.history("adclick")
        assert [(one.kind, one.actor, one.reason) for one in reversed(told)] == [
            ("rollout", "run r2", "a run passed its gates"),
            ("rollout", "controller", "better"),
            ("rollout", "controller", "still better"),
            ("rollout", "ana", "lunch"),
            ("rollout", "controller", "slower"),
        ], "what has not moved is not told, and an end is told when it is decided"
        first, canary, last = told[-1].detail, told[-2].detail, told[0].detail
        assert (first["from"], first["to"]["stage"], first["plan"]["metric"]) == (None, "shadow", "log_loss")
        assert (canary["challenger"], canary["champion"], canary["evidence"]) == (2, 1, {"requests": 500})
        assert (canary["from"]["stage"], canary["to"]["stage"]) == ("shadow", "canary")
        assert last["from"]["paused_at"] == "2026-03-01T12:00:00.123457Z"
        assert last["to"] == {"stage": "canary", "step": 1, "paused_at": None, "end": "rolled back"}

    def test_what_triggers_remember(self, records: Records, open_records: Callable[[], Records]) -> None:
        assert records.loop_state("adclick") == {}
        state = {"causes": ["a", "b"], "fruitless": 2, "cut": None, "nested": {"größe": 0.1}}
        records.put_loop_state("adclick", state)
        records.put_loop_state("churn", {"fruitless": 0})
        assert open_records().loop_state("adclick") == state
        records.put_loop_state("adclick", {"fruitless": 3})
        assert records.loop_state("adclick") == {"fruitless": 3}
        records.put_loop_state("adclick", {})
        assert records.loop_state("adclick") == {}
        assert records.loop_state("churn") == {"fruitless": 0}

    # Fences

    def test_a_lease_that_was_lost_writes_nothing(
        self, records: Records, open_records: Callable[[], Records]
    ) -> None:
        other = open_records()
        for number in (1, 2):
            records.put_release(a_release(number))
        records.set_alias("adclick", CHAMPION, 1, actor="ana", reason="first")
        mine = records.lease("controller", "one", ttl=0)
        with records.fenced(mine):
            state = records.put_rollout(a_rollout())  # its time ran out, but nobody wants it
            other.lease("controller", "two", ttl=60)
            late: list[Callable[[], object]] = [
                lambda: records.put_rollout(dataclasses.replace(state, stage=RolloutStage.CANARY)),
                lambda: records.set_alias("adclick", CHALLENGER, 2, actor="one", reason="late"),
                lambda: records.set_traffic("adclick", Traffic(), actor="one", reason="late"),
                lambda: records.record_event("adclick", "trigger", actor="one", reason="late"),
                lambda: records.put_loop_state("adclick", {"fruitless": 1}),
                lambda: records.put_release(a_release(3)),
                lambda: records.reserve_number("adclick", "r9"),
                lambda: records.add_key(a_key("k1", "web"), actor="one"),
                lambda: records.put_monitor_states("adclick", {"drift": {"seen": 1}}),
                lambda: records.record_looks("adclick", {"drift": (None, NOON)}),
                lambda: records.heartbeat("w1", "g", 1, ttl=60),
                lambda: records.lease("another", "one", ttl=60),
            ]
            for write in late:
                with pytest.raises(WorkspaceBusy, match="lease 'controller' was lost: two has it now"):
                    write()
            with ThreadPoolExecutor(1) as threads, pytest.raises(WorkspaceBusy):
                threads.submit(late[0]).result()
            assert records.rollout("adclick") == state
            other.put_rollout(dataclasses.replace(state, stage=RolloutStage.CANARY))
            with pytest.raises(WorkspaceBusy, match="was lost"):
                mine.renew()
            mine.release()  # gives back nothing that is another's
        records.put_loop_state("adclick", {"fruitless": 1})
        told = [(one.kind, one.actor) for one in records.history()]
        assert told == [("rollout", "controller"), ("rollout", "controller"), ("champion", "ana")]
        assert len(records.releases()) == 2
        assert [*records.api_keys(), *records.workers(), *records.alert_looks("adclick")] == []

    def test_a_lease_that_is_held_or_was_given_back(self, records: Records) -> None:
        with records.lease("controller", "one", ttl=60) as lease, records.fenced(lease):
            records.put_loop_state("adclick", {"fruitless": 1})
            with records.lease("run/adclick", "one", ttl=60) as inner, records.fenced(inner):
                records.put_loop_state("adclick", {"fruitless": 2})
                inner.release()
                with pytest.raises(WorkspaceBusy, match="lease 'run/adclick' was lost; nothing was written"):
                    records.put_loop_state("adclick", {"fruitless": 3})
            lease.renew()
            records.put_loop_state("adclick", {"fruitless": 4})
        assert records.loop_state("adclick") == {"fruitless": 4}

    def test_a_fence_falls_with_an_error_too(self, records: Records) -> None:
        lease = records.lease("controller", "one", ttl=60)
        with pytest.raises(ZeroDivisionError), records.fenced(lease):
            _ = 1 / 0
        lease.release()
        records.put_loop_state("adclick", {"fruitless": 1})
