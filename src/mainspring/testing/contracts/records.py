"""The law of `ports.Records`, as tests that every backend must pass."""

import dataclasses
import os
import random
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from mainspring.domain.ports import Records
from mainspring.domain.release import ReleaseRef
from mainspring.domain.run import Run, RunState, Stage
from mainspring.domain.snapshot import Snapshot, SourcePart
from mainspring.errors import StoreError, UnknownRelease, UnknownSnapshot, WorkspaceBusy
from mainspring.stores.records import SqlRecords
from mainspring.testing.contracts.children import child, end, go, line
from mainspring.testing.contracts.records_alerts import AlertsContract
from mainspring.testing.contracts.records_features import FeaturesContract
from mainspring.testing.contracts.records_history import HistoryContract
from mainspring.testing.contracts.records_keys import KeysContract
from mainspring.testing.contracts.records_loop import LoopContract
from mainspring.testing.contracts.records_traffic import CHALLENGER, CHAMPION, NOON, TrafficContract, a_release


def a_run(run_id: str = "r1", model: str = "adclick", minutes: int = 0) -> Run:
    return Run(
        run_id,
        model,
        RunState.RUNNING,
        Stage.SNAPSHOT,
        budget={"seconds": 120},
        started_at=NOON + timedelta(minutes=minutes),
    )


def a_snapshot(snapshot_id: str, minutes: int = 0, source: str = "clicks.csv") -> Snapshot:
    return Snapshot(
        id=snapshot_id,
        source=source,
        table="clicks",
        version=minutes,
        rows=3,
        parts=(SourcePart("a.csv", "d1", 2), SourcePart("b.csv", "d2", 1)),
        columns=(("age", "integer"), ("naïve “x”", "text")),
        created_at=NOON + timedelta(minutes=minutes),
        parent=None,
    )


class RecordsContract(
    AlertsContract, KeysContract, TrafficContract, LoopContract, HistoryContract, FeaturesContract
):
    """Subclass it, and give the fixture `url` of a new, empty database."""

    @pytest.fixture
    def open_records(self, url: str) -> Iterator[Callable[[], SqlRecords]]:
        opened: list[SqlRecords] = []

        def open_one() -> SqlRecords:
            opened.append(SqlRecords(url))
            return opened[-1]

        yield open_one
        for records in opened:
            records.close()

    @pytest.fixture
    def records(self, open_records: Callable[[], SqlRecords]) -> Records:
        return open_records()

    # Runs

    def test_it_keeps_the_port(self, records: Records) -> None:
        assert isinstance(records, Records)

    def test_nothing_is_none_or_empty(self, records: Records) -> None:
        assert records.run("r1") is None
        assert records.snapshot("0123456789") is None
        assert records.find_release(ReleaseRef("adclick", alias="champion")) is None
        assert [*records.runs(), *records.snapshots(), *records.releases(), *records.history()] == []
        assert dict(records.workers()) == {}
        assert records.routes().generation == 0

    def test_a_run_is_begun_once(self, records: Records) -> None:
        first = a_run()
        assert records.begin_run(first) == first
        assert records.begin_run(dataclasses.replace(first, budget={"trials": 1})) == first
        assert records.run("r1") == first

    def test_a_run_reads_back_as_it_was_written(
        self, records: Records, open_records: Callable[[], Records]
    ) -> None:
        records.begin_run(a_run())
        ended = dataclasses.replace(
            a_run(),
            state=RunState.REFUSED,
            stage=Stage.GATES,
            ended_at=NOON + timedelta(microseconds=1),
            snapshot="s",
            release=3,
            tracking_id="t",
            detail={"gate": "roc_auc ≥ 0.9", "rows": [1, {"a": None}], "text": "quote ' \" \\ ;-- ünïcode 🎈"},
        )
        records.update_run(ended)
        assert open_records().run("r1") == ended

    def test_an_unknown_run_cannot_be_updated(self, records: Records) -> None:
        with pytest.raises(StoreError, match="there is no run r9"):
            records.update_run(a_run("r9"))

    def test_runs_come_newest_first(self, records: Records) -> None:
        for number in (1, 2, 3):
            records.begin_run(a_run(f"r{number}", minutes=number))
        records.begin_run(a_run("other", model="churn", minutes=9))
        assert [run.id for run in records.runs("adclick")] == ["r3", "r2", "r1"]
        assert [run.id for run in records.runs(limit=2)] == ["other", "r3"]

    def test_runs_of_a_clock_that_was_ahead_are_older_than_what_comes_after_it(self, records: Records) -> None:
        records.begin_run(a_run("r1", minutes=1))
        records.begin_run(a_run("other", model="churn", minutes=900))
        for number in (2, 3):
            records.begin_run(a_run(f"r{number}", minutes=number * 1_000))
        assert [run.id for run in records.runs("adclick")] == ["r3", "r2", "r1"]
        records.begin_run(a_run("now", minutes=5))
        assert [run.id for run in records.runs("adclick")] == ["now", "r3", "r2", "r1"]
        ahead = records.run("r3")
        assert ahead is not None
        assert ahead.started_at == NOON + timedelta(minutes=5, microseconds=-1)
        other = records.run("other")
        assert other is not None
        assert other.started_at == NOON + timedelta(minutes=900), "another model's are left alone"

    # Snapshots

    def test_a_snapshot_reads_back_and_is_stored_once(self, records: Records) -> None:
        first = a_snapshot("a" * 64)
        records.put_snapshot(first)
        records.put_snapshot(dataclasses.replace(first, created_at=NOON + timedelta(days=1)))
        assert records.snapshot("a" * 64) == first
        assert len(records.snapshots()) == 1

    def test_a_snapshot_is_found_by_a_unique_prefix(self, records: Records) -> None:
        one, two = a_snapshot("abcdef11"), a_snapshot("abcdef22")
        records.put_snapshot(one)
        records.put_snapshot(two)
        assert records.snapshot("abcdef1") == one
        assert records.snapshot("abcde") is None  # too short
        assert records.snapshot("ABCDEF1") is None
        assert records.snapshot("%bcdef1") is None
        with pytest.raises(UnknownSnapshot, match="more than one snapshot begins with 'abcdef'"):
            records.snapshot("abcdef")

    def test_snapshots_as_of_a_time(self, records: Records) -> None:
        for minutes in (1, 2, 3):
            records.put_snapshot(a_snapshot(f"snapshot{minutes}", minutes))
        records.put_snapshot(a_snapshot("elsewhere", 2, source="other.csv"))
        moment = NOON + timedelta(minutes=2)
        assert [s.id for s in records.snapshots("clicks.csv", moment)] == ["snapshot2", "snapshot1"]
        just_before = moment - timedelta(microseconds=1)
        assert [s.id for s in records.snapshots("clicks.csv", just_before)] == ["snapshot1"]

    # Numbers and releases

    def test_a_run_keeps_its_number(self, records: Records) -> None:
        assert [records.reserve_number("adclick", run) for run in ("a", "b", "a", "c")] == [1, 2, 1, 3]
        assert records.reserve_number("churn", "a") == 1

    def test_a_reserved_number_is_never_one_that_is_taken(self, records: Records) -> None:
        records.put_release(a_release(7))
        assert records.reserve_number("adclick", "new") == 8

    def test_a_release_reads_back(self, records: Records, open_records: Callable[[], Records]) -> None:
        records.put_release(a_release(1))
        records.put_release(a_release(1))
        assert open_records().find_release(ReleaseRef("adclick", 1)) == a_release(1)

    def test_a_number_belongs_to_one_digest(self, records: Records) -> None:
        records.put_release(a_release(1))
        with pytest.raises(StoreError, match="another release adclick@1"):
            records.put_release(a_release(1, digest="other"))
        assert records.releases() == [a_release(1)]

    def test_releases_are_found_by_alias(self, records: Records) -> None:
        for number in (1, 2, 3):
            records.put_release(a_release(number))
        records.put_release(a_release(9, model="churn"))
        records.set_alias("adclick", CHAMPION, 1, actor="ana", reason="first")
        records.set_alias("adclick", CHALLENGER, 2, actor="ana", reason="next")
        found = {
            alias: records.find_release(ReleaseRef("adclick", alias=alias))
            for alias in ("champion", "challenger", "latest")
        }
        assert {alias: release.number for alias, release in found.items() if release} == {
            "champion": 1,
            "challenger": 2,
            "latest": 3,
        }
        assert [(r.number, r.aliases) for r in records.releases("adclick")] == [
            (3, ()),
            (2, ("challenger",)),
            (1, ("champion",)),
        ]

    # Routes

    def test_each_change_of_a_route_raises_the_generation(self, records: Records) -> None:
        for number in (1, 2):
            records.put_release(a_release(number))
        assert records.set_alias("adclick", CHAMPION, 1, actor="ana", reason="first") == 1
        assert records.set_alias("adclick", CHAMPION, 1, actor="ana", reason="again") == 1
        assert records.set_alias("adclick", CHALLENGER, 2, actor="run r2", reason="passed") == 2
        assert records.set_alias("adclick", CHAMPION, 2, actor="ana", reason="better") == 3
        assert records.set_alias("adclick", CHALLENGER, None, actor="ana", reason="none there") == 3
        routes = records.routes()
        assert routes.generation == 3
        route = routes.of("adclick")
        assert route is not None
        assert (route.champion, route.challenger) == (2, None)
        assert route.digests == {1: "digest1", 2: "digest2"}
        assert route.places == {1: "adclick/1", 2: "adclick/2"}
        changes = [(a["alias"], a["before"], a["after"], a["reason"], a["generation"]) for a in records.audit()]
        assert changes == [
            ("challenger", 2, None, "better", 3),
            ("champion", 1, 2, "better", 3),
            ("challenger", None, 2, "passed", 2),
            ("champion", None, 1, "first", 1),
        ]
        assert records.audit("churn") == []
        assert len(records.audit(limit=2)) == 2

    def test_a_champion_can_be_taken_away(self, records: Records) -> None:
        records.put_release(a_release(1))
        records.set_alias("adclick", CHAMPION, 1, actor="ana", reason="first")
        assert records.set_alias("adclick", CHAMPION, None, actor="ana", reason="broken") == 2
        assert records.routes().of("adclick") is None

    def test_an_alias_needs_a_release(self, records: Records) -> None:
        records.put_release(a_release(1, model="churn"))
        with pytest.raises(UnknownRelease, match="adclick@1"):
            records.set_alias("adclick", CHAMPION, 1, actor="ana", reason="typo")
        assert (records.routes().generation, records.audit()) == (0, [])

    def test_a_worker_may_be_behind_for_one_model(self, records: Records) -> None:
        records.heartbeat("w1", "g", 5, ttl=60, behind={"churn": 3})
        records.heartbeat("w2", "g", 5, ttl=60)
        assert dict(records.workers()) == {"w1": 3, "w2": 5}
        assert dict(records.workers("churn")) == {"w1": 3, "w2": 5}
        assert dict(records.workers("adclick")) == {"w1": 5, "w2": 5}
        records.heartbeat("w1", "g", 6, ttl=60)
        assert dict(records.workers("churn")) == {"w1": 6, "w2": 5}

    def test_workers_live_as_long_as_they_say(self, records: Records) -> None:
        records.heartbeat("w1", "g", 3, ttl=60)
        records.heartbeat("w1", "g", 4, ttl=60)
        records.heartbeat("w2", "g", 3, ttl=0)
        assert dict(records.workers()) == {"w1": 4}
        records.forget_worker("w1")
        records.forget_worker("never seen")
        assert dict(records.workers()) == {}

    # Leases

    def test_a_lease_has_one_holder(self, records: Records, open_records: Callable[[], Records]) -> None:
        with records.lease("controller", "one", ttl=60) as first:
            with pytest.raises(WorkspaceBusy, match=f"'controller' is being done by one .process {os.getpid()} "):
                open_records().lease("controller", "two", ttl=60)
            with pytest.raises(WorkspaceBusy):
                records.lease("controller", "one", ttl=60)
            with records.lease("another", "two", ttl=60):
                first.renew()
        with records.lease("controller", "two", ttl=60) as second:
            assert second.token > first.token

    def test_a_lease_that_is_not_renewed_is_lost_once_another_has_it(self, records: Records) -> None:
        first = records.lease("controller", "one", ttl=0.2)
        time.sleep(0.3)
        first.renew()
        with pytest.raises(WorkspaceBusy, match="done by one"):
            records.lease("controller", "two", ttl=60)
        time.sleep(0.3)
        second = records.lease("controller", "two", ttl=60)
        assert second.token > first.token
        with pytest.raises(WorkspaceBusy, match="was lost: two has it now"):
            first.renew()
        first.release()  # gives back nothing that is another's
        second.renew()

    def test_who_holds_a_lease_is_known(self, records: Records, open_records: Callable[[], Records]) -> None:
        assert records.lease_holder("controller") is None
        with records.lease("controller", "one", ttl=60):
            assert open_records().lease_holder("controller") == "one"
            assert records.lease_holder("another") is None
        assert records.lease_holder("controller") is None
        records.lease("controller", "two", ttl=0.2)
        time.sleep(0.3)
        assert records.lease_holder("controller") is None

    def test_a_lease_given_back_cannot_be_renewed(self, records: Records) -> None:
        lease = records.lease("controller", "one", ttl=60)
        lease.release()
        lease.release()
        with pytest.raises(WorkspaceBusy):
            lease.renew()

    def test_a_killed_holder_is_replaced_at_once(self, records: Records, url: str) -> None:
        holder = child(url, "records.lease('controller', 'child', ttl=600); print('held', flush=True); input()")
        try:
            assert line(holder) == "held"
            with pytest.raises(WorkspaceBusy, match=f"child .process {holder.pid} "):
                records.lease("controller", "me", ttl=60)
        finally:
            holder.kill()  # and not waited for yet: it is a zombie, which holds nothing
        time.sleep(0.2)
        assert records.lease("controller", "me", ttl=60).token == 2
        end(holder)

    # Several processes

    def test_processes_that_open_a_new_database_at_once(self, url: str) -> None:
        children = [child(url, "print(records.routes().generation, flush=True)") for _ in range(3)]
        assert [line(one) for one in children] == ["0"] * 3
        for one in children:
            end(one)

    def test_processes_that_reserve_at_once_get_numbers_of_their_own(self, url: str) -> None:
        script = (
            "input()\n"
            "print(*[records.reserve_number('adclick', f'{os.getpid()}-{n}') for n in range(40)], flush=True)"
        )
        children = [child(url, f"print('up', flush=True)\n{script}") for _ in range(2)]
        assert [line(one) for one in children] == ["up", "up"]
        for one in children:
            go(one)
        taken = [[int(number) for number in line(one).split()] for one in children]
        for one, numbers in zip(children, taken, strict=True):
            end(one)
            assert numbers == sorted(numbers)
        assert sorted(taken[0] + taken[1]) == list(range(1, 81))

    def test_a_killed_writer_leaves_no_half_change(self, records: Records, url: str) -> None:
        script = """
for number in range(1, 10_000):
    run = f"{os.getpid()}-{number}"
    mine = records.reserve_number("adclick", run)
    records.put_release(dataclasses.replace(a_release(mine), run_id=run))
    records.set_alias("adclick", Alias.CHALLENGER, mine, actor=run, reason="passed")
    records.set_alias("adclick", Alias.CHAMPION, mine, actor=run, reason="better")
    print(mine, flush=True)
"""
        for seed in range(2):
            writer = child(url, script)
            acknowledged = int(line(writer))
            time.sleep(random.Random(seed).uniform(0, 0.05))  # noqa: S311 - a moment, not a secret
            writer.kill()
            assert writer.stdout is not None
            acknowledged = max([acknowledged, *map(int, writer.stdout.read().split())])
            end(writer)
            routes, changes, sealed = records.routes(), records.audit(limit=10_000), records.releases()
            route = routes.of("adclick")
            assert route is not None
            assert acknowledged <= route.champion <= acknowledged + 1
            # One generation a call, numbered without a gap; the champion's call has two rows.
            assert sorted({change["generation"] for change in changes}) == list(range(1, routes.generation + 1))
            told = {change["alias"]: change["after"] for change in reversed(changes)}
            assert told == {"champion": route.champion, "challenger": route.challenger}
            assert {release.number for release in sealed} == set(route.digests)
            assert len({release.run_id for release in sealed}) == len(sealed)
            assert records.verify_history() is None
