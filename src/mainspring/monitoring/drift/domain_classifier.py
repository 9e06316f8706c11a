"""Whether two sets of rows can be told apart by all of their columns together: the AUC of a classifier that tries.

Lopez-Paz and Oquab 2017, "Revisiting classifier two-sample tests"; Rabanser, Günnemann, Lipton 2019, "Failing
loudly". It finds what no single column shows: a correlation that broke, a combination that is new.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtr

from mainspring.data.columns import values_of
from mainspring.domain.schema import Kind
from mainspring.stats.ranking import rank_auc

MOST_ROWS = 5_000  # of each side; more make the test no more useful, only slower
_FOLDS = 5
_MOST_CODES = 250  # values of a category that the trees tell apart; the others are one
_SEED = 0
_DEPENDENCE = 2.0
_NUMBERS = (Kind.NUMBER, Kind.INTEGER, Kind.BOOLEAN)
# Texts and ids differ in each row, and times move on: all of them tell any two samples apart.
_USED = (*_NUMBERS, Kind.CATEGORY)


@dataclass(frozen=True, slots=True)
class Separation:
    """How well the rows can be told apart.

    Attributes:
        auc: on rows that the classifier did not learn from; one half where they cannot be told apart.
        error: the standard deviation that `auc` has where they are alike.
        p_value: one-sided.
        rows: of both sides.
        leading: the columns that tell them apart, with what the AUC loses without each, the greatest first.
    """

    auc: float
    error: float
    p_value: float
    rows: int
    leading: tuple[tuple[str, float], ...]


def separate(reference: pl.DataFrame, current: pl.DataFrame, kinds: Mapping[str, Kind]) -> Separation | None:
    """Learn to tell the rows apart, in five parts, each judged by what was learnt from the other four.

    Equal rows stay in one part, so that rows that come often cannot be learnt by heart. Where the two are alike,
    the scores of a part are in no relation to the sides, and its AUC is that of Mann and Whitney: mean 1/2,
    variance (m + n + 1) / (12 m n) for m and n rows. The figure is the mean over the parts, weighted by their
    pairs of rows. Parts are not independent, since what judges one was learnt from the others: the variance of
    their mean was 1.4 times that of independent parts in simulations, and is taken as twice.

    Args:
        kinds: of the columns that both have; numbers and categories are looked at.

    Returns:
        `None` where there is no such column, or a part lacks rows of one side.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    from threadpoolctl import threadpool_limits

    names = [name for name, kind in kinds.items() if kind in _USED]
    if not names or not reference.height or not current.height:
        return None
    both = pl.concat([_few(reference, names), _few(current, names)], how="vertical_relaxed")
    is_current = np.arange(both.height) >= min(reference.height, MOST_ROWS)
    part = (both.hash_rows(seed=_SEED) % _FOLDS).to_numpy()
    table = _Table(both, {name: kinds[name] for name in names})
    aucs, pairs, variances = [], [], []
    losses = np.zeros(len(names))
    for fold in range(_FOLDS):
        held = part == fold
        m, n = int((held & is_current).sum()), int((held & ~is_current).sum())
        if not m or not n or len(set(is_current[~held])) < 2:
            return None
        with threadpool_limits(1):  # what answers requests on this machine goes first
            model = table.fitted(~held, is_current)
            auc, without = table.judged(model, held, is_current)
        aucs.append(auc)
        pairs.append(m * n)
        variances.append((m + n + 1) / (12 * m * n))
        losses += m * n * (auc - without)
    weights = np.array(pairs) / sum(pairs)
    auc = float(weights @ np.array(aucs))
    error = math.sqrt(_DEPENDENCE * float(np.square(weights) @ np.array(variances)))
    told = sorted(zip(names, (losses / sum(pairs)).tolist(), strict=True), key=lambda one: -one[1])
    leading = tuple((name, loss) for name, loss in told if loss > error)
    return Separation(auc, error, float(ndtr((0.5 - auc) / error)), both.height, leading)


def _few(rows: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    rows = pl.DataFrame([rows.get_column(name) for name in names])
    return rows if rows.height <= MOST_ROWS else rows.sample(MOST_ROWS, seed=_SEED)


class _Table:
    """The rows as the trees take them: float64 [n, k], missing as NaN."""

    def __init__(self, rows: pl.DataFrame, kinds: Mapping[str, Kind]) -> None:
        self._coded = [kind is Kind.CATEGORY for kind in kinds.values()]
        columns = [_numbers(values_of(rows, name), kind) for name, kind in kinds.items()]
        self._X: NDArray[np.float64] = np.column_stack(columns)

    def fitted(self, chosen: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier

        model = HistGradientBoostingClassifier(
            max_iter=60, max_depth=4, early_stopping=False, categorical_features=self._coded, random_state=_SEED
        )
        return model.fit(self._X[chosen], truth[chosen])

    def judged(
        self, model: Any, held: NDArray[np.bool_], truth: NDArray[np.bool_]
    ) -> tuple[float, NDArray[np.float64]]:
        """The AUC, and for each column [k] the AUC with its values shuffled."""
        X, truth = self._X[held], truth[held]
        auc = rank_auc(model.decision_function(X), truth)
        order = np.random.default_rng(_SEED).permutation(len(X))
        without = np.full(X.shape[1], auc)
        for column in range(X.shape[1]):
            shuffled = X.copy()
            shuffled[:, column] = X[order, column]
            without[column] = rank_auc(model.decision_function(shuffled), truth)
        return auc, without


def _numbers(values: pl.Series, kind: Kind) -> NDArray[np.float64]:
    if kind is not Kind.CATEGORY:
        return values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    texts = values.alias("value").cast(pl.String)
    counts = texts.drop_nulls().value_counts(name="rows").sort(["rows", "value"], descending=[True, False])
    known = counts.get_column("value").head(_MOST_CODES).to_list()
    codes = {text: float(code) for code, text in enumerate(known)}
    coded = texts.replace_strict(codes, default=float(len(known)), return_dtype=pl.Float64)
    return coded.zip_with(texts.is_not_null(), pl.Series([float("nan")])).to_numpy()
