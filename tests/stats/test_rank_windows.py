"""The area under the curve in windows: the same in however many parts the rows come, and on average the area."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from mainspring.stats.bounded_moments import BoundedMoments
from mainspring.stats.rank_windows import LEAST_ROWS, RankWindows
from mainspring.stats.ranking import rank_auc
from mainspring.stats.sequential import mean_sequence

Floats = NDArray[np.float64]
ALPHA = 0.05


def drawn(random: np.random.Generator, rows: int, share: float, *noise: float) -> tuple[NDArray[np.bool_], Floats]:
    """Rows of which each score sees what makes them positive, with so much noise."""
    true = random.normal(size=rows)
    positive = random.random(rows) < 1 / (1 + np.exp(-(np.log(share / (1 - share)) + 1.5 * true)))
    return positive, np.column_stack([true + each * random.normal(size=rows) for each in noise])


@given(st.integers(0, 2**32 - 1), st.integers(0, 3_000), st.floats(0.0, 1.0), st.integers(1, 40))
def test_it_makes_no_difference_in_how_many_parts_the_rows_come(
    seed: int, rows: int, share: float, parts: int
) -> None:
    random = np.random.default_rng(seed)
    positive, scores = random.random(rows) < share, random.integers(0, 9, (rows, 2)) / 8
    whole, stored = RankWindows(2), RankWindows(2)
    expected = whole.add(positive, scores)
    found = []
    for part in np.array_split(np.arange(rows), parts):
        found.append(stored.add(positive[part], scores[part]))
        stored = RankWindows.from_dict(json.loads(json.dumps(stored.to_dict())))
    np.testing.assert_array_equal(np.concatenate(found), expected)
    assert stored.to_dict() == whole.to_dict()
    assert whole.rows <= whole.seen == rows
    assert len(expected) * LEAST_ROWS <= whole.rows


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.9))
def test_each_is_the_area_in_rows_that_are_in_no_other_window(seed: int, share: float) -> None:
    random = np.random.default_rng(seed)
    positive, scores = random.random(400) < share, random.integers(0, 30, (400, 1)).astype(float)
    found = RankWindows(1).add(positive, scores)[:, 0]
    begun, expected = 0, []
    for end in range(1, 401):
        part = positive[begun:end]
        if min(part.sum(), (~part).sum()) >= 5:
            expected.append(roc_auc_score(part, scores[begun:end, 0]))
            begun = end
    np.testing.assert_allclose(found, expected)


def test_of_the_common_class_so_many_rows_count_and_no_more_are_kept() -> None:
    random = np.random.default_rng(0)
    windows = RankWindows(1)
    for _ in range(50):
        assert windows.add(np.zeros(1_000, dtype=bool), random.random((1_000, 1))).shape == (0, 1)
    assert len(windows.to_dict()["positive"]) == 250
    assert (windows.rows, windows.seen) == (0, 50_000)
    assert windows.add(np.ones(5, dtype=bool), np.full((5, 1), 2.0)).tolist() == [[1.0]]
    assert windows.rows == windows.seen == 50_005


@pytest.mark.parametrize("share", [0.5, 0.05])
def test_their_mean_is_the_area_of_all_rows(share: float) -> None:
    positive, scores = drawn(np.random.default_rng(1), 100_000, share, 0.8)
    found = RankWindows(1).add(positive, scores)[:, 0]
    error = found.std() / np.sqrt(len(found))
    assert found.mean() == pytest.approx(rank_auc(scores[:, 0], positive), abs=4 * error)


def gains(random: np.random.Generator, rows: int, share: float, noise: tuple[float, float]) -> Floats:
    areas = RankWindows(2).add(*drawn(random, rows, share, *noise))
    return np.asarray(areas[:, 1] - areas[:, 0])


def test_equal_scores_are_seldom_told_apart_however_often_one_looks() -> None:
    random, wrong = np.random.default_rng(2), 0
    for _ in range(60):
        moments = BoundedMoments(-1, 1)
        for part in np.array_split(gains(random, 3_000, 0.2, (0.8, 0.8)), 8):
            moments.add(part)
            low, high = mean_sequence(moments, alpha=ALPHA, tuned_to=50)
            if low > 0 or high < 0:
                wrong += 1
                break
    assert wrong <= 8, "of 60, with a chance of 0.05 each at most"


@pytest.mark.parametrize(("share", "rows"), [(0.5, 40_000), (0.2, 30_000), (0.05, 80_000)])
def test_a_better_score_is_found_out(share: float, rows: int) -> None:
    """An area greater by 0.02; a look at a fixed number of rows would need about half of these."""
    moments = BoundedMoments(-1, 1)
    moments.add(gains(np.random.default_rng(3), rows, share, (0.8, 0.65)))
    low, high = mean_sequence(moments, alpha=ALPHA, tuned_to=50)
    assert 0 < low < 0.02 < high < 0.05
