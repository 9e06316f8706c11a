"""Entity keys of two frames as numbers: equal keys, equal numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from mainspring.data.columns import HARMLESS
from mainspring.data.parsing import DTYPES
from mainspring.domain.numerals import OTHERWISE, PLAIN
from mainspring.domain.schema import Kind
from mainspring.errors import DataError
from mainspring.features.asof import NONE, Integers
from mainspring.features.definition import Key, did_you_mean
from mainspring.features.moments import as_times

_TEXT = (Kind.CATEGORY, Kind.TEXT, Kind.ID)
_SPARSE = 4  # whole numbers whose range is at most so many times their count are their own numbers


def event_keys(events: pl.DataFrame, view: str, keys: Sequence[Key]) -> list[pl.Series]:
    """The events' values of a view's keys, as the view has them.

    Raises:
        DataError: there is no such column, or its values are of another type or written otherwise.
    """
    return [_converted(events, view, key) for key in keys]


class Entities:
    """Numbers entities by the keys that rows have.

    Args:
        keys: the rows' keys; none of them is missing.

    Attributes:
        count: how many numbers there are.

    Examples:
        >>> rows = [pl.Series([7, 8, 7])]
        >>> entities = Entities(rows)
        >>> entities.count, entities.of(rows), entities.of([pl.Series([8, 9, None])])
        (2, array([0, 1, 0]), array([ 1, -1, -1]))
    """

    def __init__(self, keys: Sequence[pl.Series]) -> None:
        self._range = _bounds(keys[0]) if len(keys) == 1 and keys[0].dtype == pl.Int64 else None
        if self._range is not None:
            low, high = self._range
            if high - low < _SPARSE * keys[0].len():
                self.count = high - low + 1
                return
            self._range = None
        self._known = _side_by_side(keys).unique(maintain_order=False).with_row_index(HARMLESS)
        self.count = self._known.height

    def of(self, keys: Sequence[pl.Series]) -> Integers:
        """The entities of these keys, which are of the same types; `NONE` where an entity has no rows, or a part
        of the key is missing.
        """
        if self._range is not None:
            low, high = self._range
            found = _bounds(keys[0])
            if found is not None and not keys[0].null_count() and low <= found[0] and found[1] <= high:
                return (keys[0] - low).to_numpy()
            inside = keys[0].is_between(low, high).fill_null(value=False)
            places = (keys[0].fill_null(low).clip(low, high) - low).to_numpy()
            return np.where(inside.to_numpy(), places, NONE)
        asked = _side_by_side(keys)
        joined = asked.join(self._known, on=asked.columns, how="left", maintain_order="left")
        return joined.get_column(HARMLESS).cast(pl.Int64).fill_null(NONE).to_numpy()


def _bounds(values: pl.Series) -> tuple[int, int] | None:
    """The least and the greatest whole number; `None` where there is none."""
    low, high = values.min(), values.max()
    return None if low is None or high is None else (int(low), int(high))  # type: ignore[arg-type]


def _side_by_side(keys: Sequence[pl.Series]) -> pl.DataFrame:
    return pl.DataFrame({f"k{place}": values for place, values in enumerate(keys)})


def _converted(events: pl.DataFrame, view: str, key: Key) -> pl.Series:
    name, kind = key.name, key.kind
    if name not in events.columns:
        raise DataError(
            f"the rows have no column {name!r}, by which the view {view!r} is looked up",
            cure=f"add it; {did_you_mean(name, events.columns)}",
            where={"column": name, "view": view},
        )
    values = events.get_column(name).alias(HARMLESS)
    found = values if values.dtype == DTYPES[kind] else _fitting(values, key)
    if found is None:
        raise DataError(
            f"the key {name!r} is of type {values.dtype} in the rows and of kind {kind} in the view "
            f"{view!r}, so no two would ever be equal",
            cure=f"give both the same kind: in schema.toml and schemas/{view}.toml, or cast the column",
            where={"column": name, "view": view},
        )
    if key.numerals:
        _check_numerals(found, view, name)
    return found


def _check_numerals(texts: pl.Series, view: str, name: str) -> None:
    """Raises `DataError` for a text that is the same number as one of the view's, and not equal to it."""
    odd = texts.str.contains(OTHERWISE) & ~texts.str.contains(PLAIN)
    if odd.any():
        row = int(odd.arg_true()[0])
        raise DataError(
            f"the key {name!r} is {texts[row]!r} in row {row + 1:,}, where those of the view {view!r} are whole "
            "numbers in plain digits, so it would be found nowhere",
            cure=f"write it as 17, not 017 or 17.0; or set `numerals = false` of {name!r} in schemas/{view}.toml",
            where={"column": name, "view": view, "row": row + 1},
        )


def _fitting(values: pl.Series, key: Key) -> pl.Series | None:
    """The values as the key's kind has them; `None` where they are of another."""
    dtype, kind = values.dtype, key.kind
    if dtype == pl.Null:
        return values.cast(DTYPES[kind])
    if kind in _TEXT and key.numerals and (dtype.is_integer() or dtype.is_float()):
        whole = _whole(values)
        return None if whole is None else whole.cast(pl.String)
    if kind in _TEXT:
        return values.cast(pl.String) if isinstance(dtype, pl.Categorical | pl.Enum) else None
    if kind is Kind.TIME:
        return as_times(values)
    if kind is not Kind.INTEGER:
        return None
    # Too great for 64 bits: equal to none.
    return values.cast(pl.Int64, strict=False) if dtype.is_integer() else _whole(values)


def _whole(values: pl.Series) -> pl.Series | None:
    """Whole numbers, also those that frames without missing ones hold as floats."""
    if values.dtype.is_integer():
        return values
    if not values.dtype.is_float():
        return None
    present = values.fill_nan(None)
    whole = present.cast(pl.Int64, strict=False)
    return whole if (whole.cast(pl.Float64) == present.cast(pl.Float64)).all() else None
