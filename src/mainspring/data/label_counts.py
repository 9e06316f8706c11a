"""How many labels there are since some moment: what a trigger asks at each look."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from mainspring.data.predictions import predictions
from mainspring.domain.ports import Tables
from mainspring.domain.prediction_log import TRUTH, labels_table


def labels_received(tables: Tables, model: str, *, since: datetime) -> int:
    """Truths that came in after this moment, one that came twice or was corrected counted once."""
    table = labels_table(model)
    if not tables.exists(table):
        return 0
    fresh = tables.scan(table).filter(pl.col("day") >= since.date(), pl.col("at") > since, pl.col("name") == TRUTH)
    about = pl.when(pl.col("prediction_id").is_not_null()).then(pl.col("prediction_id")).otherwise(pl.col("key"))
    return int(fresh.select(about.hash().n_unique()).collect().item())


def labelled_answers(tables: Tables, model: str, *, since: datetime, as_of: datetime) -> int:
    """Answers given at or after `since` whose truth is known by `as_of`."""
    known = predictions(tables, model, since=since, until=as_of, as_of=as_of)
    return int(known.select(pl.col("label_at").count()).collect().item())
