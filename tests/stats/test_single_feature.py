import numpy as np
import pytest

from mainspring.stats.ranking import rank_auc
from mainspring.stats.single_feature import (
    cross_fitted_means,
    explained_share,
    fold_numbers,
    mean_auc,
    numeric_codes,
)

N = 4000


def drawn(seed=0):
    random = np.random.default_rng(seed)
    return random, fold_numbers(N, 0)


def test_the_area_agrees_with_counting_pairs():
    random, _ = drawn()
    score, positive = random.integers(0, 6, 200).astype(float), random.random(200) < 0.3
    pairs = [(p > q) + (p == q) / 2 for p in score[positive] for q in score[~positive]]
    assert rank_auc(score, positive) == pytest.approx(np.mean(pairs))
    assert np.isnan(rank_auc(score, np.ones(200, dtype=bool)))


def test_a_feature_of_noise_gives_nothing_even_if_every_value_is_different():
    random, folds = drawn()
    y = random.integers(0, 2, N)
    for codes in (numeric_codes(random.normal(size=N)), np.arange(N)):
        assert mean_auc(codes, y, folds) == pytest.approx(0.5, abs=0.03)
        assert explained_share(codes, random.normal(size=N), folds) < 0.05


def test_any_shape_of_dependence_is_seen():
    random, folds = drawn()
    x = random.normal(size=N)
    assert explained_share(numeric_codes(x), np.cos(3 * x), folds) > 0.98
    assert mean_auc(numeric_codes(x), (np.abs(x) < 0.5).astype(int), folds) > 0.98
    spiked = np.where(x > 1, 7.0, x.round(2))
    assert mean_auc(numeric_codes(spiked), (spiked == 7).astype(int), folds) > 0.999


def test_a_linear_feature_gives_its_known_share():
    random, folds = drawn()
    x = random.normal(size=N)
    y = x + random.normal(size=N)
    ranks = (6 / np.pi * np.arcsin(np.sqrt(0.5) / 2)) ** 2  # Spearman's correlation of a normal pair, squared
    assert explained_share(numeric_codes(x), y, folds) == pytest.approx(ranks, abs=0.04)


def test_a_copy_of_a_skewed_target_is_seen_for_what_it_is():
    random, folds = drawn()
    y = random.lognormal(sigma=3, size=N)
    assert explained_share(numeric_codes(y), y, folds) > 0.99


def test_that_a_value_is_missing_is_a_value_too():
    random, folds = drawn()
    y = random.integers(0, 2, N)
    x = np.where(y == 1, np.nan, random.normal(size=N))
    assert mean_auc(numeric_codes(x), y, folds) > 0.999


def test_several_classes_are_averaged():
    random, folds = drawn()
    y = random.integers(0, 4, N)
    assert mean_auc(y.astype(np.int64), y, folds) == 1
    half = np.where(y < 2, y, 2)  # tells two of four apart, and the others from these
    assert mean_auc(half.astype(np.int64), y, folds) == pytest.approx((1 + 1 + 5 / 6 + 5 / 6) / 4, abs=0.03)


def test_bins_are_dense_and_in_order():
    random, _ = drawn()
    x = np.concatenate([random.normal(size=900), np.zeros(300), [np.nan] * 5])
    codes = numeric_codes(x)
    order = np.argsort(x[:1200], kind="stable")
    assert (np.diff(codes[:1200][order]) >= 0).all()
    assert set(codes) == set(range(codes.max() + 1))
    assert len(set(codes[900:1200])) == 1
    assert (codes[1200:] == codes.max()).all()
    assert (x[codes == codes[900]] == 0).all()


@pytest.mark.parametrize("values", [[], [np.nan, np.nan], [1.0], [np.inf, -np.inf, 0.0, np.nan]])
def test_odd_columns_are_binned(values):
    codes = numeric_codes(np.array(values, dtype=float))
    assert len(codes) == len(values)


def test_a_row_is_not_judged_by_itself():
    target = np.array([100.0] + [0.0] * 7)
    folds = np.arange(8) % 4
    assert cross_fitted_means(np.zeros(8, dtype=np.int64), target, folds)[0] == 0
