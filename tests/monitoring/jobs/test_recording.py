"""What is kept of a score job: the whole of a small one, a fair part of a huge one, and once."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind, Personal
from mainspring.errors import StoreError
from mainspring.monitoring.jobs.recording import SAMPLED
from mainspring.monitoring.jobs.sampling import MOST
from mainspring.monitoring.jobs.tables import (
    SAMPLES_KEPT,
    job_samples_table,
    jobs_of,
    jobs_table,
    newest_number,
    samples_of,
)
from mainspring.monitoring.jobs.watcher import JobWatcher
from mainspring.stores.tables_delta import DeltaTables
from mainspring.testing.clock import FakeClock
from mainspring.testing.scored import a_job
from mainspring.testing.watched import DAY, HOUR, T0, Watched


@pytest.fixture
def shop(tmp_path):
    return Watched(tmp_path)


def profile(shop, job, **values):
    context = shop.context(job.ended, champion=job.release, job=job)
    return context.profile(job.window, slice=values)


def keyed(shop, rows):
    return shop.rows(rows).with_columns(impression_id=pl.int_range(rows).cast(pl.String))


def test_the_sketches_of_a_small_job_are_exact(shop):
    rows = shop.rows(3_000)
    job = a_job(shop, rows, T0)
    assert (job.number, job.release, job.rows, job.looked_at, job.name) == (1, 1, 3_000, 3_000, "out.parquet")
    found = profile(shop, job)
    age = found.inputs.columns["age"]
    assert (found.rows, age.rows, found.releases) == (3_000, 3_000, {1: 3_000})
    assert age.moments.mean == pytest.approx(rows["age"].mean())
    assert found.inputs.columns["device"].frequencies.counts == dict(Counter(rows["device"].to_list()))
    assert list(found.prediction.columns) == ["prediction", "probability:no", "probability:yes"]
    yes = shop.outputs(rows, 1)[:, 1]
    assert found.prediction.columns["probability:yes"].moments.mean == pytest.approx(yes.mean())
    assert found.prediction.columns["prediction"].frequencies.counts["yes"] == int((yes >= 0.5).sum())


def test_of_a_huge_job_a_uniform_sample_is_looked_at_and_every_row_counts(shop):
    rows = shop.rows(300_000).with_columns(
        pl.when(pl.int_range(pl.len()) % 2 == 0).then(-1.0).otherwise(1.0).alias("age")
    )
    job = a_job(shop, rows, T0, parts=75_000)
    assert MOST / 2 * 0.95 < job.looked_at <= MOST * 1.05
    found = profile(shop, job)
    assert found.rows == job.rows == 300_000
    age = found.inputs.columns["age"]
    assert age.rows == job.looked_at
    assert abs(age.moments.mean) < 5 / np.sqrt(job.looked_at), "every second row is of another kind"
    sample = samples_of(shop.tables, "shop", [job])
    assert SAMPLED / 2 * 0.9 < sample.height <= SAMPLED * 1.1
    assert abs(sample["input_age"].mean()) < 5 / np.sqrt(sample.height)
    assert sample["id"].to_list() == [f"{job.id}/{row}" for row in sample["row"]]
    again = a_job(shop, rows, T0 + HOUR, parts=60_000)
    assert samples_of(shop.tables, "shop", [again])["row"].equals(sample["row"]), "however it comes in parts"


def test_a_slice_is_known_from_the_sample(shop):
    rows = shop.rows(4_000)
    job = a_job(shop, rows, T0)
    phones = rows.filter(pl.col("device") == "phone")
    found = profile(shop, job, device="phone")
    assert found.rows == found.inputs.columns["age"].rows == phones.height
    assert found.inputs.columns["age"].moments.mean == pytest.approx(phones["age"].mean())
    context = shop.context(job.ended, job=job)
    assert {one["device"]: rows for one, rows in context.slices(job.window, ["device"])} == {
        "phone": phones.height,
        "tv": 4_000 - phones.height,
    }
    assert context.slices(job.window, ["nowhere"]) == []


def test_jobs_are_numbered_as_they_end_and_are_no_answers_of_the_log(shop):
    shop.answer(500)
    jobs = [a_job(shop, shop.rows(200), T0 + hour * HOUR) for hour in range(3)]
    assert [job.number for job in jobs] == [1, 2, 3]
    assert jobs_of(shop.tables, "shop") == jobs
    assert jobs_of(shop.tables, "shop", after=2) == jobs[2:]
    assert newest_number(shop.tables, "shop") == 3
    assert shop.context(T0 + DAY).joined(jobs[0].window).height <= 1
    assert profile(shop, jobs[1]).rows == 200, "two jobs of one hour are told apart"


def test_what_is_a_persons_is_not_kept(tmp_path):
    shop = Watched(tmp_path)
    private = InputField("device", Kind.CATEGORY, personal=Personal.HASH)
    shop.manifests[1] = replace(shop.manifests[1], inputs=(shop.manifests[1].inputs[0], private))
    job = a_job(shop, keyed(shop, 500), T0)
    assert list(profile(shop, job).inputs.columns) == ["age"]
    sample = samples_of(shop.tables, "shop", [job])
    assert [name for name in sample.columns if "device" in name] == []
    assert sample["key"].to_list() == [str(n) for n in range(500)], "by which labels come"


def test_an_input_may_have_any_name(tmp_path):
    shop = Watched(tmp_path)
    fields = [InputField(name, Kind.NUMBER) for name in ("row", "outputs", "0", "^a$", "day", "job")]
    shop.manifests[1] = replace(shop.manifests[1], inputs=(shop.manifests[1].inputs[0], *fields))
    rows = shop.rows(300).with_columns(pl.lit(float(n)).alias(field.name) for n, field in enumerate(fields))
    found = profile(shop, a_job(shop, rows, T0))
    assert {name: column.moments.mean for name, column in found.inputs.columns.items() if name != "age"} == {
        field.name: float(n) for n, field in enumerate(fields)
    }


def test_a_job_of_no_rows_is_known(shop):
    job = a_job(shop, shop.rows(0), T0)
    assert (job.rows, job.looked_at) == (0, 0)
    assert profile(shop, job).rows == 0


class Dies(Exception):
    pass


class Mortal(DeltaTables):
    """Ends its process's work before, or after, one of its commits."""

    def __init__(self, root, commits, *, after):
        super().__init__(root)
        self._left, self._after = commits, after

    def record(self, *given, **named):
        self._left -= 1
        if self._left < 0 and not self._after:
            raise Dies
        found = super().record(*given, **named)
        if self._left < 0:
            raise Dies
        return found


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("commits", [0, 1])
def test_broken_off_around_any_commit_and_ended_again_it_is_there_once(tmp_path, commits, after):
    shop = Watched(tmp_path)
    rows = shop.rows(300)
    a_job(shop, shop.rows(100), T0 - HOUR)
    root = str(tmp_path / "tables")
    folder = tmp_path / "parts"
    folder.mkdir()
    place = folder / "0.kept"

    def attempt(tables, at):
        watcher = JobWatcher(tables, shop.manifests[1], FakeClock(at), name="out.csv")
        watcher.begin(folder)
        watcher.part(place, 0, rows, shop.outputs(rows, 1))
        watcher.end([place], 300)
        return watcher.job

    with pytest.raises(Dies):
        attempt(Mortal(root, commits, after=after), T0)
    a_job(shop, shop.rows(50), T0 + HOUR)
    job = attempt(shop.tables, T0 + 30 * HOUR)
    assert attempt(shop.tables, T0 + 40 * HOUR) == job
    assert job.began == T0
    jobs = jobs_of(shop.tables, "shop")
    assert sorted(one.rows for one in jobs) == [50, 100, 300]
    assert [one.number for one in jobs] == [1, 2, 3]
    assert profile(shop, job).rows == profile(shop, job).inputs.columns["age"].rows == 300
    assert samples_of(shop.tables, "shop", [job]).height == 300


def test_two_that_end_at_once_are_both_there(shop, monkeypatch):
    """Another job comes in between the reading of the place and the commit."""
    record, raced = DeltaTables.record, []

    def racing(self, table, *given, **named):
        if table == jobs_table("shop") and not raced:
            raced.append(table)
            a_job(shop, shop.rows(70), T0, name="other.csv")
        return record(self, table, *given, **named)

    monkeypatch.setattr(DeltaTables, "record", racing)
    job = a_job(shop, shop.rows(90), T0)
    assert [(one.number, one.rows) for one in jobs_of(shop.tables, "shop")] == [(1, 70), (2, 90)]
    assert job.number == 2


def test_a_table_that_cannot_be_written_is_said(shop, monkeypatch):
    def broken(*given, **named):
        raise StoreError("no", cure="yes")

    monkeypatch.setattr(DeltaTables, "record", broken)
    with pytest.raises(StoreError, match="no"):
        a_job(shop, shop.rows(90), T0)


def test_old_rows_go_and_old_days_are_merged(shop):
    for number in range(15):
        a_job(shop, shop.rows(20), T0 + number * HOUR)
    old = jobs_of(shop.tables, "shop")
    later = a_job(shop, shop.rows(20), T0 + SAMPLES_KEPT + timedelta(days=2))
    assert later.number == 16
    assert samples_of(shop.tables, "shop", old).is_empty()
    assert samples_of(shop.tables, "shop", [later]).height == 20
    assert len(shop.tables.partitions(jobs_table("shop"))[T0.date().isoformat()]) == 1
    assert [profile(shop, job).rows for job in old] == [20] * 15
    assert job_samples_table("shop") == "job_samples/shop"
