"""The point-in-time join of events with the rows of views that are at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs

from mainspring.data.columns import HARMLESS
from mainspring.data.parsing import DTYPES
from mainspring.domain.aggregation import AggregateFunction, Aggregation
from mainspring.domain.feature_view import Value
from mainspring.domain.schema import Kind
from mainspring.errors import DataError
from mainspring.features.asof import NONE, Integers, Timeline
from mainspring.features.definition import CREATED_TIME, EVENT_TIME, Definition, Feature
from mainspring.features.entities import Entities, event_keys
from mainspring.features.moments import moments_of
from mainspring.features.windows import EARLIEST, aggregate

_AT_ONCE = 16 << 20  # bytes of a view's columns that are in memory at the same time, but for one that has more
_ROWS_AT_ONCE = 2_000_000  # of views that are joined at the same time, but for one that has more


@dataclass(frozen=True, slots=True)
class Joined:
    """A view that is joined.

    Attributes:
        rows: its rows as `rows.Offline.rows` gives them, in the order of their source.
        names: the features that are wanted, in order.
    """

    definition: Definition
    rows: pl.LazyFrame
    names: tuple[str, ...]


def join(events: pl.DataFrame | pl.LazyFrame, views: Sequence[Joined], *, time: str) -> pl.DataFrame:
    """Every event, once and in order, with the views' features as they were known at its time.

    Args:
        time: the events' column that says when each happened; where it is missing, so are the features.

    Raises:
        DataError: a key or the time is absent or of another type, or a column is there already.
    """
    frame = events.collect() if isinstance(events, pl.LazyFrame) else events
    lengths = [_length(view.rows) for view in views]
    return _joined(frame, views, time, lengths, lambda place: _Held(views[place]))


class Joiner:
    """Joins the same views with one frame after another. Their rows are put in order once, and the order of all of
    them stays in memory.
    """

    def __init__(self, views: Sequence[Joined]) -> None:
        self._views = views
        self._held = [_Held(view) for view in views]

    def join(self, events: pl.DataFrame, *, time: str) -> pl.DataFrame:
        """As `join`."""
        return _joined(events, self._views, time, [one.length for one in self._held], self._held.__getitem__)


def _joined(
    frame: pl.DataFrame, views: Sequence[Joined], time: str, lengths: Sequence[int], held: Callable[[int], _Held]
) -> pl.DataFrame:
    """Small views are joined at the same time, of large ones is one in memory.

    Args:
        lengths: how many rows each view has.
        held: the view at a place.
    """
    _check_names(frame, views)
    moments = moments_of(frame, time)

    def features(place: int) -> list[pl.Series]:
        return [*_features(frame, moments, held(place))]

    columns: list[pl.Series] = []
    for places in _together(lengths):
        with ThreadPoolExecutor(len(places), thread_name_prefix="join") as pool:
            columns += chain.from_iterable(pool.map(features, places))
    return frame.hstack(columns)


def _together(lengths: Sequence[int]) -> Iterator[list[int]]:
    """The places of neighbours that are short enough to be in memory at the same time."""
    places: list[int] = []
    rows = 0
    for place, length in enumerate(lengths):
        if places and rows + length > _ROWS_AT_ONCE:
            yield places
            places, rows = [], 0
        places.append(place)
        rows += length
    if places:
        yield places


def _length(rows: pl.LazyFrame) -> int:
    return int(rows.select(pl.len()).collect().item())


def _check_names(frame: pl.DataFrame, views: Sequence[Joined]) -> None:
    for view in views:
        for name in view.names:
            column = view.definition.column(view.definition[name].name)
            if column in frame.columns:
                raise DataError(
                    f"the rows have a column {column!r} already",
                    cure="drop or rename it, or leave the feature out",
                    where={"column": column},
                )


def _features(frame: pl.DataFrame, moments: pl.Series, held: _Held) -> Iterator[pl.Series]:
    definition = held.definition
    asked = held.entities.of(event_keys(frame, definition.name, definition.keys))
    at = moments.fill_null(0).to_numpy()
    entity = np.where(moments.is_null().to_numpy(), NONE, asked)
    features = [definition[name] for name in held.names]
    made = _own_values(held, [feature for feature in features if feature.aggregation is None], entity, at)
    made |= _aggregates(held, [feature for feature in features if feature.aggregation is not None], entity, at)
    for feature in features:
        yield _filled(made[feature.name], feature).alias(definition.column(feature.name))


class _Held:
    """A view's rows in time.

    Attributes:
        names: the features that are wanted, in order.
        length: how many rows there are.
    """

    def __init__(self, view: Joined) -> None:
        definition, rows = view.definition, view.rows
        names = [*definition.key_names, EVENT_TIME, *([CREATED_TIME] if definition.late else [])]
        frame = rows.select(cs.by_name(*names)).collect()
        frame.columns = [f"c{place}" for place in range(frame.width)]
        self.definition = definition
        self.names = view.names
        self._rows = rows
        self.length = frame.height
        self._kept: Integers | None = None  # the rows that have a key and times, where some have not
        if any(frame.null_count().row(0)):
            whole = frame.select(pl.all_horizontal(pl.all().is_not_null()).arg_true())
            self._kept = whole.to_series().cast(pl.Int64).to_numpy()
            frame = frame.drop_nulls()
        columns = frame.get_columns()
        keys, times = columns[: len(definition.keys)], columns[len(definition.keys) :]
        self.entities = Entities(keys)
        times_of = (time.to_physical().to_numpy() for time in times)
        self.timeline = Timeline(self.entities.of(keys), self.entities.count, *times_of)

    def places(self, ranks: Integers) -> Integers:
        """The rows, in the order of the source, that have these ranks."""
        places = self.timeline.row[ranks]
        return places if self._kept is None else self._kept[places]

    def columns(
        self, names: Sequence[str], places: Integers, there: pl.Series | None = None
    ) -> Iterator[tuple[str, pl.Series]]:
        """The rows' columns at these places, as many at a time as memory is meant for.

        Args:
            there: whether anything is at the place; everywhere where not given.
        """
        wanted = pl.Series(places, dtype=pl.UInt32)
        together = max(1, _AT_ONCE // (8 * max(self.length, 1)))
        for first in range(0, len(names), together):
            frame = self._rows.select(cs.by_name(*names[first : first + together])).collect()
            # In one piece, or each place would be looked for among the pieces. Missing places would take three
            # times as long as values that are taken away again.
            frame = frame.rechunk()[wanted] if self.length else frame.clear(wanted.len())
            if there is not None:
                frame = frame.select(pl.when(there).then(pl.all()))
            for name in frame.columns:
                yield name, frame.get_column(name).alias(HARMLESS)


def _own_values(held: _Held, features: Sequence[Feature], entity: Integers, at: Integers) -> dict[str, pl.Series]:
    """The values of the rows that hold."""
    if not features:
        return {}
    timeline, ttl = held.timeline, held.definition.ttl
    ranks = timeline.newest(entity, at)
    there = ranks != NONE
    if ttl is not None:
        lifetime = ttl // timedelta(microseconds=1)
        oldest = np.maximum(at, EARLIEST + lifetime) - lifetime
        there[there] = timeline.event[ranks[there]] >= oldest[there]
    places = np.zeros(ranks.size, np.int64)
    places[there] = held.places(ranks[there])
    return dict(held.columns([one.name for one in features], places, pl.Series(there)))


def _aggregates(held: _Held, features: Sequence[Feature], entity: Integers, at: Integers) -> dict[str, pl.Series]:
    timeline = held.timeline
    by_column: dict[str, list[tuple[Feature, Aggregation]]] = {}
    made: dict[str, pl.Series] = {}
    for feature in features:
        aggregation = feature.aggregation
        assert aggregation is not None
        if aggregation.column is None:
            counted, _ = aggregate(aggregation, timeline, None, None, entity, at)
            made[feature.name] = pl.Series(counted, dtype=pl.Int64)
        else:
            by_column.setdefault(aggregation.column, []).append((feature, aggregation))
    if not by_column:
        return made
    order = held.places(np.arange(timeline.row.size))
    for name, by_rank in held.columns(list(by_column), order):
        present = by_rank.is_not_null().to_numpy()
        for feature, aggregation in by_column[name]:
            given = _numbers(by_rank, aggregation.function)
            found, there = aggregate(aggregation, timeline, given, present, entity, at)
            made[feature.name] = _series(found, there, feature, aggregation, by_rank)
    return made


def _numbers(values: pl.Series, function: AggregateFunction | str) -> np.ndarray[Any, Any] | None:
    """The values as `windows.aggregate` takes them; missing ones are anything."""
    if function == AggregateFunction.LAST:
        return None
    if function == AggregateFunction.DISTINCT:
        return values.rank("dense").fill_null(0).cast(pl.Int64).to_numpy()
    if function in (AggregateFunction.SUM, AggregateFunction.MEAN):
        return values.cast(pl.Float64).fill_null(0.0).to_numpy()
    return values.to_physical().fill_null(0).to_numpy()


def _series(
    found: np.ndarray[Any, Any],
    there: np.ndarray[Any, Any] | None,
    feature: Feature,
    aggregation: Aggregation,
    by_rank: pl.Series,
) -> pl.Series:
    """Aggregates as a column."""
    if aggregation.function == AggregateFunction.LAST:
        ranks = pl.Series(found, dtype=pl.Int64)
        return by_rank.gather(pl.select(pl.when(ranks != NONE).then(ranks)).to_series())
    values = pl.Series(found).cast(DTYPES[feature.kind])
    return values if there is None else pl.select(pl.when(pl.Series(there)).then(values)).to_series()


def _filled(values: pl.Series, feature: Feature) -> pl.Series:
    if feature.default is None:
        return values
    return values.fill_null(default_value(feature.default, feature.kind))


def default_value(default: Value, kind: Kind) -> Any:
    """A declared default as a value of its kind: times are written as ISO 8601 text."""
    if kind is not Kind.TIME:
        return float(default) if kind is Kind.NUMBER and default is not None else default
    moment = datetime.fromisoformat(str(default))
    return pl.Series([moment]).cast(pl.Datetime("us", "UTC"))[0]
