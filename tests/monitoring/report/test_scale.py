from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.domain.measurement import Window
from mainspring.monitoring.report.scale import UNITS, along, scale_of, time_ticks

VALUES = st.lists(st.none() | st.floats(allow_nan=True, allow_infinity=True), max_size=20)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
LENGTHS = st.timedeltas(timedelta(minutes=1), timedelta(days=2_000))


@settings(deadline=None)
@given(VALUES, st.booleans())
def test_a_scale_holds_every_value_and_has_a_few_round_ticks(values, from_zero):
    scale = scale_of(values, from_zero=from_zero)
    told = [value for value in values if value is not None and abs(value) < 1e300]
    assert scale.low < scale.high
    assert all(scale.low <= value <= scale.high for value in told)
    assert all(0 <= scale.up(value) <= UNITS for value in told)
    ticks = scale.ticks()
    assert 1 <= len(ticks) <= 9
    assert ticks == sorted(set(ticks))


@settings(deadline=None)
@given(MOMENTS, LENGTHS, st.integers(2, 8))
def test_the_ticks_of_a_time_lie_within_it_and_are_few(start, length, most):
    period = Window(start, start + length)
    ticks = time_ticks(period, most)
    assert ticks == sorted(set(ticks))
    assert len(ticks) <= most + 1
    assert all(period.start < tick < period.end for tick in ticks)


@settings(deadline=None)
@given(MOMENTS, LENGTHS, st.lists(MOMENTS, max_size=5))
def test_places_go_from_left_to_right(start, length, moments):
    period = Window(start, start + length)
    places = [along(moment, period) for moment in sorted(moments)]
    assert places == sorted(places)
    assert (along(period.start, period), along(period.end, period)) == (0, UNITS)
