"""The table of measurements gives back what was written, once."""

import errno
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.domain.measurement import Measurement, State, Window
from mainspring.errors import StoreError
from mainspring.monitoring.measurements import (
    all_measured_until,
    measurements_table,
    merge_measurements,
    newest_measurements,
    read_measurements,
    write_measurements,
)
from mainspring.stores.tables_delta import DeltaTables

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
DAY = Window(NOON - timedelta(days=1), NOON)
LONG_AGO, EVER = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)

numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
measurements = st.builds(
    Measurement,
    monitor=st.sampled_from(["drift", "gain"]),
    kind=st.just("drift"),
    subject=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    window=st.just(DAY),
    at=st.integers(0, 10**6).map(lambda s: NOON + timedelta(seconds=s)),
    state=st.sampled_from(State),
    release=st.none() | st.integers(1, 10**6),
    slice=st.dictionaries(st.text("abc", max_size=3), st.text("é\"'\\", max_size=3), max_size=2),
    value=numbers,
    low=numbers,
    high=numbers,
    reference=numbers,
    bar=numbers,
    rows=st.integers(0, 2**40),
    method=st.just("KS"),
    p_value=numbers,
    estimated=st.booleans(),
    note=st.text("abc\n", max_size=5),
    example=st.dictionaries(st.text("xy", max_size=2), st.none() | st.integers(-5, 5) | st.text("z"), max_size=2),
)


def told(one: Measurement) -> bytes:
    return msgspec.json.encode(one, order="sorted")


@settings(max_examples=15, deadline=None)
@given(st.lists(measurements, min_size=1, max_size=6))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, found: list[Measurement]) -> None:
    tables = DeltaTables(str(tmp_path_factory.mktemp("tables")))
    write_measurements(tables, "shop", found, ticks={"drift": (0, 5)})
    read = read_measurements(tables, "shop", since=LONG_AGO, until=EVER)
    assert sorted(map(told, read)) == sorted(map(told, found))
    only = read_measurements(tables, "shop", since=LONG_AGO, until=EVER, monitor="gain")
    assert all(one.monitor == "gain" for one in only)
    looks = {name: max(one.at for one in found if one.monitor == name) for name in {one.monitor for one in found}}
    newest = newest_measurements(tables, "shop", since=LONG_AGO, until=EVER)
    assert sorted(map(told, newest)) == sorted(told(one) for one in found if one.at == looks[one.monitor])


def test_a_time_is_measured_once(tmp_path: Path) -> None:
    tables = DeltaTables(str(tmp_path))
    one = Measurement("drift", "drift", "age", DAY, NOON, State.FINE, value=0.1, rows=10)
    assert all_measured_until(tables, "shop", ["drift"]) == {"drift": 0}
    write_measurements(tables, "shop", [one], ticks={"drift": (0, 100)})
    assert all_measured_until(tables, "shop", ["drift"]) == {"drift": 100}
    with pytest.raises(StoreError):
        write_measurements(tables, "shop", [one], ticks={"drift": (0, 100)})
    assert len(read_measurements(tables, "shop", since=LONG_AGO, until=EVER)) == 1


def hourly(tables: DeltaTables, hours: int) -> datetime:
    """A look every hour from noon on, each of which writes a file; the time of the last one."""
    for number in range(hours):
        at = NOON + timedelta(hours=number)
        one = Measurement("drift", "drift", "age", DAY, at, State.FINE, value=float(number), rows=10)
        write_measurements(tables, "shop", [one], ticks={"drift": (number, number + 1)})
    return NOON + timedelta(hours=hours - 1)


def test_the_files_of_a_day_that_is_over_become_one(tmp_path: Path) -> None:
    tables = DeltaTables(str(tmp_path))
    now = hourly(tables, 40)
    before = read_measurements(tables, "shop", since=LONG_AGO, until=EVER)
    merge_measurements(tables, "shop", now)
    table = measurements_table("shop")
    assert [len(sizes) for sizes in tables.partitions(table).values()] == [1, 1, 4], "today's are left"
    assert read_measurements(tables, "shop", since=LONG_AGO, until=EVER) == before
    assert all_measured_until(tables, "shop", ["drift"]) == {"drift": 40}
    version = tables.version(table)
    merge_measurements(tables, "shop", now)
    assert tables.version(table) == version, "there is nothing to be done"


def test_a_merge_that_fails_costs_no_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tables = DeltaTables(str(tmp_path))
    now = hourly(tables, 14)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("mainspring.stores.delta_logs.write_files", full)
        merge_measurements(tables, "shop", now)
    assert "the table measurements/shop was not merged: " in caplog.text
    assert len(read_measurements(tables, "shop", since=LONG_AGO, until=EVER)) == 14
    merge_measurements(tables, "shop", now)
    assert [len(sizes) for sizes in tables.partitions(measurements_table("shop")).values()] == [1, 2]


def test_times_are_bounds(tmp_path: Path) -> None:
    tables = DeltaTables(str(tmp_path))
    assert read_measurements(tables, "shop", since=LONG_AGO, until=EVER) == []
    assert newest_measurements(tables, "shop", since=LONG_AGO, until=EVER) == []
    hours = [NOON + timedelta(hours=n) for n in range(40)]
    found = [Measurement("drift", "drift", "age", DAY, hour, State.FINE) for hour in hours]
    write_measurements(tables, "shop", found, ticks={})
    read = read_measurements(tables, "shop", since=hours[3], until=hours[20])
    assert [one.at for one in read] == hours[4:21]
    (newest,) = newest_measurements(tables, "shop", since=hours[3], until=hours[20])
    assert newest.at == hours[20]


def test_no_number_is_none_that_is_none(tmp_path: Path) -> None:
    tables = DeltaTables(str(tmp_path))
    nan = float("nan")
    one = Measurement("drift", "drift", "age", DAY, NOON, State.UNKNOWN, value=nan, low=-float("inf"), high=1.0)
    write_measurements(tables, "shop", [one], ticks={})
    (read,) = read_measurements(tables, "shop", since=LONG_AGO, until=EVER)
    assert (read.value, read.low, read.high) == (None, None, 1.0)
    assert measurements_table("shop") in tables.names("measurements")
