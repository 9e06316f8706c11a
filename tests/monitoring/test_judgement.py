from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.measurement import State
from mainspring.domain.monitor import Monitor
from mainspring.monitoring.judgement import SHOWN, Figure, judge, judge_between, surety

numbers = st.floats(-1e3, 1e3)
widths = st.floats(1e-3, 1e2)


@given(numbers, widths, widths, numbers, st.booleans(), st.floats(2.0, 6.0))
def test_it_is_bad_only_where_the_whole_interval_lies_beyond_the_bar(
    value: float, below: float, above: float, bar: float, greater: bool, sure: float
) -> None:
    figure = Figure(value, value - below, value + above, 100)
    state, note = judge(figure, bar, greater_is_better=greater, surety=sure)
    beyond = figure.high < bar if greater else figure.low > bar  # type: ignore[operator]
    if state is State.BAD:
        assert beyond
    if state is State.FINE:
        assert not beyond
    assert bool(note) == (
        state is State.UNKNOWN or (state is State.FINE and (value < bar if greater else value > bar))
    )


@given(numbers, widths, widths, numbers, st.floats(2.0, 6.0))
def test_more_and_less_mirror_each_other(
    value: float, below: float, above: float, bar: float, sure: float
) -> None:
    one = judge(Figure(value, value - below, value + above, 9), bar, greater_is_better=True, surety=sure)
    other = judge(Figure(-value, -value - above, -value + below, 9), -bar, greater_is_better=False, surety=sure)
    assert one == other


def test_between_the_interval_and_the_surety_it_is_unknown() -> None:
    states = [
        judge(Figure(0.70 - beyond, 0.69 - beyond, 0.71 - beyond, 9), 0.70, greater_is_better=True, surety=4.0)[0]
        for beyond in (0.0, 0.009, 0.011, 0.0203, 0.0207)
    ]
    assert states == [State.FINE, State.FINE, State.UNKNOWN, State.UNKNOWN, State.BAD]
    assert 0.0203 < 0.01 * 4.0 / SHOWN < 0.0207


def test_a_bar_that_is_not_known_for_sure_makes_it_harder_to_be_bad() -> None:
    figure = Figure(0.60, 0.59, 0.61, 900)
    sealed = Figure(0.63, 0.53, 0.73, 90)
    assert judge(figure, 0.63, greater_is_better=True, surety=4.0)[0] is State.BAD
    assert judge(figure, 0.63, greater_is_better=True, surety=4.0, of_bar=sealed)[0] is State.FINE


def test_what_could_not_be_measured_is_unknown() -> None:
    nothing = Figure(None, None, None, 3)
    assert judge(nothing, 0.5, greater_is_better=True, surety=4.0)[0] is State.UNKNOWN
    assert judge(Figure(0.1, None, None, 3), 0.5, greater_is_better=True, surety=4.0)[0] is State.UNKNOWN
    assert judge(Figure(0.1, None, None, 3), None, greater_is_better=True, surety=4.0)[0] is State.FINE


def test_who_looks_more_often_or_at_more_is_surer() -> None:
    rarely = Monitor.performance("roc_auc", every="1d")
    often = Monitor.performance("roc_auc", every="10m")
    assert SHOWN < surety(rarely) < surety(often) < surety(often, 50)


def test_of_two_bars_the_one_that_is_missed_counts() -> None:
    watched = Monitor.technical("label_share", at_least=0.2, at_most=0.6)
    found = [judge_between(Figure(value, value, value, 9), watched) for value in (0.1, 0.4, 0.9)]
    assert [(state, bar) for state, _, bar in found] == [(State.BAD, 0.2), (State.FINE, 0.2), (State.BAD, 0.6)]
