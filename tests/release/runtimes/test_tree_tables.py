"""Sums by tables are the sums of a walk down each tree, to the last bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.release.runtimes.tree_tables import TreeArrays, TreeTables

SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e308, -1e308, 5e-324, 0.5, 1.0, 2.0, 3.0, 7.0, 1e300])


def grow(rng: np.random.Generator, *, trees: int, leaves: int, features: int, targets: int) -> TreeArrays:
    """Random trees; the features of even number are split by thresholds, the others by members."""
    thresholds = np.concatenate([rng.normal(size=3 * leaves), SPECIAL[1:]])
    roots, feature, threshold, missing, left, right, members = [], [], [], [], [], [], {}
    value, target = [], []
    for number in range(trees):
        open_ends: list[tuple[int, str]] = []
        roots.append(len(feature))
        for _ in range(max(1, int(rng.integers(leaves // 2, leaves)))):
            node = len(feature)
            feature.append(int(rng.integers(features)))
            threshold.append(float(rng.choice(thresholds)) if feature[-1] % 2 == 0 else 0.0)
            if feature[-1] % 2:
                members[node] = np.unique(rng.integers(0, 9, rng.integers(1, 5))).astype(float)
            missing.append(bool(rng.integers(2)))
            left.append(0)
            right.append(0)
            if open_ends:
                parent, side = open_ends.pop(int(rng.integers(len(open_ends))))
                (left if side == "left" else right)[parent] = node
            open_ends += [(node, "left"), (node, "right")]
        for parent, side in open_ends:
            (left if side == "left" else right)[parent] = ~len(value)
            value.append(float(rng.normal()) * 10.0 ** rng.integers(-8, 8))
            target.append(number % targets)
    return TreeArrays(
        targets,
        *(np.array(part, dtype=np.int64) for part in (roots, feature)),
        np.array(threshold),
        np.array(missing),
        *(np.array(part, dtype=np.int64) for part in (left, right)),
        members,
        np.array(value),
        np.array(target, dtype=np.int64),
    )


def walk(trees: TreeArrays, row: np.ndarray) -> list[float]:
    sums = [0.0] * trees.targets
    for root in trees.roots.tolist():
        node = root
        while node >= 0:
            given = float(row[trees.feature[node]])
            if given != given:
                goes_left = bool(trees.missing_left[node])
            elif node in trees.members:
                goes_left = given in trees.members[node].tolist()
            else:
                goes_left = given <= float(trees.threshold[node])
            node = int((trees.left if goes_left else trees.right)[node])
        sums[int(trees.target[~node])] += float(trees.value[~node])
    return sums


@given(
    seed=st.integers(0, 2**32),
    leaves=st.sampled_from([2, 7, 8, 9, 16, 17, 31, 33, 64]),
    count=st.integers(1, 40),
    targets=st.integers(1, 4),
)
@settings(max_examples=60, deadline=None)
def test_the_sums_are_those_of_a_walk(seed: int, leaves: int, count: int, targets: int) -> None:
    rng = np.random.default_rng(seed)
    trees = grow(rng, trees=count, leaves=leaves, features=5, targets=targets)
    matrix = np.where(rng.random((80, 5)) < 0.4, rng.choice(SPECIAL, (80, 5)), rng.normal(size=(80, 5)))
    borders = trees.threshold[trees.feature % 2 == 0]
    beside = np.concatenate([borders, np.nextafter(borders, np.inf), np.nextafter(borders, -np.inf), [0.0]])
    planted = rng.random((80, 5)) < 0.3
    matrix[planted] = rng.choice(beside, planted.sum())
    matrix[:, 1::2] = rng.choice([*range(10), 2.5, -1.0, np.nan, 1e9], (80, 2))
    sums = TreeTables(trees).sums(list(matrix.T))
    assert sums.tolist() == [walk(trees, row) for row in matrix]


def test_rows_of_many_blocks_are_each_answered_as_if_alone() -> None:
    rng = np.random.default_rng(0)
    tables = TreeTables(grow(rng, trees=30, leaves=31, features=6, targets=1))
    matrix = rng.normal(size=(10_001, 6))
    together = tables.sums(list(matrix.T))
    for place in (0, 4095, 4096, 8191, 8192, 10_000):
        assert tables.sums(list(matrix[place : place + 1].T))[0, 0] == together[place, 0]
    for count in (2, 3, 5, 4097):
        assert np.array_equal(tables.sums(list(matrix[:count].T)), together[:count])
    assert tables.sums(list(matrix[:0].T)).shape == (0, 1)


def test_trees_too_large_for_a_word_have_no_tables() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="leaves"):
        TreeTables(grow(rng, trees=2, leaves=200, features=3, targets=1))


def test_a_feature_split_in_two_ways_has_no_tables() -> None:
    trees = grow(np.random.default_rng(1), trees=3, leaves=8, features=2, targets=1)
    node = int(np.flatnonzero(trees.feature == 0)[0])
    trees.members[node] = np.array([1.0])
    with pytest.raises(ValueError, match="two ways"):
        TreeTables(trees)
