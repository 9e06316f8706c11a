"""Features as of the time of each event: the join that training, `reproduce` and `features history` make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from mainspring.domain.feature_view import FeatureRef
from mainspring.features.definition import by_view
from mainspring.features.joining import Joined, join
from mainspring.features.rows import Offline, Taken


def history(
    events: pl.DataFrame | pl.LazyFrame,
    refs: Sequence[FeatureRef],
    offline: Offline,
    *,
    time: str,
    taken: Mapping[str, Taken] | None = None,
) -> pl.DataFrame:
    """Every event, once and in order, with the features as they were known at its time.

    Args:
        events: with the keys of the views.
        refs: the features that are wanted, of any views: `creative["brightness"]`.
        offline: where the views' rows are.
        time: the events' column that says when each happened; where it is missing, so are the features.
        taken: view → the rows that are looked at; those of its source as it is now where not given.

    Returns:
        All columns of the events, and for each feature a column `VIEW.FEATURE`.

    Raises:
        DataError: a key or the time is absent or of another type, or a column is there already; or the views'
            rows cannot be read.
        DeclarationError: a feature is asked for twice, or a view names what its source does not have.
        FeatureError: a function of a view failed.
    """
    given = taken or {}
    views = []
    for name, (view, names) in by_view(refs).items():
        which = given.get(name) or offline.take(view)
        views.append(Joined(offline.definition(view, which), offline.rows(view, which), names))
    return join(events, views, time=time)
