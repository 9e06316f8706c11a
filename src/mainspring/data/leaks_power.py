"""Features that by themselves nearly give the target away.

The bars lie between what honest features reach (0.93 of the best one of the data sets that we know) and what
columns written after the fact do (0.96 and more).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.data.columns import values_of
from mainspring.data.showing import missing_count, plain_value
from mainspring.domain.finding import Finding
from mainspring.domain.schema import Column, Kind, Schema, Severity
from mainspring.domain.task import Task
from mainspring.stats.single_feature import explained_share, fold_numbers, mean_auc, numeric_codes

_AUC_BAR = 0.95
_R2_BAR = 0.95
_COMPLETE = 0.9999
_FEWEST_ROWS = 100  # of fewer, chance gives a feature such a power now and then
_FEWEST_OF_CLASS = 10
_PURE = 0.98  # a feature that is a function of the target is this sure, given the target
_VARIED = 0.9  # and no single value of it has more rows than this
_FEW_VALUES = 50
_SEED = 1

Codes = NDArray[np.int64]


def features_that_tell(rows: pl.DataFrame, features: Schema, target: str, task: Task) -> Iterable[Finding]:
    """Try every feature by itself, cross-fitted; and whether it is missing; and whether it is made of the target.

    Args:
        rows: typed rows with a target.
        features: the columns to try; pictures are not.
    """
    if rows.height < _FEWEST_ROWS:
        return
    folds = fold_numbers(rows.height, _SEED)
    answer = _Answer(values_of(rows, target), task)
    if not answer.varies:
        return
    for column in features:
        if column.kind is Kind.IMAGE:
            continue
        values = values_of(rows, column.name)
        power = answer.power_of(_codes(values), folds)
        missing = missing_count(values)
        if power >= answer.bar:
            alone = answer.power_of(_is_missing(values), folds) if 0 < missing < rows.height else 0.0
            yield _by_missing(column, alone, answer) if alone >= answer.bar else _by_value(column, power, answer)
        elif answer.numbers is not None:
            yield from _numeric_target(column, values, answer.numbers, folds)


class _Answer:
    """The target in the form in which features are tried on it."""

    def __init__(self, labels: pl.Series, task: Task) -> None:
        self.numbers: NDArray[np.float64] | None = None
        if task is Task.REGRESSION:
            self.numbers = labels.cast(pl.Float64).to_numpy()
            self.varies = bool(np.isfinite(self.numbers).all() and np.unique(self.numbers).size > 1)
            self.measure, self.bar = "R² of the ranks", _R2_BAR
            return
        self.classes = _codes(labels)
        counts = np.sort(np.bincount(self.classes))
        self.varies = counts.size > 1 and counts[-2] >= _FEWEST_OF_CLASS
        self.measure, self.bar = "ROC AUC", _AUC_BAR

    def power_of(self, codes: Codes, folds: Codes) -> float:
        if self.numbers is not None:
            return explained_share(codes, self.numbers, folds)
        return mean_auc(codes, self.classes, folds)


def _by_value(column: Column, power: float, answer: _Answer) -> Finding:
    sure = "completely" if power >= _COMPLETE else "nearly"
    return _finding(
        "leaks-target",
        column,
        f"it gives the target away {sure}: {answer.measure} {power:.3f} by itself (bar {answer.bar:g})",
    )


def _by_missing(column: Column, power: float, answer: _Answer) -> Finding:
    return _finding(
        "missing-leaks-target",
        column,
        f"whether it is missing gives the target away: {answer.measure} {power:.3f} (bar {answer.bar:g})",
    )


def _numeric_target(
    column: Column, values: pl.Series, numbers: NDArray[np.float64], folds: Codes
) -> Iterable[Finding]:
    """What a numeric target hides from the explained share: a special value, and bands."""
    often, rows = _mode(numbers)
    missing = missing_count(values)
    if _FEWEST_OF_CLASS <= rows <= numbers.size - _FEWEST_OF_CLASS and 0 < missing < numbers.size:
        power = mean_auc(_is_missing(values), (numbers == often).astype(np.int64), folds)
        if power >= _AUC_BAR:
            yield _finding(
                "missing-leaks-target",
                column,
                f"whether it is missing tells whether the target is {plain_value(often)}: ROC AUC {power:.3f} "
                f"(bar {_AUC_BAR:g})",
            )
            return
    codes = _codes(values)
    counts = np.bincount(codes)
    if not (2 <= counts.size <= _FEW_VALUES) or counts.max() > _VARIED * codes.size:
        return
    share = _share_known_from(numbers, codes)
    if share >= _PURE:
        yield _finding(
            "made-of-target",
            column,
            f"its value follows from the target in {share:.1%} of the rows (bar {_PURE:.0%}), "
            "as if it was made of it",
        )


def _share_known_from(numbers: NDArray[np.float64], codes: Codes) -> float:
    """For how many rows the feature is the most frequent one among the rows with the nearest targets."""
    ranks = np.argsort(np.argsort(numbers, kind="stable"), kind="stable")
    bins = ranks * min(1000, numbers.size // 20) // numbers.size
    table = np.zeros((int(bins.max()) + 1, int(codes.max()) + 1))
    np.add.at(table, (bins, codes), 1)
    return float(table.max(axis=1).sum() / numbers.size)


def _mode(numbers: NDArray[np.float64]) -> tuple[float, int]:
    different, rows = np.unique(numbers, return_counts=True)
    place = int(rows.argmax())
    return float(different[place]), int(rows[place])


def _codes(values: pl.Series) -> Codes:
    if values.dtype.is_numeric() or values.dtype.is_temporal() or values.dtype == pl.Boolean:
        plain = values.to_physical() if values.dtype.is_temporal() else values
        return numeric_codes(plain.cast(pl.Float64).fill_null(float("nan")).to_numpy())
    codes = values.cast(pl.String).rank("dense").cast(pl.Int64).fill_null(0).to_numpy()
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def _is_missing(values: pl.Series) -> Codes:
    missing = values.is_null() | values.is_nan() if values.dtype.is_float() else values.is_null()
    return missing.fill_null(value=True).cast(pl.Int64).to_numpy()


def _finding(code: str, column: Column, message: str) -> Finding:
    return Finding(
        code=code,
        severity=Severity.WARNING,
        column=column.name,
        message=message,
        cure=f"if {column.name!r} is not known when a prediction is asked for, exclude it in model.py",
    )
