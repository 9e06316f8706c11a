"""How unusual a request is, beside the rows that the release was trained on.

Each input has a chance of being at least as extreme as it is: for a number by its rank among the reference's (of
two tails), for a category the share of all that are no more frequent, for a missing value their share. The score
is −log₁₀ of the least of these chances, less log₁₀ of the number of inputs, since of many inputs one is always
the oddest (Bonferroni). So of rows like the reference's no more than one in a hundred has a score of 2, one in a
thousand of 3. A chance is never said to be less than one row in all the reference; what lies outside of its
range gains by its distance instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind
from mainspring.stats.profile import ColumnProfile, Profile

Floats = NDArray[np.float64]

UNUSUAL = 2.0  # a score from here on is unusual
_NUMBERS = (Kind.NUMBER, Kind.INTEGER)
_COUNTED = (Kind.BOOLEAN, Kind.CATEGORY)
_MOST_GAINED = 6.0  # of the distance from the range


@dataclass(frozen=True, slots=True)
class OutlierScores:
    """Of n rows.

    Attributes:
        scores: [n], 0 or more.
        places: [n], the number of the input that is the oddest.
        names: of the inputs that were looked at.
    """

    scores: Floats
    places: NDArray[np.int64]
    names: tuple[str, ...]


class OutlierScore:
    """The score of rows of a release's inputs.

    Args:
        profile: of the rows that it was trained on.
        fields: its inputs. Times are not looked at, since they always go on; nor are texts, ids and pictures, of
            which the profile knows only lengths; nor what is a person's.

    Examples:
        >>> profile = Profile({"age": Kind.INTEGER})
        >>> profile.columns["age"].add_numbers(np.arange(1000.0))
        >>> score = OutlierScore(profile, [InputField("age", Kind.INTEGER)])
        >>> score(pl.DataFrame({"age": [500, 999, 5000, None]})).scores.round(1).tolist()
        [0.0, 2.7, 3.7, 3.0]
    """

    def __init__(self, profile: Profile, fields: Sequence[InputField]) -> None:
        self._surprises: dict[str, Callable[[pl.Series], Floats]] = {}
        for field in fields:
            column = profile.columns.get(field.name)
            if column is None or not column.rows or field.personal is not None:
                continue
            if field.kind in _NUMBERS and column.moments.count:
                self._surprises[field.name] = _of_numbers(column)
            elif field.kind in _COUNTED and column.frequencies.count:
                self._surprises[field.name] = _of_texts(column)

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs that are looked at."""
        return tuple(self._surprises)

    def __call__(self, rows: pl.DataFrame, prefix: str = "") -> OutlierScores:
        """Score n rows.

        Args:
            rows: an input that they lack is not looked at.
            prefix: of the inputs' columns.
        """
        names = tuple(name for name in self._surprises if prefix + name in rows.columns)
        if not names or not rows.height:
            return OutlierScores(np.zeros(rows.height), np.zeros(rows.height, dtype=np.int64), names)
        each = np.column_stack(
            [self._surprises[name](rows.get_column(prefix + name).alias("value")) for name in names]
        )
        scores = np.maximum(each.max(axis=1) - np.log10(len(names)), 0.0)
        return OutlierScores(scores, each.argmax(axis=1).astype(np.int64), names)


def _of_numbers(column: ColumnProfile) -> Callable[[pl.Series], Floats]:
    kept, weights = column.quantiles.weighted()
    up_to = np.concatenate([[0.0], np.cumsum(weights)])
    rows, least = column.quantiles.count, max(1, column.quantiles.rank_error)
    low, high = column.moments.minimum or 0.0, column.moments.maximum or 0.0
    spread = (high - low) or max(abs(high), 1.0)
    rarest, missing = _rarest(column), _missing(column)

    def surprise(series: pl.Series) -> Floats:
        values = series.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        below = up_to[np.searchsorted(kept, values, side="left")]
        at_or_below = up_to[np.searchsorted(kept, values, side="right")]
        tail = np.minimum(at_or_below, rows - below)
        found = -np.log10(np.clip(2 * np.maximum(tail, least) / rows, 1 / (rows + 1), 1.0))
        with np.errstate(over="ignore", invalid="ignore"):
            outside = np.maximum(low - values, values - high)
            gained = np.minimum(np.log10(1 + np.maximum(outside, 0.0) / spread), _MOST_GAINED)
        found = np.where(outside > 0, rarest + gained, found)
        return np.where(np.isnan(values), missing, found)

    return surprise


def _of_texts(column: ColumnProfile) -> Callable[[pl.Series], Floats]:
    counts = column.frequencies.counts
    rows, error = column.frequencies.count, column.frequencies.error
    texts = sorted(counts, key=lambda text: counts[text])
    sizes = np.array([counts[text] for text in texts], dtype=np.float64)
    # All that are no more frequent than each: those of the same count stand together.
    mass = np.cumsum(sizes)[np.searchsorted(sizes, sizes, side="right") - 1] + column.frequencies.other
    known = dict(zip(texts, (-np.log10(np.minimum(mass / rows, 1.0))).tolist(), strict=True))
    # A value that is not held came `error` times at most.
    new = _rarest(column) if not error else -np.log10(min(1.0, (column.frequencies.other or error) / rows))
    missing = _missing(column)

    def surprise(series: pl.Series) -> Floats:
        values = series.cast(pl.String)
        found = values.replace_strict(known, default=new, return_dtype=pl.Float64).to_numpy()
        return np.where(values.is_null().to_numpy(), missing, found)

    return surprise


def _rarest(column: ColumnProfile) -> float:
    """The surprise of what never came."""
    return float(np.log10(column.rows + 1))


def _missing(column: ColumnProfile) -> float:
    return float(-np.log10(column.missing / column.rows)) if column.missing else _rarest(column)
