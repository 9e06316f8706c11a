"""How much of a target one feature gives away by itself.

The feature's values are put into bins; the target's mean in a bin, learnt on other rows than those it is tried
on, is the prediction. That is a regression tree on one feature, so it sees any shape of the dependence, and a
feature that is merely different in every row is not mistaken for a good one.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mainspring.stats.ranking import rank_auc

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

FOLDS = 4
_BINS = 128
_PRIOR_ROWS = 1.0  # how many rows of the overall mean each bin is mixed with
_MOST_CLASSES = 20  # of more classes the most frequent are tried


def numeric_codes(values: Floats) -> Codes:
    """Bins [n] of about equal size for numbers [n], every frequent value in one of its own; NaN is the last bin.

    Examples:
        >>> numeric_codes(np.array([5.0, np.nan, 7.0, 5.0])).tolist()
        [0, 2, 1, 0]
    """
    known = ~np.isnan(values)
    present = values[known]
    different, rows = np.unique(present, return_counts=True)
    codes = np.full(values.size, 2 * different.size + 2)
    if different.size <= _BINS:
        codes[known] = np.searchsorted(different, present)
    else:
        edges = np.unique(np.quantile(present, np.linspace(0, 1, _BINS + 1), method="inverted_cdf"))
        frequent = different[rows * _BINS >= present.size]
        codes[known] = 2 * np.searchsorted(edges, present) + np.isin(present, frequent)
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def fold_numbers(n: int, seed: int) -> Codes:
    """For each of n rows on which of `FOLDS` folds it is tried; the folds are of equal size."""
    return np.random.default_rng(seed).permutation(n) % FOLDS


def cross_fitted_means(codes: Codes, target: Floats, folds: Codes) -> Floats:
    """For each row the mean target of its bin over the rows of the other folds: float64 [n]."""
    bins = int(codes.max(initial=0)) + 1
    cell = folds * bins + codes
    rows = np.bincount(cell, minlength=FOLDS * bins).reshape(FOLDS, bins)
    sums = np.bincount(cell, weights=target, minlength=FOLDS * bins).reshape(FOLDS, bins)
    other_rows, other_sums = rows.sum(axis=0) - rows, sums.sum(axis=0) - sums
    overall = other_sums.sum(axis=1, keepdims=True) / np.maximum(other_rows.sum(axis=1, keepdims=True), 1)
    means = (other_sums + _PRIOR_ROWS * overall) / (other_rows + _PRIOR_ROWS)
    found: Floats = means[folds, codes]
    return found


def explained_share(codes: Codes, target: Floats, folds: Codes) -> float:
    """The cross-fitted R² of the ranks of a numeric target; NaN where the target does not vary.

    Of the ranks, since the few greatest values of a skewed target would otherwise decide alone.
    """
    target = np.unique(target, return_inverse=True)[1].astype(np.float64)
    spread = float(np.square(target - target.mean()).sum())
    if not spread > 0:
        return float("nan")
    return 1.0 - float(np.square(target - cross_fitted_means(codes, target, folds)).sum()) / spread


def mean_auc(codes: Codes, classes: Codes, folds: Codes) -> float:
    """The cross-fitted ROC AUC of one class against the rest, averaged over the classes."""
    rows = np.bincount(classes)
    tried: Sequence[int] = np.argsort(-rows, kind="stable")[:_MOST_CLASSES].tolist()
    if int((rows > 0).sum()) == 2:
        tried = tried[1:2]  # of two classes either tells it
    areas = []
    for number in tried:
        positive = classes == number
        areas.append(_fold_auc(cross_fitted_means(codes, positive.astype(np.float64), folds), positive, folds))
    return float(np.nanmean(areas)) if not np.isnan(areas).all() else float("nan")


def _fold_auc(score: Floats, positive: NDArray[np.bool_], folds: Codes) -> float:
    # Fold by fold: between folds the overall means differ in the direction opposite to the target.
    areas = [rank_auc(score[folds == fold], positive[folds == fold]) for fold in range(FOLDS)]
    return float(np.nanmean(areas)) if not np.isnan(areas).all() else float("nan")
