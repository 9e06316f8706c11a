import numpy as np
import polars as pl
import pytest

from mainspring.domain.measurement import State
from mainspring.domain.monitor import Monitor
from mainspring.monitoring.drift.classifier import AT_MOST
from mainspring.monitoring.drift.drift import drift
from mainspring.monitoring.hours.update import update_hours
from mainspring.testing.watched import DAY, T0, Watched, day


@pytest.fixture
def shop(tmp_path):
    return Watched(tmp_path)


def looked(shop, window, **rule):
    update_hours(shop.tables, "shop", shop.manifests, now=window.end)
    monitor = Monitor.drift(method="classifier", **rule)
    (found,) = drift(shop.context(window.end), monitor, window)
    return found


def test_stable_rows_cannot_be_told_apart(shop):
    shop.answer(5_000, label_share=0)
    found = looked(shop, day())
    assert found.state is State.FINE
    assert (found.subject, found.reference, found.bar) == ("", 0.5, AT_MOST)
    assert 1_500 < found.rows <= 2_400  # a hundred an hour at most
    assert found.low < 0.5 < found.high


def test_a_relation_that_broke_is_found_though_every_input_is_as_it_was(shop):
    shop.answer(5_000, label_share=0)
    rows = shop.rows(5_000)
    # Those with a phone were of every age; now they are the younger ones.
    order = rows.get_column("device").sort()
    rows = pl.DataFrame({"age": rows.get_column("age").sort(), "device": order})
    shuffled = rows.sample(fraction=1, shuffle=True, seed=1)
    shop.rows = lambda count, shift=0.0: shuffled
    shop.answer(5_000, T0 + DAY, label_share=0)
    update_hours(shop.tables, "shop", shop.manifests, now=T0 + 2 * DAY)
    single = drift(shop.context(T0 + 2 * DAY), Monitor.drift(), day(1))
    assert {one.state for one in single} == {State.FINE}
    found = looked(shop, day(1))
    assert found.state is State.BAD
    assert found.value > 0.7
    assert set(found.example) == {"age", "device"}
    assert found.note.startswith("a classifier tells the rows from the rows of release 1; most by ")


def test_against_the_window_before(shop):
    shop.answer(5_000, shift=1, label_share=0)
    shop.answer(5_000, T0 + DAY, shift=1, label_share=0)
    shop.answer(5_000, T0 + 2 * DAY, label_share=0)
    states = [looked(shop, day(number), reference="previous").state for number in (1, 2)]
    assert states == [State.FINE, State.BAD]


def test_what_is_not_enough_to_say(tmp_path, shop):
    shop.answer(50, label_share=0)
    assert "50 sampled rows, fewer than 200" in looked(shop, day()).note
    old = Watched(tmp_path / "old", reference_rows=0)
    old.answer(1_000, label_share=0)
    found = looked(old, day())
    assert found.state is State.UNKNOWN
    assert "sealed without reference rows; train it anew" in found.note
    assert "the window before has 0 sampled rows" in looked(old, day(), reference="previous").note


def test_without_scikit_learn_the_cure_is_said(shop, monkeypatch):
    shop.answer(1_000, label_share=0)
    monkeypatch.setitem(__import__("sys").modules, "sklearn.ensemble", None)
    found = looked(shop, day())
    assert found.state is State.UNKNOWN
    assert "install mainspring[train]" in found.note


def test_a_bar_of_ones_own(shop):
    shop.answer(5_000, shift=0.5, label_share=0)
    assert looked(shop, day()).state is State.BAD
    assert looked(shop, day(), at_most=0.95).state is State.FINE
    assert np.isclose(looked(shop, day(), at_most=0.95).bar, 0.95)
