"""Which windows are due: none twice, none left out, and after a pause no flood of them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.durations import parse_duration
from mainspring.domain.measurement import Window
from mainspring.domain.monitor import Monitor
from mainspring.monitoring.windows import MOST_AT_ONCE, SETTLED, due_windows, is_due, next_look, whole_hours

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
FIRST = MONDAY - 30 * DAY


def seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def test_windows_slide_by_the_hour() -> None:
    now = MONDAY + 12 * HOUR + timedelta(minutes=30)
    due = due_windows(
        Monitor.drift(window="1d", every="1h"), measured_until=seconds(MONDAY + 9 * HOUR), now=now, first=FIRST
    )
    ends = [MONDAY + n * HOUR for n in (10, 11, 12)]
    assert due == [(seconds(end), Window(end - DAY, end)) for end in ends]


def test_windows_as_long_as_every_follow_one_another() -> None:
    now = MONDAY + 5 * DAY + HOUR
    due = due_windows(Monitor.drift(window="1d", every="1d"), measured_until=seconds(MONDAY), now=now, first=FIRST)
    windows = [window for _, window in due]
    assert windows[0].start == MONDAY
    assert [window.start for window in windows[1:]] == [window.end for window in windows[:-1]]
    assert windows[-1].end == MONDAY + 5 * DAY


def test_a_week_begins_on_a_monday() -> None:
    ((_, window),) = due_windows(
        Monitor.drift(window="1w", every="1w"), measured_until=0, now=MONDAY + DAY, first=MONDAY - DAY
    )
    assert window == Window(MONDAY - 7 * DAY, MONDAY)


@pytest.mark.parametrize("day", [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)])
def test_a_day_on_which_clocks_are_changed_has_24_hours(day: datetime) -> None:
    ((_, window),) = due_windows(
        Monitor.drift(window="1d", every="1d"), measured_until=seconds(day), now=day + 25 * HOUR, first=FIRST
    )
    assert window == Window(day, day + 24 * HOUR)


def test_a_window_waits_until_its_last_rows_have_come() -> None:
    monitor = Monitor.drift(window="1h")
    end = MONDAY + HOUR

    def due(now: datetime) -> int:
        return len(due_windows(monitor, measured_until=seconds(MONDAY), now=now, first=FIRST))

    assert due(end) == 0
    assert due(end + SETTLED - timedelta(seconds=1)) == 0
    assert due(end + SETTLED) == 1


@pytest.mark.parametrize(("every", "wait"), [("10m", 60), ("5s", 20), ("1s", 10)])
def test_who_looks_often_waits_for_less(every: str, wait: int) -> None:
    monitor = Monitor.concept(every=every)
    measured = MONDAY + HOUR
    after = measured + parse_duration(every) + timedelta(seconds=wait)

    def due(now: datetime) -> int:
        assert is_due(monitor, measured_until=seconds(measured), now=now) is (now >= after)
        return len(due_windows(monitor, measured_until=seconds(measured), now=now, first=FIRST))

    assert due(after - timedelta(milliseconds=1)) == 0
    assert due(after) == 1
    assert next_look([monitor], after - timedelta(milliseconds=1)) == after


def test_after_a_long_pause_only_the_newest_are_measured() -> None:
    now = MONDAY + timedelta(minutes=5)
    due = due_windows(Monitor.drift(), measured_until=seconds(now - 300 * DAY), now=now, first=now - 400 * DAY)
    assert len(due) == MOST_AT_ONCE
    assert due[-1][0] == seconds(MONDAY)
    assert due[0][0] == seconds(MONDAY - (MOST_AT_ONCE - 1) * HOUR)


def test_nothing_is_due_before_the_first_answer_or_when_the_clock_was_put_back() -> None:
    monitor = Monitor.drift()
    assert due_windows(monitor, measured_until=0, now=MONDAY, first=None) == []
    assert due_windows(monitor, measured_until=0, now=MONDAY, first=MONDAY + HOUR) == []
    assert due_windows(monitor, measured_until=seconds(MONDAY + 5 * HOUR), now=MONDAY, first=FIRST) == []


def test_a_window_of_rows_is_the_whole_hours_that_hold_them() -> None:
    monitor = Monitor.drift(window="500 rows", every="1h")
    hours = [(MONDAY + n * HOUR, rows) for n, rows in ((0, 400), (1, 300), (4, 250), (5, 10))]
    due = due_windows(
        monitor,
        measured_until=seconds(MONDAY),
        now=MONDAY + 6 * HOUR + SETTLED,
        first=MONDAY,
        hours=hours,
    )
    by_end = {(tick - seconds(MONDAY)) // 3600: window for tick, window in due}
    assert list(by_end) == [2, 3, 4, 5, 6], "one hour holds too few rows"
    assert by_end[2] == Window(MONDAY, MONDAY + 2 * HOUR)
    assert by_end[4] == Window(MONDAY, MONDAY + 4 * HOUR)
    assert by_end[5] == Window(MONDAY + HOUR, MONDAY + 5 * HOUR)
    assert by_end[6] == Window(MONDAY + HOUR, MONDAY + 6 * HOUR)


@given(
    st.sampled_from(["7s", "90s", "1.5s", "500ms", "20m", "1h", "1h30m", "1d", "1w"]),
    st.lists(st.timedeltas(timedelta(0), timedelta(hours=9)), min_size=1, max_size=12),
)
def test_looking_often_or_seldom_gives_the_same_windows(every: str, pauses: list[timedelta]) -> None:
    monitor = Monitor.drift(every=every, window="1d")
    now = MONDAY
    until = 0
    seen: list[int] = []
    for pause in pauses:
        now += pause
        due = due_windows(monitor, measured_until=until, now=now, first=FIRST)
        assert len(due) <= MOST_AT_ONCE
        for tick, window in due:
            assert window.end == datetime.fromtimestamp(tick, UTC) <= now
            assert window.length == DAY
            seen.append(tick)
            until = tick
    assert seen == sorted(set(seen))
    at_once = [tick for tick, _ in due_windows(monitor, measured_until=0, now=now, first=FIRST)]
    assert set(at_once) <= set(seen)


@given(st.datetimes(datetime(2026, 1, 1), datetime(2026, 2, 1)), st.timedeltas(timedelta(seconds=1), DAY))
def test_whole_hours_hold_the_window_and_little_else(start: datetime, length: timedelta) -> None:
    window = Window(start.replace(tzinfo=UTC), start.replace(tzinfo=UTC) + length)
    found = whole_hours(window)
    assert found.start <= window.start < found.start + HOUR
    assert found.end - HOUR < window.end <= found.end
    assert seconds(found.start) % 3600 == seconds(found.end) % 3600 == 0


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    st.lists(st.sampled_from(["90s", "20m", "1h", "7h", "1d", "1w"]), min_size=1),
    st.floats(0, 1, exclude_max=True),
)
def test_between_two_looks_nothing_is_due(now, lengths, share):
    monitors = [Monitor.drift(every=every) for every in lengths]
    again = next_look(monitors, now)
    assert now < again <= now + HOUR
    before = now + (again - now) * share
    if before < again:
        assert not any(is_due(one, measured_until=seconds(now - SETTLED), now=before) for one in monitors)
    ticks = [one for one in monitors if is_due(one, measured_until=seconds(again) - 61, now=again)]
    assert ticks or again.minute == 1
