"""Of each entity the row that holds at a moment: the law of time, for all entities at once."""

from __future__ import annotations

import numpy as np
import polars as pl
import polars.selectors as cs

from mainspring.features.asof import Integers
from mainspring.features.definition import CREATED_TIME, EVENT_TIME, ORDER, Definition
from mainspring.features.entities import Entities

_MOMENT = pl.Datetime("us", "UTC")


def keys_of(definition: Definition) -> cs.Selector:
    """The columns that name the entity; a selector by names, which are never read as patterns."""
    return cs.by_name(*definition.key_names)


def known_rows(definition: Definition, rows: pl.LazyFrame, until: int) -> pl.LazyFrame:
    """The rows that count at a moment: they have happened, they are known, and they name an entity.

    Args:
        rows: of the view, as `features.rows` gives them.
        until: the moment, in microseconds.
    """
    return rows.filter(_counts(definition, until))


def known_in_memory(definition: Definition, rows: pl.LazyFrame, until: int) -> pl.DataFrame:
    """As `known_rows`; where all of them count, as they mostly do, none is copied."""
    frame = rows.collect()
    counts = frame.select(_counts(definition, until).fill_null(value=False)).to_series()
    return frame if counts.all() else frame.filter(counts)


def _counts(definition: Definition, until: int) -> pl.Expr:
    moment = pl.lit(until, pl.Int64).cast(_MOMENT)
    named = pl.all_horizontal(keys_of(definition).is_not_null())
    return pl.all_horizontal(pl.col(EVENT_TIME) <= moment, pl.col(CREATED_TIME) <= moment, named)


def newest_rows(definition: Definition, known: pl.DataFrame) -> pl.DataFrame:
    """Of each entity the row with the newest event; of equals that created last, of equals the later in order.

    Args:
        known: rows as `known_rows` leaves them.

    Returns:
        One of these rows for each entity; where the key is a whole number, in its order.
    """
    keys = known.select(keys_of(definition)).get_columns()
    entities = Entities(keys)
    entity, event = entities.of(keys), _microseconds(known, EVENT_TIME)
    newest = np.full(entities.count, np.iinfo(np.int64).min)
    np.maximum.at(newest, entity, event)
    place = np.flatnonzero(event == newest[entity])  # few are left, and most of those alone
    left = known[pl.Series(place)]
    order = np.lexsort((left.get_column(ORDER).to_numpy(), _microseconds(left, CREATED_TIME), entity[place]))
    whose = entity[place[order]]
    last = np.ones(whose.size, bool)
    np.not_equal(whose[1:], whose[:-1], out=last[:-1])
    return left[pl.Series(order[last])]


def _microseconds(rows: pl.DataFrame, time: str) -> Integers:
    return rows.get_column(time).to_physical().to_numpy()
