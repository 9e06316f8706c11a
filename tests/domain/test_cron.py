"""A schedule comes when every other cron would have it come, and says where it makes no sense."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.domain.cron import parse_cron
from mainspring.errors import DeclarationError

MOMENTS = st.datetimes(datetime(1999, 1, 1), datetime(2110, 1, 1), timezones=st.just(UTC))


@st.composite
def parts(draw: st.DrawFn, low: int, high: int) -> str:
    first = draw(st.integers(low, high - 1))
    last = draw(st.integers(first + 1, high))  # croniter takes `0-0` for `*`
    step = draw(st.integers(1, high))
    return draw(st.sampled_from([str(first), f"{first}-{last}", f"{first}-{last}/{step}"]))


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    every = st.integers(1, high).map("*/{}".format)
    return st.just("*") | every | st.lists(parts(low, high), min_size=1, max_size=3).map(",".join)


# No day of the month after the 28th, so that each of them comes (other ones have a test of their own).
SCHEDULES = st.tuples(fields(0, 59), fields(0, 23), fields(1, 28), fields(1, 12), fields(0, 6)).map(" ".join)


@settings(max_examples=50, deadline=None)
@given(SCHEDULES, MOMENTS)
def test_it_comes_when_another_implementation_has_it_come(schedule: str, moment: datetime) -> None:
    ours = parse_cron(schedule)
    theirs = croniter(schedule, moment, implement_cron_bug=True, max_years_between_matches=50)
    assert ours.next(moment) == theirs.get_next(datetime)
    at = ours.next(moment)
    before = croniter(schedule, at, implement_cron_bug=True, max_years_between_matches=50).get_prev(datetime)
    assert ours.last(at - timedelta(microseconds=1)) == before
    assert ours.last(at) == at


@given(SCHEDULES, MOMENTS)
def test_no_moment_lies_between_the_last_and_the_next(schedule: str, moment: datetime) -> None:
    cron = parse_cron(schedule)
    last, after = cron.last(moment), cron.next(moment)
    assert last <= moment < after
    assert cron.next(last) == after
    assert cron.last(after - timedelta(minutes=1)) == last


@pytest.mark.parametrize(
    ("schedule", "moment", "expected"),
    [
        ("0 0 29 2 *", datetime(2096, 3, 1), datetime(2104, 2, 29)),  # 2100 is no leap year
        ("0 0 31 * *", datetime(2026, 1, 31), datetime(2026, 3, 31)),
        ("0 0 13 * fri", datetime(2026, 3, 1), datetime(2026, 3, 6)),  # either day is enough
        ("0 0 29 2 */7", datetime(2088, 3, 1), datetime(2128, 2, 29)),  # a Sunday that is a 29th of February
        ("30 2 * * *", datetime(2026, 3, 29, 0, 59), datetime(2026, 3, 29, 2, 30)),  # clocks go on in Berlin
        ("5/20 8 * * *", datetime(2026, 3, 1, 8, 5), datetime(2026, 3, 1, 8, 25)),
        ("0 0 * jan-MAR sun", datetime(2026, 3, 30), datetime(2027, 1, 3)),
        ("0 0 * * 7", datetime(2026, 3, 30), datetime(2026, 4, 5)),
    ],
)
def test_rare_days_and_days_of_another_length(schedule: str, moment: datetime, expected: datetime) -> None:
    assert parse_cron(schedule).next(moment.replace(tzinfo=UTC)) == expected.replace(tzinfo=UTC)


def test_a_moment_of_another_zone_is_the_same_moment() -> None:
    cron = parse_cron("0 3 * * *")
    noon = datetime(2026, 10, 25, 12, tzinfo=UTC)
    assert cron.next(noon.astimezone(timezone(timedelta(hours=14)))) == cron.next(noon)


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("", "has 0 fields"),
        ("0 3 * *", "has 4 fields"),
        ("0 0 3 * * 1", "has 6 fields"),
        ("@daily", "has 1 field,"),
        ("60 3 * * *", "'60' is no minute"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 0 0 * *", "'0' is no day of the month"),
        ("0 0 1 13 *", "'13' is no month"),
        ("0 0 * * 8", "'8' is no day of the week"),
        ("0 0 * * funday", "'funday' is no day of the week"),
        ("*/0 * * * *", "no minute"),
        ("5-2 * * * *", "no minute"),
        ("1,,2 * * * *", "no minute"),
        ("-1 * * * *", "no minute"),
        ("1.5 * * * *", "no minute"),
        ("٣ * * * *", "no minute"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 4,6,9,11 *", "never comes"),
    ],
)
def test_what_makes_no_sense_says_so(schedule: str, words: str) -> None:
    with pytest.raises(DeclarationError, match=words) as caught:
        parse_cron(schedule)
    assert caught.value.cure


@given(st.text(max_size=30) | st.lists(st.text("0123456789*/-,?LW#a ", max_size=6), max_size=7).map(" ".join))
def test_any_text_is_a_schedule_or_refused(text: str) -> None:
    try:
        cron = parse_cron(text)
    except DeclarationError:
        return
    assert cron.next(datetime(2026, 1, 1, tzinfo=UTC)) > datetime(2026, 1, 1, tzinfo=UTC)
