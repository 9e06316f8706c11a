"""Hourly sketches against a plain reading of the log: every row once, whatever happens."""

import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.domain.measurement import Window
from mainspring.domain.prediction_log import Role, predictions_table
from mainspring.domain.release import InputField, Manifest, OutputSpec
from mainspring.domain.schema import Kind, Personal
from mainspring.domain.task import Task
from mainspring.errors import StoreError
from mainspring.monitoring.hours.ages import HOURLY
from mainspring.monitoring.hours.rollup import roll_up
from mainspring.monitoring.hours.samples import samples_table
from mainspring.monitoring.hours.sketch_rows import profiles_table
from mainspring.monitoring.hours.update import update_hours
from mainspring.monitoring.hours.window_profile import rows_by_hour, window_profile, window_sample
from mainspring.monitoring.windows import hour_of
from mainspring.stores.tables_delta import DeltaTables
from mainspring.testing.production import store_answers
from mainspring.testing.releases import a_manifest

T0 = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVER = Window(T0 - timedelta(days=400), T0 + timedelta(days=400))


def manifest(number: int = 1, **changes: Any) -> Manifest:
    """A model of the ages and devices of people."""
    inputs = (
        InputField("age", Kind.INTEGER, minimum=18, maximum=80),
        InputField("device", Kind.CATEGORY, categories=("phone", "tv")),
    )
    return a_manifest(**{"model": "shop", "number": number, "inputs": inputs, **changes})


MANIFESTS = {1: manifest(1), 2: manifest(2)}


class Shop:
    """A model's log, and the clock that its monitor sees."""

    def __init__(self, root: Path, manifests: dict[int, Manifest] = MANIFESTS) -> None:
        self.tables = DeltaTables(str(root))
        self.manifests = manifests
        self.now = T0
        self.logged: list[tuple[datetime, int]] = []  # of every row its time and its age
        self._random = np.random.default_rng(0)

    def answer(
        self, hour: float, rows: int = 1, *, release: int = 1, role: Role = Role.CHAMPION, **given: Any
    ) -> None:
        """Answer requests at so many hours after T0, a tenth of a second apart."""
        at = [T0 + hour * HOUR + n * timedelta(milliseconds=100) for n in range(rows)]
        ages = self._random.integers(18, 81, rows).tolist()
        frame = pl.DataFrame(
            {"age": given.get("age", ages), "device": given.get("device", ["phone"] * rows)},
            schema={"age": pl.Int64, "device": pl.String},
        )
        yes = self._random.random(rows)
        start = len(self.logged)
        ids = given.get("ids", [f"r{start + n}-{release}-{role}" for n in range(rows)])
        store_answers(
            self.tables,
            self.manifests.get(release, manifest(release)),
            frame,
            np.c_[1 - yes, yes],
            at,
            ids,
            role=role,
        )
        self.logged += list(zip(at, frame.get_column("age").to_list(), strict=True))

    def update(self, **given: Any) -> int:
        return update_hours(self.tables, "shop", self.manifests, now=given.pop("now", self.now), **given)

    def seen(self) -> dict[datetime, int]:
        return dict(rows_by_hour(self.tables, "shop"))

    def truth(self) -> dict[datetime, int]:
        return dict(Counter(hour_of(at) for at, _ in self.logged))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_window_is_what_the_log_says(shop: Shop) -> None:
    shop.answer(0, 300, device=["phone", "tv", None] * 100)
    assert shop.update() == 300
    shop.answer(1, 200)
    shop.answer(0.5, 7)
    assert shop.update() == 207
    assert shop.update() == 0
    found = window_profile(shop.tables, "shop", Window(T0, T0 + 2 * HOUR))
    ages = np.array([age for _, age in shop.logged], dtype=np.float64)
    age = found.inputs.columns["age"]
    assert found.rows == age.rows == age.moments.count == 507
    assert age.moments.mean == pytest.approx(ages.mean())
    assert age.moments.variance == pytest.approx(ages.var(ddof=1))
    assert age.quantiles.rank_error == 0
    assert (age.quantiles.weighted()[0] == np.sort(ages)).all()
    assert age.distinct.estimate == np.unique(ages).size
    device = found.inputs.columns["device"]
    assert (device.frequencies.counts, device.missing) == ({"phone": 307, "tv": 100}, 100)
    assert sum(found.prediction.columns["prediction"].frequencies.counts.values()) == 507
    assert list(found.prediction.columns) == ["prediction", "probability:no", "probability:yes"]
    both = [found.prediction.columns[f"probability:{name}"].moments.mean for name in ("no", "yes")]
    assert sum(both) == pytest.approx(1)
    assert found.latency.moments.mean == pytest.approx(250e-6)
    assert found.hours == [(T0, 307), (T0 + HOUR, 200)]
    assert found.releases == {1: 507}
    one = window_profile(shop.tables, "shop", Window(T0 + HOUR, T0 + 2 * HOUR))
    assert (one.rows, one.inputs.columns["age"].rows) == (200, 200)


def test_a_busy_hour_is_known_within_the_bound(shop: Shop) -> None:
    ages = np.random.default_rng(1).integers(18, 10_000, 20_000)
    for part in range(4):
        shop.answer(0.2 * part, 5_000, age=ages[part * 5000 : (part + 1) * 5000].tolist())
        shop.update()
    age = window_profile(shop.tables, "shop", Window(T0, T0 + HOUR)).inputs.columns["age"]
    assert age.quantiles.count == 20_000
    ordered = np.sort(ages.astype(np.float64))
    wrong = np.abs(age.quantiles.rank(ordered) - np.searchsorted(ordered, ordered, side="right")).max()
    assert 0 < wrong <= age.quantiles.rank_error <= 0.01 * 20_000
    assert age.distinct.estimate == pytest.approx(np.unique(ages).size, rel=4 / np.sqrt(254))


def test_what_training_did_not_have_is_counted(shop: Shop) -> None:
    shop.answer(0, 6, age=[17, 18, 80, 81, None, 500], device=["fridge", "tv", "car", "car", None, "phone"])
    shop.update()
    shop.answer(0, 1, age=[3], device=["car"])
    shop.update()
    found = window_profile(shop.tables, "shop", EVER)
    assert found.unseen == {"age": 0, "device": 4}
    assert found.out_of_range == {"age": 4, "device": 0}
    assert found.unseen_examples == {"device": {"car": 3, "fridge": 1}}


def test_a_million_levels_stay_few(shop: Shop) -> None:
    shop.answer(0, 5000, device=[f"d{n % 4000}" for n in range(5000)])
    shop.update()
    found = window_profile(shop.tables, "shop", EVER)
    assert found.unseen["device"] == 5000
    assert len(found.unseen_examples["device"]) == 20
    assert len(found.inputs.columns["device"].frequencies.counts) <= 1000
    assert found.inputs.columns["device"].frequencies.error > 0


def test_releases_and_roles_are_told_apart(shop: Shop) -> None:
    shop.answer(0, 5)
    shop.answer(0, 3, release=2, role=Role.CANARY)
    shop.answer(0, 4, release=2, role=Role.SHADOW)
    shop.answer(0, 2, release=9)
    shop.update()
    found = window_profile(shop.tables, "shop", EVER)
    assert (found.rows, found.releases) == (10, {1: 5, 2: 3, 9: 2})
    assert found.inputs.columns["age"].rows == 8, "of a release without a manifest nothing but the number is known"
    assert window_profile(shop.tables, "shop", EVER, release=2).rows == 3
    assert window_profile(shop.tables, "shop", EVER, roles=[Role.SHADOW]).rows == 4
    assert rows_by_hour(shop.tables, "shop") == [(T0, 10)]


def test_an_input_of_another_kind_is_that_of_the_newest_release(shop: Shop) -> None:
    shop.answer(0, 5)
    text = manifest(3, inputs=(InputField("device", Kind.ID), MANIFESTS[1].inputs[0]))
    shop.manifests = {**MANIFESTS, 3: text}
    shop.answer(0, 2, release=3)
    shop.update()
    found = window_profile(shop.tables, "shop", EVER)
    assert found.inputs.columns["device"].kind is Kind.ID
    assert (found.inputs.columns["device"].rows, found.inputs.columns["age"].rows) == (2, 7)
    assert found.other_kind == ("device",)


def test_what_is_a_persons_is_not_sketched(shop: Shop) -> None:
    age = MANIFESTS[1].inputs[0]
    hidden = InputField("device", Kind.CATEGORY, personal=Personal.HASH)
    shop.manifests = {1: manifest(inputs=(age, hidden))}
    shop.answer(0, 5)
    shop.update()
    assert list(window_profile(shop.tables, "shop", EVER).inputs.columns) == ["age"]


def test_a_regression_has_one_column_of_answers(shop: Shop) -> None:
    shop.manifests = {1: manifest(task=Task.REGRESSION, output=OutputSpec(Task.REGRESSION))}
    shop.answer(0, 50)
    shop.update()
    found = window_profile(shop.tables, "shop", EVER).prediction.columns
    assert list(found) == ["prediction"]
    assert (found["prediction"].kind, found["prediction"].moments.count) == (Kind.NUMBER, 50)


def test_odd_times_have_their_place(shop: Shop) -> None:
    shop.answer(-24 * 60, 2)  # two months late
    shop.answer(20, 3)  # a clock that is some hours ahead
    shop.answer(24 * 300, 4)  # one that is wrong
    assert shop.update() == 9
    found = window_profile(shop.tables, "shop", EVER)
    assert found.ahead == 4
    assert [rows for _, rows in found.hours] == [2, 3]
    assert found.inputs.columns["age"].rows == 5


def test_a_request_id_that_is_used_again_counts_once(shop: Shop) -> None:
    shop.answer(0, 3, ids=["a", "b", "a"])
    shop.answer(0, 2, ids=["b", "c"])
    shop.answer(0, 1, release=2, ids=["c"])
    shop.update()
    assert window_profile(shop.tables, "shop", EVER).releases == {1: 3, 2: 1}


def test_nothing_to_read_is_nothing(shop: Shop) -> None:
    assert shop.update() == 0
    found = window_profile(shop.tables, "shop", EVER)
    assert (found.rows, found.hours, found.inputs.columns, found.window) == (0, [], {}, EVER)
    assert window_sample(shop.tables, "shop", EVER).is_empty()
    assert shop.seen() == {}
    shop.answer(0, 1)
    shop.update()
    assert window_profile(shop.tables, "shop", Window(T0 + HOUR, T0 + 2 * HOUR)).rows == 0


def test_two_at_the_same_time_do_not_count_twice(shop: Shop) -> None:
    shop.answer(0, 5)
    shop.update()
    shop.answer(1, 5)

    class Slow(DeltaTables):
        def record(self, table: str, *given: Any, **named: Any) -> int:
            shop.update()  # the other one was faster
            return super().record(table, *given, **named)

    with pytest.raises(StoreError, match="another process"):
        update_hours(Slow(str(shop.tables._root)), "shop", MANIFESTS, now=T0)
    assert shop.seen() == shop.truth()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("answer"), st.integers(-30, 20), st.integers(1, 5)),
        st.tuples(st.just("update"), st.integers(0, 60), st.just(0)),
        st.tuples(st.sampled_from(["compact", "forget"]), st.just(0), st.just(0)),
    ),
    min_size=1,
    max_size=14,
)


@settings(deadline=None, max_examples=12)
@given(STEPS)
def test_every_row_is_counted_once_whatever_the_order_of_things(tmp_path_factory: Any, steps: list[Any]) -> None:
    shop = Shop(tmp_path_factory.mktemp("shop"))
    log = predictions_table("shop")
    for what, when, rows in [*steps, ("answer", 0, 1), ("update", 0, 0)]:
        if what == "answer":
            shop.answer(when, rows)
        elif what == "update":
            shop.update(now=T0 + timedelta(days=when))
        elif shop.tables.exists(log):
            if what == "compact":
                for day in list(shop.tables.partitions(log)):
                    shop.tables.compact(log, day)
            else:
                forget(shop.tables, log)
    assert sum(shop.seen().values()) == len(shop.logged)
    age = window_profile(shop.tables, "shop", EVER).inputs.columns["age"]
    assert age.quantiles.weighted()[0].tolist() == sorted(age for _, age in shop.logged)
    assert window_sample(shop.tables, "shop", EVER).height == len(shop.logged)


def forget(tables: DeltaTables, table: str) -> None:
    """Take away the entries of a table's log, as a week does."""
    folder = tables._root / table / "_delta_log"
    tables._open(table).create_checkpoint()
    for path in folder.glob("*.json"):
        if int(path.stem) < tables.version(table):
            path.unlink()


def test_after_a_week_of_silence_the_log_is_read_anew(shop: Shop) -> None:
    shop.answer(-24 * 3, 4)
    shop.answer(0, 5)
    shop.update()
    shop.tables.drop(predictions_table("shop"), before="2026-03-01")  # an old day is kept as it was sketched
    shop.answer(1, 6)
    shop.answer(2, 7)
    forget(shop.tables, predictions_table("shop"))

    class Late(DeltaTables):
        def partitions(self, table: str) -> Any:
            if not late:  # a row of the dropped day comes while the log is being read
                late.append(True)
                shop.answer(-24 * 3, 1)
            return super().partitions(table)

    late: list[bool] = []
    assert update_hours(Late(str(shop.tables._root)), "shop", MANIFESTS, now=T0) == 18
    shop.update()
    assert shop.seen() == shop.truth()
    shop.answer(1, 1)
    assert shop.update() == 1
    assert shop.seen() == shop.truth()


class Dies(Exception):
    pass


class Mortal(DeltaTables):
    """Ends its process's work before one of its commits, which is also after the one before."""

    def __init__(self, root: str, commits: int) -> None:
        super().__init__(root)
        self._left = commits

    def record(self, *given: Any, **named: Any) -> int:
        self._count()
        return super().record(*given, **named)

    def rewrite(self, *given: Any, **named: Any) -> int:
        self._count()
        return super().rewrite(*given, **named)

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Dies


def test_broken_off_before_any_commit_and_done_again_it_is_undisturbed(tmp_path: Path) -> None:
    first = Shop(tmp_path / "first")
    for day in (-24 * 40, 0):
        first.answer(day, 3)
    later = T0 + timedelta(days=3)
    deaths = 0
    for commits in range(100):
        place = shutil.copytree(tmp_path / "first", tmp_path / str(commits))
        shop = Shop(place)
        shop.logged = list(first.logged)
        mortal = Mortal(str(place), commits)
        died = False
        try:
            update_hours(mortal, "shop", MANIFESTS, now=T0)
            shop.answer(24, 2)
            update_hours(mortal, "shop", MANIFESTS, now=later)
        except Dies:
            died = True
            shop.update(now=later)
        assert sum(shop.seen().values()) == len(shop.logged), commits
        assert window_sample(shop.tables, "shop", EVER).height == len(shop.logged)
        if not died:
            break
        deaths += 1
    assert deaths > 10


_KILLED = """
import os, signal, sys, threading, time
from mainspring.monitoring.hours.update import update_hours
from mainspring.stores import delta_logs
sys.path.insert(0, sys.argv[3])
import test_update
write, count = delta_logs.write_files, 0
def dying(*given, **named):
    global count
    count += 1
    if count == int(sys.argv[2]):
        threading.Timer(float(sys.argv[4]), os.kill, (os.getpid(), signal.SIGKILL)).start()
    return write(*given, **named)
delta_logs.write_files = dying
update_hours(test_update.DeltaTables(sys.argv[1]), "shop", test_update.MANIFESTS, now=test_update.T0)
time.sleep(1)
"""


@pytest.mark.parametrize(("write", "wait"), [(1, 0), (2, 0.003), (3, 0.01), (5, 0)])
def test_killed_in_the_middle_of_a_commit_it_is_undisturbed(tmp_path: Path, write: int, wait: float) -> None:
    shop = Shop(tmp_path)
    for day in range(3):
        shop.answer(-24 * day, 3)
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tmp_path), str(write), os.path.dirname(__file__), str(wait)],  # noqa: PTH120
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    shop.update()
    assert shop.seen() == shop.truth()
    assert window_sample(shop.tables, "shop", EVER).height == 9


def test_old_hours_become_days_and_many_increments_one(shop: Shop) -> None:
    for n in range(26):
        shop.answer(n % 2, 3, device=["car", "tv", "tv"])
        shop.update()
    sizes = shop.tables.partitions(profiles_table("shop"))["2026-03-02"]
    assert len(sizes) < 24
    assert shop.seen() == {T0: 39, T0 + HOUR: 39}
    later = T0 + HOURLY + timedelta(days=1)
    before = shop.tables.scan(profiles_table("shop")).collect().height
    shop.update(now=later)
    midnight = T0.replace(hour=0)
    assert shop.seen() == {midnight: 78}
    assert shop.tables.scan(profiles_table("shop")).collect().height < before
    found = window_profile(shop.tables, "shop", Window(T0, T0 + HOUR))
    assert found.window == Window(midnight, midnight + 24 * HOUR)
    assert (found.rows, found.unseen["device"]) == (78, 26)
    ages = sorted(age for _, age in shop.logged)
    assert found.inputs.columns["age"].quantiles.weighted()[0].tolist() == ages
    shop.answer(5, 1)  # very late
    shop.update(now=later)
    assert sum(shop.seen().values()) == 79
    version = shop.tables.version(profiles_table("shop"))
    roll_up(shop.tables, "shop", later)
    roll_up(shop.tables, "shop", later)
    assert shop.seen() == {midnight: 79}
    assert shop.tables.version(profiles_table("shop")) <= version + 1, "what is rolled up is left alone"


def test_a_sample_is_the_same_however_it_was_read(tmp_path: Path) -> None:
    at_once, in_parts = Shop(tmp_path / "a"), Shop(tmp_path / "b")
    for n in range(6):
        ids = [f"{n}-{row}" for row in range(150)]
        for shop in (at_once, in_parts):
            shop.answer(n // 3, 150, ids=ids)
        in_parts.update()
    at_once.update()
    in_parts.tables.compact(samples_table("shop"), "2026-03-02")
    first, second = (window_sample(shop.tables, "shop", EVER) for shop in (at_once, in_parts))
    assert first.get_column("id").to_list() == second.get_column("id").to_list()
    assert 100 < first.height <= 200
    assert {"input_age", "input_device", "outputs"} <= set(first.columns)
