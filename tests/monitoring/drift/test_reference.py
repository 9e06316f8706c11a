import itertools
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.measurement import Window
from mainspring.domain.monitor import Monitor, named_window
from mainspring.domain.schema import Kind
from mainspring.errors import DeclarationError, TamperedRelease
from mainspring.monitoring.drift.reference import merged, reference_of, season
from mainspring.monitoring.hours.update import update_hours
from mainspring.stats.profile import Profile
from mainspring.testing.watched import DAY, HOUR, T0, Watched, day


@pytest.fixture
def shop(tmp_path):
    return Watched(tmp_path)


def reference(shop, monitor, window, **chosen):
    update_hours(shop.tables, "shop", shop.manifests, now=window.end)
    return reference_of(shop.context(window.end), monitor, window, **chosen)


def test_of_the_release_its_sealed_profile_and_its_answers_on_rows_it_never_saw(shop):
    found = reference(shop, Monitor.drift(), day())
    assert (found.what, found.rows, found.sealed, found.absent) == ("the rows of release 1", 4_000, True, "")
    assert list(found.inputs.columns) == ["age", "device"]
    assert found.prediction.columns["prediction"].rows == 4_000


def test_a_release_without_reference_rows_is_compared_with_training_and_says_so(tmp_path):
    found = reference(Watched(tmp_path, reference_rows=0), Monitor.drift(), day())
    assert found.prediction.columns["prediction"].rows == found.rows == 2_000
    assert "surer than on others" in found.note


def test_a_profile_that_was_changed_is_refused(shop):
    place = shop.folders[1] / "profile.json"
    place.write_bytes(place.read_bytes().replace(b'"rows":4000', b'"rows":4001', 1))
    with pytest.raises(TamperedRelease):
        reference(shop, Monitor.drift(), day())


def test_the_release_that_is_asked_for(shop):
    shop.release(2)
    assert reference(shop, Monitor.drift(), day(), release=2).what == "the rows of release 2"
    assert reference(shop, Monitor.drift(), day(), release=9).absent == "release 9 is not there any more"


def test_the_window_before(shop):
    shop.answer(300, label_share=0)
    shop.answer(900, T0 + DAY, label_share=0)
    found = reference(shop, Monitor.drift(reference="previous"), day(1))
    assert (found.rows, found.sealed) == (300, False)
    assert found.inputs.columns["age"].rows == found.prediction.columns["prediction"].rows == 300
    assert (
        "the window before: 0 rows, fewer than 200"
        in reference(shop, Monitor.drift(reference="previous"), day()).absent
    )


def test_the_window_before_of_one_counted_in_rows_has_as_many(shop):
    for number in range(10):
        shop.answer(100, T0 + number * HOUR, HOUR, label_share=0)
    window = Window(T0 + 7 * HOUR, T0 + 10 * HOUR)
    found = reference(shop, Monitor.drift(reference="previous", window="300 rows"), window)
    assert found.rows == 300


def test_the_season_is_of_the_same_hours_of_the_weekday(shop):
    for week in range(4):
        shop.answer(100, T0 + 7 * week * DAY, HOUR, shift=week, label_share=0)
        shop.answer(500, T0 + 7 * week * DAY + 5 * HOUR, HOUR, shift=9, label_share=0)
    window = Window(T0 + 28 * DAY, T0 + 28 * DAY + HOUR)
    found = reference(shop, Monitor.drift(reference="season"), window)
    assert (found.rows, found.note) == (400, "")
    assert found.inputs.columns["age"].moments.mean == pytest.approx(1.5, abs=0.2)
    later = reference(
        shop, Monitor.drift(reference="season"), Window(window.start + 7 * DAY, window.end + 7 * DAY)
    )
    assert (later.rows, later.note) == (300, "only 3 of the 4 weeks have rows")


def test_a_named_time(shop):
    shop.answer(300, label_share=0)
    found = reference(shop, Monitor.drift(reference="2026-03-02/2026-03-03"), day(5))
    assert (found.rows, found.what) == (300, "the rows of 2026-03-02/2026-03-03")


@pytest.mark.parametrize("text", ["2026-01-08/2026-01-01", "a/b", "2026-01-01/2026-01-02/2026-01-03", "1/2"])
def test_what_is_no_time_is_said(text):
    with pytest.raises(DeclarationError, match="is no past time; use release, previous"):
        named_window(text)


def test_a_named_time_may_have_a_zone():
    assert named_window("2026-01-01T01:00+01:00/2026-01-02").start == datetime(2026, 1, 1, tzinfo=UTC)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.timedeltas(HOUR, 100 * DAY))
def test_seasons_begin_on_the_same_weekday_and_never_overlap(start, length):
    window = Window(start.replace(tzinfo=UTC), start.replace(tzinfo=UTC) + length)
    found = [window, *season(window)]
    assert len(found) == 5
    for later, earlier in itertools.pairwise(found):
        assert earlier.end <= later.start
        assert (later.start - earlier.start) % (7 * DAY) == 0 * DAY
        assert later.start.time() == earlier.start.time()


def test_a_column_that_changed_its_kind_is_taken_as_it_is_now():
    now, before = Profile({"a": Kind.NUMBER}), Profile({"a": Kind.CATEGORY, "b": Kind.NUMBER})
    now.columns["a"].add_numbers(np.array([1.0, 2.0]))
    before.columns["a"].add_counts({"x": 5})
    before.columns["b"].add_numbers(np.array([1.0]))
    found = merged([now, before])
    assert (found.columns["a"].kind, found.columns["a"].rows, found.columns["b"].rows) == (Kind.NUMBER, 2, 1)
    assert now.columns["a"].rows == 2
