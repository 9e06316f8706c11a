"""Of each entity the row that holds at a moment: the law of time, for all entities at once."""

from __future__ import annotations

import polars as pl
import polars.selectors as cs

from mainspring.features.definition import CREATED_TIME, EVENT_TIME, ORDER, Definition

_MOMENT = pl.Datetime("us", "UTC")
_PLACE = "__place"


def keys_of(definition: Definition) -> cs.Selector:
    """The columns that name the entity; a selector by names, which are never read as patterns."""
    return cs.by_name(*definition.key_names)


def known_rows(definition: Definition, rows: pl.LazyFrame, until: int) -> pl.LazyFrame:
    """The rows that count at a moment: they have happened, they are known, and they name an entity.

    Args:
        rows: of the view, as `features.rows` gives them.
        until: the moment, in microseconds.
    """
    moment = pl.lit(until, pl.Int64).cast(_MOMENT)
    named = pl.all_horizontal(keys_of(definition).is_not_null())
    return rows.filter(pl.col(EVENT_TIME) <= moment, pl.col(CREATED_TIME) <= moment, named)


def newest_rows(definition: Definition, known: pl.DataFrame) -> pl.DataFrame:
    """Of each entity the row with the newest event; of equals that created last, of equals the later in order.

    Args:
        known: rows as `known_rows` leaves them.

    Returns:
        These rows, in the order in which they stand in `known`.
    """
    keys = keys_of(definition)
    # A selector of several columns would be taken for each by itself.
    entity = keys.as_expr() if len(definition.keys) == 1 else pl.struct(keys)
    times = known.select(keys, EVENT_TIME)
    newest = known.filter(times.select(pl.col(EVENT_TIME) == pl.col(EVENT_TIME).max().over(entity)).to_series())
    # Few are left, and most of those alone.
    last = newest.select(keys, CREATED_TIME, ORDER).with_row_index(_PLACE).sort(CREATED_TIME, ORDER)
    return newest[last.unique(keys, keep="last").get_column(_PLACE).sort()]
