"""Does a feature know what it cannot know when a prediction is asked for?

Warnings only: a person has to say whether a feature is known in time. On clean data there are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.data.columns import values_of
from mainspring.data.leaks_copies import copies_across_holdout
from mainspring.data.leaks_ids import ids_among_features
from mainspring.data.leaks_power import features_that_tell
from mainspring.data.leaks_time import features_from_later
from mainspring.data.showing import nan_count
from mainspring.domain.finding import Finding
from mainspring.domain.schema import Schema, Severity
from mainspring.domain.task import Task

_SAMPLE = 50_000  # rows that are looked at where every row would take too long
_SAMPLE_SEED = 20_240_229


def find_leaks(
    frame: pl.DataFrame,
    schema: Schema,
    *,
    target: str,
    task: Task,
    features: Sequence[str],
    key: str | None,
    time: str | None,
    holdout: NDArray[np.bool_] | None,
) -> tuple[Finding, ...]:
    """Look for features that give the target away, come after it, or name rows, and for rows in both parts.

    Rows without a target are left out. Of more than 50,000 rows a fixed sample is taken where the search needs
    no more; ids and copies are looked for in all.

    Args:
        frame: typed rows [n].
        features: columns that the model learns from; one that is absent or `off` in the schema is passed over.
        time: the column that says when a row happened.
        holdout: which rows no training sees, bool [n]; without it no copies are looked for.

    Returns:
        Warnings with the codes `leaks-target`, `missing-leaks-target`, `made-of-target`, `known-later`,
        `id-as-feature` and `rows-in-both`.
    """
    if target not in frame.columns or not frame.height:
        return ()
    learnt = [
        name
        for name in features
        if name in frame.columns
        and name in schema
        and name != target
        and schema[name].severity is not Severity.OFF
    ]
    labels = values_of(frame, target)
    labelled = labels.is_not_null() & ~labels.is_nan() if nan_count(labels) else labels.is_not_null()
    rows = frame.filter(labelled)
    sample = rows
    if rows.height > _SAMPLE:
        chosen = np.random.default_rng(_SAMPLE_SEED).choice(rows.height, _SAMPLE, replace=False)
        sample = rows[np.sort(chosen)]
    kinds = schema.select(tuple(learnt))
    found = (
        features_that_tell(sample, kinds, target, task),
        features_from_later(sample, kinds, time),
        ids_among_features(rows, kinds, key),
        () if holdout is None else copies_across_holdout(rows, learnt, target, holdout[labelled.to_numpy()]),
    )
    return tuple(chain.from_iterable(found))
