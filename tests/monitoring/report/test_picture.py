import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.domain.schema import Kind
from mainspring.monitoring.report.picture import feature_picture, feature_pictures, told
from mainspring.stats.profile import ColumnProfile, Profile


def numbers(values, kind=Kind.NUMBER):
    column = ColumnProfile(kind)
    column.add_numbers(np.asarray(values, dtype=np.float64))
    return column


def counts(values, missing=0, kind=Kind.CATEGORY):
    column = ColumnProfile(kind)
    column.add_counts(values, missing)
    return column


def sums(picture):
    return sum(bar.reference for bar in picture.bars), sum(bar.window for bar in picture.bars)


def test_ranges_hold_every_row_on_the_same_edges():
    rng = np.random.default_rng(1)
    picture = feature_picture("x", numbers(rng.normal(0, 1, 5_000)), numbers(rng.normal(1, 1, 3_000)))
    assert picture.ranges
    assert sums(picture) == pytest.approx((1.0, 1.0))
    assert picture.bars[0].left == 0.0
    assert picture.bars[-1].right == 1.0
    assert "rose from" in told(picture)
    assert "1 standard dev" in told(picture)


def test_a_long_tail_is_drawn_in_ranges_that_grow():
    values = np.exp(np.random.default_rng(1).normal(3, 2.5, 20_000))
    picture = feature_picture("x", numbers(values), numbers(values))
    assert picture.growing
    assert max(bar.reference for bar in picture.bars) < 0.2
    assert told(picture) == ""  # nothing moved


def test_a_spread_that_grows_is_told_where_the_mean_stays():
    values = np.random.default_rng(1).normal(50, 10, 5_000)
    picture = feature_picture("x", numbers(values), numbers(50 + 2 * (values - 50)))
    assert told(picture).startswith("the spread went from ")


def test_few_different_numbers_are_drawn_one_by_one():
    picture = feature_picture("seats", numbers([1, 1, 2, 4]), numbers([1, 0, 0, 4]))
    assert [(bar.label, bar.reference, bar.window, bar.unseen) for bar in picture.bars] == [
        ("0", 0.0, 0.5, True),
        ("1", 0.5, 0.25, False),
        ("2", 0.25, 0.0, False),
        ("4", 0.25, 0.25, False),
    ]
    assert not picture.ranges


def test_a_new_category_is_marked_and_the_rest_is_summed_up():
    reference = counts({f"company {n}": 100 - n for n in range(50)})
    window = counts({"Prcard": 300, **{f"company {n}": 100 - n for n in range(50)}})
    picture = feature_picture("company", reference, window)
    (new,) = [bar for bar in picture.bars if bar.unseen]
    assert (new.label, round(new.window, 3)) == ("Prcard", round(300 / 4075, 3))
    assert picture.bars[-1].label == "all others"
    assert sums(picture) == pytest.approx((1.0, 1.0))
    assert told(picture) == "“Prcard” is 7.4 % of the rows, was 0 %"


def test_what_a_sketch_let_go_of_is_not_called_new():
    reference = counts({f"v{n}": 2 for n in range(5_000)})
    assert reference.frequencies.error
    picture = feature_picture("v", reference, counts({"v4999": 10, "v1": 10}))
    assert not any(bar.unseen for bar in picture.bars)


@pytest.mark.parametrize(
    ("reference", "window", "note"),
    [
        (numbers([]), numbers([1.0]), "the reference has no rows"),
        (numbers([1.0]), numbers([]), "the window has no rows"),
        (numbers([1.0]), numbers([math.nan]), "the window has no value"),
        (numbers([math.inf]), numbers([1.0]), "the reference has no finite value"),
        (numbers([1.0]), counts({"a": 1}), "it was of the kind number, and is of the kind category"),
        (counts({}, missing=3), counts({"a": 1}), "the reference has no value"),
    ],
)
def test_where_there_is_nothing_to_draw_it_says_why(reference, window, note):
    picture = feature_picture("x", reference, window)
    assert (picture.bars, picture.note, told(picture)) == ((), note, note)


def test_times_are_told_as_times_and_lengths_as_lengths():
    span = np.linspace(1_750_000_000, 1_760_000_000, 500)
    picture = feature_picture("at", numbers(span, Kind.TIME), numbers(span + 5_000_000, Kind.TIME))
    assert "2025" in picture.ends[0]
    texts = {"x" * n: 1 for n in range(1, 60)}
    lengths = feature_picture("note", counts(texts, kind=Kind.TEXT), counts({"x" * 90: 50}, kind=Kind.TEXT))
    assert told(lengths).startswith("the mean length rose from 30 to 90")


@settings(deadline=None)
@given(
    st.lists(st.floats(width=64), max_size=60),
    st.lists(st.floats(width=64), max_size=60),
    st.sampled_from([Kind.NUMBER, Kind.INTEGER, Kind.TIME]),
)
def test_whatever_numbers_come_it_draws_or_says_why(before, now, kind):
    picture = feature_picture("x", numbers(before, kind), numbers(now, kind))
    assert bool(picture.bars) != bool(picture.note)
    if picture.bars:
        assert sums(picture) == pytest.approx((1.0, 1.0))
        assert all(0 <= bar.left <= bar.right <= 1 for bar in picture.bars)
    assert isinstance(told(picture), str)


def test_every_column_of_both_profiles_has_a_picture():
    reference, window = (
        Profile({"a": Kind.NUMBER, "b": Kind.BOOLEAN}),
        Profile({"b": Kind.BOOLEAN, "c": Kind.NUMBER}),
    )
    assert [picture.name for picture in feature_pictures(reference, window)] == ["b"]
