"""The answers whose truth is known, in the order in which they were given, each once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from mainspring.domain.measurement import Window
from mainspring.monitoring.label_wait import label_wait
from mainspring.monitoring.look import Look
from mainspring.monitoring.performance.labelled import Labelled, labelled

HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_PATIENCE = timedelta(days=7)  # with hours of which no label has come, where nobody says how long labels take


@dataclass(frozen=True, slots=True)
class Hour:
    """The labelled answers of one hour, in order."""

    start: datetime
    known: Labelled


def label_stream(look: Look, since: datetime) -> Iterator[Hour]:
    """The whole hours from `since` on whose labels are in, up to the first that still waits.

    An hour's labels are in when `min_label_share` of its answers have one, or when the time within which labels
    come has passed. What comes later than that is not seen any more: an order that changes afterwards is none.

    Args:
        look: at a release; its window's end is where the stream ends at the latest.
        since: a whole hour.
    """
    end, wait = look.window.end, label_wait(look.context)
    day = since
    while day < end:
        until = min(day.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY, end)
        rows = look.context.joined(Window(day, until)).filter(pl.col("release") == look.release)
        hour = day
        while hour + HOUR <= until:
            at = pl.col("at")
            known = labelled(rows.filter(at >= hour, at < hour + HOUR), look.manifest)
            if not _is_in(look, hour + HOUR, known, wait):
                return
            yield Hour(hour, known)
            hour += HOUR
        day = until


def whole_hour(moment: datetime) -> datetime:
    """The hour that the moment is in."""
    return moment.replace(minute=0, second=0, microsecond=0)


def _is_in(look: Look, end: datetime, known: Labelled, wait: timedelta) -> bool:
    if not known.answered or known.share >= look.monitor.min_label_share:
        return True
    declared = look.context.label_delay is not None
    patience = wait if declared or len(known.truth) else max(wait, _PATIENCE)
    return end + patience <= look.context.now
