"""From spool to table: each record once, whatever fails; a table that cannot be written holds up no other."""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.clock import SYSTEM_CLOCK
from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind
from mainspring.serving.drain import Drain
from mainspring.serving.journal import Journal
from mainspring.serving.log_report import log_report
from mainspring.serving.log_state import read_state, waiting_bytes, write_state
from mainspring.serving.spool import Spool
from mainspring.serving.spool_files import SpoolFile, frame, spool_files
from mainspring.serving.upkeep import Upkeep
from mainspring.stores.tables_delta import DeltaTables
from mainspring.testing.full_disk import small_disk
from mainspring.testing.releases import a_manifest

HALF = [[0.5, 0.5]]


class Broken(DeltaTables):
    """Tables that fail when they are told to: before a commit, or after it without saying that it went through."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.fails: Callable[[str], bool] = lambda table: False
        self.forgets = 0
        self.commits = 0

    def record(self, table: str, rows: Any, **options: Any) -> int:
        if self.fails(table):
            raise OSError(5, "the sink is dead")
        version = super().record(table, rows, **options)
        self.commits += 1
        if self.forgets:
            self.forgets -= 1
            raise OSError(5, "the answer was lost")
        return version


class Site:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "gateway" / "8000"
        self.tables = Broken(str(root / "tables"))
        self.manifests = {
            name: a_manifest(model=name, inputs=(InputField("age", Kind.NUMBER),)) for name in ("adult", "shop")
        }
        self.asked: dict[str, list[str]] = {"adult": [], "shop": []}

    def spool(self, writer: str = "worker-0", **options: Any) -> Spool:
        return Spool(self.folder / "spool", writer, limit=1 << 30, **options)

    def answer(self, spool: Spool, model: str, count: int) -> None:
        journal = Journal(spool, b"x" * 32)
        for _ in range(count):
            name = f"{model}{len(self.asked[model])}"
            self.asked[model].append(name)
            journal.predicted(name, self.manifests[model], [{"age": 1}], HALF, 0.001)

    def drain(self, **options: Any) -> Drain:
        given = {"commit_every": 0.0, "commit_rows": 1000, **options}
        drain = Drain(self.folder, self.tables, SYSTEM_CLOCK, **given)
        assert drain.take()
        return drain

    def stored(self, model: str) -> list[str]:
        table = f"predictions/{model}"
        if not self.tables.exists(table):
            return []
        names: list[str] = self.tables.scan(table).collect().get_column("request_id").to_list()
        return sorted(names)

    def check(self) -> None:
        for model, asked in self.asked.items():
            assert self.stored(model) == sorted(asked)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_writers_alive_and_dead_are_drained_and_files_go_when_they_are_done(site: Site) -> None:
    first, second = site.spool(), site.spool("worker-1", file_bytes=500)
    site.answer(first, "adult", 5)
    site.answer(second, "shop", 20)
    drain = site.drain()
    drain.step(at_once=True)
    site.check()
    while len(spool_files(site.folder / "spool")) > 2:  # a writer lets go of a full file soon
        drain.step()
    site.answer(first, "shop", 3)
    first.close()
    second.close()
    drain.step(at_once=True)
    site.check()
    assert drain.idle
    assert spool_files(site.folder / "spool") == []
    assert waiting_bytes(site.folder, drain.state) == 0


def test_a_drainer_that_starts_again_and_again_stores_nothing_twice(site: Site) -> None:
    spool = site.spool(file_bytes=2000)
    for _ in range(6):
        site.answer(spool, "adult", 7)
        site.answer(spool, "shop", 2)
        drain = site.drain()
        drain.step(at_once=True)
        site.check()
        drain.close()
    spool.close()
    drain = site.drain()
    drain.step(at_once=True)
    site.check()
    assert drain.idle


def test_a_commit_whose_answer_was_lost_is_not_repeated(site: Site) -> None:
    spool = site.spool()
    site.answer(spool, "adult", 5)
    drain = site.drain()
    site.tables.forgets = 1
    drain.step(at_once=True)
    assert "cannot be written" in drain.state.trouble
    site.answer(spool, "adult", 5)
    drain.step(at_once=True)
    site.check()
    assert drain.state.trouble == ""


def test_a_dead_table_holds_up_no_other_and_costs_no_memory(site: Site, caplog: Any) -> None:
    spool = site.spool(file_bytes=3000)
    drain = site.drain(commit_rows=10)
    site.tables.fails = lambda table: table == "predictions/adult"
    for _ in range(10):
        site.answer(spool, "adult", 20)
        site.answer(spool, "shop", 20)
        drain.step()
        assert drain.state.waiting_rows <= 10
    drain.step(at_once=True)
    assert site.stored("adult") == []
    assert site.stored("shop") == sorted(site.asked["shop"])
    assert "the sink is dead" in drain.state.trouble
    assert waiting_bytes(site.folder, drain.state) > 0
    assert sum("the sink is dead" in record.message for record in caplog.records) == 1
    site.tables.fails = lambda table: False
    spool.close()
    drain.step(at_once=True)
    site.check()
    assert drain.idle
    assert drain.state.trouble == ""


def test_a_table_is_tried_again_in_its_time(site: Site) -> None:
    spool = site.spool()
    drain = site.drain()
    site.tables.fails = lambda table: True
    site.answer(spool, "adult", 3)
    drain.step()
    site.tables.fails = lambda table: False
    while site.stored("adult") == []:
        drain.step()
    site.check()


def test_full_tables_wait_and_then_go_on(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 400_000) as disk:
        site = Site(tmp_path / "site")
        site.tables = Broken(str(disk))
        spool = site.spool()
        site.answer(spool, "adult", 5)
        drain = site.drain()
        drain.step(at_once=True)
        with (disk / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
            while ballast.write(b"x" * 4096):
                pass
        site.answer(spool, "adult", 5)
        drain.step(at_once=True)
        assert "disk is full" in drain.state.trouble
        assert len(site.stored("adult")) == 5
        (disk / "ballast").unlink()
        drain.step(at_once=True)
        site.check()


def test_only_one_drains_a_folder(site: Site) -> None:
    first = site.drain()
    second = Drain(site.folder, site.tables, SYSTEM_CLOCK, commit_every=1, commit_rows=10)
    assert not second.take()
    first.close()
    assert second.take()


def test_two_drainers_by_mistake_store_nothing_twice(site: Site) -> None:
    """A file system without locks, say."""
    spool = site.spool()
    drains = [site.drain(), Drain(site.folder, site.tables, SYSTEM_CLOCK, commit_every=0, commit_rows=10)]
    for turn in range(6):
        site.answer(spool, "adult", 5)
        drains[turn % 2].step(at_once=True)
        drains[1 - turn % 2].step(at_once=True)
    site.check()


@given(
    frames=st.lists(
        st.one_of(
            st.binary(min_size=1, max_size=80),
            st.binary(max_size=80).map(lambda content: b"P" + content),
            st.binary(max_size=80).map(lambda content: b"R" + content),
            st.binary(max_size=80).map(lambda content: b"F" + content),
        ),
        max_size=6,
    ),
    tail=st.binary(max_size=40),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_hostile_records_are_counted_and_hold_up_nobody(
    frames: list[bytes], tail: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site = Site(tmp_path_factory.mktemp("site"))
    (site.folder / "spool").mkdir(parents=True)
    hostile = SpoolFile.name("a", 0)
    (site.folder / "spool" / hostile).write_bytes(b"".join(map(frame, frames)) + tail)
    spool = site.spool()
    site.answer(spool, "adult", 1)
    spool.close()
    drain = site.drain()
    drain.step(at_once=True)
    drain.close()
    site.check()
    assert spool_files(site.folder / "spool") == []


@pytest.mark.parametrize("model", ["../../evil", "a/b", "", "Adult", "x" * 200, ".."])
def test_a_hostile_name_makes_no_table(site: Site, model: str) -> None:
    manifest = a_manifest(model=model, inputs=(InputField("age", Kind.NUMBER),))
    spool = site.spool()
    Journal(spool, b"x" * 32).predicted("r", manifest, [{"age": 1}], HALF, 0.001)
    spool.close()
    drain = site.drain()
    drain.step(at_once=True)
    assert drain.idle
    assert drain.state.damaged_frames == 2
    assert not (site.root / "tables").exists()


def test_a_flipped_bit_anywhere_costs_its_own_record_at_most(site: Site) -> None:
    spool = site.spool()
    site.answer(spool, "adult", 4)
    spool.close()
    (file,) = spool_files(site.folder / "spool")
    content = bytearray(file.path.read_bytes())
    content[-3] ^= 4  # in the last record
    file.path.write_bytes(content)
    drain = site.drain()
    drain.step(at_once=True)
    assert site.stored("adult") == sorted(site.asked["adult"])[:3]
    assert drain.state.damaged_bytes > 0


def test_days_are_partitions(site: Site) -> None:
    class Tomorrow:
        def now(self) -> Any:
            return SYSTEM_CLOCK.now() + timedelta(days=1)

        def monotonic(self) -> float:
            return SYSTEM_CLOCK.monotonic()

        def sleep(self, seconds: float) -> None:
            raise AssertionError

    spool = site.spool()
    for clock in (SYSTEM_CLOCK, Tomorrow()):
        journal = Journal(spool, b"x" * 32, clock=clock)
        journal.predicted("r", site.manifests["adult"], [{"age": 1}], HALF, 0.001)
    site.drain().step(at_once=True)
    days = list(site.tables.partitions("predictions/adult"))
    assert len(days) == 2
    assert days == sorted(days)


def test_upkeep_merges_days_that_are_over_and_drops_those_too_old(site: Site) -> None:
    now = SYSTEM_CLOCK.now()
    for days_ago in (40, 31, 30, 2, 0):

        class Then:
            ago = timedelta(days=days_ago)

            def now(self) -> Any:
                return now - self.ago

            def monotonic(self) -> float:
                return 0.0

            def sleep(self, seconds: float) -> None:
                raise AssertionError

        for _ in range(3):
            spool = site.spool()
            journal = Journal(spool, b"x" * 32, clock=Then())
            journal.predicted("r", site.manifests["adult"], [{"age": 1}], HALF, 0.001)
            spool.close()
            drain = site.drain()
            drain.step(at_once=True)
            drain.close()
    table = "predictions/adult"
    assert [len(sizes) for sizes in site.tables.partitions(table).values()] == [3] * 5
    Upkeep(site.tables, SYSTEM_CLOCK, keep_days=None).tend(table)
    assert [len(sizes) for sizes in site.tables.partitions(table).values()] == [1, 1, 1, 1, 3]
    Upkeep(site.tables, SYSTEM_CLOCK, keep_days=30).tend(table)
    kept = list(site.tables.partitions(table))
    assert kept == [(now - timedelta(days=days)).date().isoformat() for days in (30, 2, 0)]
    assert site.tables.scan(table).collect().height == 9


def test_the_report_tells_what_waits_and_what_was_lost(site: Site) -> None:
    assert log_report(site.root / "gateway", "batch").waiting_bytes == 0
    spool = site.spool()
    site.answer(spool, "adult", 4)
    size = sum(file.path.stat().st_size for file in spool_files(site.folder / "spool"))
    assert log_report(site.root / "gateway", "batch").waiting_bytes == size
    drain = site.drain()
    site.tables.fails = lambda table: True
    drain.step(at_once=True)
    write_state(site.folder, drain.state)
    report = log_report(site.root / "gateway", "strict")
    assert report.waiting_bytes > 0
    assert report.in_force == ("batch",)
    assert "the sink is dead" in report.troubles[0]
    site.tables.fails = lambda table: False
    drain.step(at_once=True)
    write_state(site.folder, drain.state)
    report = log_report(site.root / "gateway", "batch")
    assert (report.waiting_bytes, report.troubles, report.in_force) == (0, (), ())
    (site.folder / "log.json").write_bytes(os.urandom(20))
    assert read_state(site.folder).rows == 0
