"""Rows of a view → the vectors of its entities as of a moment, and whether a vector says anything new."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from mainspring.data.columns import values_of
from mainspring.domain.aggregation import AggregateFunction
from mainspring.domain.ports_features import EntityKey, Vector
from mainspring.domain.schema import Kind
from mainspring.features.definition import CREATED_TIME, EVENT_TIME, ORDER, Definition, Feature
from mainspring.features.keys import EntityKeys
from mainspring.features.layout import key_fields, layout_of
from mainspring.features.newest import keys_of, newest_rows
from mainspring.features.stairs import Stairs, Window, build_stairs, first_bucket
from mainspring.features.vectors import VectorCodec

_AT_ONCE = 50_000  # entities: their values are Python objects while they are encoded
_ENTITY = "__entity"


class Assembler:
    """Makes the vectors of one view.

    Attributes:
        keys, codec: the encodings of the view, which readers use too.
    """

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.keys = EntityKeys(key_fields(definition))
        self.codec = VectorCodec(layout_of(definition))
        self._windows = {
            feature.name: Window.of(feature.aggregation)
            for feature in definition.aggregated
            if feature.aggregation is not None
        }

    def vectors(self, known: pl.DataFrame, until: int) -> Iterator[tuple[list[EntityKey], list[Vector]]]:
        """The entities' vectors, some at a time.

        Args:
            known: all rows that count at the moment (see `newest.known_rows`) of these entities.
            until: the moment, in microseconds.
        """
        newest = newest_rows(self.definition, known)
        stairs = self._stairs(known, newest, until)
        for start in range(0, newest.height, _AT_ONCE):
            piece = newest.slice(start, _AT_ONCE)
            columns = [
                stairs[feature.name][start : start + _AT_ONCE]
                if feature.name in stairs
                else _plain(piece, feature.name, feature.kind)
                for feature in self.definition.features
            ]
            times = values_of(piece, EVENT_TIME).dt.epoch("us").to_list()
            yield self.encoded_keys(piece), self.codec.encode_all(columns, times)

    def encoded_keys(self, rows: pl.DataFrame) -> list[EntityKey]:
        """What names the entities of these rows, of which no part of a key is missing."""
        columns = [_plain(rows, key.name, key.kind) for key in self.definition.keys]
        return [key for key in self.keys.of_columns(columns) if key is not None]

    def says_the_same(self, one: Vector, other: Vector, until: int) -> bool:
        """Whether two vectors give the same answers from the moment on: steps that no window reaches any more may
        be there or not."""
        if one == other:
            return True
        return bool(self._windows) and self._read(one, until) == self._read(other, until)

    def _read(self, vector: Vector, until: int) -> list[Any]:
        values: list[Any] = msgspec.msgpack.decode(vector)
        for place, feature in enumerate(self.definition.features):
            window = self._windows.get(feature.name)
            if window is not None and values[place] is not None:
                base, distances, given = values[place]
                first = first_bucket(until, window.over, window.step) - base
                kept = [(base + d, value) for d, value in zip(distances, given, strict=True) if d >= first]
                values[place] = kept or None
        return values

    def _stairs(self, known: pl.DataFrame, newest: pl.DataFrame, until: int) -> dict[str, list[Stairs | None]]:
        """For each feature with a window the stairs of the entities, in the order of `newest`."""
        if not self._windows:
            return {}
        oldest = min(
            first_bucket(until, window.over, window.step) * window.step for window in self._windows.values()
        )
        keys = keys_of(self.definition)
        entities = newest.select(keys).with_row_index(_ENTITY)
        after = pl.lit(oldest, pl.Int64).cast(pl.Datetime("us", "UTC"))
        events = (
            known.filter(pl.col(EVENT_TIME) > after)
            .join(entities, on=keys, how="inner")
            .sort(_ENTITY, EVENT_TIME, CREATED_TIME, ORDER)
        )
        owner = events.get_column(_ENTITY).to_numpy()
        times = events.get_column(EVENT_TIME).dt.epoch("us").to_numpy()
        found = {}
        for feature in self.definition.aggregated:
            window = self._windows[feature.name]
            present, values = _aggregated(events, feature)
            whose = owner if present is None else owner[present]
            starts = np.searchsorted(whose, np.arange(newest.height + 1))
            when = times if present is None else times[present]
            found[feature.name] = build_stairs(window, starts, when, values, until)
        return found


def _aggregated(
    events: pl.DataFrame, feature: Feature
) -> tuple[npt.NDArray[np.bool_] | None, npt.NDArray[Any] | None]:
    """Which events have a value for the feature (`None`: all), and these values."""
    assert feature.aggregation is not None
    if feature.aggregation.column is None:
        return None, None
    values = values_of(events, feature.aggregation.column)
    present = values.is_not_null().to_numpy() if values.null_count() else None
    values = values.drop_nulls()
    if feature.of is Kind.TIME:
        values = values.dt.epoch("us")
    if feature.aggregation.function is AggregateFunction.DISTINCT:
        values = values.rank("dense")  # any kind as whole numbers, equal where the values are
    return present, values.to_numpy()


def _plain(rows: pl.DataFrame, name: str, kind: Kind) -> list[Any]:
    """A column's values as the encodings take them."""
    values = values_of(rows, name)
    match kind:
        case Kind.TIME:
            values = values.dt.epoch("us")
        case Kind.NUMBER:
            values = values.fill_nan(None)
    return values.to_list()
