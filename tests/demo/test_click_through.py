import pytest

from mainspring.demo.click_through import Shown, click_through

SHOWN = [
    Shown(at=float(second), release=f"adclick@{1 + (second >= 6)}", chance=0.1 * second, best=1.0, random=0.05,
          clicked=second % 2 == 0)
    for second in range(10)
]  # fmt: skip


def test_only_what_the_release_chose_in_this_time_counts():
    found = click_through(SHOWN, "adclick@1", since=2.0, until=5.0)
    assert found is not None
    assert (found.shown, found.chosen, found.clicked) == (3, pytest.approx(0.3), pytest.approx(2 / 3))
    assert (found.best, found.random) == (pytest.approx(1.0), pytest.approx(0.05))
    whole = click_through(SHOWN, "adclick@2")
    assert whole is not None
    assert whole.shown == 4


def test_of_nothing_there_is_no_figure():
    assert click_through(SHOWN, "adclick@3") is None
    assert click_through(SHOWN, "adclick@1", since=6.0) is None
