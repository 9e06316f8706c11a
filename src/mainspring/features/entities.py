"""Entity keys of two frames as numbers: equal keys, equal numbers."""

from __future__ import annotations

import numpy as np
import polars as pl

from mainspring.data.columns import HARMLESS
from mainspring.data.parsing import DTYPES
from mainspring.domain.schema import Kind
from mainspring.errors import DataError
from mainspring.features.asof import NONE, Integers
from mainspring.features.definition import Definition, did_you_mean
from mainspring.features.moments import as_times

_TEXT = (Kind.CATEGORY, Kind.TEXT, Kind.ID)
_SPARSE = 4  # whole numbers whose range is at most so many times their count are their own numbers


def event_keys(events: pl.DataFrame, definition: Definition) -> list[pl.Series]:
    """The events' values of the view's keys, as the view has them.

    Raises:
        DataError: there is no such column, or its values are of another type.
    """
    return [_converted(events, definition, key.name, key.kind) for key in definition.keys]


def number(keys: list[pl.Series], asked: list[pl.Series]) -> tuple[Integers, int, Integers]:
    """The entities of rows and of questions.

    Args:
        keys: the rows' keys; none of them is missing.
        asked: the questions' keys, of the same types.

    Returns:
        the rows' entities from 0 on, how many there are, and the questions'; `NONE` where the entity has no
        rows, or a part of the key is missing.

    Examples:
        >>> number([pl.Series([7, 8, 7])], [pl.Series([8, 9, None])])
        (array([0, 1, 0]), 2, array([ 1, -1, -1]))
    """
    if len(keys) == 1 and keys[0].dtype == pl.Int64 and keys[0].len():
        low, high = int(keys[0].min()), int(keys[0].max())  # type: ignore[arg-type]
        if high - low < _SPARSE * keys[0].len():
            inside = asked[0].is_between(low, high).fill_null(value=False)
            places = (asked[0].fill_null(low).clip(low, high) - low).to_numpy()
            return (keys[0] - low).to_numpy(), high - low + 1, np.where(inside.to_numpy(), places, NONE)
    names = [f"k{place}" for place in range(len(keys))]
    rows, questions = (pl.DataFrame(dict(zip(names, side, strict=True))) for side in (keys, asked))
    entities = rows.unique(maintain_order=False).with_row_index(HARMLESS)

    def coded(side: pl.DataFrame) -> Integers:
        joined = side.join(entities, on=names, how="left", maintain_order="left")
        return joined.get_column(HARMLESS).cast(pl.Int64).fill_null(NONE).to_numpy()

    return coded(rows), entities.height, coded(questions)


def _converted(events: pl.DataFrame, definition: Definition, name: str, kind: Kind) -> pl.Series:
    if name not in events.columns:
        raise DataError(
            f"the rows have no column {name!r}, by which the view {definition.name!r} is looked up",
            cure=f"add it; {did_you_mean(name, events.columns)}",
            where={"column": name, "view": definition.name},
        )
    values = events.get_column(name).alias(HARMLESS)
    found = values if values.dtype == DTYPES[kind] else _fitting(values, kind)
    if found is None:
        raise DataError(
            f"the key {name!r} is of type {values.dtype} in the rows and of kind {kind} in the view "
            f"{definition.name!r}, so no two would ever be equal",
            cure=f"give both the same kind: in schema.toml and schemas/{definition.name}.toml, or cast the column",
            where={"column": name, "view": definition.name},
        )
    return found


def _fitting(values: pl.Series, kind: Kind) -> pl.Series | None:
    """The values as the kind has them; `None` where they are of another."""
    dtype = values.dtype
    if dtype == pl.Null:
        return values.cast(DTYPES[kind])
    if kind in _TEXT:
        return values.cast(pl.String) if isinstance(dtype, pl.Categorical | pl.Enum) else None
    if kind is Kind.TIME:
        return as_times(values)
    if kind is not Kind.INTEGER:
        return None
    if dtype.is_integer():  # too great for 64 bits: equal to none
        return values.cast(pl.Int64, strict=False)
    if dtype.is_float():  # frames without missing whole numbers hold them as floats
        present = values.fill_nan(None)
        whole = present.cast(pl.Int64, strict=False)
        return whole if (whole.cast(pl.Float64) == present.cast(pl.Float64)).all() else None
    return None
