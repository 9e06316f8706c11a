"""What the rows of a table look like, column by column, in a few kilobytes that can be merged.

A profile of two parts merged is the profile of the whole: exactly for counts, ranges and (while they are few)
values and distinct values; to the last digits for mean and variance; within the stated bounds for the rest. So
parts may be profiled anywhere and in any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.domain.schema import Kind
from mainspring.stats.distinct import DistinctCounter, hash_numbers, hash_texts
from mainspring.stats.frequencies import Frequencies
from mainspring.stats.moments import Moments
from mainspring.stats.quantiles import QuantileSketch

PROFILE_FORMAT = 1
_FREE_KINDS = (Kind.TEXT, Kind.ID)  # their values are people's, not the profile's: only lengths are kept
_COUNTED_KINDS = (Kind.CATEGORY, Kind.BOOLEAN, Kind.IMAGE)


class ColumnProfile:
    """The sketches of one column.

    | kind | moments, quantiles of | frequencies of |
    | --- | --- | --- |
    | number, integer, time (seconds since the epoch) | the finite values | – |
    | boolean, category, image | – | the values as text |
    | text, id | the lengths in characters | – |

    Args:
        kind: of the column.
        seed: of the quantile sketch.

    Examples:
        >>> column = ColumnProfile(Kind.NUMBER)
        >>> column.add_numbers(np.array([1.0, np.nan, np.inf, 3.0]))
        >>> column.rows, column.missing, column.infinite, column.moments.mean, column.distinct.estimate
        (4, 1, 1, 2.0, 2)
    """

    __slots__ = ("distinct", "frequencies", "infinite", "kind", "missing", "moments", "quantiles", "rows")

    def __init__(self, kind: Kind, seed: int = 0) -> None:
        self.kind = kind
        self.rows = 0
        self.missing = 0
        self.infinite = 0
        self.distinct = DistinctCounter()
        self.moments = Moments()
        self.quantiles = QuantileSketch(seed=seed)
        self.frequencies = Frequencies()

    @property
    def present(self) -> int:
        """Rows with a value, the infinite ones among them."""
        return self.rows - self.missing

    def add_numbers(self, values: NDArray[np.float64], *, ordered: bool = False) -> None:
        """Take in numbers or seconds since the epoch [n]; NaN is missing.

        Args:
            ordered: they ascend already.
        """
        values = np.asarray(values, dtype=np.float64)
        known = np.isfinite(values)
        finite = values if known.all() else values[known]
        missing = int(np.isnan(values).sum()) if finite.size < values.size else 0
        self.rows += int(values.size)
        self.missing += missing
        self.infinite += int(values.size) - missing - int(finite.size)
        self.moments.add(finite)
        ascending = finite if ordered else np.sort(finite)
        self.quantiles.add(ascending, ordered=True)
        if not self.distinct.is_exact:  # most hashes are too large to count, however often they come
            self.distinct.add(hash_numbers(ascending))
            return
        first = np.empty(ascending.size, dtype=np.bool_)
        first[:1] = True
        np.not_equal(ascending[1:], ascending[:-1], out=first[1:])
        self.distinct.add(hash_numbers(ascending[first]), different=True)

    def add_counts(self, counts: Mapping[str, int], missing: int = 0) -> None:
        """Take in how often each text came (a boolean's are `true` and `false`), and how often none did."""
        self.rows += sum(counts.values()) + missing
        self.missing += missing
        self.distinct.add(hash_texts(counts))
        if self.kind not in _FREE_KINDS:
            self.frequencies.add(counts)
            return
        lengths = np.fromiter((len(value) for value in counts), dtype=np.float64, count=len(counts))
        lengths = np.repeat(lengths, np.fromiter(counts.values(), dtype=np.int64, count=len(counts)))
        self.moments.add(lengths)
        self.quantiles.add(lengths)

    def merge(self, *others: ColumnProfile) -> None:
        """Take in all that others have seen; many at once are quicker than one after the other.

        Raises:
            ValueError: the kinds differ.
        """
        for other in others:
            if other.kind is not self.kind:
                raise ValueError(f"a profile of a {self.kind} cannot take in one of a {other.kind}")
            self.rows += other.rows
            self.missing += other.missing
            self.infinite += other.infinite
            self.moments.merge(other.moments)
        self.distinct.merge(*(other.distinct for other in others))
        self.quantiles.merge(*(other.quantiles for other in others))
        self.frequencies.merge(*(other.frequencies for other in others))

    def to_dict(self) -> dict[str, Any]:
        common = {
            "kind": str(self.kind),
            "rows": self.rows,
            "missing": self.missing,
            "infinite": self.infinite,
            "distinct": self.distinct.to_dict(),
        }
        if self.kind in _COUNTED_KINDS:
            return common | {"frequencies": self.frequencies.to_dict()}
        return common | {"moments": self.moments.to_dict(), "quantiles": self.quantiles.to_dict()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ColumnProfile:
        profile = cls(Kind(data["kind"]))
        profile.rows = int(data["rows"])
        profile.missing = int(data["missing"])
        profile.infinite = int(data["infinite"])
        profile.distinct = DistinctCounter.from_dict(data["distinct"])
        if "frequencies" in data:
            profile.frequencies = Frequencies.from_dict(data["frequencies"])
        else:
            profile.moments = Moments.from_dict(data["moments"])
            profile.quantiles = QuantileSketch.from_dict(data["quantiles"])
        return profile


class Profile:
    """The columns of some rows: inputs, target, prediction, whatever is to be watched.

    Args:
        kinds: the columns' names and kinds, in order.
        seed: of the quantile sketches.

    Examples:
        >>> profile = Profile({"age": Kind.INTEGER})
        >>> profile.columns["age"].add_numbers(np.array([30.0, 40.0]))
        >>> Profile.from_dict(profile.to_dict()).columns["age"].moments.mean
        35.0
    """

    __slots__ = ("columns",)

    def __init__(self, kinds: Mapping[str, Kind], seed: int = 0) -> None:
        self.columns = {name: ColumnProfile(kind, seed) for name, kind in kinds.items()}

    def merge(self, other: Profile) -> None:
        """Take in another profile of the same columns.

        Raises:
            ValueError: the columns or their kinds differ.
        """
        if list(other.columns) != list(self.columns):
            raise ValueError(
                f"a profile of {', '.join(self.columns)} cannot take in one of {', '.join(other.columns)}"
            )
        for name, column in self.columns.items():
            column.merge(other.columns[name])

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON: no NaN, no infinity."""
        return {
            "format": PROFILE_FORMAT,
            "columns": {name: column.to_dict() for name, column in self.columns.items()},
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Profile:
        """Raises `ValueError` where the data are of a format this version does not know."""
        if data.get("format") != PROFILE_FORMAT:
            raise ValueError(f"a profile of the format {data.get('format')!r} is not known here")
        profile = cls({})
        profile.columns = {name: ColumnProfile.from_dict(column) for name, column in data["columns"].items()}
        return profile
