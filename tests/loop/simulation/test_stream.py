"""The stream: what comes when, and when its truth is known."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.errors import UsageError
from mainspring.loop.simulation.clock import SimulatedClock
from mainspring.loop.simulation.delay import LabelDelay
from mainspring.loop.simulation.scratch import Scratch, scratch_project
from mainspring.loop.simulation.stream import Stream, read_stream
from mainspring.project import load_project
from mainspring.workspace import Workspace

T0 = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def a_stream(minutes: list[int], start: int = 1) -> Stream:
    at = tuple(T0 + timedelta(minutes=one) for one in sorted(minutes))
    return Stream(pl.DataFrame({"n": range(len(at))}), at, start)


@given(minutes=st.lists(st.integers(0, 20_000), min_size=2, max_size=200), hours=st.integers(1, 30))
def test_each_row_is_in_one_batch_and_no_batch_ends_before_its_rows(minutes: list[int], hours: int) -> None:
    stream, pause = a_stream(minutes), hours * HOUR
    batches = list(stream.batches(pause))
    assert [row for first, last, _ in batches for row in range(first, last)] == list(range(1, len(stream.at)))
    ends = [end for _, _, end in batches]
    assert ends == sorted(set(ends))
    for first, last, end in batches:
        assert last > first, "a time without rows has no look"
        assert all(end - pause <= moment < end for moment in stream.at[first:last])


@given(minutes=st.lists(st.integers(0, 5_000), min_size=2, max_size=100), delay=st.integers(0, 120))
def test_a_truth_is_known_after_the_delay_and_never_before_its_row(minutes: list[int], delay: int) -> None:
    stream = a_stream(minutes)
    by_rows = stream.known_at(LabelDelay(rows=delay))
    assert [moment is None for moment in by_rows] == [row + delay >= len(by_rows) for row in range(len(by_rows))]
    assert all(known is None or known >= at for known, at in zip(by_rows, stream.at, strict=True))
    by_time = stream.known_at(LabelDelay(time=timedelta(minutes=delay)))
    assert by_time == [at + timedelta(minutes=delay) for at in stream.at]


@pytest.mark.parametrize("text", ["", "rows", "-3 rows", "soon", "3 apples"])
def test_a_delay_that_is_none_is_refused_with_the_cure(text: str) -> None:
    with pytest.raises(UsageError, match="no delay of labels") as error:
        LabelDelay.parse(text)
    assert "500 rows" in (error.value.cure or "")


def test_the_clock_goes_forward_only_and_nobody_waits() -> None:
    clock = SimulatedClock(T0)
    clock.sleep(7 * 86_400)
    assert clock.now() == T0 + timedelta(days=7)
    clock.put_on(T0)
    assert clock.now() == T0 + timedelta(days=7)
    before = clock.monotonic()
    assert before <= clock.monotonic()


def read(project: Path, tmp_path: Path, **given: object) -> Stream:
    loaded = load_project(project, {})
    folder = tmp_path / "scratch"
    folder.mkdir(exist_ok=True)
    with Workspace(scratch_project(loaded, Scratch.of(loaded, folder)).settings) as workspace:
        asked = {"start": 1_000, "rows_an_hour": 100.0} | given
        return read_stream(workspace, loaded, [str(project / "stream.csv")], **asked)  # type: ignore[arg-type]


def test_rows_without_times_come_as_fast_as_is_said(visits: Path, tmp_path: Path) -> None:
    stream = read(visits, tmp_path, rows_an_hour=100.0)
    assert stream.at[1_100] - stream.at[1_000] == HOUR
    assert stream.begins_at == stream.at[1_000]
    assert set(stream.rows.columns) == {"visit", "age", "depth", "bought"}


def test_a_stream_that_says_no_times_needs_a_speed(visits: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="how fast the rows come") as error:
        read(visits, tmp_path, rows_an_hour=None)
    assert "--speed" in (error.value.cure or "")


def test_a_stream_that_is_too_short_is_refused(visits: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has 4,800 rows .* learn from 4,800"):
        read(visits, tmp_path, start=4_800)


def test_rows_come_in_the_order_of_their_times_and_those_without_a_truth_not_at_all(
    visits: Path, tmp_path: Path
) -> None:
    rows = pl.read_csv(visits / "stream.csv").head(400)
    at = [T0 + HOUR * ((n * 7) % 400) for n in range(400)]
    rows = rows.with_columns(pl.Series("came", at), bought=pl.when(pl.int_range(pl.len()) != 5).then("bought"))
    rows.write_csv(visits / "stream.csv")
    text = (visits / "model.py").read_text().replace('key="visit"', 'key="visit", time="came"')
    (visits / "model.py").write_text(text)
    schema = (visits / "schema.toml").read_text()
    (visits / "schema.toml").write_text(schema + '\n[columns.came]\nkind = "time"\ntime_format = "iso"\n')
    stream = read(visits, tmp_path, start=100, rows_an_hour=None)
    assert len(stream.at) == 399
    assert list(stream.at) == sorted(stream.at)
    assert stream.rows.get_column("came").to_list() == list(stream.at)
