"""How many of a model's predictions have a label, and how long labels take to come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from mainspring.data.predictions import predictions
from mainspring.domain.ports import Tables


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of the predictions of a window.

    Attributes:
        predictions: that were answered (shadows not counted).
        labelled: of these, those whose truth is known.
        early: of these, those whose truth was known before they were answered.
        delay_median, delay_90: seconds from an answer to its label within which half, and nine tenths, of the
            known labels came, those that came before at once; `None` where none is known.
    """

    predictions: int
    labelled: int
    early: int
    delay_median: float | None
    delay_90: float | None

    @property
    def share(self) -> float | None:
        """Of predictions that are labelled; `None` where there are none."""
        return self.labelled / self.predictions if self.predictions else None


def coverage(
    tables: Tables, model: str, *, now: datetime, window: timedelta, label_delay: timedelta = timedelta(0)
) -> Coverage:
    """The coverage by labels, as it stands now.

    Args:
        window: how far back, from the newest prediction that counts.
        label_delay: after which a label should be known; younger predictions do not count.
    """
    until = now - label_delay
    found = predictions(tables, model, since=until - window, until=until, as_of=now)
    delay = pl.col("label_delay").dt.total_microseconds()
    numbers = found.select(
        pl.len().alias("predictions"),
        pl.col("label_at").count().alias("labelled"),
        (delay < 0).sum().alias("early"),
        delay.clip(0).quantile(0.5, "higher").alias("median"),
        delay.clip(0).quantile(0.9, "higher").alias("most"),
    ).collect()
    count, labelled, early, median, most = numbers.row(0)
    return Coverage(count, labelled, early, _seconds(median), _seconds(most))


def _seconds(microseconds: float | None) -> float | None:
    return None if microseconds is None else microseconds / 1e6
