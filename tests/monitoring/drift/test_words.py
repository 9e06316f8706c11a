import numpy as np
import pytest

from mainspring.domain.schema import Kind
from mainspring.monitoring.drift.words import told, unseen_told
from mainspring.stats.drift import compare
from mainspring.stats.profile import ColumnProfile


def numbers(values, kind=Kind.NUMBER):
    profile = ColumnProfile(kind)
    profile.add_numbers(np.array(values, dtype=float))
    return profile


def texts(counts, missing=0):
    profile = ColumnProfile(Kind.CATEGORY)
    profile.add_counts(counts, missing)
    return profile


def said(before, now, name):
    drift = compare(before, now)
    component = next(one for one in drift.components if one.name == name)
    return told(component, drift, before, now)


RANDOM = np.random.default_rng(1).normal(size=1_000)


@pytest.mark.parametrize(
    ("before", "now", "name", "words"),
    [
        (numbers(RANDOM), numbers(RANDOM + 2), "distribution", "the mean is 1.946, before -0.05425"),
        (numbers([1, 2] * 50), numbers([1, 1] * 50), "distribution", "1 in 100 % of the rows, before in 50 %"),
        (
            texts({"a": 90, "b": 10}),
            texts({"a": 10, "b": 90}),
            "distribution",
            "'a' in 10 % of the rows, before in 90 %",
        ),
        (texts({"a": 90}), texts({"a": 50}, 50), "missing", "missing in 50 % of the rows, before in 0 %"),
        (texts({"a": 90}), texts({"a": 50, "b": 1, "c": 3}), "unseen", "2 new values in 4 of 54 rows: 'c', 'b'"),
        (numbers(range(90)), numbers(range(180)), "out_of_range", "lie outside 0 to 89, the range of before"),
        (numbers(range(90)), numbers([*range(50), np.inf]), "infinite", "infinite in 1 of 51 rows, before in 0"),
    ],
)
def test_what_changed_is_told_with_its_numbers(before, now, name, words):
    assert words in said(before, now, name)


def test_long_values_are_cut_and_many_are_counted():
    told_ = unseen_told({f"{place} {'x' * 500}": 1 for place in range(40)}, 1_000)
    assert told_.startswith("40 new values in 40 of 1,000 rows: '0 xxx")
    assert len(told_) < 500
