"""What the online store answers, as a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from mainspring.data.parsing import DTYPES
from mainspring.domain.instants import microseconds, zoned
from mainspring.domain.ports_features import OnlineStore
from mainspring.domain.schema import Kind
from mainspring.errors import UsageError
from mainspring.features.definition import Definition, did_you_mean
from mainspring.features.keys import EntityKeys
from mainspring.features.layout import key_fields, layout_of
from mainspring.features.vectors import VectorCodec

EVENT, OUTCOME = "event_time", "outcome"


def online_values(
    store: OnlineStore,
    definition: Definition,
    keys: pl.DataFrame | Mapping[str, Any] | Sequence[Mapping[str, Any]],
    now: datetime,
) -> pl.DataFrame:
    """The features of entities as a request would get them at that moment.

    Args:
        keys: a frame of them, or one or several as dictionaries.

    Returns:
        One row for each, in their order: the keys, the features, when the newest event of the entity was, and
        whether it was found.

    Raises:
        UsageError: a key is absent, or the view is not in the store.
        InvalidInput: a key of another type.
    """
    rows = keys.to_dicts() if isinstance(keys, pl.DataFrame) else [keys] if isinstance(keys, Mapping) else keys
    encodings, codec = EntityKeys(key_fields(definition)), VectorCodec(layout_of(definition))
    for number, row in enumerate(rows):
        for name in definition.key_names:
            if name not in row:
                raise UsageError(
                    f"row {number} has no key {name!r}",
                    cure=did_you_mean(name, list(row)) if row else f"give {name}=…",
                    where={"row": number, "key": name},
                )
    if store.marked(definition.id) is None:
        raise UsageError(
            f"the view {definition.name!r} is not in the online store",
            cure=f"fill it: mainspring features materialize {definition.name}",
            where={"view": definition.name},
        )
    plain = [{name: _plain(value) for name, value in row.items()} for row in rows]
    encoded = [encodings.of_row(row, number) for number, row in enumerate(plain)]
    (vectors,) = store.read([(definition.id, [key for key in encoded if key is not None])])
    waiting = iter(vectors)
    found = [next(waiting) if key is not None else None for key in encoded]
    read = [codec.read(vector, microseconds(now)) for vector in found]
    times = [None if vector is None else codec.event_time(vector) for vector in found]
    columns = [
        *(feature_series(key.name, key.kind, [row[key.name] for row in plain]) for key in definition.keys),
        *(
            feature_series(feature.name, feature.kind, [values[place] for _, values in read])
            for place, feature in enumerate(definition.features)
        ),
        pl.Series(EVENT, times, pl.Int64).cast(pl.Datetime("us", "UTC")),
        pl.Series(OUTCOME, [str(outcome) for outcome, _ in read], pl.String),
    ]
    return pl.DataFrame(columns)


def _plain(value: Any) -> Any:
    """A key as a request carries it."""
    if isinstance(value, datetime):
        return value.isoformat() if value.tzinfo is not None else f"{value.isoformat()}Z"
    return value


def feature_series(name: str, kind: Kind, values: Sequence[Any]) -> pl.Series:
    """Values as an online store gives them, as a column.

    Examples:
        >>> feature_series("at", Kind.TIME, ["2026-01-31", "2026-01-31T01:00:00.000000Z"]).dt.hour().to_list()
        [0, 1]
    """
    if kind is Kind.TIME:  # defaults are written as the user likes
        moments = [
            None if value is None else microseconds(zoned(datetime.fromisoformat(value))) for value in values
        ]
        return pl.Series("value", moments, pl.Int64).cast(DTYPES[kind]).alias(name)
    return pl.Series("value", values, DTYPES[kind], strict=False).alias(name)
